"""Generative models with a likelihood: variational autoencoders, the evidence lower bound, diffusion."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from theory.optimization import fit

# One network, two ways to train it: as a plain autoencoder and as a variational one (Kingma and Welling 2014).


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
        return (self.reconstruction(x, reparameterised(mean, log_variance)) + divergence_from_prior(mean, log_variance)).mean()


def reparameterised(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A sample of N(mean, exp(log_variance)) through which gradients flow: h = μ + σ · ε, ε ~ N(0, I)."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def divergence_from_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """D_KL(N(mean, exp(log_variance)) ‖ N(0, I)) in nats, shape (N,)."""
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(1)


def trained_autoencoder(images: Tensor, variational: bool, steps: int = 1500, latent: int = 16) -> SmallAutoencoder:
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


def gaussian_of(codes: Tensor) -> torch.distributions.MultivariateNormal:
    """The Gaussian with the mean and covariance of `codes` (N, latent)."""
    jitter = 1e-4 * torch.eye(codes.shape[1])
    return torch.distributions.MultivariateNormal(codes.mean(0), torch.cov(codes.T) + jitter)


def by_thinness(normal: torch.distributions.MultivariateNormal, codes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Those of `points` that lie no farther out than half of the `codes`, the ones amid most codes first, and their gaps.

    The gap is the distance to the nearest code, in units of `normal`, so that neither its scale nor its tails decide.
    Points (M, latent) and gaps (M,), ascending.
    """
    whiten = torch.linalg.inv(normal.scale_tril).T
    places, inner = (codes - normal.mean) @ whiten, (points - normal.mean) @ whiten
    central = inner.norm(dim=1) < places.norm(dim=1).median()
    gaps, order = torch.cdist(inner[central], places).min(1).values.sort()
    return points[central][order], gaps


# A linear Gaussian variational autoencoder, whose exact likelihood and posterior are known.


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


# The evidence lower bound on Markov chains so small that every path can be listed.
#
# `forward[t − 1][i, j]` is q(x_t = j | x_{t−1} = i), `backward[t − 1][i, j]` is p(x_{t−1} = j | x_t = i), for t = 1 … T;
# `start` is p(x_T). Everything is in nats.


def random_chain(states: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`forward` (T, K, K), `backward` (T, K, K) and `start` (K,), drawn uniformly from all distributions."""
    draw = np.random.default_rng(seed).dirichlet
    tables = draw(np.ones(states), size=(2, steps, states))
    return tables[0], tables[1], draw(np.ones(states))


def log_evidence(backward: np.ndarray, start: np.ndarray, x0: int) -> float:
    """log p(x_0) by pushing the marginal down the chain: no path is listed."""
    marginal = start
    for table in backward[::-1]:
        marginal = marginal @ table
    return float(np.log(marginal[x0]))


def exact_forward(backward: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The forward tables (T, K, K) that make q(x_{1:T} | x_0) the exact posterior: Bayes' rule on p's own marginals."""
    marginal, tables = start, []
    for table in backward[::-1]:
        joint = marginal[:, None] * table  # p(x_t, x_{t−1})
        marginal = joint.sum(axis=0)
        tables.append((joint / marginal).T)
    return np.stack(tables[::-1])


def path_probabilities(forward: np.ndarray, backward: np.ndarray, start: np.ndarray, x0: int) -> tuple[np.ndarray, np.ndarray]:
    """q(x_{1:T} | x_0) and p(x_{0:T}) of each of the K^T paths that begin in `x0`, two arrays of shape (K^T,)."""
    steps, states = len(forward), len(start)
    paths = np.stack(np.meshgrid(*[np.arange(states)] * steps, indexing="ij"), axis=-1).reshape(-1, steps)
    paths = np.concatenate([np.full((len(paths), 1), x0), paths], axis=1)
    q, p = np.ones(len(paths)), start[paths[:, -1]].copy()
    for t in range(1, steps + 1):
        q *= forward[t - 1][paths[:, t - 1], paths[:, t]]
        p *= backward[t - 1][paths[:, t], paths[:, t - 1]]
    return q, p


def divergence(q: np.ndarray, p: np.ndarray) -> float:
    """D_KL(q ‖ p) of two distributions on the same list."""
    return float(np.sum(q * np.log(q / p)))


def elbo(q: np.ndarray, p: np.ndarray) -> float:
    """E_q[log p(x_{0:T}) / q(x_{1:T} | x_0)] from the two arrays of `path_probabilities`."""
    return -divergence(q, p)


def elbo_terms(forward: np.ndarray, backward: np.ndarray, start: np.ndarray, x0: int) -> tuple[float, list[float], float]:
    """The ELBO in the form that is trained: prior term, the T − 1 denoising terms, reconstruction term.

    Found from the marginals q(x_t | x_0) and Bayes' rule for q(x_{t−1} | x_t, x_0); their sum is the ELBO.
    """
    marginals = [np.eye(len(start))[x0]]
    for table in forward:
        marginals.append(marginals[-1] @ table)
    denoising = []
    for t in range(2, len(forward) + 1):
        joint = marginals[t - 1][:, None] * forward[t - 1]  # q(x_{t−1}, x_t | x_0), shape (K, K)
        posterior = (joint / marginals[t]).T  # q(x_{t−1} | x_t, x_0), a row per x_t
        denoising.append(-sum(weight * divergence(*rows) for weight, *rows in zip(marginals[t], posterior, backward[t - 1], strict=True)))
    return -divergence(marginals[-1], start), denoising, float(marginals[1] @ np.log(backward[0][:, x0]))


# How much of an image is left at the end of a Gaussian diffusion (Ho et al. 2020), and what the prior term amounts to.


def linear_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """The noise variances β_1 … β_T of Ho et al. (2020, section 4), in float64."""
    return torch.linspace(first, last, steps, dtype=torch.float64)


def signal_left(betas: Tensor) -> Tensor:
    """ᾱ_t = Π_{s ≤ t} (1 − β_s), so that q(x_t | x_0) = N(√ᾱ_t x_0, (1 − ᾱ_t) I); shape of `betas`."""
    return torch.log1p(-betas).cumsum(0).exp()


def prior_term(x0: Tensor, alpha_bar: Tensor) -> Tensor:
    """D_KL(q(x_t | x_0) ‖ N(0, I)) in nats per pixel, averaged over the pixels of `x0` (in [−1, 1]); shape of `alpha_bar`.

    Per pixel: ½ (σ² + μ² − 1 − log σ²) with μ = √ᾱ x_0 and σ² = 1 − ᾱ.
    """
    return 0.5 * (alpha_bar * (x0.double().square().mean() - 1) - torch.log1p(-alpha_bar))
