"""Measures of a latent space against independent computations."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from latent import probe
from latent.data import Split
from latent.errors import UserError
from latent.models import Classifier, Encoder, freeze
from latent.views import Views


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
    assert torch.allclose(probe.predict_views(encoder, classifier, images), expected, atol=0.01)  # bfloat16


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
