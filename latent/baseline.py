"""Principal components: what a linear map to 128 numbers reaches in closed form. An autoencoder has to beat it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latent.models import LATENT


@dataclass(frozen=True)
class PCA:
    """mean (D,), components (latent, D), orthonormal; encoder and decoder are ready for `latent.probe`."""

    mean: Tensor
    components: Tensor
    shape: tuple[int, ...]

    @property
    def encoder(self) -> nn.Module:
        return _Map(lambda x: (x.flatten(1) - self.mean) @ self.components.T)

    @property
    def decoder(self) -> nn.Module:
        return _Map(lambda h: (h @ self.components + self.mean).clamp(0, 1).unflatten(1, self.shape))


class _Map(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def fit_pca(images: Tensor, latent: int = LATENT) -> PCA:
    """The `latent` leading principal components of uint8 images (N, C, H, W), pixels in [0, 1] (Pearson 1901)."""
    x = images.flatten(1).float() / 255  # (N, D)
    mean = x.mean(0)
    covariance = (x.T @ x) / len(x) - torch.outer(mean, mean)
    leading = torch.linalg.eigh(covariance.double()).eigenvectors[:, -latent:].flip(1)  # largest first
    return PCA(mean, leading.T.float().contiguous(), tuple(images.shape[1:]))
