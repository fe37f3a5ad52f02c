"""Random views of images, in batch on the device, with a draw of its own for every image.

All geometry is one affine map of the pixel plane per image, all colour one affine map of RGB space: two kernels a batch.
Written here since torchvision's transforms draw once for a whole batch, and image by image they cost more than the training.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from latent.recipes import Views

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def to_float(images: Tensor) -> Tensor:
    """uint8 (B, C, H, W) to float32 pixels in [0, 1], channels_last. Raises TypeError on any other type or shape."""
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise TypeError(f"images are uint8 (B, C, H, W), got {images.dtype} {tuple(images.shape)}")
    return images.to(torch.float32, memory_format=torch.channels_last) / 255


def view(x: Tensor, views: Views, generator: Generator) -> Tensor:
    """One random view of each image: (B, C, H, W) in [0, 1] to (B, C, H, W), or the side asked for, channels_last."""
    if not len(x):  # affine_grid takes no empty batch
        return x.new_empty(0, x.shape[1], views.side or x.shape[2], views.side or x.shape[3])
    if views.shift or views.flip or views.rotate or views.zoom < 1 or views.stretch or views.side:
        x = _move(x, views, generator)
    if views.jitter or views.grey:
        x = _colour(x, views, generator)
    if views.erase:
        x = _erase(x, views.erase, generator)
    return x.contiguous(memory_format=torch.channels_last)


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def _move(x: Tensor, views: Views, generator: Generator) -> Tensor:
    """Crop, stretch, turn, mirror and shift, through one affine map per image; outside lies the mirrored image."""
    count, _, height, width = x.shape
    side = _uniform(count, views.zoom, 1, generator).sqrt()  # of the crop, as a share of the image's
    aspect = _uniform(count, -views.stretch / 2, views.stretch / 2, generator).exp()
    wide, high = side * aspect, side / aspect
    turn = _uniform(count, -views.rotate, views.rotate, generator) * math.pi / 180
    right, down = (
        _uniform(count, -1, 1, generator) * (1 - extent).clamp(min=0) + _whole_pixels(count, views.shift, pixels, generator)
        for extent, pixels in ((wide, width), (high, height))
    )
    mirror = 1 - 2 * (_uniform(count, 0, 1, generator) < 0.5) if views.flip else torch.ones_like(turn)
    rows = [
        torch.stack([mirror * wide * turn.cos(), -high * turn.sin(), right], 1),
        torch.stack([mirror * wide * turn.sin(), high * turn.cos(), down], 1),
    ]
    size = [*x.shape[:2], views.side or height, views.side or width]
    grid = F.affine_grid(torch.stack(rows, 1), size, align_corners=False)  # (B, H, W, 2)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _whole_pixels(count: int, most: float, side: int, generator: Generator) -> Tensor:
    """Shifts by whole pixels (so that a shift alone blurs nothing), in units of half the image's side."""
    return _uniform(count, -most - 0.5, most + 0.5, generator).round().clamp(-most, most) * 2 / side


def _colour(x: Tensor, views: Views, generator: Generator) -> Tensor:
    """Brightness, contrast, saturation, hue and grey, composed into one affine map of colour space per image."""
    count, channels = x.shape[:2]
    jittered = _uniform(count, 0, 1, generator) < views.jittered
    brightness, contrast, saturation = (_uniform(count, 1 - views.jitter, 1 + views.jitter, generator) for _ in range(3))
    scale = torch.where(jittered, brightness * contrast, 1).view(-1, 1, 1)
    mean = x.mean((1, 2, 3)) * brightness  # contrast moves pixels away from the (brightened) image's mean
    offset = torch.where(jittered, (1 - contrast) * mean, 0).view(-1, 1, 1)
    if channels == 1:
        return (x.flatten(2) * scale + offset).clamp(0, 1).view_as(x)
    angle = torch.where(jittered, _uniform(count, -views.jitter / 4, views.jitter / 4, generator) * 2 * math.pi, 0)
    saturation = torch.where(jittered, saturation, 1) * (_uniform(count, 0, 1, generator) >= views.grey)
    matrix = scale * _turn_hue(angle, saturation)  # (B, 3, 3)
    return torch.baddbmm(offset, matrix, x.flatten(2)).clamp(0, 1).view_as(x)


def _turn_hue(angle: Tensor, saturation: Tensor) -> Tensor:
    """Colour matrices (B, 3, 3) that turn chroma by `angle` about the grey axis and scale it by `saturation`; luminance stays."""
    grey = torch.tensor(LUMINANCE, device=angle.device).expand(3, 3)  # every output channel is the luminance
    eye = torch.eye(3, device=angle.device)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=angle.device) / math.sqrt(3)  # axis (1, 1, 1)
    around = eye - torch.full((3, 3), 1 / 3, device=angle.device)
    turned = angle.cos().view(-1, 1, 1) * around + angle.sin().view(-1, 1, 1) * cross  # (B, 3, 3), kills the grey axis
    chroma = (eye - grey) @ turned @ (eye - grey)
    return grey + saturation.view(-1, 1, 1) * chroma


def _erase(x: Tensor, side: int, generator: Generator) -> Tensor:
    """Set a square of each image to its mean colour (Cutout, DeVries and Taylor 2017); its centre may lie at the border."""
    count, _, height, width = x.shape
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    centre_row = torch.randint(height, (count, 1), generator=generator, device=x.device)
    centre_column = torch.randint(width, (count, 1), generator=generator, device=x.device)
    hole = ((rows - centre_row).abs() * 2 < side)[:, None, :, None] & ((columns - centre_column).abs() * 2 < side)[:, None, None, :]
    return torch.where(hole, x.mean((2, 3), keepdim=True), x)
