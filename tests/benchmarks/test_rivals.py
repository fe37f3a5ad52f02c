"""Our t-SNE against the affinities of openTSNE, which `make bench` installs."""

import numpy as np
import pytest
from scipy.sparse import coo_array

pytest.importorskip("openTSNE", reason="make bench installs what the benchmarks compare with")

from benchmarks import tsne


def test_tsne_is_compared_by_time_divergence_and_trust():
    points, rows = tsne.rows(200, repeats=1)
    assert "random images" in points and [row.name.split(" ")[0] for row in rows] == ["t-SNE", "KL", "trustworthiness"]
    assert all(row.ratio > 0 for row in rows) and rows[1].most == 1.01 and rows[1].ratio < 1.3


def test_the_divergence_is_that_of_all_pairs():
    generator = np.random.default_rng(0)
    flat, p = generator.normal(size=(30, 2)), generator.random((30, 30))
    np.fill_diagonal(p, 0)
    p = (p + p.T) / (p + p.T).sum()
    q = 1 / (1 + np.square(flat[:, None] - flat[None]).sum(2))
    np.fill_diagonal(q, 0)
    pairs = p > 0
    assert tsne.kl_divergence(coo_array(p), flat) == pytest.approx((p[pairs] * np.log(p[pairs] / (q / q.sum())[pairs])).sum())
