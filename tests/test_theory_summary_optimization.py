"""Mini-batch descent, small loss surfaces, deep chains and the inner problem against closed forms and autograd."""

import numpy as np
import pytest
import torch
from torch import nn

from latent.theory import deep_chain, inner_problem, landscape, minibatch


@pytest.fixture(scope="module")
def digits():
    return minibatch.digits()


def test_digits_are_pixels_with_a_constant_and_one_hot_labels(digits):
    x, y = digits
    assert x.shape == (1797, 65) and x.min() == 0 and x.max() == 1 and (x[:, -1] == 1).all()
    assert (y.sum(axis=1) == 1).all() and np.unique(y).tolist() == [0, 1]


def test_loss_of_zero_weights_is_ln_10(digits):
    assert minibatch.loss(np.zeros((65, 10)), *digits) == pytest.approx(np.log(10))


def test_sample_gradients_match_autograd(digits):
    x, y = digits[0][:5], digits[1][:5]
    weights = torch.randn(65, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = minibatch.sample_gradients(weights.detach().numpy(), x, y)
    for index in range(5):
        loss = nn.functional.cross_entropy(torch.tensor(x[index : index + 1]) @ weights, torch.tensor(y[index : index + 1]))
        assert np.allclose(found[index], torch.autograd.grad(loss, weights)[0])


def test_full_batch_descent_takes_the_exact_step(digits):
    x, y = digits
    _, losses = minibatch.descend(x, y, len(x), 0.5, 1, runs=1, seed=0)
    weights = -0.5 * minibatch.sample_gradients(np.zeros((65, 10)), x, y).mean(axis=0)
    assert losses == pytest.approx([np.log(10), minibatch.loss(weights, x, y)])


def test_descend_shows_every_sample_once_in_a_pass():
    x, y = np.eye(6), np.eye(2)[[0, 1, 0, 1, 0, 1]]
    # One-hot rows do not interact, so a pass of single samples in any order equals one full step six times as long.
    single = minibatch.descend(x, y, 1, 1.0, 6, runs=3, seed=0)[1][-1]
    assert single == pytest.approx(minibatch.descend(x, y, 6, 6.0, 1, runs=1, seed=0)[1][-1])


def test_steps_to_interpolates_and_knows_never():
    marks, losses = np.array([0, 10, 20]), np.array([2.0, 1.0, 0.5])
    assert minibatch.steps_to(1.5, marks, losses) == 5
    assert minibatch.steps_to(3.0, marks, losses) == 0
    assert minibatch.steps_to(0.1, marks, losses) == float("inf")


@pytest.mark.parametrize(
    ("gradient", "function", "shape"),
    [
        (landscape.double_well_gradient, landscape.double_well, ()),
        (landscape.rosenbrock_gradient, lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, (2,)),
        (landscape.saddle_gradient, lambda x: (x[0] ** 2 - x[1] ** 2) / 2, (2,)),
    ],
)
def test_gradients_match_finite_differences(gradient, function, shape):
    x = np.random.default_rng(0).normal(size=shape)
    for step in np.eye(2)[:, :2] * 1e-6 if shape else [np.array(1e-6)]:
        slope = (function(x + step) - function(x - step)) / 2e-6
        assert np.sum(gradient(x) * step) / 1e-6 == pytest.approx(slope, rel=1e-5)


def test_rosenbrock_hessian_matches_differences_of_the_gradient():
    x = np.array([-0.7, 1.3])
    columns = [(landscape.rosenbrock_gradient(x + e) - landscape.rosenbrock_gradient(x - e)) / 2e-6 for e in 1e-6 * np.eye(2)]
    assert np.allclose(landscape.rosenbrock_hessian(x), np.array(columns).T, rtol=1e-6)


def test_descend_is_geometric_on_a_parabola():
    path = landscape.descend(lambda x: x, np.array([1.0]), 0.1, 20)
    assert np.allclose(path[:, 0], 0.9 ** np.arange(21))


def test_best_momentum_contracts_at_the_known_rate():
    rate, momentum = landscape.best_momentum(1.0, 100.0)
    path = landscape.descend(lambda x: np.array([1.0, 100.0]) * x, np.array([1.0, 1.0]), rate, 400, momentum)
    per_step = (np.linalg.norm(path[400]) / np.linalg.norm(path[200])) ** (1 / 200)
    assert per_step == pytest.approx(9 / 11, abs=0.01)  # (√κ − 1) / (√κ + 1)


def test_newton_solves_a_quadratic_in_one_step():
    hessian = np.array([[3.0, 1.0], [1.0, 2.0]])
    path = landscape.newton(lambda x: hessian @ x - 1, lambda x: hessian, np.array([5.0, -7.0]), 1)
    assert np.allclose(path[1], np.linalg.solve(hessian, [1, 1]))


def test_steps_until_counts_from_the_last_exit():
    path = np.array([[2.0], [0.1], [2.0], [0.1], [0.1]])
    assert landscape.steps_until(path, 1.0) == 3
    assert landscape.steps_until(path[:3], 1.0) is None
    assert landscape.steps_until(path[3:], 1.0) == 0


@pytest.mark.parametrize("shared", [True, False])
def test_chain_shares_modules_as_asked(shared):
    model = deep_chain.chain(5, 8, 6, nn.Tanh, shared)
    assert sum(isinstance(layer, nn.Linear) for layer in model) == 8
    assert len({id(layer) for layer in model if isinstance(layer, nn.Linear)}) == (3 if shared else 8)


def test_scale_weights_has_the_asked_deviation():
    torch.manual_seed(0)
    model = deep_chain.scale_weights(deep_chain.chain(5, 200, 1, nn.ReLU, False), 3.0)
    assert model[2].weight.std().item() == pytest.approx(3 / 200**0.5, rel=0.02)
    assert not model[2].bias.any()


def test_travel_of_linear_layers_is_a_product_of_transposes():
    torch.manual_seed(0)
    model = deep_chain.chain(3, 4, 2, nn.Identity, shared=False).double()
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 1, dtype=torch.float64)
    norms = deep_chain.travel(model, x, y)[1]
    back = 2 * (model(x) - y).detach() / 6
    for norm, layer in zip(norms[::-1], [layer for layer in model if isinstance(layer, nn.Linear)][::-1], strict=True):
        assert norm == pytest.approx(back.norm().item())
        back = back @ layer.weight.detach()


def test_train_reports_the_loss_before_each_step_and_lowers_it():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 1), torch.randn(32, 3)
    y = x.sum(dim=1, keepdim=True)
    first = nn.functional.mse_loss(model(x), y).item()
    losses = deep_chain.train(model, x, y, 60, 0.05)
    assert losses[0] == pytest.approx(first) and losses[-1] < 1e-2 * first


@pytest.mark.parametrize("solver", [inner_problem.solve_by_formula, inner_problem.solve_by_bisection, inner_problem.solve_by_descent])
@pytest.mark.parametrize("length", [1e-3, 1.0, 50.0])
def test_every_solver_finds_the_stationary_minimum(solver, length):
    z = length * nn.functional.normalize(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64), dim=0)
    y = solver(z).detach()
    assert torch.allclose(y - z + (y @ y) * y, torch.zeros(3, dtype=torch.float64), atol=1e-7 * max(1, length))
    assert inner_problem.objective(y, z) <= inner_problem.objective(y + 0.01 * torch.randn(3, dtype=torch.float64), z)
