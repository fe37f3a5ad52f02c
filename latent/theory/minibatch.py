"""Gradient descent on full, mini and single-sample batches: softmax regression on the 8 × 8 digits, in NumPy.

The problem is convex, so what differs between runs is the noise of the gradient and nothing else.
"""

import numpy as np
from sklearn.datasets import load_digits


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 digits as rows of 65 numbers (pixels in [0, 1], then a constant 1) and their one-hot labels (N, 10)."""
    pixels, labels = load_digits(return_X_y=True)
    return np.hstack([pixels / 16, np.ones((len(pixels), 1))]), np.eye(10)[labels]


def probabilities(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Softmax of x @ weights over the last axis: (…, N, D), (…, D, C) → (…, N, C)."""
    scores = x @ weights
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def loss(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean cross-entropy in nats over the samples, one value per leading axis of `weights`."""
    return -np.log((probabilities(weights, x) * y).sum(axis=-1) + 1e-300).mean(axis=-1)


def sample_gradients(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of each sample's own loss: x_i (p_i − y_i)ᵀ, shape (N, D, C)."""
    return np.einsum("nd,nc->ndc", x, probabilities(weights, x) - y)


def descend(x: np.ndarray, y: np.ndarray, batch: int, rate: float, steps: int, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps at which the loss on all samples was read (about 5 % apart), and that loss as a mean over `runs` runs.

    Every run draws its batches by itself, without replacement within a pass; batch = len(x) is plain gradient descent.
    """
    generator = np.random.default_rng(seed)
    weights = np.zeros((runs, x.shape[1], y.shape[1]))
    marks, losses, queue = [0], [loss(weights, x, y).mean()], np.empty((runs, 0), dtype=int)
    for step in range(1, steps + 1):
        if queue.shape[1] < batch:
            queue = generator.permuted(np.tile(np.arange(len(x)), (runs, 1)), axis=1)
        chosen, queue = queue[:, :batch], queue[:, batch:]
        error = probabilities(weights, x[chosen]) - y[chosen]  # (runs, batch, C)
        weights -= rate / batch * np.swapaxes(x[chosen], 1, 2) @ error
        if step >= marks[-1] * 1.05 or step == steps:
            marks.append(step)
            losses.append(loss(weights, x, y).mean())
    return np.array(marks), np.array(losses)


def steps_to(target: float, marks: np.ndarray, losses: np.ndarray) -> float:
    """The first step at which the loss is at most `target`, linear between two readings; inf where it never is."""
    reached = np.flatnonzero(losses <= target)
    if not len(reached):
        return float("inf")
    last = reached[0]
    if last == 0:
        return 0.0
    share = (losses[last - 1] - target) / (losses[last - 1] - losses[last])
    return float(marks[last - 1] + share * (marks[last] - marks[last - 1]))
