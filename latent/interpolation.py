"""Straight lines between two points, and how much the pictures on them look like digits."""

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


def ink(pictures: Tensor) -> Tensor:
    """Share (N,) of pixels that are neither paper nor ink, between 0.2 and 0.8; pictures (N, C, H, W) in [0, 1]."""
    return ((pictures > 0.2) & (pictures < 0.8)).float().mean((1, 2, 3))


def nearest_distance(pictures: Tensor, known: Tensor) -> Tensor:
    """Euclidean distance (N,) in pixel space from pictures in [0, 1] to the nearest of `known`, uint8 (M, C, H, W)."""
    return torch.cdist(pictures.flatten(1).float(), known.flatten(1).float() / 255).amin(1)
