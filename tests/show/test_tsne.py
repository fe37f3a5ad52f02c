"""t-SNE maps: neighbours stay, classes stay apart, and the same seed draws the same map."""

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness

from latent.show import tsne


def test_tsne_keeps_neighbours_and_repeats():
    labels = torch.arange(120) % 3
    points = torch.randn(120, 40, generator=torch.Generator().manual_seed(1)) + 12 * torch.eye(3, 40)[labels]
    flat = tsne.embed(points)
    assert flat.shape == (120, 2) and np.array_equal(flat, tsne.embed(points))
    assert trustworthiness(points.numpy(), flat, n_neighbors=10) > 0.85
    centres = np.stack([flat[labels == c].mean(0) for c in range(3)])
    assert max(flat[labels == c].std() for c in range(3)) < min(
        np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2))
    )


def test_tsne_of_very_few_points():
    assert tsne.embed(torch.rand(4, 1, 5, 5)).shape == (4, 2)
    with pytest.raises(ValueError, match="at least 3"):
        tsne.embed(torch.rand(2, 5))


def test_images_are_mapped_once_and_each_by_what_it_is():
    points = torch.rand(40, 6, generator=torch.Generator().manual_seed(2))
    once = tsne.embed_once(points)
    kept = once.copy()
    once += 1  # whoever gets a map may draw on it
    assert np.array_equal(tsne.embed_once(points.clone()), kept) and np.array_equal(kept, tsne.embed(points))
    for other in (points.flip(0), points[:20]):
        assert np.array_equal(tsne.embed_once(other), tsne.embed(other)) and not np.array_equal(tsne.embed_once(other), kept)
