"""How much of an image is left at the end of a Gaussian diffusion (Ho et al. 2020), and what the prior term amounts to."""

import torch
from torch import Tensor


def linear_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """The noise variances β_1 … β_T of Ho et al. (2020, section 4), in float64."""
    return torch.linspace(first, last, steps, dtype=torch.float64)


def signal_left(betas: Tensor) -> Tensor:
    """ᾱ_t = Π_{s ≤ t} (1 − β_s), so that q(x_t | x_0) = N(√ᾱ_t x_0, (1 − ᾱ_t) I); shape of `betas`."""
    return torch.log1p(-betas).cumsum(0).exp()


def prior_divergence(x0: Tensor, alpha_bar: Tensor) -> Tensor:
    """D_KL(q(x_t | x_0) ‖ N(0, I)) in nats per pixel, averaged over the pixels of `x0` (in [−1, 1]); shape of `alpha_bar`.

    Per pixel: ½ (σ² + μ² − 1 − log σ²) with μ = √ᾱ x_0 and σ² = 1 − ᾱ.
    """
    return 0.5 * (alpha_bar * (x0.double().square().mean() - 1) - torch.log1p(-alpha_bar))
