"""The losses against slow loops, limits in closed form and numerical gradients."""

import math

import numpy as np
import pytest
import torch
from helpers import slow_nt_xent, slow_supervised

from latent.errors import UserError
from latent.losses import mean_absolute_error, nt_xent, supervised_contrastive


def pair(n=6, d=5, dtype=torch.float64, seed=0):
    return torch.randn((2, n, d), dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_equals_the_slow_loop(temperature):
    first, second = pair()
    assert nt_xent(first, second, temperature).item() == pytest.approx(slow_nt_xent(first.numpy(), second.numpy(), temperature), rel=1e-5)


def test_nt_xent_of_equal_similarities_is_log_of_the_choices():
    same = torch.ones(7, 3)
    assert nt_xent(same, same, 0.3).item() == pytest.approx(math.log(2 * 7 - 1), rel=1e-6)


def test_nt_xent_is_symmetric_and_ignores_length():
    first, second = pair()
    assert nt_xent(first, second, 0.2).item() == pytest.approx(nt_xent(second, first, 0.2).item(), rel=1e-6)
    assert nt_xent(3 * first, second, 0.2).item() == pytest.approx(nt_xent(first, 5 * second, 0.2).item(), rel=1e-6)


def test_nt_xent_prefers_the_right_partner():
    first, _ = pair()
    assert nt_xent(first, first, 0.2) < nt_xent(first, first.roll(1, 0), 0.2)


def test_gradients_are_the_numerical_ones():
    first, second = (z.requires_grad_() for z in pair(n=3, d=4))
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.5), (first, second))
    labels = torch.tensor([0, 1, 0, 1, 0, 2])
    assert torch.autograd.gradcheck(lambda a, b: supervised_contrastive(torch.cat([a, b]), labels, 0.5), (first, second))
    x, y = torch.rand(2, 1, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda a: mean_absolute_error(a, y), x.requires_grad_())


def test_bfloat16_projections_move_a_contrastive_loss_by_less_than_a_thousandth():
    z = torch.randn(256, 128, generator=torch.Generator().manual_seed(0))
    first, second = z, z + 0.5 * torch.randn(256, 128, generator=torch.Generator().manual_seed(1))
    labels = (torch.arange(256) % 10).repeat(2)
    for temperature in (0.1, 0.2, 0.5):
        exact = nt_xent(first, second, temperature), supervised_contrastive(torch.cat([first, second]), labels, temperature)
        with torch.autocast("cpu", torch.bfloat16):  # as in training, where the head's output is bfloat16
            a, b = first.bfloat16(), second.bfloat16()
            rounded = nt_xent(a, b, temperature), supervised_contrastive(torch.cat([a, b]), labels, temperature)
        for loss, reference in zip(rounded, exact):
            assert loss.dtype == torch.float32 and loss.item() == pytest.approx(reference.item(), rel=1e-3)


def test_supervised_contrastive_equals_the_slow_loop():
    z = pair(n=4)[0].repeat(2, 1) + 0.1 * torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 0, 2, 0, 1, 3, 2])  # label 3 stands alone
    assert supervised_contrastive(z, labels, 0.4).item() == pytest.approx(slow_supervised(z.numpy(), labels.tolist(), 0.4), rel=1e-5)


def test_supervised_contrastive_with_every_image_its_own_class_is_nt_xent():
    first, second = pair()
    labels = torch.arange(6).repeat(2)
    assert supervised_contrastive(torch.cat([first, second]), labels, 0.3).item() == pytest.approx(
        nt_xent(first, second, 0.3).item(), rel=1e-6
    )


def test_supervised_contrastive_without_positives_is_zero_and_has_a_gradient():
    z = pair(n=3)[0].requires_grad_()
    loss = supervised_contrastive(z, torch.tensor([0, 1, 2]), 0.2)
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(z.grad).all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(UserError, match="temperature must be above 0"):
        nt_xent(*pair(), temperature)


def test_views_of_different_batches_are_refused():
    with pytest.raises(UserError, match="one shape"):
        nt_xent(torch.ones(3, 2), torch.ones(4, 2), 0.1)


def test_mean_absolute_error_is_numpys():
    x, y = torch.rand(2, 4, 3, 8, 8)
    assert mean_absolute_error(x, y).item() == pytest.approx(np.abs(x.numpy() - y.numpy()).mean(), rel=1e-6)
