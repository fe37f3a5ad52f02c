"""What `theory.optimization` computes, against closed forms and slow or independent versions."""

import numpy as np
import pytest
import torch
from torch import nn

from theory import optimization
from theory.optimization import fit


def test_averaging_adam_with_exponential_averages_is_adam():
    paths = []
    for optimizer in (torch.optim.Adam, optimization.AveragingAdam):
        x = torch.tensor([1.0, -2.0], requires_grad=True)
        stepper = optimizer([x], lr=0.1)
        for _ in range(20):
            stepper.zero_grad()
            (x.pow(4).sum() + x.prod()).backward()
            stepper.step()
        paths.append(x.detach())
    assert torch.allclose(*paths, atol=1e-5)


def test_averaging_adam_with_plain_averages_divides_the_means():
    x = torch.zeros(1, requires_grad=True)
    stepper, gradients = optimization.AveragingAdam([x], lr=1.0, plain=(True, True)), [3.0, -1.0, 4.0]
    for gradient in gradients:
        before, x.grad = x.item(), torch.tensor([gradient])
        stepper.step()
    assert before - x.item() == pytest.approx(np.mean(gradients) / np.sqrt(np.mean(np.square(gradients))), rel=1e-5)


def test_descent_along_the_plain_average_follows_the_bessel_function():
    path = optimization.averaged_descent(2000, 0.01, None)
    steps = torch.arange(2001, dtype=torch.float64)
    assert (path - torch.special.bessel_j0(2 * (0.01 * steps).sqrt())).abs().max() < 0.01


