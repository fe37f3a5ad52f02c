"""What `theory.approximation` computes, against closed forms and slow or independent versions."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from theory import approximation


@pytest.mark.parametrize("folds", [1, 3, 6])
def test_the_deep_network_is_the_sawtooth(folds):
    x = np.linspace(0, 1, 8 * 2**folds + 1)
    network = approximation.deep_sawtooth(folds)
    assert np.array_equal(approximation.predict(network, x), approximation.sawtooth(x, folds))
    assert approximation.hidden_units(network) == 2 * folds
    assert approximation.linear_pieces(x, approximation.sawtooth(x, folds)) == 2**folds


def test_the_sawtooth_is_the_tent_applied_again_and_again():
    x = np.linspace(0, 1, 301)
    folded = x
    for _ in range(4):
        folded = 1 - np.abs(2 * folded - 1)
    assert np.allclose(folded, approximation.sawtooth(x, 4))


def test_the_shallow_network_passes_through_every_point():
    x, y = np.sort(np.random.default_rng(0).random(40)), np.random.default_rng(1).normal(size=40)
    network = approximation.shallow_interpolator(x, y)
    assert np.allclose(approximation.predict(network, x), y)
    assert approximation.hidden_units(network) == 39


def test_the_shallow_network_refuses_two_values_at_one_point():
    with pytest.raises(ValueError, match="distinct"):
        approximation.shallow_interpolator([0.0, 0.0], [1.0, 2.0])


def test_random_shallow_networks_have_at_most_one_piece_more_than_units():
    torch.manual_seed(0)
    x = np.linspace(-3, 3, 4001)
    for units in (1, 5, 9):
        network = nn.Sequential(nn.Linear(1, units), nn.ReLU(), nn.Linear(units, 1)).double()
        assert approximation.linear_pieces(x, approximation.predict(network, x)) <= units + 1


def test_least_error_is_the_regression_line_for_one_piece_and_zero_for_enough():
    x = np.linspace(0, 1, 65)
    y = approximation.sawtooth(x, 3)
    residual = np.polyfit(x, y, 1, full=True)[1][0] / len(x)
    assert approximation.least_error(x, y, 1) == pytest.approx(residual)
    assert approximation.least_error(x, y, 8) == pytest.approx(0, abs=1e-12)
    assert approximation.least_error(x, y, 3) > approximation.least_error(x, y, 4) > 0.01


def test_least_error_finds_the_best_of_all_cuts():
    x, y = np.arange(12.0), np.random.default_rng(3).normal(size=12)

    def line(part):
        return np.polyfit(x[part], y[part], 1, full=True)[1].sum() if len(x[part]) > 2 else 0.0

    best = min(line(slice(0, cut)) + line(slice(cut, 12)) for cut in range(1, 12))
    assert approximation.least_error(x, y, 2) == pytest.approx(best / 12)


def test_the_least_hidden_units_by_trying_all_networks():
    """With its kinks on the bends a layer is fixed by which units face left; the sawtooth needs one unit more, |x| does not."""
    x = np.linspace(0, 1, 9)
    for y in (approximation.sawtooth(x, 1), approximation.sawtooth(x, 2), np.maximum(0.5 - x, 0), np.abs(x - 0.5), x):
        slopes = np.diff(y) * 8
        bends = [(place, jump) for place, jump in zip(x[1:-1], np.diff(slopes), strict=True) if abs(jump) > 1e-9]
        fits = False
        for left in itertools.product((False, True), repeat=len(bends)):
            parts = [np.maximum(at - x, 0) if faces else np.maximum(x - at, 0) for (at, _), faces in zip(bends, left, strict=True)]
            line = sum((jump * part for (_, jump), part in zip(bends, parts, strict=True)), np.zeros(9))
            fits |= np.ptp(y - line) < 1e-9
        assert approximation.least_hidden_units(x, y) == len(bends) + (not fits)
    assert approximation.least_hidden_units(x, np.maximum(0.5 - x, 0)) == 1
    assert approximation.least_hidden_units(x, np.abs(x - 0.5)) == 2
