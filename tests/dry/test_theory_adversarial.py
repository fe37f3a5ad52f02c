"""What `theory.adversarial` computes, against closed forms and slow or independent versions."""

import math

import pytest
import torch
from torch import nn

from theory import adversarial


def test_the_distances_of_two_gaussians():
    assert adversarial.jensen_shannon(0.0) == pytest.approx(0, abs=1e-9)
    assert adversarial.jensen_shannon(5.0) == pytest.approx(math.log(2), rel=1e-6)
    assert adversarial.wasserstein(0.7) == pytest.approx(0.7, rel=1e-6)


def test_the_generators_gradients_by_autograd():
    gap, s = 0.5, 0.2
    x = gap + s * torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    logit = (-(x**2) + (x - gap) ** 2) / (2 * s**2)
    losses = {"basic GAN, log(1 − D)": nn.functional.logsigmoid(-logit), "basic GAN, −log D": -nn.functional.logsigmoid(logit)}
    for name, loss in losses.items():
        gradient = torch.autograd.grad(loss.mean(), x, retain_graph=True)[0].sum()
        assert float(gradient.abs()) == pytest.approx(adversarial.generator_gradients(gap, s)[name], rel=0.02)


def test_best_logit_is_zero_where_the_densities_meet():
    perfect = adversarial.LineGenerator(4.0, 0.5)
    assert torch.allclose(adversarial.best_logit(torch.linspace(0, 8, 9), perfect), torch.zeros(9), atol=1e-5)
    twin = adversarial.LineGenerator(2.0, 0.5)
    assert adversarial.best_logit(torch.tensor([3.0]), twin).item() == pytest.approx(0, abs=1e-5)  # halfway


def test_losses_of_a_coin_and_of_the_best_discriminator():
    coin = torch.zeros(5)
    assert adversarial.discriminator_loss(coin, coin).item() == pytest.approx(2 * math.log(2))
    assert adversarial.generator_loss(coin).item() == pytest.approx(math.log(2))
    assert adversarial.generator_loss(coin, saturating=True).item() == pytest.approx(-math.log(2))


def test_no_logit_beats_the_best_one():
    torch.manual_seed(0)
    generator = adversarial.LineGenerator(3.0, 1.0)
    real, fake = adversarial.REAL.sample((20_000,)), generator(torch.randn(20_000)).detach()
    judged = adversarial.best_logit(real, generator), adversarial.best_logit(fake, generator)
    changes = ((1, 0), (0.5, 0), (2, 0), (1, 0.5), (1, -0.5))
    losses = [adversarial.discriminator_loss(*(a * logits + b for logits in judged)).item() for a, b in changes]
    assert losses[0] == min(losses) < 2 * math.log(2)


def test_shift_gradient_points_to_the_data():
    below, above = adversarial.LineGenerator(3.0, 0.5), adversarial.LineGenerator(5.0, 0.5)
    slopes = [adversarial.shift_gradient(lambda x, g=g: adversarial.best_logit(x, g), g, 2000, 0) for g in (below, above)]
    assert slopes[0] < 0 < slopes[1]
