"""What `theory.sequences` computes, against closed forms and slow or independent versions."""

import pytest
import torch

from theory import sequences


def test_attention_without_positions_cannot_see_order():
    reader = sequences.OrderReader(recurrent=False, positions=False).eval()
    words, _ = sequences.order_task(20, seed=0)
    assert torch.allclose(reader(words), reader(words.flip(1)), atol=1e-5)
    assert not torch.allclose(sequences.OrderReader(True, False)(words), sequences.OrderReader(True, False)(words.flip(1)), atol=1e-2)


def test_the_order_task_labels_what_it_says():
    words, labels = sequences.order_task(200, seed=0)
    for row, label in zip(words.tolist(), labels.tolist(), strict=True):
        assert row.count(0) == row.count(1) == 1 and label == (row.index(0) < row.index(1))


def test_sequences_name_the_sign_of_the_last_event():
    torch.manual_seed(0)
    events, targets = sequences.event_sequences(20, 15, rate=0.3)
    for row, answers in zip(events[..., 0].tolist(), targets.tolist(), strict=True):
        latest = None
        for event, answer in zip(row, answers, strict=True):
            latest = event if event else latest
            assert answer == (latest > 0)


def test_a_delay_is_learned_across_cuts_only_where_the_state_is_carried():
    assert sequences.recalled(chunk=1, delay=1, carry=True, seed=0, steps=60) > 0.95
    assert sequences.recalled(chunk=4, delay=3, carry=False, seed=0, steps=100) > 0.6  # a piece that holds the sign shows it
    assert sequences.recalled(chunk=1, delay=0, carry=False, seed=0, steps=30) > 0.95  # nothing to remember


def test_accuracy_after_uses_a_clean_silence():
    class Oracle(sequences.Latch):  # keeps the last non-zero event, exactly
        def forward(self, events, state=None):
            present = events[..., 0] != 0
            latest = torch.where(present, torch.arange(events.shape[1]), 0).cummax(dim=1).values
            return events[..., 0].gather(1, latest), None

    assert sequences.accuracy_after(Oracle(), None, 0) == [1.0] * (sequences.GAP + 1)
    assert max(sequences.accuracy_after(Oracle(), 5, 0)[5:]) < 0.6  # an empty piece tells nothing


def test_translation_reverses_and_maps_words_one_to_one():
    source, target = sequences.reversed_pairs(50)
    assert target[0, 0] == (7 * source[0, -1] + 3) % sequences.REVERSED_WORDS
    assert len({(7 * word + 3) % sequences.REVERSED_WORDS for word in range(sequences.REVERSED_WORDS)}) == sequences.REVERSED_WORDS


def test_attention_is_an_average_and_equal_scores_give_the_mean():
    model = sequences.Reverser("cross")
    torch.nn.init.zeros_(model.query.weight)
    memory = torch.randn(2, 6, 32)
    contexts, weights = model.attend(torch.randn(2, 3, 32), memory)
    assert torch.allclose(weights, torch.full((2, 3, 6), 1 / 6))
    assert torch.allclose(contexts, model.value(memory.mean(dim=1, keepdim=True)).expand(2, 3, 32), atol=1e-6)


def test_the_decoder_never_reads_the_word_it_has_to_say():
    model = sequences.Reverser("cross")
    source, target = sequences.reversed_pairs(4)
    changed = target.clone()
    changed[:, 5] = (changed[:, 5] + 1) % sequences.REVERSED_WORDS
    difference = (model(source, target) - model(source, changed)).abs().amax(dim=(0, 2))
    assert not difference[:6].any() and difference[6] > 0


def test_translator_refuses_an_unknown_attention():
    with pytest.raises(ValueError, match="none, cross or self"):
        sequences.Reverser("both")


def test_readable_words_knows_certainty_and_chance():
    torch.manual_seed(0)
    words = torch.randint(sequences.REVERSED_WORDS, (2000, 2))
    states = torch.nn.functional.one_hot(words[:, 0], sequences.REVERSED_WORDS).float()[:, 1:]
    certain, chance = sequences.readable_words(states, words)
    assert certain == 1 and chance < 0.15


def test_reviews_are_judged_by_their_words():
    torch.manual_seed(0)
    sentences, verdicts = sequences.reviews(500)
    worth = sequences.WORTH[sentences].sum(dim=1)
    assert verdicts[worth > 0].min() == 1 and verdicts[worth < 0].max() == 0
    assert 0.3 < verdicts[worth == 0].mean() < 0.7
    counts = [(value == sequences.WORTH).sum().item() for value in (1, -1, 0)]
    assert counts == [20, 20, 20]
