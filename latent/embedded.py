"""Two small datasets that need neither a download nor a disk: stand-ins for MNIST and CIFAR-10 on a machine without them."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SHAPES = ("disc", "ring", "square", "frame", "triangle", "cross", "rows", "columns", "diagonals", "checkers")
SHAPES_COUNT = 1_600


def digits() -> tuple[str, tuple[str, ...], Tensor, Tensor]:
    """scikit-learn's 1,797 handwritten digits, 8×8, brought to 28×28: (title, classes, uint8 (N, 1, 28, 28), labels)."""
    from sklearn.datasets import load_digits  # takes a second to import, for those who need it alone

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).float().unsqueeze(1) / 16  # (N, 1, 8, 8) in [0, 1]
    large = F.pad(F.interpolate(small, size=(24, 24), mode="bicubic", align_corners=False), (2, 2, 2, 2)).clamp(0, 1)
    order = torch.randperm(len(large), generator=torch.Generator().manual_seed(0))
    images = (255 * large).round().to(torch.uint8)[order]
    return "stand-in digits (not MNIST)", tuple("0123456789"), images, torch.from_numpy(bunch.target).long()[order]


def shapes() -> tuple[str, tuple[str, ...], Tensor, Tensor]:
    """Ten drawn shapes in random colour, place, size and turn on noise: (title, classes, uint8 (N, 3, 32, 32), labels)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(SHAPES_COUNT) % 10
    x, y = _own_axes(SHAPES_COUNT, generator)  # each (N, 32, 32)
    masks = torch.stack(_masks(x, y), dim=1)[torch.arange(SHAPES_COUNT), labels].float()  # (N, 32, 32)
    ink, paper = torch.rand((2, SHAPES_COUNT, 3, 1, 1), generator=generator)
    paper = torch.where((ink - paper).abs().amax(1, keepdim=True) < 0.35, 1 - ink.round(), paper)  # keep the two apart
    images = torch.lerp(paper, ink, masks.unsqueeze(1)) + 0.06 * torch.randn((SHAPES_COUNT, 3, 32, 32), generator=generator)
    order = torch.randperm(SHAPES_COUNT, generator=generator)
    return "stand-in shapes (not CIFAR-10)", SHAPES, (255 * images.clamp(0, 1)).round().to(torch.uint8)[order], labels[order]


def _own_axes(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """For each image its own coordinate frame: shifted, turned by up to 20° and scaled."""
    line = torch.linspace(-1, 1, 32)
    y, x = torch.meshgrid(line, line, indexing="ij")
    turn, size, right, down = (torch.rand((4, count, 1, 1), generator=generator) * 2 - 1).unbind()
    turn, size = turn * math.pi / 9, 0.65 + 0.15 * size
    x, y = x - 0.25 * right, y - 0.25 * down
    return (x * turn.cos() + y * turn.sin()) / size, (y * turn.cos() - x * turn.sin()) / size


def _masks(x: Tensor, y: Tensor) -> list[Tensor]:
    """Where each of the ten shapes is inked, in its own coordinates."""
    radius, reach = (x**2 + y**2).sqrt(), torch.maximum(x.abs(), y.abs())
    row, column = (4 * y).floor() % 2 == 0, (4 * x).floor() % 2 == 0
    inside = reach < 1
    return [
        radius < 0.9,
        (radius < 0.95) & (radius > 0.6),
        reach < 0.8,
        inside & (reach > 0.65),
        (y < 0.8) & (y > 2 * x.abs() - 0.9),
        inside & ((x.abs() < 0.3) | (y.abs() < 0.3)),
        inside & row,
        inside & column,
        inside & ((3 * (x + y)).floor() % 2 == 0),
        inside & (row ^ column),
    ]
