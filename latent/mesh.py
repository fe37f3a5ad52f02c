"""The gradient of t-SNE in time that grows with the points, not with their pairs: attraction along edges, repulsion on a mesh.

It is for `openTSNE.TSNE(negative_gradient_method=…)`, which finds the neighbours and does the descent. Lengths are those of the
map, where the kernel 1 / (1 + d²) has the width 1.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.special import rel_entr
from torch import Tensor

SPACING = 0.4  # of the mesh: forces are right to a few per cent, which hundreds of small steps do not feel
_SIDES = sorted(odd * 2**power for odd in (4, 5, 6, 7) for power in range(2, 13))  # lengths with a fast Fourier transform


def gradient_for(affinities: csr_array) -> Callable[..., tuple[float, np.ndarray]]:
    """The gradient of KL(P ‖ Q) / 4 (van der Maaten and Hinton 2008, eq. 5) for affinities P (N, N) with these neighbours.

    The function returned is as openTSNE calls it: (map (N, 2), P, …) → (KL divergence if asked for, gradient (N, 2)).
    """
    columns = torch.from_numpy(affinities.indices).long()
    degrees = torch.from_numpy(np.diff(affinities.indptr)).long()
    rows = torch.arange(len(degrees)).repeat_interleave(degrees)

    def gradient(embedding: np.ndarray, P: csr_array, should_eval_error: bool = False, **_) -> tuple[float, np.ndarray]:
        y = torch.from_numpy(np.asarray(embedding, dtype=np.float32))
        repulsion, total = repel(y)
        nearness = (1 / (1 + (y[rows] - y[columns]).square().sum(1))).numpy()  # (edges,)
        pull = csr_array((P.data.astype(np.float32) * nearness, P.indices, P.indptr), P.shape)
        pulled = torch.from_numpy(pull @ np.column_stack([y, np.ones(len(y), np.float32)]))  # (N, 3)
        attraction = y * pulled[:, 2:] - pulled[:, :2]
        divergence = rel_entr(P.data, nearness).sum() + P.data.sum() * total.log().item() if should_eval_error else 0.0
        return divergence, (attraction - repulsion).double().numpy()

    return gradient


def repel(y: Tensor, spacing: float = SPACING) -> tuple[Tensor, Tensor]:
    """Forces (N, 2) by which the points of a map y (N, 2) repel each other, and the sum Z of 1 / (1 + d²) over all pairs.

    A smooth particle mesh (Essmann et al. 1995) for the sums that Linderman et al. (2019) interpolate: points become splines on
    a mesh, the mesh is convolved with the kernel, and the potential and its slope are read off at the points.
    """
    low = y.min(0).values
    needed = 2 * ((y.max(0).values - low).max().item() / spacing + 4)  # twice the map: its far sides must not meet
    side = next(side for side in _SIDES if side >= needed)
    places = (y - low) / spacing + 1
    corners = places.floor()
    values, slopes = _splines(places - corners)  # (N, 2, 4) each
    (across, down), (across_slope, down_slope) = values.unbind(1), slopes.unbind(1)
    lines = corners.long()[:, :, None] + torch.arange(-1, 3)  # (N, 2, 4)
    cells = lines[:, 0, :, None] * side + lines[:, 1, None, :]  # (N, 4, 4)
    mesh = y.new_zeros(side * side).index_add_(0, cells.flatten(), (across[:, :, None] * down[:, None, :]).flatten()).view(side, side)
    potential = torch.fft.irfft2(torch.fft.rfft2(mesh) * _kernel(side, spacing), s=(side, side)).flatten()[cells]  # (N, 4, 4)
    by_line = (potential * down[:, None, :]).sum(2)
    total = (by_line * across).sum() - len(y)  # less every point with itself
    slope = torch.stack([(by_line * across_slope).sum(1), ((potential * down_slope[:, None, :]).sum(2) * across).sum(1)], 1) / spacing
    return -slope / (2 * total), total


def _splines(t: Tensor) -> tuple[Tensor, Tensor]:
    """The four cubic B-splines that reach a place `t` in [0, 1) of a cell, and their slopes: (…, 4) each."""
    s = 1 - t
    values = torch.stack([s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3], -1) / 6
    slopes = torch.stack([-(s**2), 3 * t**2 - 4 * t, 4 * s - 3 * s**2, t**2], -1) / 2
    return values, slopes


@cache
def _kernel(side: int, spacing: float) -> Tensor:
    """The transform of 1 / (1 + d²) on a mesh that goes round, divided by that of the splines, once for each end of a pair."""
    steps = torch.arange(side, dtype=torch.float64)
    squares = (torch.minimum(steps, side - steps) * spacing).square()
    kernel = torch.fft.rfft2(1 / (1 + squares[:, None] + squares[None, :])).real
    spline = (2 + torch.cos(2 * torch.pi * steps / side)) / 3
    return (kernel / (spline[:, None] * spline[None, : kernel.shape[1]]).square()).float()
