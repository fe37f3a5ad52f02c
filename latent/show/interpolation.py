"""Lines and arcs between two points, and how much the pictures on them look like digits."""

import torch
from torch import Tensor


def linear(ends: Tensor, steps: int) -> Tensor:
    """`steps` points (steps, …) on the straight line between two, ends (2, …), both included.

    Raises ValueError for fewer than two steps or other than two ends.
    """
    if steps < 2 or len(ends) != 2:
        raise ValueError(f"a line needs two ends and at least two steps, got {len(ends)} and {steps}")
    weights = torch.linspace(0, 1, steps, dtype=ends.dtype, device=ends.device).view(-1, *[1] * (ends.ndim - 1))
    return torch.lerp(ends[:1], ends[1:], weights)


def spherical(ends: Tensor, steps: int) -> Tensor:
    """`steps` points (steps, D) on the arc about the origin between two, ends (2, D), both included (slerp, Shoemake 1985).

    Angle and length both change evenly. Where the two point the same way, or opposite ways, no single arc joins them: the
    line does. Raises ValueError as `linear` does.
    """
    line = linear(ends, steps)
    lengths = ends.norm(dim=1)
    first, second = ends / lengths[:, None]
    angle = torch.acos((first @ second).clamp(-1, 1))
    if not angle.sin() > 1e-4:  # also where an end is the origin, and the angle no number
        return line
    weights = torch.linspace(0, 1, steps, device=ends.device)[:, None]
    arc = (((1 - weights) * angle).sin() * first + (weights * angle).sin() * second) / angle.sin()
    return arc * torch.lerp(lengths[0], lengths[1], weights)


def ink(pictures: Tensor) -> Tensor:
    """Share (N,) of pixels that are neither paper nor ink, between 0.2 and 0.8; pictures (N, C, H, W) in [0, 1]."""
    return ((pictures > 0.2) & (pictures < 0.8)).float().mean((1, 2, 3))


def nearest_distance(pictures: Tensor, known: Tensor) -> Tensor:
    """Euclidean distance (N,) in pixel space from pictures in [0, 1] to the nearest of `known`, uint8 (M, C, H, W)."""
    return torch.cdist(pictures.flatten(1).float(), known.flatten(1).float() / 255).amin(1)
