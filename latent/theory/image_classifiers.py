"""Small classifiers of images, with and without knowledge of which pixels are neighbours, and changes to their images."""

import torch
from torch import Tensor, nn

from latent.theory.fitting import fit

SIDE = 28


def mlp(hidden: int = 64, side: int = SIDE, seed: int = 0) -> nn.Sequential:
    """Two linear layers on the flattened image."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def cnn(width: int = 12, seed: int = 0) -> nn.Sequential:
    """Three convolutions, the maximum over all positions, one linear layer."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(4 * width, 10),
    )  # fmt: skip


def wrapping_cnn(width: int = 12, seed: int = 0) -> nn.Sequential:
    """A CNN for two classes that treats all positions exactly alike: circular padding, no stride, maximum over positions."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, padding_mode="circular"), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, padding_mode="circular"), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(width, 2),
    )  # fmt: skip


def parameters(network: nn.Module) -> int:
    """How many numbers `network` learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def train(network: nn.Module, images: Tensor, labels: Tensor, steps: int = 200, rate: float = 2e-3, batch: int = 64) -> nn.Module:
    """Minimise the cross-entropy with Adam; the same network, trained. `images`: (N, 1, 28, 28) in [0, 1]."""
    fit(lambda x, y: nn.functional.cross_entropy(network(x), y), network.parameters(), (images, labels), steps, batch, rate)
    return network


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of `images` that `network` names rightly, in %."""
    hits = [(network(part).argmax(1) == truth).sum() for part, truth in zip(images.split(500), labels.split(500), strict=True)]
    return 100.0 * float(sum(hits)) / len(labels)


def shifted(images: Tensor, right: int, down: int = 0) -> Tensor:
    """`images` (N, C, H, W) moved by whole pixels; what leaves is lost, zeros enter."""
    height, width = images.shape[-2:]
    moved = torch.zeros_like(images)
    source = images[..., max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    top, left = max(0, down), max(0, right)
    moved[..., top : top + source.shape[-2], left : left + source.shape[-1]] = source
    return moved


def scrambled(images: Tensor, seed: int = 0) -> Tensor:
    """`images` with their pixels moved to other places, the same places for all images: no information is lost."""
    order = torch.randperm(images.shape[-1] * images.shape[-2], generator=torch.Generator().manual_seed(seed))
    return images.flatten(-2)[..., order].reshape(images.shape)


def dots(side: int = 8) -> tuple[Tensor, Tensor]:
    """All images (side², 1, side, side) with one bright pixel, and whether it lies in the right half."""
    images = torch.eye(side * side).reshape(-1, 1, side, side)
    return images, (torch.arange(side * side) % side >= side // 2).long()
