"""Muon: momentum whose update of every matrix is made orthogonal (Jordan et al. 2024). Few steps go a long way with it.

Written here since `torch.optim.Muon` takes matrices only, and most of these weights are kernels of convolutions.
"""

import torch
from torch import Tensor
from torch.optim import Optimizer

from latent.compute.device import autocast

# A quintic that lifts every singular value in (0, 1] towards 1 (Jordan et al. 2024); steep at zero rather than exact at one.
_CUBE = (3.4445, -4.7750, 2.0315)


class Muon(Optimizer):
    """For matrices and kernels (out, …) alone. Each is kept at the norm √out, so that the rate is the step's share of the weight."""

    def __init__(self, parameters, lr: float, momentum: float = 0.6):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                velocity = self.state[weight].setdefault("velocity", torch.zeros_like(weight))
                velocity.mul_(group["momentum"]).add_(weight.grad)
                ahead = weight.grad.add(velocity, alpha=group["momentum"])  # Nesterov's look ahead
                weight.mul_(len(weight) ** 0.5 / weight.norm())
                weight.sub_(orthogonal(ahead.flatten(1)).view_as(weight), alpha=group["lr"])


def orthogonal(matrix: Tensor, steps: int = 3) -> Tensor:
    """Nearly U Vᵀ of matrix = U S Vᵀ, (rows, columns) as given, by a Newton–Schulz iteration; singular values end between 0.5 and 1.3."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)  # no singular value above 1
    a, b, c = _CUBE
    with autocast(matrix.device):  # its errors are smaller than those of so few iterations
        for _ in range(steps):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
