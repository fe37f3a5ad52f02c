"""A 3×3 convolution with a faster gradient on small maps: there, oneDNN's own runs at a tenth to a third of the matrix rate of a CPU."""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Up to this side of a feature map, nine matrix products are faster on a CPU than oneDNN's own gradient of the weights, or as fast;
# on larger maps they are not in small batches.
SMALL = 5


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d` of 3×3 kernels at stride 1, padding 1 and without a bias: same weights, same results, (B, C, H, W) to (B, O, H, W)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or max(x.shape[-2:]) > SMALL or not torch.is_grad_enabled():
            return super().forward(x)
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        return _Convolution.apply(x.to(precision), self.weight.to(precision))


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        x, weight = ctx.saved_tensors
        of_input = nn.grad.conv2d_input(x.shape, weight, gradient, padding=1) if ctx.needs_input_grad[0] else None
        return of_input, weight_gradient(x, gradient)


def weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """Gradient (O, C, 3, 3) of the kernels, from inputs x (B, C, H, W) and the gradient (B, O, H, W) of the outputs.

    Pixels are rows of a matrix. A row and a column of zeros close each image, and serve the next one as its margin, so that
    every tap of the kernel is the same matrix of inputs, some rows further on.
    """
    width = x.shape[-1] + 1
    margin = width + 1  # rows before the first pixel and after the last
    inputs, outputs = _pixel_rows(x, margin), _pixel_rows(gradient)
    starts = [margin + down * width + right for down in (-1, 0, 1) for right in (-1, 0, 1)]
    taps = torch.stack([outputs.T @ inputs[start : start + len(outputs)] for start in starts])  # (9, O, C)
    return taps.permute(1, 2, 0).unflatten(2, (3, 3))


def _pixel_rows(x: Tensor, margin: int = 0) -> Tensor:
    """(B, C, H, W) to (margin + B · (H + 1) · (W + 1) + margin, C)."""
    count, channels, height, width = x.shape
    rows = x.new_zeros(2 * margin + count * (height + 1) * (width + 1), channels)
    inner = rows[margin : len(rows) - margin].view(count, height + 1, width + 1, channels)
    inner[:, :height, :width] = x.permute(0, 2, 3, 1)
    return rows
