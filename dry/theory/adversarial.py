"""Generative adversarial networks in one dimension, where the best discriminator is known."""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

# What a generator is told when its samples lie far from the real ones: the basic GAN against the Wasserstein GAN.
#
# Real data are N(0, s²) and generated data N(gap, s²) on a line, so that the best discriminator is known in closed form.


def _grid(gap: float, s: float) -> Tensor:
    return torch.linspace(-8 * s, gap + 8 * s, 20001, dtype=torch.float64)


def _log_normal(x: Tensor, mean: float, s: float) -> Tensor:
    return -0.5 * ((x - mean) / s) ** 2 - math.log(s * math.sqrt(2 * math.pi))


def jensen_shannon(gap: float, s: float = 0.2) -> float:
    """The Jensen–Shannon divergence of the two Gaussians in nats, by integration; log 2 where they do not overlap."""
    x = _grid(gap, s)
    real, fake = _log_normal(x, 0, s), _log_normal(x, gap, s)
    middle = torch.logaddexp(real, fake) - math.log(2)
    return float(torch.trapezoid(0.5 * real.exp() * (real - middle) + 0.5 * fake.exp() * (fake - middle), x))


def wasserstein(gap: float, s: float = 0.2) -> float:
    """The Wasserstein-1 distance of the two Gaussians: ∫ |F_real − F_fake| dx, by integration."""
    x = _grid(gap, s)
    return float(torch.trapezoid((torch.special.ndtr(x / s) - torch.special.ndtr((x - gap) / s)).abs(), x))


def generator_gradients(gap: float, s: float = 0.2) -> dict[str, float]:
    """|d loss / d gap| for a generator x = gap + s·ε against the best discriminator or critic, by integration over ε.

    The best discriminator has the logit log p_real − log p_fake, of slope −gap/s². Against the best critic the loss is, up to a
    constant, the Wasserstein distance (and has its slope, by the envelope theorem): a difference quotient of it.
    """
    x = _grid(gap, s)
    weight = _log_normal(x, gap, s).exp()
    logit = _log_normal(x, 0, s) - _log_normal(x, gap, s)
    slope = gap / s**2
    return {
        "basic GAN, log(1 − D)": float(torch.trapezoid(weight * torch.sigmoid(logit) * slope, x)),
        "basic GAN, −log D": float(torch.trapezoid(weight * torch.sigmoid(-logit) * slope, x)),
        "Wasserstein GAN": (wasserstein(gap + 1e-3, s) - wasserstein(gap - 1e-3, s)) / 2e-3,
    }


def trained_critic(gap: float, s: float = 0.2, steps: int = 400, penalty: float = 50.0, seed: int = 0) -> tuple[float, float]:
    """Train a critic with a penalty on slopes above one (the one-sided form of Gulrajani et al. 2017).

    Returns its estimate of the distance and its mean slope on generated points.
    """
    torch.manual_seed(seed)
    critic = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    stepper = torch.optim.Adam(critic.parameters(), lr=5e-3)
    for _ in range(steps):
        real, fake = s * torch.randn(256, 1), gap + s * torch.randn(256, 1)
        mixed = torch.lerp(real, fake, torch.rand(256, 1)).requires_grad_()
        slope = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
        loss = critic(fake).mean() - critic(real).mean() + penalty * (slope.abs() - 1).relu().square().mean()
        stepper.zero_grad()
        loss.backward()
        stepper.step()
    real, fake = s * torch.randn(4000, 1), (gap + s * torch.randn(4000, 1)).requires_grad_()
    distance = critic(real).mean() - critic(fake).mean()
    return float(distance.detach()), float(torch.autograd.grad(critic(fake).sum(), fake)[0].abs().mean())


# A game that can be solved on paper: real data N(m, s²), a generator x = shift + scale · z with z ~ N(0, 1).
#
# The best discriminator against a fixed generator is D(x) = p(x) / (p(x) + q(x)) (Goodfellow et al. 2014); for two normal
# distributions its logit ln p(x) − ln q(x) is a quadratic in x, so no inner training is needed.


REAL = Normal(4.0, 0.5)


class LineGenerator(nn.Module):
    """x = shift + scale · z."""

    def __init__(self, shift: float = 0.0, scale: float = 1.0):
        super().__init__()
        self.shift, self.log_scale = nn.Parameter(torch.tensor(shift)), nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, z: Tensor) -> Tensor:
        return self.shift + self.log_scale.exp() * z


def best_logit(x: Tensor, generator: LineGenerator) -> Tensor:
    """The logit of the best discriminator against `generator`, whose parameters enter it as constants."""
    fake = Normal(generator.shift.detach(), generator.log_scale.detach().exp())
    return REAL.log_prob(x) - fake.log_prob(x)


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """−E ln D(real) − E ln(1 − D(fake)) in nats."""
    return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor, saturating: bool = False) -> Tensor:
    """−E ln D(fake), or E ln(1 − D(fake)) in the saturating form of the minimax game."""
    return -functional.softplus(fake_logits).mean() if saturating else functional.softplus(-fake_logits).mean()


def play(generator: LineGenerator, steps: int, rate: float, seed: int) -> list[tuple[float, float, float]]:
    """Train `generator` in place against its best discriminator; (generator loss, discriminator loss, distance of shifts) per step."""
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(generator.parameters(), lr=rate)
    history = []
    for _ in range(steps):
        fake, real = generator(torch.randn(512)), REAL.sample((512,))
        loss = generator_loss(best_logit(fake, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        judged = discriminator_loss(best_logit(real, generator), best_logit(fake.detach(), generator))
        history.append((float(loss.detach()), float(judged.detach()), abs(generator.shift.item() - REAL.mean.item())))
    return history


def shift_gradient(logit: nn.Module, generator: LineGenerator, draws: int, seed: int, saturating: bool = False) -> float:
    """∂ generator loss / ∂ shift against a given discriminator `logit`, from `draws` latents."""
    torch.manual_seed(seed)
    loss = generator_loss(logit(generator(torch.randn(draws))), saturating)
    return float(torch.autograd.grad(loss, generator.shift)[0])
