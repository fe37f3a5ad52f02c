"""Weights that start from the training images instead of at random."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latent import baseline
from latent.models import Encoder, EncoderBesidePCA

PATCHES_OF = 5_000  # images; their patches are more than enough for a covariance of 12 × 12
# Directions of nearly no variance are noise: this much is added to each, as if pixels were measured to ± .005.
NOISE = 3e-5


def from_images(networks: nn.ModuleDict, images: Tensor) -> None:
    """Set, in place, the first layer of the encoder, and the linear maps where the recipe has them beside the networks.

    images: the training set, uint8 (N, C, H, W).
    """
    encoder = networks["encoder"]
    if isinstance(encoder, EncoderBesidePCA):
        beside_pca(baseline.fit_pca(images, encoder.linear.out_features), networks)
        encoder = encoder.encoder
    whiten(encoder, images[:PATCHES_OF])


@torch.no_grad()
def whiten(encoder: Encoder, images: Tensor) -> None:
    """Make the first layer give the principal components of 2×2 patches, each of variance one, and their negatives.

    images: uint8 (N, C, H, W). All stages then start from inputs of one scale and no correlation (Jordan 2024, §3.2).
    """
    patches = F.unfold(images.float() / 255, 2).transpose(1, 2).flatten(0, 1)  # (N · positions, 4 C)
    variances, directions = torch.linalg.eigh(torch.cov(patches.T))
    filters = directions.T / (variances.clamp(min=0)[:, None] + NOISE).sqrt()  # (4 C, 4 C)
    filters = torch.cat([filters, -filters])
    encoder.whiten.weight.copy_(filters.view_as(encoder.whiten.weight))
    encoder.whiten.bias.copy_(-filters @ patches.mean(0))


@torch.no_grad()
def beside_pca(pca: baseline.PCA, networks: nn.ModuleDict) -> None:
    """Set the linear maps beside an encoder and a decoder to `pca`, in place: training starts where PCA ends."""
    encoder, decoder = networks["encoder"].linear, networks["decoder"].linear
    encoder.weight.copy_(pca.components)
    encoder.bias.copy_(-pca.components @ pca.mean)
    decoder.weight.copy_(pca.components.T)
    decoder.bias.copy_(pca.mean)
