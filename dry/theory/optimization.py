"""Descent: one training loop, batches, momentum, averages of gradients, small loss surfaces, and an optimisation as a layer."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

# The one training loop of the theory notebooks: random minibatches, a loss of a batch, an optimizer.


def fit(
    loss_of: Callable[..., Tensor],
    parameters: Iterable[nn.Parameter],
    tensors: tuple[Tensor, ...],
    steps: int,
    batch: int = 128,
    rate: float = 1e-3,
    seed: int = 0,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> list[float]:
    """Minimise `loss_of(*minibatch)` over `parameters`; the loss of every step.

    `tensors`: aligned along their first axis. The minibatches (drawn with replacement) depend on `seed` alone.
    """
    generator = torch.Generator().manual_seed(seed)
    stepper = optimizer(parameters, lr=rate)
    losses = []
    for _ in range(steps):
        chosen = torch.randint(len(tensors[0]), (batch,), generator=generator)
        loss = loss_of(*(tensor[chosen] for tensor in tensors))
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        losses.append(loss.item())
    return losses


# Gradient descent on full, mini and single-sample batches: softmax regression on the 8 × 8 digits, in NumPy.
#
# The problem is convex, so what differs between runs is the noise of the gradient and nothing else.


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1797 digits as rows of 65 numbers (pixels in [0, 1], then a constant 1) and their one-hot labels (N, 10)."""
    pixels, labels = load_digits(return_X_y=True)
    return np.hstack([pixels / 16, np.ones((len(pixels), 1))]), np.eye(10)[labels]


