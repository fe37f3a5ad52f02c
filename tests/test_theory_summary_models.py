"""The small models of the summary questions: what they compute, at limits and against independent computations."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from latent.theory import adversarial, graph, linear_gaussian, reversed_translation, sentiment, truncated


def test_sequences_name_the_sign_of_the_last_event():
    torch.manual_seed(0)
    events, targets = truncated.sequences(20, 15, rate=0.3)
    for row, answers in zip(events[..., 0].tolist(), targets.tolist(), strict=True):
        latest = None
        for event, answer in zip(row, answers, strict=True):
            latest = event if event else latest
            assert answer == (latest > 0)


def test_accuracy_after_uses_a_clean_silence():
    class Oracle(truncated.Latch):  # keeps the last non-zero event, exactly
        def forward(self, events, state=None):
            present = events[..., 0] != 0
            latest = torch.where(present, torch.arange(events.shape[1]), 0).cummax(dim=1).values
            return events[..., 0].gather(1, latest), None

    assert truncated.accuracy_after(Oracle(), None, 0) == [1.0] * (truncated.GAP + 1)
    assert max(truncated.accuracy_after(Oracle(), 5, 0)[5:]) < 0.6  # an empty piece tells nothing


def test_translation_reverses_and_maps_words_one_to_one():
    source, target = reversed_translation.pairs(50)
    assert target[0, 0] == (7 * source[0, -1] + 3) % reversed_translation.WORDS
    assert len({(7 * word + 3) % reversed_translation.WORDS for word in range(reversed_translation.WORDS)}) == reversed_translation.WORDS


def test_attention_is_an_average_and_equal_scores_give_the_mean():
    model = reversed_translation.Translator("cross")
    torch.nn.init.zeros_(model.query.weight)
    memory = torch.randn(2, 6, 32)
    contexts, weights = model.attend(torch.randn(2, 3, 32), memory)
    assert torch.allclose(weights, torch.full((2, 3, 6), 1 / 6))
    assert torch.allclose(contexts, model.value(memory.mean(dim=1, keepdim=True)).expand(2, 3, 32), atol=1e-6)


def test_the_decoder_never_reads_the_word_it_has_to_say():
    model = reversed_translation.Translator("cross")
    source, target = reversed_translation.pairs(4)
    changed = target.clone()
    changed[:, 5] = (changed[:, 5] + 1) % reversed_translation.WORDS
    difference = (model(source, target) - model(source, changed)).abs().amax(dim=(0, 2))
    assert not difference[:6].any() and difference[6] > 0


def test_translator_refuses_an_unknown_attention():
    with pytest.raises(ValueError, match="none, cross or self"):
        reversed_translation.Translator("both")


def test_readable_words_knows_certainty_and_chance():
    torch.manual_seed(0)
    words = torch.randint(reversed_translation.WORDS, (2000, 2))
    states = torch.nn.functional.one_hot(words[:, 0], reversed_translation.WORDS).float()[:, 1:]
    certain, chance = reversed_translation.readable_words(states, words)
    assert certain == 1 and chance < 0.15


def test_reviews_are_judged_by_their_words():
    torch.manual_seed(0)
    sentences, verdicts = sentiment.reviews(500)
    worth = sentiment.WORTH[sentences].sum(dim=1)
    assert verdicts[worth > 0].min() == 1 and verdicts[worth < 0].max() == 0
    assert 0.3 < verdicts[worth == 0].mean() < 0.7
    counts = [(value == sentiment.WORTH).sum().item() for value in (1, -1, 0)]
    assert counts == [20, 20, 20]


@pytest.fixture(scope="module")
def linear_model():
    torch.manual_seed(0)
    return linear_gaussian.LinearGaussian(torch.randn(4, 2, dtype=torch.float64), 0.7)


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


def test_best_logit_is_zero_where_the_densities_meet():
    perfect = adversarial.Generator(4.0, 0.5)
    assert torch.allclose(adversarial.best_logit(torch.linspace(0, 8, 9), perfect), torch.zeros(9), atol=1e-5)
    twin = adversarial.Generator(2.0, 0.5)
    assert adversarial.best_logit(torch.tensor([3.0]), twin).item() == pytest.approx(0, abs=1e-5)  # halfway


def test_losses_of_a_coin_and_of_the_best_discriminator():
    coin = torch.zeros(5)
    assert adversarial.discriminator_loss(coin, coin).item() == pytest.approx(2 * math.log(2))
    assert adversarial.generator_loss(coin).item() == pytest.approx(math.log(2))
    assert adversarial.generator_loss(coin, saturating=True).item() == pytest.approx(-math.log(2))


def test_no_logit_beats_the_best_one():
    torch.manual_seed(0)
    generator = adversarial.Generator(3.0, 1.0)
    real, fake = adversarial.REAL.sample((20_000,)), generator(torch.randn(20_000)).detach()
    judged = adversarial.best_logit(real, generator), adversarial.best_logit(fake, generator)
    changes = ((1, 0), (0.5, 0), (2, 0), (1, 0.5), (1, -0.5))
    losses = [adversarial.discriminator_loss(*(a * logits + b for logits in judged)).item() for a, b in changes]
    assert losses[0] == min(losses) < 2 * math.log(2)


def test_shift_gradient_points_to_the_data():
    below, above = adversarial.Generator(3.0, 0.5), adversarial.Generator(5.0, 0.5)
    slopes = [adversarial.shift_gradient(lambda x, g=g: adversarial.best_logit(x, g), g, 2000, 0) for g in (below, above)]
    assert slopes[0] < 0 < slopes[1]


def test_laplacian_of_a_path_by_hand():
    expected = torch.tensor([[1, -1, 0], [-1, 2, -1], [0, -1, 1]]).double()
    assert torch.equal(graph.laplacian([(0, 1), (1, 2)], 3), expected)


def test_hops_match_powers_of_the_adjacency_matrix():
    edges, nodes = [(0, 1), (1, 2), (2, 3), (1, 3), (4, 5)], 6
    adjacency = (graph.laplacian(edges, nodes) < 0).double() + torch.eye(nodes).double()
    distance = graph.hops(edges, nodes)
    for steps in range(nodes):
        assert torch.equal(distance <= steps, torch.linalg.matrix_power(adjacency, steps) > 0)
    assert distance[0, 5] == nodes  # no path


def test_influence_finds_the_pattern_of_a_matrix():
    matrix = torch.tensor(np.array([[1.0, 0, 2], [0, 0, 3], [4, 0, 0]]))
    assert torch.equal(graph.influence(lambda x: matrix @ x, torch.randn(3, 2).double()), matrix != 0)
