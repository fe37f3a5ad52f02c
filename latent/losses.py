"""The losses of the six experiments, as pure functions of tensors."""

import torch
from torch import Tensor
from torch.nn import functional as F

from latent.errors import UserError


def mean_absolute_error(reconstruction: Tensor, image: Tensor) -> Tensor:
    """MAE in units of the pixels, both (B, C, H, W) in [0, 1]; a scalar. Raises UserError where shapes differ or there is no image."""
    _require_alike(reconstruction, image)
    return (reconstruction - image).abs().mean()


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy (SimCLR, Chen et al. 2020, eq. 1); a scalar.

    first, second: projections (N, D) of two views of the same N images. Each of the 2N rows must pick its partner among
    the 2N − 1 others by cosine similarity; equal similarities give log(2N − 1).
    Raises UserError on a temperature ≤ 0, on batches that differ or are none, and on an empty one.
    """
    _require_two_views(first, second, temperature)
    count = len(first)
    z = _normalize(torch.cat([first, second]))  # (2N, D)
    similarity = _similarity(z, temperature)  # (2N, 2N)
    similarity.fill_diagonal_(float("-inf"))  # nothing is its own negative
    partner = torch.arange(2 * count, device=z.device).roll(count)
    return F.cross_entropy(similarity, partner)


def supervised_contrastive(z: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """SupCon (Khosla et al. 2020, eq. 2, the sum outside the logarithm); a scalar.

    z: projections (N, D); labels (N,). Every other row of the same label is a positive, and counts once. A row without
    any positive has nothing to say and is left out.
    Raises UserError on a temperature ≤ 0, on rows and labels of different number, and on an empty batch.
    """
    _require_temperature(temperature)
    if labels.shape != z.shape[:1]:
        raise UserError(f"every projection needs one label, got {tuple(z.shape)} and {tuple(labels.shape)}")
    z = _normalize(z)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    log_share = _similarity(z, temperature).masked_fill(itself, float("-inf")).log_softmax(1)  # (N, N)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    counts = positive.sum(1)
    per_row = -log_share.masked_fill(~positive, 0).sum(1) / counts.clamp(min=1)
    return per_row[counts > 0].sum() / (counts > 0).sum().clamp(min=1)


def _require_alike(reconstruction: Tensor, image: Tensor) -> None:
    if reconstruction.shape != image.shape or image.ndim < 2 or not image.numel():
        raise UserError(f"reconstructions and images must be alike, got {tuple(reconstruction.shape)} and {tuple(image.shape)}")


def _require_two_views(first: Tensor, second: Tensor, temperature: float) -> None:
    _require_temperature(temperature)
    if first.shape != second.shape or first.ndim != 2:
        raise UserError(f"two views of one batch must have one shape (N, D), got {tuple(first.shape)} and {tuple(second.shape)}")


def _normalize(z: Tensor) -> Tensor:
    """Rows (N, D) of length one, in float32 at least."""
    if z.ndim != 2 or not z.numel():
        raise UserError(f"projections have shape (N, D) with at least one row, got {tuple(z.shape)}")
    return F.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)


def _similarity(z: Tensor, temperature: float) -> Tensor:
    """Cosine similarities (N, N) over the temperature, never in bfloat16: its eight bits would round the loss itself."""
    with torch.autocast(z.device.type, enabled=False):
        return z @ z.T / temperature


def _require_temperature(temperature: float) -> None:
    if not 0 < temperature < float("inf"):
        raise UserError(f"the temperature must be above 0 and finite, got {temperature}")