def test_average_variance_against_draws():
    draws = torch.randn(200_000, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = 0.9 ** torch.arange(49, -1, -1, dtype=torch.float64)
    assert optimization.average_variance(50, 0.9) == pytest.approx(float((draws @ (weights / weights.sum())).var()), rel=0.02)
    assert optimization.average_variance(10**4, 0.9) == pytest.approx(0.1 / 1.9)
    assert optimization.average_variance(50, None) == pytest.approx(1 / 50)


def test_fit_lowers_the_loss_and_repeats_itself():
    x, w = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([1.0, -2.0, 0.5])
    runs = []
    for _ in range(2):
        guess = nn.Parameter(torch.zeros(3))
        runs.append(fit(lambda a, b, guess=guess: (a @ guess - b).square().mean(), [guess], (x, x @ w), steps=60, rate=0.1))
    assert runs[0] == runs[1] and runs[0][-1] < 0.1 * runs[0][0]


def test_the_best_rates_contract_as_the_theory_says():
    curvatures, root = torch.tensor([1.0, 100.0], dtype=torch.float64), 10.0
    plain = optimization.quadratic_path(curvatures, *optimization.best_plain(1, 100), 300)
    heavy = optimization.quadratic_path(curvatures, *optimization.best_heavy_ball(1, 100), 300)
    assert float(plain[300] / plain[200]) == pytest.approx((99 / 101) ** 100, rel=1e-3)
    assert float(heavy[150] / heavy[100]) == pytest.approx(((root - 1) / (root + 1)) ** 50, rel=1.0)


def test_steps_until_counts_and_complains():
    assert optimization.steps_below(torch.tensor([4.0, 2.0, 1.0]), 2.5) == 1
    with pytest.raises(ValueError, match="allow more steps"):
        optimization.steps_below(torch.tensor([4.0, 2.0]), 1.0)


@pytest.fixture(scope="module")
def digits():
    return optimization.digits()


def test_digits_are_pixels_with_a_constant_and_one_hot_labels(digits):
    x, y = digits
    assert x.shape == (1797, 65) and x.min() == 0 and x.max() == 1 and (x[:, -1] == 1).all()
    assert (y.sum(axis=1) == 1).all() and np.unique(y).tolist() == [0, 1]


def test_loss_of_zero_weights_is_ln_10(digits):
    assert optimization.softmax_loss(np.zeros((65, 10)), *digits) == pytest.approx(np.log(10))


def test_sample_gradients_match_autograd(digits):
    x, y = digits[0][:5], digits[1][:5]
    weights = torch.randn(65, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = optimization.sample_gradients(weights.detach().numpy(), x, y)
    for index in range(5):
        loss = nn.functional.cross_entropy(torch.tensor(x[index : index + 1]) @ weights, torch.tensor(y[index : index + 1]))
        assert np.allclose(found[index], torch.autograd.grad(loss, weights)[0])


def test_full_batch_descent_takes_the_exact_step(digits):
    x, y = digits
    _, losses = optimization.descend_in_batches(x, y, len(x), 0.5, 1, runs=1, seed=0)
    weights = -0.5 * optimization.sample_gradients(np.zeros((65, 10)), x, y).mean(axis=0)
    assert losses == pytest.approx([np.log(10), optimization.softmax_loss(weights, x, y)])


def test_descend_shows_every_sample_once_in_a_pass():
    x, y = np.eye(6), np.eye(2)[[0, 1, 0, 1, 0, 1]]
    # One-hot rows do not interact, so a pass of single samples in any order equals one full step six times as long.
    single = optimization.descend_in_batches(x, y, 1, 1.0, 6, runs=3, seed=0)[1][-1]
    assert single == pytest.approx(optimization.descend_in_batches(x, y, 6, 6.0, 1, runs=1, seed=0)[1][-1])


def test_steps_to_interpolates_and_knows_never():
    marks, losses = np.array([0, 10, 20]), np.array([2.0, 1.0, 0.5])
    assert optimization.steps_to_loss(1.5, marks, losses) == 5
    assert optimization.steps_to_loss(3.0, marks, losses) == 0
    assert optimization.steps_to_loss(0.1, marks, losses) == float("inf")


@pytest.mark.parametrize(
    ("gradient", "function", "shape"),
    [
        (optimization.double_well_gradient, optimization.double_well, ()),
        (optimization.rosenbrock_gradient, lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, (2,)),
        (optimization.saddle_gradient, lambda x: (x[0] ** 2 - x[1] ** 2) / 2, (2,)),
    ],
)
def test_gradients_match_finite_differences(gradient, function, shape):
    x = np.random.default_rng(0).normal(size=shape)
    for step in np.eye(2)[:, :2] * 1e-6 if shape else [np.array(1e-6)]:
        slope = (function(x + step) - function(x - step)) / 2e-6
        assert np.sum(gradient(x) * step) / 1e-6 == pytest.approx(slope, rel=1e-5)


def test_rosenbrock_hessian_matches_differences_of_the_gradient():
    x = np.array([-0.7, 1.3])
    columns = [(optimization.rosenbrock_gradient(x + e) - optimization.rosenbrock_gradient(x - e)) / 2e-6 for e in 1e-6 * np.eye(2)]
    assert np.allclose(optimization.rosenbrock_hessian(x), np.array(columns).T, rtol=1e-6)


def test_descend_is_geometric_on_a_parabola():
    path = optimization.descend(lambda x: x, np.array([1.0]), 0.1, 20)
    assert np.allclose(path[:, 0], 0.9 ** np.arange(21))


def test_best_momentum_contracts_at_the_known_rate():
    rate, momentum = optimization.best_heavy_ball(1.0, 100.0)
    path = optimization.descend(lambda x: np.array([1.0, 100.0]) * x, np.array([1.0, 1.0]), rate, 400, momentum)
    per_step = (np.linalg.norm(path[400]) / np.linalg.norm(path[200])) ** (1 / 200)
    assert per_step == pytest.approx(9 / 11, abs=0.01)  # (√κ − 1) / (√κ + 1)


def test_newton_solves_a_quadratic_in_one_step():
    hessian = np.array([[3.0, 1.0], [1.0, 2.0]])
    path = optimization.newton(lambda x: hessian @ x - 1, lambda x: hessian, np.array([5.0, -7.0]), 1)
    assert np.allclose(path[1], np.linalg.solve(hessian, [1, 1]))


def test_steps_until_counts_from_the_last_exit():
    path = np.array([[2.0], [0.1], [2.0], [0.1], [0.1]])
    assert optimization.steps_until(path, 1.0) == 3
    assert optimization.steps_until(path[:3], 1.0) is None
    assert optimization.steps_until(path[3:], 1.0) == 0


@pytest.mark.parametrize("solver", [optimization.solve_by_formula, optimization.solve_by_bisection, optimization.solve_by_descent])
@pytest.mark.parametrize("length", [1e-3, 1.0, 50.0])
def test_every_solver_finds_the_stationary_minimum(solver, length):
    z = length * nn.functional.normalize(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64), dim=0)
    y = solver(z).detach()
    assert torch.allclose(y - z + (y @ y) * y, torch.zeros(3, dtype=torch.float64), atol=1e-7 * max(1, length))
    assert optimization.inner_objective(y, z) <= optimization.inner_objective(y + 0.01 * torch.randn(3, dtype=torch.float64), z)


@pytest.mark.parametrize("plain", [(True, False), (False, True)])
def test_either_average_may_be_plain(plain):
    """Gradients 4, 0, 2 and β = ½: the exponential weights are 1/7, 2/7, 4/7, the plain ones a third each."""
    x = torch.zeros(1, requires_grad=True)
    stepper = optimization.AveragingAdam([x], lr=1.0, betas=(0.5, 0.5), plain=plain)
    for gradient in (4.0, 0.0, 2.0):
        before, x.grad = x.item(), torch.tensor([gradient])
        stepper.step()
    slope = 6 / 3 if plain[0] else (4 * 1 + 2 * 4) / 7
    square = 20 / 3 if plain[1] else (16 * 1 + 4 * 4) / 7
    assert before - x.item() == pytest.approx(slope / square**0.5, rel=1e-5)
