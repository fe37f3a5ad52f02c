"""Measures of a latent space against independent computations."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.spatial import distance
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.nn import functional

from latent import probe
from latent.data import Split, load
from latent.errors import UserError
from latent.models import Classifier, Encoder, Reader, ResidualDecoder, freeze
from latent.recipes import Views
from latent.show import tsne


def clusters(n=200, spread=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 4
    centres = 3 * torch.randn(4, 16, generator=torch.Generator().manual_seed(9))
    return centres[labels] + spread * torch.randn(n, 16, generator=generator), labels


def test_encoding_in_batches_is_encoding_at_once_and_leaves_eval_mode():
    encoder = Encoder(1, (4, 4, 8)).train()
    images = torch.randint(256, (probe.BATCH + 3, 1, 28, 28), dtype=torch.uint8)
    latents = probe.encode(encoder, images)
    assert latents.shape == (probe.BATCH + 3, 128) and latents.dtype == torch.float32 and not encoder.training
    assert torch.allclose(latents[-2:], encoder(images[-2:].float() / 255), atol=1e-5)


def test_encoded_views_differ_and_without_views_they_are_the_latents():
    encoder = Encoder(3, (4, 4, 8))
    images = torch.randint(256, (6, 3, 32, 32), dtype=torch.uint8)
    plain = probe.encode(encoder, images)
    assert torch.allclose(probe.encode_views(encoder, images, Views(), 2, 0), plain.repeat(2, 1), atol=0.02)  # bfloat16
    shifted = probe.encode_views(encoder, images, Views(shift=3), 2, 0)
    assert not torch.allclose(shifted[:6], shifted[6:])


def test_the_six_views_of_test_time_augmentation_are_the_image_its_mirror_and_shifts_by_a_pixel():
    encoder, classifier = freeze(Encoder(3, (4, 4, 8))), freeze(Classifier(hidden=()))
    images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    rows, columns = (np.arange(32), np.arange(32)[::-1].copy()), {0: np.arange(32), 1: np.r_[1, 0:31], -1: np.r_[1:32, 30]}
    expected = sum(
        weight * probe.predict(classifier, probe.encode(encoder, images[:, :, columns[move]][:, :, :, columns[move]][:, :, :, mirror]))
        for move, weight in ((0, 0.25), (1, 0.125), (-1, 0.125))
        for mirror in rows
    )
    seen = probe.predict_six(partial(probe.predict, classifier), probe.encode_six(encoder, images))
    assert torch.allclose(seen, expected, atol=0.01)  # bfloat16


def test_accuracy_counts():
    probabilities = torch.eye(4)[[0, 1, 2, 2]]
    assert probe.accuracy(probabilities, torch.tensor([0, 1, 2, 3])) == 75


def test_knn_agrees_with_scikit_learn():
    known, known_labels = clusters(seed=1, spread=3.0)
    latents, labels = clusters(101, seed=2, spread=3.0)
    reference = KNeighborsClassifier(1, metric="cosine").fit(known.numpy(), known_labels.numpy()).score(latents.numpy(), labels.numpy())
    assert probe.knn_accuracy(known, known_labels, latents, labels, neighbours=1) == pytest.approx(100 * reference, abs=1e-4)
    voted = KNeighborsClassifier(5, metric="cosine").fit(known.numpy(), known_labels.numpy()).score(latents.numpy(), labels.numpy())
    assert probe.knn_accuracy(known, known_labels, latents, labels) == pytest.approx(100 * voted, abs=2.0)  # ties may differ


def test_a_linear_probe_finds_what_a_line_can_tell_apart_and_no_more():
    latents, labels = clusters(200, seed=3, spread=0.3)
    assert probe.linear_accuracy(latents, labels, latents, labels) == 100
    assert probe.linear_accuracy(1e4 * latents + 7, labels, 1e4 * latents + 7, labels) == 100  # the scale of a latent is nobody's choice
    corners = torch.tensor([[0.0, 0], [1, 1], [0, 1], [1, 0]]).repeat(50, 1)
    odd = torch.tensor([0, 0, 1, 1]).repeat(50)
    assert probe.linear_accuracy(corners, odd, corners, odd) <= 75  # no line tells three of XOR's corners and the fourth apart
    with pytest.raises(UserError, match="two classes"):
        probe.linear_accuracy(latents, torch.zeros_like(labels), latents, labels)


def test_the_reconstruction_error_is_numpys_also_over_uneven_batches():
    images = torch.randint(256, (probe.BATCH + 7, 1, 4, 4), dtype=torch.uint8)
    half = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (1, 4, 4)))
    decoder = nn.Hardtanh(0, 0.5)
    expected = np.abs(np.clip(images.numpy() / 255, 0, 0.5) - images.numpy() / 255).mean()
    assert probe.reconstruction_error(half, decoder, images) == pytest.approx(expected, rel=1e-5)


def test_prediction_is_a_distribution_and_uses_no_dropout():
    classifier = Classifier(16, (8,), dropout=0.9)
    latents, _ = clusters(10)
    first, second = probe.predict(classifier, latents), probe.predict(classifier, latents)
    assert torch.equal(first, second) and torch.allclose(first.sum(1), torch.ones(10), atol=1e-6)


def test_silhouette_and_trustworthiness_at_their_limits():
    tight, labels = clusters(spread=0.01)
    assert probe.silhouette(tight, labels) > 0.95
    assert abs(probe.silhouette(tight, labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))])) < 0.2
    points = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    assert probe.trustworthiness(points, 5 * points) == pytest.approx(1)


def test_a_subset_is_random_by_its_seed_and_has_no_repeats():
    split = Split(torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1), torch.arange(50))
    first = probe.subset(split, 20, 1)
    assert torch.equal(first.labels, probe.subset(split, 20, 1).labels) and not torch.equal(first.labels, probe.subset(split, 20, 2).labels)
    assert len(set(first.labels.tolist())) == 20 and torch.equal(first.images.flatten().long(), first.labels)


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
    scores = probe.structure(points, tsne.embed(points), labels, 3 * points)
    assert scores["distances"] == pytest.approx(1)
    assert scores["silhouette"] > 0.8 and scores["trustworthiness"] > 0.8


def test_pixels_are_voted_on_less_their_mean_by_cosine_similarity():
    found = load("mnist")
    known, seen = (split.images.flatten(1).numpy() / 255 for split in (found.train, found.test))
    model = KNeighborsClassifier(5, metric="cosine").fit(known - known.mean(0), found.train.labels.numpy())
    expected = 100 * (model.predict(seen - known.mean(0)) == found.test.labels.numpy()).mean()
    assert probe.pixels_knn_accuracy(found.train, found.test) == pytest.approx(expected, abs=0.5) and 50 < expected < 100


def test_the_best_constant_image_errs_less_than_others_near_it():
    found = load("mnist")
    images = found.train.images.numpy() / 255
    expected = np.abs(found.test.images.numpy() / 255 - np.median(images, 0, keepdims=True)).mean()
    error = probe.constant_error(found.train, found.test)
    assert error == pytest.approx(expected, abs=2e-3)  # of an even number of images, torch takes the lower of the middle two
    assert error < np.abs(found.test.images.numpy() / 255 - images.mean(0)).mean()


def test_distances_are_correlated_by_their_ranks():
    points, others = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    others[:20] = points[:20]
    ranks = [np.argsort(np.argsort(distance.pdist(space))) for space in (points, others)]
    expected = np.corrcoef(ranks)[0, 1]
    assert probe.distance_correlation(points, others) == pytest.approx(expected) and 0.1 < expected < 0.9


def test_the_nearest_among_points_are_those_of_a_search_one_by_one():
    points = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    found, turned = probe.nearest_among(points, 4), probe.nearest_among(functional.normalize(points, dim=1), 4)
    for one in range(20):
        others = [n for n in range(20) if n != one]
        assert found[one].tolist() == sorted(others, key=lambda n: torch.dist(points[one], points[n]).item())[:4]
        near = sorted(others, key=lambda n: -torch.cosine_similarity(points[one], points[n], dim=0).item())
        assert turned[one].tolist() == near[:4]


def test_effective_rank_of_a_line_and_of_a_ball():
    generator = torch.Generator().manual_seed(0)
    line = torch.randn(500, 1, generator=generator) @ torch.randn(1, 16, generator=generator)
    assert probe.effective_rank(line) == pytest.approx(1, abs=1e-3)
    assert probe.effective_rank(torch.cat([torch.eye(16), -torch.eye(16)])) == pytest.approx(16, rel=1e-3)
    assert probe.effective_rank(7 * line + 3) == pytest.approx(probe.effective_rank(line), abs=1e-3)


def test_uniformity_by_a_slow_loop_and_at_its_ends():
    points = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    unit = [row / row.norm() for row in points]
    pairs = [(unit[i] - unit[j]).square().sum().item() for i in range(9) for j in range(i)]
    assert probe.uniformity(points) == pytest.approx(np.log(np.mean(np.exp(-2 * np.array(pairs)))), rel=1e-4)
    assert probe.uniformity(torch.ones(5, 3)) == pytest.approx(0, abs=1e-4)
    assert probe.uniformity(torch.tensor([[1.0, 0], [-3, 0]])) == pytest.approx(-8, rel=1e-4)


def test_alignment_is_zero_without_views_and_grows_with_them():
    encoder, images = freeze(Encoder(3, (4, 4, 8))), load("cifar10").train.images[:64]
    still, weak, strong = (probe.alignment(encoder, images, views) for views in (Views(), Views(shift=1), Views(shift=6, flip=True)))
    assert still == pytest.approx(0, abs=1e-5) and still < weak < strong <= 4


def test_a_reader_of_unfolded_latents_sees_what_the_decoder_makes_and_nothing_else():
    decoder, reader = freeze(ResidualDecoder(1, 28, (4,), (8,))), freeze(Reader(1, (4, 4, 8)))
    latents = torch.randn(7, 128, generator=torch.Generator().manual_seed(0))
    images = probe.decode(decoder, latents)
    assert images.dtype == torch.uint8 and torch.allclose(images.float() / 255, decoder(latents), atol=0.02)  # bfloat16
    assert torch.allclose(probe.read(reader, decoder, latents), reader(images.float() / 255).softmax(1), atol=0.02)
