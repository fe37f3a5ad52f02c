"""Derivatives from finite differences: the independent check of every gradient derived by hand."""

from collections.abc import Callable

import torch
from torch import Tensor


def numerical_gradient(function: Callable[[], Tensor], tensor: Tensor, step: float = 1e-6, central: bool = True) -> Tensor:
    """The gradient of the scalar `function()` with respect to `tensor`, which is moved in place one entry at a time.

    central: (f(x + ε) − f(x − ε)) / 2ε, error O(ε²), two calls per entry; otherwise (f(x + ε) − f(x)) / ε, error O(ε).
    `tensor` must be contiguous and is left as it was. Raises ValueError where it is not contiguous.
    """
    if not tensor.is_contiguous():
        raise ValueError("the tensor is not contiguous; pass tensor.contiguous()")
    flat, gradient = tensor.detach().view(-1), torch.zeros_like(tensor).detach()
    with torch.no_grad():
        for index, value in enumerate(flat.tolist()):
            flat[index] = value + step
            above = function()
            flat[index] = value - step if central else value
            gradient.view(-1)[index] = (above - function()) / (2 * step if central else step)
            flat[index] = value
    return gradient


def relative_error(found: Tensor, expected: Tensor) -> float:
    """‖found − expected‖ / ‖expected‖."""
    return float((found - expected).norm() / expected.norm())
