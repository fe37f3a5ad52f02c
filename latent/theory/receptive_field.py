"""Receptive fields of stacked layers: computed from kernel, stride and dilation, and measured with gradients."""

import copy

from torch import Tensor, nn

WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def growth(model: nn.Sequential) -> list[tuple[str, int, int]]:
    """(layer name, field, jump) after each windowed layer, in input pixels along one axis; other layers change neither.

    `field` is the side of the receptive field and `jump` the distance between the fields of neighbouring outputs:
    field += (kernel − 1) · dilation · jump, then jump *= stride (Dumoulin and Visin 2016 give the same arithmetic).
    """
    field, jump, steps = 1, 1, []
    for layer in model:
        if isinstance(layer, WINDOWS):
            kernel, stride, dilation = (_side(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "dilation"))
            field += (kernel - 1) * dilation * jump
            jump *= stride
            steps.append((type(layer).__name__, field, jump))
    return steps


def dense(model: nn.Sequential) -> nn.Sequential:
    """A copy with the same connections that lets every gradient through: positive weights, averages for maxima, no ReLU."""
    layers = [copy.deepcopy(layer) for layer in model if not isinstance(layer, nn.ReLU)]
    layers = [nn.AvgPool2d(layer.kernel_size, layer.stride) if isinstance(layer, nn.MaxPool2d) else layer for layer in layers]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return nn.Sequential(*layers)


def central_gradient(model: nn.Module, images: Tensor) -> Tensor:
    """|∂ (central output pixel, all channels) / ∂ input pixel| summed over input channels: (B, C, H, W) → (B, H, W)."""
    images = images.clone().requires_grad_()
    out = model(images)
    out[..., out.shape[-2] // 2, out.shape[-1] // 2].sum().backward()
    return images.grad.abs().sum(dim=1)


def extent(mask: Tensor) -> tuple[int, int]:
    """Height and width of the smallest box that holds every True of `mask` (H, W)."""
    rows, columns = mask.nonzero(as_tuple=True)
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


def _side(value: int | tuple[int, int]) -> int:
    """The side of a square window; raises ValueError for windows with two different sides."""
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) > 1:
        raise ValueError(f"the window {value} is not square; give each axis its own recursion")
    return sides.pop()
