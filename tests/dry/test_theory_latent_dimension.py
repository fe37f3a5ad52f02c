"""What `theory.latent_dimension` computes, against closed forms and slow or independent versions."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from theory import latent_dimension


def test_least_squares_is_the_pseudo_inverse():
    generator = torch.Generator().manual_seed(0)
    for samples in (20, 200):
        x, x_test = torch.randn(samples, 50, generator=generator), torch.randn(80, 50, generator=generator)
        y, y_test = torch.randint(10, (samples,), generator=generator), torch.randint(10, (80,), generator=generator)
        (a, _), (b, _) = latent_dimension.standardised((x, y), (x_test, y_test))
        a, b = (np.hstack([part.double().numpy(), np.ones((len(part), 1))]) for part in (a, b))
        weights = np.linalg.pinv(a) @ (np.eye(10)[y.numpy()] - 0.1)
        reference = 100 * np.mean((b @ weights).argmax(1) == y_test.numpy())
        assert latent_dimension.least_squares((x, y), (x_test, y_test)) == pytest.approx(reference, abs=2.6)
        assert latent_dimension.solution_norm((x, y)) == pytest.approx(np.linalg.norm(weights), rel=1e-3)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_the_intrinsic_dimension_is_that_of_the_sheet_not_of_the_room(dimension):
    generator = torch.Generator().manual_seed(dimension)
    inside = torch.rand(1500, dimension, generator=generator)
    sheet = (
        torch.cat([inside, inside.square(), torch.sin(inside)], dim=1)
        @ torch.linalg.qr(torch.randn(40, 40, generator=generator))[0][: 3 * dimension]
    )
    assert latent_dimension.intrinsic_dimension(sheet) == pytest.approx(dimension, rel=0.15)


def test_the_intrinsic_dimension_ignores_scale_and_points_that_occur_twice():
    points = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    once = latent_dimension.intrinsic_dimension(points)
    assert latent_dimension.intrinsic_dimension(7 * points) == pytest.approx(once)
    assert latent_dimension.intrinsic_dimension(torch.cat([points, points[:3]])) == pytest.approx(once, rel=0.05)


def test_neighbours_vote_as_scikit_learn_lets_them():
    generator = torch.Generator().manual_seed(0)
    x, x_test = torch.randn(200, 4, generator=generator), torch.randn(60, 4, generator=generator)
    y, y_test = (part[:, 0].sign().add(1).long() for part in (x, x_test))
    reference = KNeighborsClassifier(5).fit(x.numpy(), y.numpy()).score(x_test.numpy(), y_test.numpy())
    assert latent_dimension.nearest_neighbours((x, y), (x_test, y_test)) == pytest.approx(100 * reference)


def test_more_dimensions_reconstruct_better_and_classify_better():
    digits, labels = load_digits(return_X_y=True)
    pixels, labels = torch.tensor(digits).float() / 16, torch.tensor(labels)
    encoders = [latent_dimension.autoencode(pixels[:1200], h, seed=0, steps=100) for h in (1, 16)]
    narrow, wide = (latent_dimension.latents(encoder, pixels) for encoder in encoders)
    assert narrow.shape == (1797, 1) and wide.shape == (1797, 16)
    scores = [latent_dimension.classify((h[:1200], labels[:1200]), (h[1200:], labels[1200:]))[1] for h in (narrow, wide)]
    assert scores[1] > scores[0] + 20


def test_halved_images_are_means_of_two_by_two():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.equal(latent_dimension.halved(image), torch.tensor([[2.5, 4.5, 10.5, 12.5]]))
