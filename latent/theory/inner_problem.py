"""An optimisation problem as a layer: y*(z) = argmin over y of ½‖y − z‖² + ¼‖y‖⁴, solved in three ways.

The first-order condition y − z + ‖y‖² y = 0 says that y is z shrunk to length t, where t³ + t = ‖z‖. The Hessian in y
is K = (1 + ‖y‖²) I + 2 y yᵀ, positive definite, and the mixed derivative is R = −I, so the implicit function theorem
gives ∂y*/∂z = −K⁻¹ R = K⁻¹ at the solution, whichever way the solution was found.
"""

import torch
from torch import Tensor


def objective(y: Tensor, z: Tensor) -> Tensor:
    """The inner objective, a scalar, of y and z of shape (d,)."""
    return (y - z).square().sum() / 2 + y.square().sum().square() / 4


def solve_by_formula(z: Tensor) -> Tensor:
    """The only real root of t³ + t = ‖z‖ by Cardano's formula; no iteration at all."""
    half = z.norm() / 2
    root = (half**2 + 1 / 27).sqrt()
    length = torch.pow(half + root, 1 / 3) - torch.pow(root - half, 1 / 3)
    return z / (1 + length**2)


def solve_by_bisection(z: Tensor, halvings: int = 80) -> Tensor:
    """The same root by halving an interval: only signs are looked at, no derivative is taken."""
    target = float(z.norm())
    low, high = 0.0, target
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if middle**3 + middle < target else (low, middle)
    return z / (1 + low**2)


@torch.enable_grad()
def solve_by_descent(z: Tensor) -> Tensor:
    """The minimum found by L-BFGS, a descent method."""
    z = z.detach()
    y = z.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([y], max_iter=200, tolerance_grad=1e-13, tolerance_change=1e-15, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = objective(y, z)
        value.backward()
        return value

    optimizer.step(closure)
    return y.detach()
