"""The networks: encoder, decoder, classifier and projection head, written with `torch.nn` alone; PCA; and what a recipe builds of them.

Shapes: images x (B, C, H, W) with pixels in [0, 1]; latent h (B, latent); projection z (B, projection).
"""

import hashlib
import json
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latent.compute.convolution import Conv3x3
from latent.errors import UserError
from latent.recipes import LATENT, Recipe

MODEL_VERSION = 1  # to be raised where a network computes something else with tensors of the same names and shapes


class Encoder(nn.Module):
    """Images to latents: whitened 2×2 patches, three stages of two convolutions, then one linear layer.

    channels: 1 (MNIST) or 3 (CIFAR-10). widths: channels of the three stages. grid: side of the feature map that the
    linear layer sees; 1 forgets where a feature was. latent: dimension of h.
    """

    def __init__(self, channels: int, widths: tuple[int, ...] = (32, 64, 128), grid: int = 1, latent: int = LATENT):
        super().__init__()
        # `whiten` sets it and nothing trains it: its bias would need gradients of the largest feature map of all.
        self.whiten = nn.Conv2d(channels, 8 * channels, 2).requires_grad_(False)
        sizes = (8 * channels, *widths)
        self.stages = nn.Sequential(*(_stage(a, b) for a, b in zip(sizes, sizes[1:])))
        self.pool = nn.AdaptiveMaxPool2d(grid)
        self.to_latent = nn.Linear(widths[-1] * grid**2, latent)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(F.relu(self.whiten(x)))  # (B, widths[-1], H // 8, W // 8)
        return self.to_latent(self.pool(x).flatten(1))  # (B, latent)


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


