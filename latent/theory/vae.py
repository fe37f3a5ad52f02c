"""One network, two ways to train it: as a plain autoencoder and as a variational one (Kingma and Welling 2014)."""

import numpy as np
import torch
from torch import Tensor, nn

from latent.theory.fitting import fit


class SmallAutoencoder(nn.Module):
    """Flat images (N, pixels) in [0, 1] → `latent` means (and log-variances) → pixel logits."""

    def __init__(self, pixels: int = 784, latent: int = 16, hidden: int = 256, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(h | x), each (N, latent)."""
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, h: Tensor) -> Tensor:
        """Pixels in [0, 1]: the mean of p(x | h)."""
        return torch.sigmoid(self.decoder(h))

    def reconstruction(self, x: Tensor, h: Tensor) -> Tensor:
        """−log p(x | h) with independent Bernoulli pixels, in nats, shape (N,)."""
        return nn.functional.binary_cross_entropy_with_logits(self.decoder(h), x, reduction="none").sum(1)

    def plain_loss(self, x: Tensor) -> Tensor:
        """Reconstruction alone, from the mean: nothing is asked of where the codes lie."""
        return self.reconstruction(x, self.encode(x)[0]).mean()

    def variational_loss(self, x: Tensor) -> Tensor:
        """−ELBO with one sample: reconstruction from a noisy code plus the divergence of q(h | x) from the prior."""
        mean, log_variance = self.encode(x)
        return (self.reconstruction(x, reparameterised(mean, log_variance)) + prior_divergence(mean, log_variance)).mean()


def reparameterised(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A sample of N(mean, exp(log_variance)) through which gradients flow: h = μ + σ · ε, ε ~ N(0, I)."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def prior_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """D_KL(N(mean, exp(log_variance)) ‖ N(0, I)) in nats, shape (N,)."""
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(1)


def trained(images: Tensor, variational: bool, steps: int = 1500, latent: int = 16) -> SmallAutoencoder:
    """A `SmallAutoencoder` fitted to flat `images` (N, pixels) by one of its two losses."""
    network = SmallAutoencoder(images.shape[1], latent)
    fit(network.variational_loss if variational else network.plain_loss, network.parameters(), (images,), steps)
    return network


def frechet_distance(one: Tensor, two: Tensor, axes: int = 20) -> float:
    """Distance of two sets of flat images, each taken as a Gaussian on the first `axes` principal axes of set `one`.

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½): the squared 2-Wasserstein distance of the two Gaussians.
    """
    one, two = one.double().numpy(), two.double().numpy()
    basis = np.linalg.svd(one - one.mean(0), full_matrices=False)[2][:axes].T
    one, two = one @ basis, two @ basis
    cross = np.linalg.eigvals(np.cov(one.T) @ np.cov(two.T)).real.clip(min=0)
    return float(np.sum((one.mean(0) - two.mean(0)) ** 2) + one.var(0, ddof=1).sum() + two.var(0, ddof=1).sum() - 2 * np.sqrt(cross).sum())
