"""Interpolation, principal components, t-SNE, the stand-ins' labels and what a notebook displays."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from scipy.sparse import csr_array
from sklearn.decomposition import PCA as ReferencePCA
from sklearn.manifold import trustworthiness

from latent import baseline, display, interpolation, mesh, plots, probe, tsne
from latent.data import load


def test_a_line_has_both_ends_equal_steps_and_as_many_points_as_asked():
    ends = torch.randn(2, 128, generator=torch.Generator().manual_seed(0))
    path = interpolation.linear(ends, 10)
    assert path.shape == (10, 128) and torch.allclose(path[[0, -1]], ends)
    steps = path.diff(dim=0)
    assert torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-6)
    assert interpolation.linear(torch.rand(2, 1, 28, 28), 3).shape == (3, 1, 28, 28)


@pytest.mark.parametrize(("count", "steps"), [(2, 1), (3, 10), (1, 10)])
def test_a_line_without_two_ends_is_refused(count, steps):
    with pytest.raises(ValueError, match="two ends"):
        interpolation.linear(torch.rand(count, 4), steps)


def test_ink_and_distance_by_hand():
    pictures = torch.tensor([[0.0, 0.5, 0.9, 0.3], [0.0, 1.0, 1.0, 0.1]]).view(2, 1, 2, 2)
    assert interpolation.ink(pictures).tolist() == [0.5, 0]
    known = torch.tensor([[0, 255, 255, 0]], dtype=torch.uint8).view(1, 1, 2, 2)
    assert interpolation.nearest_distance(pictures, known)[1].item() == pytest.approx(0.1, rel=1e-4)


def test_pca_is_scikit_learns():
    images = load("mnist").train.images[:400]
    ours, flat = baseline.fit_pca(images, 12), images.flatten(1).numpy() / 255
    reference = ReferencePCA(12).fit(flat)
    latents = ours.encoder(images.float() / 255)
    assert np.allclose(latents.abs().numpy(), np.abs(reference.transform(flat)), atol=1e-3)
    expected = np.abs(np.clip(reference.inverse_transform(reference.transform(flat)), 0, 1) - flat).mean()
    assert probe.reconstruction_error(ours.encoder, ours.decoder, images) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("count", [120, tsne.MESH_FROM])
def test_tsne_keeps_neighbours_and_repeats(count):
    labels = torch.arange(count) % 3
    points = torch.randn(count, 40, generator=torch.Generator().manual_seed(1)) + 12 * torch.eye(3, 40)[labels]
    flat = tsne.embed(points)
    assert flat.shape == (count, 2) and np.array_equal(flat, tsne.embed(points))
    assert trustworthiness(points.numpy(), flat, n_neighbors=10) > 0.85
    centres = np.stack([flat[labels == c].mean(0) for c in range(3)])
    assert max(flat[labels == c].std() for c in range(3)) < min(
        np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2))
    )


def test_the_mesh_gives_the_gradient_and_the_divergence_of_all_pairs():
    generator = np.random.default_rng(0)
    flat = 20 * generator.normal(size=(800, 2))
    p = np.triu(generator.random((800, 800)) * (generator.random((800, 800)) < 0.05), 1)
    p = (p + p.T) / (p + p.T).sum()
    difference = flat[:, None] - flat[None]
    nearness = 1 / (1 + np.square(difference).sum(2))
    np.fill_diagonal(nearness, 0)
    q = nearness / nearness.sum()
    edges = p > 0
    expected = {part: ((share * nearness)[:, :, None] * difference).sum(1) for part, share in (("pull", p), ("push", q), ("both", p - q))}
    divergence, found = mesh.gradient_for(csr_array(p))(flat, csr_array(p), should_eval_error=True)
    push, total = mesh.repel(torch.from_numpy(flat).float())
    assert total.item() == pytest.approx(nearness.sum(), rel=0.01)
    assert np.linalg.norm(push.numpy() - expected["push"]) < 0.05 * np.linalg.norm(expected["push"])
    assert np.linalg.norm(found - expected["both"]) < 0.05 * np.linalg.norm(expected["both"])
    assert divergence == pytest.approx((p[edges] * np.log(p[edges] / q[edges])).sum(), rel=0.005)


def test_tsne_of_very_few_points():
    assert tsne.embed(torch.rand(4, 1, 5, 5)).shape == (4, 2)
    with pytest.raises(ValueError, match="at least 3"):
        tsne.embed(torch.rand(2, 5))


def test_neighbours_and_confusions_are_found():
    found = load("mnist")
    encoder = torch.nn.Flatten()
    near = probe.nearest(encoder, found.train.images[:3], found.train, 2)
    assert all(torch.equal(near[n].images[0], found.train.images[n]) for n in range(3))  # an image is its own neighbour
    predicted, labels = torch.tensor([1, 1, 0, 2]), torch.tensor([0, 0, 0, 2])
    share, true, taken = probe.worst_pair(predicted, labels, ["a", "b", "c"])
    assert (true, taken) == ("a", "b") and share == pytest.approx(200 / 3)
    assert probe.different_pair(found.test)[0] == 0
    first, second = probe.different_pair(found.test)
    assert found.test.labels[first] != found.test.labels[second]


def test_structure_scores_tight_classes_high():
    labels = torch.arange(90) % 3
    points = torch.randn(90, 10, generator=torch.Generator().manual_seed(1)) + 20 * torch.eye(3, 10)[labels]
    scores = probe.structure(points, tsne.embed(points), labels)
    assert scores["knn"] == 100 and scores["silhouette"] > 0.8 and scores["trustworthiness"] > 0.8


def test_shapes_can_be_told_apart_and_are_not_told_by_colour():
    found = load("cifar10")
    colours = found.train.images.float().mean((2, 3))
    by_class = torch.stack([colours[found.train.labels == c].mean(0) for c in range(10)])
    assert (by_class - by_class.mean(0)).abs().max() < 25  # of 255: the mean colour says little about the class
    edges = (found.train.images.float() / 255).diff(dim=2).abs().mean((1, 2, 3))
    assert edges[found.train.labels == 6].mean() > 1.2 * edges[found.train.labels == 7].mean()  # rows change downwards, columns do not


def test_a_shown_figure_is_a_picture_and_a_marked_caption(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(display, "display", lambda bundle, **options: shown.append((bundle, options["metadata"])))
    figure = plots.bars({"a": 1.0}, "a title", "a sentence", "x", "y")
    display.show(figure)
    (picture, size), (caption, mark) = shown
    assert picture["image/png"].startswith(b"\x89PNG") and size["image/png"]["width"] == round(7.0 * display.DOTS_PER_INCH)
    assert caption["text/markdown"] == "a sentence" and mark == {"latent": {"role": "caption"}}
    assert not pyplot.fignum_exists(figure.number)
    display.show(plots.bars({"a": 1.0}, "a title", "a sentence", "x", "y"), "kept")
    assert (tmp_path / "figures/kept.png").read_bytes() == shown[2][0]["image/png"]
    del shown[2:]
    display.table(["a", "b"], [[1, 2]], "note")
    assert shown[2][0]["text/markdown"].splitlines() == ["| a | b |", "|---|---|", "| 1 | 2 |"]
