"""Gradient descent with and without momentum on convex functions whose best rates are known in closed form."""

import torch
from torch import Tensor


def quadratic_path(curvatures: Tensor, rate: float, momentum: float, steps: int, noise: float = 0.0, seed: int = 0) -> Tensor:
    """Distance to the minimum after 0 … `steps` steps of heavy-ball descent (Polyak 1964) on ½ Σ λ_i x_i², from x = (1, …, 1).

    `noise`: standard deviation of what is added to every entry of every gradient. Float64.
    """
    generator = torch.Generator().manual_seed(seed)
    x, velocity = torch.ones_like(curvatures, dtype=torch.float64), torch.zeros_like(curvatures, dtype=torch.float64)
    distances = [x.norm()]
    for _ in range(steps):
        gradient = curvatures * x + noise * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        velocity = momentum * velocity - rate * gradient
        x = x + velocity
        distances.append(x.norm())
    return torch.stack(distances)


def best_plain(least: float, most: float) -> tuple[float, float]:
    """Rate and momentum (zero) of the fastest plain descent for curvatures in [least, most]; contracts by (κ − 1)/(κ + 1)."""
    return 2 / (least + most), 0.0


def best_heavy_ball(least: float, most: float) -> tuple[float, float]:
    """Rate and momentum of the fastest heavy ball for curvatures in [least, most]; contracts by (√κ − 1)/(√κ + 1)."""
    low, high = least**0.5, most**0.5
    return 4 / (low + high) ** 2, ((high - low) / (high + low)) ** 2


def steps_until(distances: Tensor, target: float) -> int:
    """The first step from which on the distance stays below `target`. Raises ValueError where it does not."""
    above = (distances >= target).nonzero()
    if len(above) and int(above[-1]) == len(distances) - 1:
        steps, last = len(distances) - 1, float(distances[-1])
        raise ValueError(f"the distance is still {last:.2g} after {steps} steps, above {target:.2g}: allow more steps")
    return int(above[-1]) + 1 if len(above) else 0


def softmax_regression_path(images: Tensor, labels: Tensor, rate: float, momentum: float, steps: int) -> Tensor:
    """Cross-entropy (plus a little weight decay) of a linear classifier, a convex loss, at 0 … `steps` full-batch steps.

    `images`: (N, pixels). Plain SGD of PyTorch, from zero weights.
    """
    weight = torch.zeros(images.shape[1], 10, requires_grad=True)
    stepper = torch.optim.SGD([weight], lr=rate, momentum=momentum)
    losses = []
    for _ in range(steps + 1):
        loss = torch.nn.functional.cross_entropy(images @ weight, labels) + 1e-4 * weight.square().sum()
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        losses.append(loss.detach())
    return torch.stack(losses)
