"""A game that can be solved on paper: real data N(m, s²), a generator x = shift + scale · z with z ~ N(0, 1).

The best discriminator against a fixed generator is D(x) = p(x) / (p(x) + q(x)) (Goodfellow et al. 2014); for two normal
distributions its logit ln p(x) − ln q(x) is a quadratic in x, so no inner training is needed.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

REAL = Normal(4.0, 0.5)


class Generator(nn.Module):
    """x = shift + scale · z."""

    def __init__(self, shift: float = 0.0, scale: float = 1.0):
        super().__init__()
        self.shift, self.log_scale = nn.Parameter(torch.tensor(shift)), nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, z: Tensor) -> Tensor:
        return self.shift + self.log_scale.exp() * z


def best_logit(x: Tensor, generator: Generator) -> Tensor:
    """The logit of the best discriminator against `generator`, whose parameters enter it as constants."""
    fake = Normal(generator.shift.detach(), generator.log_scale.detach().exp())
    return REAL.log_prob(x) - fake.log_prob(x)


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """−E ln D(real) − E ln(1 − D(fake)) in nats."""
    return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor, saturating: bool = False) -> Tensor:
    """−E ln D(fake), or E ln(1 − D(fake)) in the saturating form of the minimax game."""
    return -functional.softplus(fake_logits).mean() if saturating else functional.softplus(-fake_logits).mean()


def play(generator: Generator, steps: int, rate: float, seed: int) -> list[tuple[float, float, float]]:
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


def shift_gradient(logit: nn.Module, generator: Generator, draws: int, seed: int, saturating: bool = False) -> float:
    """∂ generator loss / ∂ shift against a given discriminator `logit`, from `draws` latents."""
    torch.manual_seed(seed)
    loss = generator_loss(logit(generator(torch.randn(draws))), saturating)
    return float(torch.autograd.grad(loss, generator.shift)[0])
