"""A convolution written out as the linear layer that it is: sparse, and with one set of weights used everywhere."""

import torch
from torch import Tensor


def tap_index(kernel: tuple[int, int], image: tuple[int, int]) -> Tensor:
    """Which kernel entry stands at each place of the matrix, −1 where none does.

    Shape (H_out·W_out, H·W) for a convolution of stride one without padding, so H_out = H − kernel height + 1.
    """
    (rows, columns), (height, width) = kernel, image
    index = torch.full(((height - rows + 1) * (width - columns + 1), height * width), -1)
    for output in range(index.shape[0]):
        top, left = divmod(output, width - columns + 1)
        for tap in range(rows * columns):
            down, right = divmod(tap, columns)
            index[output, (top + down) * width + left + right] = tap
    return index


def convolution_matrix(kernel: Tensor, image: tuple[int, int]) -> Tensor:
    """The matrix A with A · x.flatten() = conv2d(x, kernel).flatten() for one-channel images x of shape `image`."""
    index = tap_index(tuple(kernel.shape), image)
    return torch.where(index >= 0, kernel.flatten()[index.clamp(min=0)], torch.zeros(()))


def tied_gradient(dense: Tensor, kernel: tuple[int, int], image: tuple[int, int]) -> Tensor:
    """The kernel's gradient from the gradient of the unrolled matrix: the sum over all places that share a weight."""
    index = tap_index(kernel, image)
    return torch.stack([dense[index == tap].sum() for tap in range(kernel[0] * kernel[1])]).reshape(kernel)