class ResidualEncoder(nn.Module):
    """Images to latents without losing where a stroke was: patches become channels, convolutions refine them on small maps.

    folds: for each stage, the side of the patches that it folds into channels (Shi et al. 2016, backwards). widths: its channels.
    depth: its residual pairs. side: of the image, a multiple of all folds.
    """

    def __init__(self, channels: int, side: int, folds: tuple[int, ...], widths: tuple[int, ...], depth: int = 1, latent: int = LATENT):
        super().__init__()
        layers, inputs = [], channels
        for number, (fold, width) in enumerate(zip(folds, widths)):
            layers += [nn.PixelUnshuffle(fold), _mix(inputs * fold**2, width, number == 0), nn.BatchNorm2d(width)]
            layers += [ResidualPair(width) for _ in range(depth)]
            inputs = width
        self.stages = nn.Sequential(*layers)
        self.to_latent = nn.Linear(inputs * (side // math.prod(folds)) ** 2, latent)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(x).permute(0, 2, 3, 1)  # (B, H / folds, W / folds, widths[-1]), as it lies in memory
        return self.to_latent(x.flatten(1))  # (B, latent)


class ResidualDecoder(nn.Module):
    """Latents to images: the residual encoder's mirror.

    sigmoid: at its end, for images that are nearly black and white. Without it, pixels are cut to [0, 1] in eval mode; in
    training they are not, since a pixel outside would get no gradient.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        folds: tuple[int, ...],
        widths: tuple[int, ...],
        depth: int = 1,
        latent: int = LATENT,
        sigmoid: bool = False,
    ):
        super().__init__()
        small = side // math.prod(folds)
        self.from_latent = nn.Sequential(nn.Linear(latent, widths[-1] * small**2), nn.Unflatten(1, (small, small, widths[-1])))
        layers = []
        for number in reversed(range(1, len(folds))):
            outputs = widths[number - 1] * folds[number] ** 2
            layers += [ResidualPair(widths[number]) for _ in range(depth)]
            layers += [_mix(widths[number], outputs, False), nn.BatchNorm2d(outputs), nn.PixelShuffle(folds[number])]
        self.stages = nn.Sequential(*layers, *(ResidualPair(widths[0]) for _ in range(depth)))
        self.to_image = nn.Sequential(nn.Conv2d(widths[0], channels * folds[0] ** 2, 3, padding=1), nn.PixelShuffle(folds[0]))
        self.sigmoid = sigmoid

    def forward(self, h: Tensor) -> Tensor:
        _require_latent(h, self.from_latent[0].in_features)
        maps = self.from_latent(h).permute(0, 3, 1, 2)  # (B, widths[-1], H / folds, W / folds)
        x = self.to_image(self.stages(maps)).float()  # (B, channels, side, side)
        if self.sigmoid:
            return x.sigmoid()
        return x if self.training else x.clamp(0, 1)


class ResidualPair(nn.Module):
    """x + two 3×3 convolutions of it (He et al. 2016). It starts as the identity (Goyal et al. 2017, §5.1)."""

    def __init__(self, width: int):
        super().__init__()
        first, second = Conv3x3(width, width), Conv3x3(width, width)
        self.layers = nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU(inplace=True), second, nn.BatchNorm2d(width))
        nn.init.zeros_(self.layers[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)  # (B, width, H, W)


def _mix(inputs: int, outputs: int, wide: bool) -> nn.Module:
    """Channels to channels; `wide`: with the neighbouring patches, whose borders a fold has cut."""
    return Conv3x3(inputs, outputs) if wide else nn.Conv2d(inputs, outputs, 1, bias=False)


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


class LinearEncoder(nn.Module):
    """Images to latents by one matrix: what PCA can do."""

    def __init__(self, pixels: int, latent: int = LATENT):
        super().__init__()
        self.to_latent = nn.Linear(pixels, latent)

    def forward(self, x: Tensor) -> Tensor:
        return self.to_latent(x.flatten(1))  # (B, latent)


class LinearDecoder(nn.Module):
    """Latents to images by one matrix; pixels are cut to [0, 1]."""

    def __init__(self, shape: tuple[int, int, int], latent: int = LATENT):
        super().__init__()
        self.to_image = nn.Sequential(nn.Linear(latent, math.prod(shape)), nn.Unflatten(1, shape))

    def forward(self, h: Tensor) -> Tensor:
        _require_latent(h, self.to_image[0].in_features)
        return self.to_image(h).float().clamp(0, 1)  # (B, C, H, W)


@torch.no_grad()
def fit_pca(images: Tensor, latent: int = LATENT) -> nn.ModuleDict:
    """Principal components (Pearson 1901) as networks: what a linear map to as many numbers reaches in closed form.

    images: uint8 (N, C, H, W). Returns {"encoder", "decoder"}: to the `latent` leading components of the pixels in [0, 1], and back.
    """
    x = images.flatten(1).float() / 255  # (N, D)
    mean = x.mean(0)
    covariance = (x.T @ x) / len(x) - torch.outer(mean, mean)
    components = torch.linalg.eigh(covariance.double()).eigenvectors[:, -latent:].flip(1).T.float()  # (latent, D), largest first
    encoder, decoder = LinearEncoder(x.shape[1], latent), LinearDecoder(tuple(images.shape[1:]), latent)
    encoder.to_latent.weight.copy_(components)
    encoder.to_latent.bias.copy_(-components @ mean)
    decoder.to_image[0].weight.copy_(components.T)
    decoder.to_image[0].bias.copy_(mean)
    return freeze(nn.ModuleDict({"encoder": encoder, "decoder": decoder}))


class Reader(nn.Module):
    """Images to the logits of ten classes: reads what a decoder makes of latents. An encoder of its own, and one linear layer."""

    def __init__(self, channels: int, widths: tuple[int, ...], classes: int = 10):
        super().__init__()
        self.encoder = Encoder(channels, widths)
        self.classifier = Classifier(hidden=(), classes=classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.encoder(x))  # (B, classes)


def build(recipe: Recipe, channels: int, side: int, seed: int) -> nn.ModuleDict:
    """Freshly initialised networks for `recipe`, the same for the same seed. Raises UserError where they cannot be built."""
    _require_form(recipe, side)
    torch.manual_seed(seed)
    networks = nn.ModuleDict({"encoder": _encoder(recipe, channels, side)})
    if recipe.objective in ("reconstruct", "pca") or recipe.decoder:
        networks["decoder"] = _decoder(recipe, channels, side)
    if recipe.objective.startswith("contrast"):
        networks["projection"] = ProjectionHead(recipe.latent, projection=recipe.projection)
    if recipe.head:
        networks["head"] = Classifier(recipe.latent, hidden=())
    networks["classifier"] = Classifier(recipe.latent, recipe.hidden, recipe.dropout)
    if recipe.reader:
        networks["reader"] = Reader(channels, recipe.reader_widths)
    return networks.to(memory_format=torch.channels_last)


def _require_form(recipe: Recipe, side: int) -> None:
    """Raise UserError where networks of the recipe's widths and folds do not take, or give, images of `side` × `side` pixels."""
    folded, plain = ({"folds": "widths"}, {}) if recipe.folds else ({}, {"widths": recipe.encoder})
    if recipe.objective == "reconstruct" or recipe.decoder:
        folded["decoder_folds"] = "decoder_widths"
    if recipe.reader:
        plain["reader_widths"] = recipe.reader
    for name, widths in folded.items():
        folds, channels = getattr(recipe, name), getattr(recipe, widths)
        if not folds or len(folds) != len(channels) or side % math.prod(folds):
            needed = f"both need one value for each stage, and the product of the folds must divide {side}"
            raise UserError(f"{name}={folds} and {widths}={channels} do not fit images of side {side}: {needed}")
    for name, training in plain.items():
        smallest = min(side, training.views.side or side)
        most = (smallest - 1).bit_length() - 1  # each stage halves the side, rounded down, of what `whiten` leaves
        if not 1 <= len(getattr(recipe, name)) <= most:
            raise UserError(f"{name}={getattr(recipe, name)} do not fit images of side {smallest}: give one to {most} of them")
    fixed = [recipe.together] if recipe.objective == "reconstruct" else []
    if recipe.folds or recipe.objective == "pca":
        fixed += [recipe.encoder.views, recipe.classifier.views]
    if wrong := {views.side for views in fixed} - {0, side}:
        raise UserError(f"views of side {wrong.pop()} do not fit: these networks take and give images of side {side} alone")


def _encoder(recipe: Recipe, channels: int, side: int) -> nn.Module:
    if recipe.objective == "pca":
        return LinearEncoder(channels * side**2, recipe.latent)
    if recipe.folds:
        return ResidualEncoder(channels, side, recipe.folds, recipe.widths, recipe.depth, recipe.latent)
    return Encoder(channels, recipe.widths, recipe.grid, recipe.latent)


def _decoder(recipe: Recipe, channels: int, side: int) -> nn.Module:
    if recipe.objective == "pca" and not recipe.decoder:
        return LinearDecoder((channels, side, side), recipe.latent)
    form = recipe.decoder_folds, recipe.decoder_widths, recipe.depth, recipe.latent, recipe.sigmoid
    decoder = ResidualDecoder(channels, side, *form)
    # Frozen latents come in any scale: a first BatchNorm takes it away, as in `Classifier`.
    return nn.Sequential(nn.BatchNorm1d(recipe.latent, affine=False), decoder) if recipe.decoder else decoder


def start_from_images(networks: nn.ModuleDict, images: Tensor) -> None:
    """Set, in place, what does not start at random: PCA, and the layer of an encoder that whitens.

    images: the training set, uint8 (N, C, H, W).
    """
    encoder = networks["encoder"]
    if isinstance(encoder, LinearEncoder):
        pca = fit_pca(images, encoder.to_latent.out_features)
        for name, network in networks.items():
            if isinstance(network, (LinearEncoder, LinearDecoder)):
                network.load_state_dict(pca[name].state_dict())
    if isinstance(encoder, Encoder):
        whiten(encoder, images)


@torch.no_grad()
def whiten(encoder: Encoder, images: Tensor) -> None:
    """Make the first layer give the principal components of 2×2 patches, each of variance one, and their negatives.

    images: uint8 (N, C, H, W); the patches of the first 5,000 are more than enough for a covariance of 12 × 12. All stages then
    start from inputs of one scale and no correlation (Jordan 2024, §3.2).
    """
    patches = F.unfold(images[:5_000].float() / 255, 2).transpose(1, 2).flatten(0, 1)  # (N · positions, 4 C)
    variances, directions = torch.linalg.eigh(torch.cov(patches.T))
    noise = 3e-5  # directions of nearly no variance are noise: as if pixels were measured to ± .005
    filters = directions.T / (variances.clamp(min=0)[:, None] + noise).sqrt()  # (4 C, 4 C)
    filters = torch.cat([filters, -filters])
    encoder.whiten.weight.copy_(filters.view_as(encoder.whiten.weight))
    encoder.whiten.bias.copy_(-filters @ patches.mean(0))


def signature(recipe: Recipe, networks: nn.ModuleDict) -> str:
    """Identifies what was trained: the version of this file, the recipe, and the name and shape of every tensor."""
    shapes = {name: list(tensor.shape) for name, tensor in networks.state_dict().items()}
    return hashlib.sha256(json.dumps([MODEL_VERSION, recipe.as_dict(), shapes]).encode()).hexdigest()[:16]


@torch.no_grad()
def round_weights(networks: nn.ModuleDict) -> None:
    """Round parameters to float16 in place. They are stored so (half the size), and what is stored is what is judged."""
    for parameter in networks.parameters():
        parameter.copy_(parameter.half().float())
