"""Tables of results: means and deviations over the seeds, in one form wherever they are shown."""

import statistics

import pytest
from helpers import made

from latent.show import tables
from latent.store import results


def test_a_table_gives_mean_and_deviation_over_seeds():
    values = [97.5, 98.25, 98.75]
    for seed, value in enumerate(values):
        results.write("mnist-guided", seed, made("mnist-guided", seed, {"test_accuracy": value, "train_accuracy": 99.0}), None)
    row = results.summary("mnist-guided")
    assert row["seeds"] == 3 and row["test_accuracy"] == statistics.fmean(values) and row["test_mae"] is None
    assert row["test_accuracy_std"] == pytest.approx(statistics.stdev(values))
    assert f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f}" in tables.markdown(tables.HEADER, tables.rows())
    assert tables.spread([1.0], 1) == "1.0" and tables.spread([], 1) == "–"


def test_columns_of_which_no_row_says_anything_are_left_out():
    header, body = tables.filled(["a", "b", "c", "d"], [["1", "–", "", "–"], ["2", "–", "", "3"]])
    assert header == ["a", "d"] and body == [["1", "–"], ["2", "3"]]


def test_an_experiment_is_named_by_how_its_encoder_learned():
    assert [tables.way(name) for name in ("mnist-ae", "cifar-contrastive-labels")] == ["autoencoder", "contrast, labels"]
    assert tables.way("mnist-pca") == "PCA" and len(tables.SHORT) == len(tables.HEADER) == len(tables.row("x", []))
