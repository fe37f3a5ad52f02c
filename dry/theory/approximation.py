"""Depth against width in one dimension: ReLU networks written down weight by weight, and what no shallow one can do."""

import itertools

import numpy as np
import torch
from torch import nn


def sawtooth(x: np.ndarray, folds: int) -> np.ndarray:
    """The tent map composed `folds` times, on [0, 1]: a triangle wave of 2^folds straight pieces."""
    phase = np.mod(2.0**folds * np.asarray(x, dtype=float), 2.0)
    return np.minimum(phase, 2.0 - phase)


def deep_sawtooth(folds: int) -> nn.Sequential:
    """A ReLU network equal to `sawtooth` on [0, 1]: `folds` hidden layers of two units (Telgarsky 2016).

    One tent is 2·relu(x) − 4·relu(x − 1/2); each further layer folds the output of the one before.
    """
    tent = torch.tensor([[2.0, -4.0]], dtype=torch.float64)
    layers = []
    for depth in range(folds):
        layer = nn.Linear(1 if depth == 0 else 2, 2).double()
        layer.weight.data = torch.ones(2, 1, dtype=torch.float64) if depth == 0 else tent.repeat(2, 1)
        layer.bias.data = torch.tensor([0.0, -0.5], dtype=torch.float64)
        layers += [layer, nn.ReLU()]
    last = nn.Linear(2, 1).double()
    last.weight.data, last.bias.data = tent.clone(), torch.zeros(1, dtype=torch.float64)
    return nn.Sequential(*layers, last)


def shallow_interpolator(x: np.ndarray, y: np.ndarray) -> nn.Sequential:
    """A ReLU network with one hidden layer of n − 1 units through the n points (x, y); x ascending and distinct.

    Raises ValueError where two inputs coincide: no function takes two values at one point.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if np.any(np.diff(x) <= 0):
        raise ValueError("the inputs must be distinct and ascending: no function takes two values at one point")
    slopes = np.diff(y) / np.diff(x)
    hidden, last = nn.Linear(1, len(x) - 1).double(), nn.Linear(len(x) - 1, 1).double()
    hidden.weight.data, hidden.bias.data = torch.ones(len(x) - 1, 1, dtype=torch.float64), torch.tensor(-x[:-1])
    last.weight.data, last.bias.data = torch.tensor(np.diff(slopes, prepend=0.0))[None], torch.tensor(y[:1])
    return nn.Sequential(hidden, nn.ReLU(), last)


def least_hidden_units(x: np.ndarray, y: np.ndarray) -> int:
    """How many ReLU units one hidden layer needs to equal the broken line through (x, y) with as many bends as it shows.

    A bend needs a unit whose kink lies there, and a unit adds the same jump of slope whichever way it faces. Left of all bends
    only the units that face left have a slope, minus the sum of their jumps: where no choice of them gives the first slope,
    one more unit has to. The sums of all choices are listed, so there must be few different ones.
    """
    slopes = np.diff(np.asarray(y, dtype=float)) / np.diff(np.asarray(x, dtype=float))
    jumps = np.diff(slopes)
    jumps = jumps[np.abs(jumps) > 1e-9]
    sums = {0.0}
    for jump in jumps:
        sums |= {round(total + jump, 9) for total in sums}
    return len(jumps) + (min(abs(slopes[0] + total) for total in sums) > 1e-6)


def predict(network: nn.Module, x: np.ndarray) -> np.ndarray:
    """The scalar outputs of a float64 `network` at the points `x`, shape (n,)."""
    with torch.no_grad():
        return network(torch.as_tensor(x, dtype=torch.float64)[:, None])[:, 0].numpy()


def hidden_units(network: nn.Sequential) -> int:
    """How many ReLU units `network` has."""
    return sum(layer.out_features for layer, following in itertools.pairwise(network) if isinstance(following, nn.ReLU))


def linear_pieces(x: np.ndarray, y: np.ndarray, tolerance: float = 1e-9) -> int:
    """How many straight pieces the samples show: one more than the runs of non-zero second differences (x equidistant)."""
    bent = np.abs(np.diff(y, 2)) > tolerance * max(1.0, float(np.abs(y).max()))
    return 1 + int(np.sum(bent & ~np.concatenate([[False], bent[:-1]])))


def least_error(x: np.ndarray, y: np.ndarray, pieces: int) -> float:
    """The least mean squared error on the samples that any function of at most `pieces` straight pieces can have.

    Exact (dynamic programming over all cuts), and a lower bound for networks: jumps between pieces are allowed here.
    """
    cost = _segment_costs(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    best = cost[0]
    for _ in range(pieces - 1):
        best = np.minimum(best, (best[:, None] + cost).min(axis=0))
    return float(best[-1] / len(x))


def _segment_costs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """cost[i, j]: squared error of the best straight line through the samples i … j − 1 (infinite for j < i)."""
    powers = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    sums = np.concatenate([np.zeros((6, 1)), powers.cumsum(axis=1)], axis=1)
    count, sx, sy, sxx, sxy, syy = sums[:, None, :] - sums[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        cxx, cxy, cyy = sxx - sx * sx / count, sxy - sx * sy / count, syy - sy * sy / count
        error = np.where(count >= 2, cyy - np.where(cxx > 0, cxy * cxy / cxx, 0.0), 0.0)
    return np.where(count < 0, np.inf, np.maximum(error, 0.0))
