"""A linear Gaussian variational autoencoder, whose exact likelihood and posterior are known."""

import math

import torch
from torch import Tensor


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(W z, s² I): here ln p(x) and p(z | x) have closed forms (Tipping and Bishop 1999)."""

    def __init__(self, loadings: Tensor, noise: float):
        self.loadings, self.noise = loadings, noise  # W: (pixels, latent); s
        pixels, latent = loadings.shape
        self.evidence = torch.distributions.MultivariateNormal(
            torch.zeros(pixels, dtype=loadings.dtype), loadings @ loadings.T + noise**2 * torch.eye(pixels, dtype=loadings.dtype)
        )
        self.precision = torch.eye(latent, dtype=loadings.dtype) + loadings.T @ loadings / noise**2

    def posterior(self, x: Tensor) -> torch.distributions.MultivariateNormal:
        """The exact p(z | x) for one x of shape (pixels,)."""
        mean = torch.linalg.solve(self.precision, self.loadings.T @ x / self.noise**2)
        return torch.distributions.MultivariateNormal(mean, precision_matrix=self.precision)

    def bound(self, x: Tensor, guess: torch.distributions.MultivariateNormal) -> Tensor:
        """The VAE loss at x with q = `guess`, in closed form: expected −ln p(x | z), plus KL(q ‖ N(0, I))."""
        pixels, latent = self.loadings.shape
        prior = torch.distributions.MultivariateNormal(torch.zeros(latent, dtype=x.dtype), torch.eye(latent, dtype=x.dtype))
        error = (x - self.loadings @ guess.mean).square().sum() + (self.loadings @ guess.covariance_matrix @ self.loadings.T).trace()
        expected = error / (2 * self.noise**2) + pixels / 2 * math.log(2 * math.pi * self.noise**2)
        return expected + torch.distributions.kl_divergence(guess, prior)