def probabilities(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Softmax of x @ weights over the last axis: (…, N, D), (…, D, C) → (…, N, C)."""
    scores = x @ weights
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def softmax_loss(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean cross-entropy in nats over the samples, one value per leading axis of `weights`."""
    return -np.log((probabilities(weights, x) * y).sum(axis=-1) + 1e-300).mean(axis=-1)


def sample_gradients(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of each sample's own loss: x_i (p_i − y_i)ᵀ, shape (N, D, C)."""
    return np.einsum("nd,nc->ndc", x, probabilities(weights, x) - y)


def descend_in_batches(
    x: np.ndarray, y: np.ndarray, batch: int, rate: float, steps: int, runs: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Steps at which the loss on all samples was read (about 5 % apart), and that loss as a mean over `runs` runs.

    Every run draws its batches by itself, without replacement within a pass; batch = len(x) is plain gradient descent.
    """
    generator = np.random.default_rng(seed)
    weights = np.zeros((runs, x.shape[1], y.shape[1]))
    marks, losses, queue = [0], [softmax_loss(weights, x, y).mean()], np.empty((runs, 0), dtype=int)
    for step in range(1, steps + 1):
        if queue.shape[1] < batch:
            queue = generator.permuted(np.tile(np.arange(len(x)), (runs, 1)), axis=1)
        chosen, queue = queue[:, :batch], queue[:, batch:]
        error = probabilities(weights, x[chosen]) - y[chosen]  # (runs, batch, C)
        weights -= rate / batch * np.swapaxes(x[chosen], 1, 2) @ error
        if step >= marks[-1] * 1.05 or step == steps:
            marks.append(step)
            losses.append(softmax_loss(weights, x, y).mean())
    return np.array(marks), np.array(losses)


def steps_to_loss(target: float, marks: np.ndarray, losses: np.ndarray) -> float:
    """The first step at which the loss is at most `target`, linear between two readings; inf where it never is."""
    reached = np.flatnonzero(losses <= target)
    if not len(reached):
        return float("inf")
    last = reached[0]
    if last == 0:
        return 0.0
    share = (losses[last - 1] - target) / (losses[last - 1] - losses[last])
    return float(marks[last - 1] + share * (marks[last] - marks[last - 1]))


# Gradient descent with and without momentum on convex functions whose best rates are known in closed form.


def quadratic_path(curvatures: Tensor, rate: float, momentum: float, steps: int, noise: float = 0.0, seed: int = 0) -> Tensor:
    """Distance to the minimum after 0 … `steps` steps of heavy-ball descent (Polyak 1964) on ½ Σ λ_i x_i², from x = (1, …, 1).

    `noise`: standard deviation of what is added to every entry of every gradient. Float64.
    """
    generator = torch.Generator().manual_seed(seed)
    x, velocity = torch.ones_like(curvatures, dtype=torch.float64), torch.zeros_like(curvatures, dtype=torch.float64)
    distances = [x.norm()]
    for _ in range(steps):
        gradient = curvatures * x + noise * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        velocity = momentum * velocity - rate * gradient
        x = x + velocity
        distances.append(x.norm())
    return torch.stack(distances)


def best_plain(least: float, most: float) -> tuple[float, float]:
    """Rate and momentum (zero) of the fastest plain descent for curvatures in [least, most]; contracts by (κ − 1)/(κ + 1)."""
    return 2 / (least + most), 0.0


def best_heavy_ball(least: float, most: float) -> tuple[float, float]:
    """Rate and momentum of the fastest heavy ball for curvatures in [least, most]; contracts by (√κ − 1)/(√κ + 1)."""
    low, high = least**0.5, most**0.5
    return 4 / (low + high) ** 2, ((high - low) / (high + low)) ** 2


def steps_below(distances: Tensor, target: float) -> int:
    """The first step from which on the distance stays below `target`. Raises ValueError where it does not."""
    above = (distances >= target).nonzero()
    if len(above) and int(above[-1]) == len(distances) - 1:
        steps, last = len(distances) - 1, float(distances[-1])
        raise ValueError(f"the distance is still {last:.2g} after {steps} steps, above {target:.2g}: allow more steps")
    return int(above[-1]) + 1 if len(above) else 0


def softmax_regression_path(images: Tensor, labels: Tensor, rate: float, momentum: float, steps: int) -> Tensor:
    """Cross-entropy (plus a little weight decay) of a linear classifier, a convex loss, at 0 … `steps` full-batch steps.

    `images`: (N, pixels). Plain SGD of PyTorch, from zero weights.
    """
    weight = torch.zeros(images.shape[1], 10, requires_grad=True)
    stepper = torch.optim.SGD([weight], lr=rate, momentum=momentum)
    losses = []
    for _ in range(steps + 1):
        loss = torch.nn.functional.cross_entropy(images @ weight, labels) + 1e-4 * weight.square().sum()
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        losses.append(loss.detach())
    return torch.stack(losses)


# Adam with a choice of averages: the exponential ones of the paper, or plain means of all gradients so far.


class AveragingAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba 2015), where either average may weigh every past gradient alike.

    plain: whether the average of gradients, and that of their squares, is the plain mean of all so far. A plain mean is the
    running average whose decay changes with the step t: m_t = (1 − 1/t) m_{t−1} + g_t / t.
    """

    def __init__(
        self,
        params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        plain: tuple[bool, bool] = (False, False),
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "plain": plain})

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter once along its averaged gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state.setdefault("step", 0)
                state["step"] += 1
                slope = self._average(state, "slope", parameter.grad, group["betas"][0], group["plain"][0])
                square = self._average(state, "square", parameter.grad.square(), group["betas"][1], group["plain"][1])
                parameter -= group["lr"] * slope / (square.sqrt() + group["eps"])

    @staticmethod
    def _average(state: dict, name: str, value: Tensor, decay: float, plain: bool) -> Tensor:
        """Update the average called `name` and return it free of the bias towards its start at zero."""
        step = state["step"]
        decay = 1 - 1 / step if plain else decay
        state[name] = decay * state.get(name, torch.zeros_like(value)) + (1 - decay) * value
        return state[name] if plain else state[name] / (1 - decay**step)


def averaged_descent(steps: int, rate: float, decay: float | None) -> Tensor:
    """Descent from x = 1 on f(x) = x²/2 along the averaged gradient: exponential with `decay`, plain where None.

    Returns the path, shape (steps + 1,), in float64.
    """
    x, average, path = 1.0, 0.0, [1.0]
    for step in range(1, steps + 1):
        kept = 1 - 1 / step if decay is None else decay
        average = kept * average + (1 - kept) * x
        x -= rate * average
        path.append(x)
    return torch.tensor(path, dtype=torch.float64)


def average_variance(steps: int, decay: float | None) -> float:
    """Variance of the average of `steps` independent gradients of variance one (exponential: free of start-up bias).

    It is the sum of the squared weights, which the running average's own recursion puts on the gradients; plain where `decay` is None.
    """
    weights = torch.zeros(steps, dtype=torch.float64)
    for step in range(1, steps + 1):
        kept = 1 - 1 / step if decay is None else decay
        weights *= kept
        weights[step - 1] = 1 - kept
    return float((weights / weights.sum()).square().sum())


# Descent on small loss surfaces whose minima are known: a tilted double well, a saddle and a narrow ravine.


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


def steps_until(path: np.ndarray, distance: float) -> int | None:
    """The first step from which on the path stays within `distance` of the origin, None where it never settles."""
    outside = np.flatnonzero(np.linalg.norm(path, axis=-1) > distance)
    if len(outside) and outside[-1] == len(path) - 1:
        return None
    return int(outside[-1] + 1) if len(outside) else 0


# An optimisation problem as a layer: y*(z) = argmin over y of ½‖y − z‖² + ¼‖y‖⁴, solved in three ways.
#
# The first-order condition y − z + ‖y‖² y = 0 says that y is z shrunk to length t, where t³ + t = ‖z‖. The Hessian in y
# is K = (1 + ‖y‖²) I + 2 y yᵀ, positive definite, and the mixed derivative is R = −I, so the implicit function theorem
# gives ∂y*/∂z = −K⁻¹ R = K⁻¹ at the solution, whichever way the solution was found.


def inner_objective(y: Tensor, z: Tensor) -> Tensor:
    """The inner objective, a scalar, of y and z of shape (d,)."""
    return (y - z).square().sum() / 2 + y.square().sum().square() / 4


def solve_by_formula(z: Tensor) -> Tensor:
    """The only real root of t³ + t = ‖z‖ by Cardano's formula; no iteration at all."""
    half = z.norm() / 2
    root = (half**2 + 1 / 27).sqrt()
    length = torch.pow(half + root, 1 / 3) - torch.pow(root - half, 1 / 3)
    return z / (1 + length**2)


def solve_by_bisection(z: Tensor, halvings: int = 80) -> Tensor:
    """The same root by halving an interval: only signs are looked at, no derivative is taken."""
    target = float(z.norm())
    low, high = 0.0, target
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if middle**3 + middle < target else (low, middle)
    return z / (1 + low**2)


@torch.enable_grad()
def solve_by_descent(z: Tensor) -> Tensor:
    """The minimum found by L-BFGS, a descent method."""
    z = z.detach()
    y = z.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([y], max_iter=200, tolerance_grad=1e-13, tolerance_change=1e-15, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = inner_objective(y, z)
        value.backward()
        return value

    optimizer.step(closure)
    return y.detach()
