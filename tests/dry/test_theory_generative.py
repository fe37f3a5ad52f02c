"""What `theory.generative` computes, against closed forms and slow or independent versions."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from theory import generative


def test_the_evidence_is_the_sum_over_all_paths():
    forward, backward, start = generative.random_chain(3, 4, seed=0)
    for x0 in range(3):
        _, p = generative.path_probabilities(forward, backward, start, x0)
        assert np.log(p.sum()) == pytest.approx(generative.log_evidence(backward, start, x0))


def test_path_probabilities_multiply_along_the_path():
    forward, backward, start = generative.random_chain(3, 2, seed=1)
    q, p = generative.path_probabilities(forward, backward, start, x0=2)
    for number, (x1, x2) in enumerate(itertools.product(range(3), repeat=2)):
        assert q[number] == pytest.approx(forward[0][2, x1] * forward[1][x1, x2])
        assert p[number] == pytest.approx(start[x2] * backward[1][x2, x1] * backward[0][x1, 2])
    assert q.sum() == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_three_terms_add_up_to_the_bound(steps):
    chain = generative.random_chain(3, steps, seed=2)
    prior, denoising, reconstruction = generative.elbo_terms(*chain, x0=1)
    assert prior + sum(denoising) + reconstruction == pytest.approx(generative.elbo(*generative.path_probabilities(*chain, x0=1)))
    assert len(denoising) == steps - 1


def test_the_exact_forward_closes_the_gap():
    _, backward, start = generative.random_chain(3, 4, seed=3)
    chain = (generative.exact_forward(backward, start), backward, start)
    q, p = generative.path_probabilities(*chain, x0=2)
    assert generative.elbo(q, p) == pytest.approx(generative.log_evidence(backward, start, 2))
    assert np.allclose(q, p / p.sum())


def test_the_prior_term_of_a_diffusion_against_torch():
    x0, alpha_bar = torch.tensor([-1.0, 0.2, 0.9]), torch.tensor([0.9, 0.3, 1e-4], dtype=torch.float64)
    for left, value in zip(alpha_bar, generative.prior_term(x0, alpha_bar), strict=True):
        q = torch.distributions.Normal(left.sqrt() * x0, (1 - left).sqrt())
        reference = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean()
        assert float(reference) == pytest.approx(float(value), rel=1e-5)


def test_the_signal_left_is_the_product():
    betas = generative.linear_betas(7)
    assert torch.allclose(generative.signal_left(betas), (1 - betas).cumprod(0))


def test_the_divergence_of_the_vae_against_torch():
    mean, log_variance = torch.randn(2, 5, 3)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    reference = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(generative.divergence_from_prior(mean, log_variance), reference, atol=1e-5)


def test_reparameterised_samples_have_the_moments_and_pass_gradients():
    torch.manual_seed(0)
    mean, log_variance = torch.full((100_000,), 1.5, requires_grad=True), torch.full((100_000,), math.log(4.0), requires_grad=True)
    sample = generative.reparameterised(mean, log_variance)
    assert float(sample.detach().mean()) == pytest.approx(1.5, abs=0.03) and float(sample.detach().std()) == pytest.approx(2.0, abs=0.03)
    sample.square().sum().backward()  # E h² = μ² + σ², so the gradients are 2 μ and σ²
    assert float(mean.grad.mean()) == pytest.approx(3.0, abs=0.05) and float(log_variance.grad.mean()) == pytest.approx(4.0, abs=0.1)


def test_the_frechet_distance_of_shifted_and_scaled_sets():
    one = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 6)
    assert generative.frechet_distance(one, one, axes=5) == pytest.approx(0, abs=1e-6)
    assert generative.frechet_distance(one, one + torch.tensor([3.0, 0, 0, 0, 4.0]), axes=5) == pytest.approx(25, rel=1e-6)
    centred = one - one.mean(0)
    assert generative.frechet_distance(centred, 2 * centred, axes=5) == pytest.approx(float(centred.double().var(0).sum()), rel=1e-5)


def test_the_variational_loss_is_a_bound_on_exact_evidence():
    """With one latent the evidence can be integrated; the loss must lie above −log p(x) for any weights."""
    network = generative.SmallAutoencoder(pixels=4, latent=1, hidden=3, seed=1)
    x = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    h = torch.linspace(-8, 8, 4001)[:, None]
    with torch.no_grad():
        log_joint = -network.reconstruction(x.expand(4001, 4), h) + torch.distributions.Normal(0.0, 1.0).log_prob(h[:, 0])
        evidence = torch.logsumexp(log_joint, 0) + math.log(16 / 4000)
        assert float(network.variational_loss(x.expand(50_000, 4))) > -float(evidence)


@pytest.fixture(scope="module")
def linear_model():
    torch.manual_seed(0)
    return generative.LinearGaussian(torch.randn(4, 2, dtype=torch.float64), 0.7)


def test_posterior_is_bayes_rule(linear_model):
    x, z = torch.randn(4, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
    prior = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    likelihood = Normal(linear_model.loadings @ z, linear_model.noise).log_prob(x).sum()
    assert torch.isclose(linear_model.posterior(x).log_prob(z), likelihood + prior.log_prob(z) - linear_model.evidence.log_prob(x))


def test_bound_matches_its_monte_carlo_estimate(linear_model):
    torch.manual_seed(0)
    x = torch.randn(4, dtype=torch.float64)
    guess = MultivariateNormal(torch.tensor([0.3, -0.2]).double(), torch.tensor([[0.5, 0.1], [0.1, 0.3]]).double())
    prior = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    z = guess.sample((200_000,))
    terms = guess.log_prob(z) - prior.log_prob(z) - Normal(z @ linear_model.loadings.T, linear_model.noise).log_prob(x).sum(dim=1)
    assert linear_model.bound(x, guess).item() == pytest.approx(terms.mean().item(), abs=5 * terms.std().item() / 200_000**0.5)


def test_the_gaussian_of_codes_has_their_moments():
    codes = torch.randn(3000, 3, generator=torch.Generator().manual_seed(0)) @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 0, 3]]) + 5
    normal = generative.gaussian_of(codes)
    assert torch.allclose(normal.mean, codes.mean(0)) and torch.allclose(normal.covariance_matrix, torch.cov(codes.T), atol=1e-3)


def test_a_hole_in_the_codes_is_found_and_none_where_there_is_none():
    torch.manual_seed(0)
    full = torch.randn(4000, 2) * torch.tensor([3.0, 0.5])  # neither scale nor direction may matter
    ring = full[(full / torch.tensor([3.0, 0.5])).norm(dim=1) > 1]
    for codes, hole in ((full, False), (ring, True)):
        normal = generative.gaussian_of(codes)
        points, gaps = generative.by_thinness(normal, codes, normal.sample((2000,)))
        assert (gaps.diff() >= 0).all() and len(points) == len(gaps)
        assert (points[-1] / torch.tensor([3.0, 0.5])).norm() < 0.3 or not hole
        usual = generative.by_thinness(normal, codes[:2000], codes[2000:])[1]
        assert (gaps[-100:].mean() > 2 * usual[-100:].mean()) == hole
