"""The losses of the six experiments, as pure functions of tensors."""

import torch
from torch import Tensor
from torch.nn import functional as F

from latent.errors import UserError


def mean_absolute_error(reconstruction: Tensor, image: Tensor) -> Tensor:
    """MAE in units of the pixels, both (B, C, H, W) in [0, 1]; a scalar."""
    return (reconstruction - image).abs().mean()


def pyramid_error(reconstruction: Tensor, image: Tensor, levels: int = 3) -> Tensor:
    """Mean absolute error averaged over `levels` resolutions, each half of the one before; a scalar.

    A pixel-wise error alone prefers a blur to an edge one pixel off; coarser levels reward the right shape in about the
    right place. `levels` = 1 is the MAE.
    """
    total = mean_absolute_error(reconstruction, image)
    for _ in range(levels - 1):
        reconstruction, image = F.avg_pool2d(reconstruction, 2), F.avg_pool2d(image, 2)
        total = total + mean_absolute_error(reconstruction, image)
    return total / levels


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy (SimCLR, Chen et al. 2020, eq. 1); a scalar.

    first, second: projections (N, D) of two views of the same N images. Each of the 2N rows must pick its partner among
    the 2N − 1 others by cosine similarity; equal similarities give log(2N − 1).
    Raises UserError on a temperature ≤ 0 or on batches that differ.
    """
    _require_temperature(temperature)
    if first.shape != second.shape:
        raise UserError(f"two views of one batch must have one shape, got {tuple(first.shape)} and {tuple(second.shape)}")
    count = len(first)
    z = F.normalize(torch.cat([first, second]).float(), dim=1)  # (2N, D)
    similarity = z @ z.T / temperature  # (2N, 2N)
    similarity.fill_diagonal_(float("-inf"))  # nothing is its own negative
    partner = torch.arange(2 * count, device=z.device).roll(count)
    return F.cross_entropy(similarity, partner)


def supervised_contrastive(z: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """SupCon (Khosla et al. 2020, eq. 2, the sum outside the logarithm); a scalar.

    z: projections (N, D); labels (N,). Every other row of the same label is a positive, and counts once. A row without
    any positive has nothing to say and is left out. Raises UserError on a temperature ≤ 0.
    """
    _require_temperature(temperature)
    z = F.normalize(z.float(), dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    log_share = (z @ z.T / temperature).masked_fill(itself, float("-inf")).log_softmax(1)  # (N, N)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    counts = positive.sum(1)
    per_row = -log_share.masked_fill(~positive, 0).sum(1) / counts.clamp(min=1)
    return per_row[counts > 0].sum() / (counts > 0).sum().clamp(min=1)


def _require_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise UserError(f"the temperature must be above 0, got {temperature}")
