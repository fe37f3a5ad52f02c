"""Bounds, diffusions, autoencoders, translators, momentum, GANs and gradients, against closed forms and slow versions."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from latent.theory import diffusion, elbo, gan, gradient_flow, latent_dimension, momentum, translator, vae, word_order
from latent.theory.fitting import fit


def test_fit_lowers_the_loss_and_repeats_itself():
    x, w = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([1.0, -2.0, 0.5])
    runs = []
    for _ in range(2):
        guess = nn.Parameter(torch.zeros(3))
        runs.append(fit(lambda a, b, guess=guess: (a @ guess - b).square().mean(), [guess], (x, x @ w), steps=60, rate=0.1))
    assert runs[0] == runs[1] and runs[0][-1] < 0.1 * runs[0][0]


def test_the_evidence_is_the_sum_over_all_paths():
    forward, backward, start = elbo.random_chain(3, 4, seed=0)
    for x0 in range(3):
        _, p = elbo.path_probabilities(forward, backward, start, x0)
        assert np.log(p.sum()) == pytest.approx(elbo.log_evidence(backward, start, x0))


def test_path_probabilities_multiply_along_the_path():
    forward, backward, start = elbo.random_chain(3, 2, seed=1)
    q, p = elbo.path_probabilities(forward, backward, start, x0=2)
    for number, (x1, x2) in enumerate(itertools.product(range(3), repeat=2)):
        assert q[number] == pytest.approx(forward[0][2, x1] * forward[1][x1, x2])
        assert p[number] == pytest.approx(start[x2] * backward[1][x2, x1] * backward[0][x1, 2])
    assert q.sum() == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_three_terms_add_up_to_the_bound(steps):
    chain = elbo.random_chain(3, steps, seed=2)
    prior, denoising, reconstruction = elbo.elbo_terms(*chain, x0=1)
    assert prior + sum(denoising) + reconstruction == pytest.approx(elbo.elbo(*elbo.path_probabilities(*chain, x0=1)))
    assert len(denoising) == steps - 1


def test_the_exact_forward_closes_the_gap():
    _, backward, start = elbo.random_chain(3, 4, seed=3)
    chain = (elbo.exact_forward(backward, start), backward, start)
    q, p = elbo.path_probabilities(*chain, x0=2)
    assert elbo.elbo(q, p) == pytest.approx(elbo.log_evidence(backward, start, 2))
    assert np.allclose(q, p / p.sum())


def test_the_prior_term_of_a_diffusion_against_torch():
    x0, alpha_bar = torch.tensor([-1.0, 0.2, 0.9]), torch.tensor([0.9, 0.3, 1e-4], dtype=torch.float64)
    for left, value in zip(alpha_bar, diffusion.prior_divergence(x0, alpha_bar), strict=True):
        q = torch.distributions.Normal(left.sqrt() * x0, (1 - left).sqrt())
        reference = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean()
        assert float(reference) == pytest.approx(float(value), rel=1e-5)


def test_the_signal_left_is_the_product():
    betas = diffusion.linear_betas(7)
    assert torch.allclose(diffusion.signal_left(betas), (1 - betas).cumprod(0))


def test_the_divergence_of_the_vae_against_torch():
    mean, log_variance = torch.randn(2, 5, 3)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    reference = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(vae.prior_divergence(mean, log_variance), reference, atol=1e-5)


def test_reparameterised_samples_have_the_moments_and_pass_gradients():
    torch.manual_seed(0)
    mean, log_variance = torch.full((100_000,), 1.5, requires_grad=True), torch.full((100_000,), math.log(4.0), requires_grad=True)
    sample = vae.reparameterised(mean, log_variance)
    assert float(sample.detach().mean()) == pytest.approx(1.5, abs=0.03) and float(sample.detach().std()) == pytest.approx(2.0, abs=0.03)
    sample.square().sum().backward()  # E h² = μ² + σ², so the gradients are 2 μ and σ²
    assert float(mean.grad.mean()) == pytest.approx(3.0, abs=0.05) and float(log_variance.grad.mean()) == pytest.approx(4.0, abs=0.1)


def test_the_frechet_distance_of_shifted_and_scaled_sets():
    one = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 6)
    assert vae.frechet_distance(one, one, axes=5) == pytest.approx(0, abs=1e-6)
    assert vae.frechet_distance(one, one + torch.tensor([3.0, 0, 0, 0, 4.0]), axes=5) == pytest.approx(25, rel=1e-6)
    centred = one - one.mean(0)
    assert vae.frechet_distance(centred, 2 * centred, axes=5) == pytest.approx(float(centred.double().var(0).sum()), rel=1e-5)


def test_the_variational_loss_is_a_bound_on_exact_evidence():
    """With one latent the evidence can be integrated; the loss must lie above −log p(x) for any weights."""
    network = vae.SmallAutoencoder(pixels=4, latent=1, hidden=3, seed=1)
    x = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    h = torch.linspace(-8, 8, 4001)[:, None]
    with torch.no_grad():
        log_joint = -network.reconstruction(x.expand(4001, 4), h) + torch.distributions.Normal(0.0, 1.0).log_prob(h[:, 0])
        evidence = torch.logsumexp(log_joint, 0) + math.log(16 / 4000)
        assert float(network.variational_loss(x.expand(50_000, 4))) > -float(evidence)


def test_the_grammar_agrees():
    english, french = translator.sentence_pair(("the", "black", "house"), "sees", ("a", "", "cat"))
    assert english == ["the", "black", "house", "sees", "a", "cat", "."]
    assert french == ["la", "maison", "noire", "voit", "un", "chat", "."]


def test_training_and_unseen_sentences_are_disjoint():
    known, unseen = ({" ".join(english) for english, _ in part} for part in translator.corpus())
    assert len(known) == 4000 and len(unseen) > 1000 and not known & unseen


def test_the_translator_learns_and_its_rows_sum_to_one():
    known, _ = translator.corpus()
    before = translator.word_accuracy(translator.Translator().eval(), known[:50])
    network = translator.train_translator(known, steps=60)
    assert translator.word_accuracy(network, known[:50]) > before + 20
    rows = translator.attention_map(network, *known[0])
    assert rows.shape == (len(known[0][1]), len(known[0][0]))
    whole = translator.attention_rows(network, *known[0])  # padding included: nothing was rescaled
    assert torch.allclose(whole.sum(1), torch.ones(len(rows)), atol=1e-5)


def test_the_translator_cannot_see_the_word_it_predicts():
    network = translator.Translator().eval()
    english, french = translator.encode([["the", "cat"]], translator.ENGLISH), translator.encode([["le", "chat"]], translator.FRENCH)
    changed = french.clone()
    changed[0, 3] = 5
    assert torch.equal(network(english, french)[0][0, :4], network(english, changed)[0][0, :4])


def test_least_squares_is_the_pseudo_inverse():
    generator = torch.Generator().manual_seed(0)
    for samples in (20, 200):
        x, x_test = torch.randn(samples, 50, generator=generator), torch.randn(80, 50, generator=generator)
        y, y_test = torch.randint(10, (samples,), generator=generator), torch.randint(10, (80,), generator=generator)
        (a, _), (b, _) = latent_dimension.standardised((x, y), (x_test, y_test))
        a, b = (np.hstack([part.double().numpy(), np.ones((len(part), 1))]) for part in (a, b))
        weights = np.linalg.pinv(a) @ (np.eye(10)[y.numpy()] - 0.1)
        reference = 100 * np.mean((b @ weights).argmax(1) == y_test.numpy())
        assert latent_dimension.least_squares((x, y), (x_test, y_test)) == pytest.approx(reference, abs=2.6)


def test_the_best_rates_contract_as_the_theory_says():
    curvatures, root = torch.tensor([1.0, 100.0], dtype=torch.float64), 10.0
    plain = momentum.quadratic_path(curvatures, *momentum.best_plain(1, 100), 300)
    heavy = momentum.quadratic_path(curvatures, *momentum.best_heavy_ball(1, 100), 300)
    assert float(plain[300] / plain[200]) == pytest.approx((99 / 101) ** 100, rel=1e-3)
    assert float(heavy[150] / heavy[100]) == pytest.approx(((root - 1) / (root + 1)) ** 50, rel=1.0)


def test_steps_until_counts_and_complains():
    assert momentum.steps_until(torch.tensor([4.0, 2.0, 1.0]), 2.5) == 1
    with pytest.raises(ValueError, match="allow more steps"):
        momentum.steps_until(torch.tensor([4.0, 2.0]), 1.0)


def test_the_distances_of_two_gaussians():
    assert gan.jensen_shannon(0.0) == pytest.approx(0, abs=1e-9)
    assert gan.jensen_shannon(5.0) == pytest.approx(math.log(2), rel=1e-6)
    assert gan.wasserstein(0.7) == pytest.approx(0.7, rel=1e-6)


def test_the_generators_gradients_by_autograd():
    gap, s = 0.5, 0.2
    x = gap + s * torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    logit = (-(x**2) + (x - gap) ** 2) / (2 * s**2)
    losses = {"basic GAN, log(1 − D)": nn.functional.logsigmoid(-logit), "basic GAN, −log D": -nn.functional.logsigmoid(logit)}
    for name, loss in losses.items():
        gradient = torch.autograd.grad(loss.mean(), x, retain_graph=True)[0].sum()
        assert float(gradient.abs()) == pytest.approx(gan.generator_gradients(gap, s)[name], rel=0.02)


def test_attention_without_positions_cannot_see_order():
    reader = word_order.Reader(recurrent=False, positions=False).eval()
    words, _ = word_order.order_task(20, seed=0)
    assert torch.allclose(reader(words), reader(words.flip(1)), atol=1e-5)
    assert not torch.allclose(word_order.Reader(True, False)(words), word_order.Reader(True, False)(words.flip(1)), atol=1e-2)


def test_the_order_task_labels_what_it_says():
    words, labels = word_order.order_task(200, seed=0)
    for row, label in zip(words.tolist(), labels.tolist(), strict=True):
        assert row.count(0) == row.count(1) == 1 and label == (row.index(0) < row.index(1))


def test_the_gradient_of_a_chain_is_a_product():
    gradients = gradient_flow.chain_gradient(1.5, nn.Identity(), 10)
    assert gradients == pytest.approx([1.5**k for k in range(11)])
    assert gradient_flow.chain_gradient(1.0, nn.Sigmoid(), 6)[6] < 0.25**6


def test_residual_blocks_keep_the_gradient_of_a_zero_branch():
    zero = nn.Linear(4, 4)
    nn.init.zeros_(zero.weight)
    network = nn.Sequential(*(gradient_flow.Residual(zero) for _ in range(5)))
    assert np.ptp(gradient_flow.layer_gradients(network, torch.randn(3, 4))) < 1e-6
