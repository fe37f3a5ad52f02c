"""Descent on small loss surfaces whose minima are known: a tilted double well, a saddle and a narrow ravine."""

from collections.abc import Callable

import numpy as np


def double_well(x: np.ndarray) -> np.ndarray:
    """(x² − 1)² / 4 + x / 8: a shallow minimum near +0.93 and the global one near −1.06."""
    return (x**2 - 1) ** 2 / 4 + x / 8


def double_well_gradient(x: np.ndarray) -> np.ndarray:
    """x³ − x + 1/8."""
    return x**3 - x + 1 / 8


def saddle_gradient(x: np.ndarray) -> np.ndarray:
    """Of (x₀² − x₁²) / 2: a saddle at the origin, from which the surface falls without bound along x₁."""
    return x * np.array([1.0, -1.0])


def rosenbrock_gradient(x: np.ndarray) -> np.ndarray:
    """Of 100 (x₁ − x₀²)² + (1 − x₀)², a bent narrow ravine with its minimum at (1, 1) (Rosenbrock 1960)."""
    return np.array([-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)])


def rosenbrock_hessian(x: np.ndarray) -> np.ndarray:
    """The second derivatives of Rosenbrock's function, (2, 2)."""
    return np.array([[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]])


def descend(
    gradient: Callable, start: np.ndarray, rate: float, steps: int, momentum: float = 0.0, noise: float = 0.0, seed: int = 0
) -> np.ndarray:
    """The path of heavy-ball descent, (steps + 1, *start.shape): v ← momentum · v − rate · g, x ← x + v.

    noise: standard deviation of the normal error added to every gradient, as the choice of a random sample adds one.
    """
    generator = np.random.default_rng(seed)
    x, velocity = np.array(start, dtype=float), np.zeros_like(start, dtype=float)
    path = [x.copy()]
    for _ in range(steps):
        velocity = momentum * velocity - rate * (gradient(x) + noise * generator.standard_normal(x.shape))
        x = x + velocity
        path.append(x.copy())
    return np.array(path)


def newton(gradient: Callable, hessian: Callable, start: np.ndarray, steps: int) -> np.ndarray:
    """The path of undamped Newton steps x ← x − H⁻¹ g, (steps + 1, d)."""
    path = [np.array(start, dtype=float)]
    for _ in range(steps):
        path.append(path[-1] - np.linalg.solve(hessian(path[-1]), gradient(path[-1])))
    return np.array(path)


def best_momentum(smallest: float, largest: float) -> tuple[float, float]:
    """The step size and momentum that make heavy-ball descent fastest on a quadratic with these curvatures (Polyak 1964)."""
    low, high = smallest**0.5, largest**0.5
    return 4 / (low + high) ** 2, ((high - low) / (high + low)) ** 2


def steps_until(path: np.ndarray, distance: float) -> int | None:
    """The first step from which on the path stays within `distance` of the origin, None where it never settles."""
    outside = np.flatnonzero(np.linalg.norm(path, axis=-1) > distance)
    if len(outside) and outside[-1] == len(path) - 1:
        return None
    return int(outside[-1] + 1) if len(outside) else 0
