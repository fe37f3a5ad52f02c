"""What `theory.attention` computes, against closed forms and slow or independent versions."""

import pytest
import torch
from torch import nn

from theory import attention


def test_attention_is_pytorchs():
    query, key, value = attention.random_input(7, 4)
    reference = nn.functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
    assert torch.allclose(attention.attention(query, key, value), reference, atol=1e-5)


@pytest.mark.parametrize("function", [attention.attention, attention.early_softmax, attention.efficient_attention])
def test_implied_weights_reproduce_the_function(function):
    query, key, value = attention.random_input(9, 3)
    assert torch.allclose(attention.implied_weights(function, query, key) @ value, function(query, key, value), atol=1e-5)


def test_multiplications_are_those_of_the_matrix_products():
    assert attention.multiplications(attention.attention, 64, 8) == 2 * 64 * 64 * 8
    assert attention.multiplications(attention.early_softmax, 64, 8) == 2 * 64 * 8 * 8


def test_the_grammar_agrees():
    english, french = attention.sentence_pair(("the", "black", "house"), "sees", ("a", "", "cat"))
    assert english == ["the", "black", "house", "sees", "a", "cat", "."]
    assert french == ["la", "maison", "noire", "voit", "un", "chat", "."]


def test_training_and_unseen_sentences_are_disjoint():
    known, unseen = ({" ".join(english) for english, _ in part} for part in attention.corpus())
    assert len(known) == 4000 and len(unseen) > 1000 and not known & unseen


def test_the_translator_learns_and_its_rows_sum_to_one():
    known, _ = attention.corpus()
    before = attention.word_accuracy(attention.Translator().eval(), known[:50])
    network = attention.train_translator(known, steps=60)
    assert attention.word_accuracy(network, known[:50]) > before + 20
    rows = attention.attention_map(network, *known[0])
    assert rows.shape == (len(known[0][1]), len(known[0][0]))
    whole = attention.attention_rows(network, *known[0])  # padding included: nothing was rescaled
    assert torch.allclose(whole.sum(1), torch.ones(len(rows)), atol=1e-5)


def test_largest_weights_are_those_of_the_rows_of_each_word():
    network, pairs = attention.Translator().eval(), attention.corpus()[1][:5]
    expected = {"chat": [], "le": []}
    for english, french in pairs:
        for word, row in zip(french, attention.attention_rows(network, english, french), strict=True):
            if word in expected:
                expected[word].append(float(row.max()))
    found = attention.largest_weights(network, pairs, [[word] for word in expected])
    assert any(expected.values())
    for values, rows in zip(found, expected.values(), strict=True):
        assert values.tolist() == pytest.approx(rows, rel=1e-5)


def test_the_translator_cannot_see_the_word_it_predicts():
    network = attention.Translator().eval()
    english, french = attention.encode([["the", "cat"]], attention.ENGLISH), attention.encode([["le", "chat"]], attention.FRENCH)
    changed = french.clone()
    changed[0, 3] = 5
    assert torch.equal(network(english, french)[0][0, :4], network(english, changed)[0][0, :4])


def test_a_cut_context_changes_its_own_word_and_later_ones_only():
    network = attention.Translator().eval()
    english, french = attention.encode([["the", "cat"]], attention.ENGLISH), attention.encode([["le", "chat"]], attention.FRENCH)
    whole, cut = network(english, french)[0][0], network(english, french, torch.tensor([2]))[0][0]
    assert torch.equal(whole[:2], cut[:2]) and not torch.allclose(whole[2], cut[2])


def test_full_stops_are_found_by_a_trained_translator_that_listens():
    known, unseen = attention.corpus()
    network = attention.train_translator(known, steps=150)
    assert attention.stops_found(network, unseen[:200], listen=True) > 80
