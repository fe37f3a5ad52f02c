"""The networks: encoder, decoder, classifier and projection head, written with `torch.nn` alone.

Shapes: images x (B, C, H, W) with pixels in [0, 1]; latent h (B, latent); projection z (B, projection).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latent.convolution import Conv3x3

LATENT = 128  # the assignment's dimension of h


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3×3 convolutions that halve the side. Pooling comes before BatchNorm and ReLU: they then see a quarter of the pixels."""
    first, second = Conv3x3(inputs, outputs), Conv3x3(outputs, outputs)
    for convolution in (first, second):
        nn.init.dirac_(convolution.weight.data[: convolution.in_channels])
    return nn.Sequential(
        first,
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        second,
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Encoder(nn.Module):
    """Images to latents: whitened 2×2 patches, three stages of two convolutions, then one linear layer.

    channels: 1 (MNIST) or 3 (CIFAR-10). widths: channels of the three stages. grid: side of the feature map that the
    linear layer sees; 1 forgets where a feature was, 3 remembers it (a decoder needs that). latent: dimension of h.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int] = (32, 64, 128), grid: int = 1, latent: int = LATENT):
        super().__init__()
        # `latent.initialize` sets it and nothing trains it: its bias would need gradients of the largest feature map of all.
        self.whiten = nn.Conv2d(channels, 8 * channels, 2).requires_grad_(False)
        sizes = (8 * channels, *widths)
        self.stages = nn.Sequential(*(_stage(a, b) for a, b in zip(sizes, sizes[1:])))
        self.pool = nn.AdaptiveMaxPool2d(grid)
        self.to_latent = nn.Linear(widths[-1] * grid**2, latent)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(F.relu(self.whiten(x)))  # (B, widths[-1], H // 8, W // 8)
        return self.to_latent(self.pool(x).flatten(1))  # (B, latent)


class Decoder(nn.Module):
    """Latents to images, through feature maps of a quarter, a half and the whole of the side.

    widths: as the encoder's, read backwards. side: of the image, a multiple of four. The sigmoid keeps pixels in [0, 1].
    """

    def __init__(self, channels: int, widths: tuple[int, int, int] = (32, 64, 128), side: int = 32, latent: int = LATENT):
        super().__init__()
        full, half, quarter = widths
        self.from_latent = nn.Sequential(nn.Linear(latent, quarter * (side // 4) ** 2), nn.Unflatten(1, (quarter, side // 4, side // 4)))
        self.stages = nn.Sequential(
            _refine(quarter, quarter),
            _refine(quarter, 4 * half),
            nn.PixelShuffle(2),  # (B, half, side / 2, side / 2)
            _refine(half, 4 * full),
            nn.PixelShuffle(2),  # (B, full, side, side)
        )
        self.to_image = nn.Conv2d(full, channels, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        _require_latent(h, self.from_latent[0].in_features)
        return torch.sigmoid(self.to_image(self.stages(self.from_latent(h))).float())  # (B, channels, side, side)


def _refine(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(Conv3x3(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class EncoderBesidePCA(nn.Module):
    """An encoder and a linear map side by side, added. The linear map starts as PCA; the encoder learns what PCA cannot do."""

    def __init__(self, encoder: Encoder, pixels: int):
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(pixels, encoder.to_latent.out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)) + self.encoder(x)  # (B, latent)


class DecoderBesidePCA(nn.Module):
    """The other way round: a linear map from latents to pixels, and a decoder that corrects it by up to ± 1.

    In eval mode pixels are cut to [0, 1]; in training they are not, since a pixel outside would get no gradient.
    """

    def __init__(self, decoder: Decoder, shape: tuple[int, int, int]):
        super().__init__()
        self.decoder = decoder
        self.linear = nn.Linear(decoder.from_latent[0].in_features, math.prod(shape))
        self.shape = shape

    def forward(self, h: Tensor) -> Tensor:
        correction = 2 * self.decoder(h) - 1
        x = self.linear(h).float().unflatten(1, self.shape) + correction
        return x if self.training else x.clamp(0, 1)  # (B, channels, side, side)


class Classifier(nn.Module):
    """Latents to the logits of ten classes. It cannot be given an image: its input has one axis of `latent` numbers."""

    def __init__(self, latent: int = LATENT, hidden: tuple[int, ...] = (1024, 512), dropout: float = 0.0, classes: int = 10):
        super().__init__()
        sizes = (latent, *hidden)
        # Latents come in any scale (a frozen encoder's are not ours to set): the first BatchNorm takes it away.
        layers = [nn.BatchNorm1d(latent)]
        for a, b in zip(sizes, sizes[1:]):
            layers += [nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], classes))
        self.latent = latent

    def forward(self, h: Tensor) -> Tensor:
        _require_latent(h, self.latent)
        return self.layers(h)  # (B, classes)


class ProjectionHead(nn.Module):
    """Latents to the space where the contrastive loss is taken (SimCLR, Chen et al. 2020, §4.2); thrown away afterwards."""

    def __init__(self, latent: int = LATENT, hidden: int = 512, projection: int = 128):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(latent),
            nn.ReLU(inplace=True),
            nn.Linear(latent, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, projection),
        )

    def forward(self, h: Tensor) -> Tensor:
        _require_latent(h, self.layers[0].num_features)
        return self.layers(h)  # (B, projection)


def _require_latent(h: Tensor, width: int) -> None:
    if h.ndim != 2 or h.shape[1] != width:
        raise TypeError(f"latents have shape (B, {width}), got {tuple(h.shape)}: encode images first")


def freeze(module: nn.Module) -> nn.Module:
    """Put `module` in eval mode without gradients: neither weights nor buffers can change. Returns it."""
    return module.eval().requires_grad_(False)


def parameter_count(module: nn.Module) -> int:
    """How many numbers `module` holds, BatchNorm's statistics not counted."""
    return sum(p.numel() for p in module.parameters())
