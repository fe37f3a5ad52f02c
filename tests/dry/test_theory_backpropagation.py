"""What `theory.backpropagation` computes, against closed forms and slow or independent versions."""

import numpy as np
import pytest
import torch
from torch import nn

from theory import backpropagation
from theory.backpropagation import numerical_gradient, relative_error


def test_the_gradient_of_a_chain_is_a_product():
    gradients = backpropagation.chain_gradient(1.5, nn.Identity(), 10)
    assert gradients == pytest.approx([1.5**k for k in range(11)])
    assert backpropagation.chain_gradient(1.0, nn.Sigmoid(), 6)[6] < 0.25**6


def test_residual_blocks_keep_the_gradient_of_a_zero_branch():
    zero = nn.Linear(4, 4)
    nn.init.zeros_(zero.weight)
    network = nn.Sequential(*(backpropagation.Residual(zero) for _ in range(5)))
    assert np.ptp(backpropagation.layer_gradients(network, torch.randn(3, 4))) < 1e-6


def test_numerical_gradient_matches_closed_form_and_restores_its_input():
    x = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)
    kept = x.clone()
    assert torch.allclose(numerical_gradient(lambda: x.pow(3).sum(), x), 3 * x**2, rtol=1e-8)
    assert torch.equal(x, kept)


def test_central_differences_are_one_order_better():
    x = torch.tensor([1.0], dtype=torch.float64)
    errors = {
        central: [abs(numerical_gradient(lambda: x.exp().sum(), x, step, central).item() - torch.e) for step in (1e-2, 1e-3)]
        for central in (False, True)
    }
    assert errors[False][0] / errors[False][1] == pytest.approx(10, rel=0.05)
    assert errors[True][0] / errors[True][1] == pytest.approx(100, rel=0.05)


def test_numerical_gradient_refuses_strided_tensors():
    with pytest.raises(ValueError, match="contiguous"):
        numerical_gradient(lambda: torch.zeros(()), torch.zeros(3, 4).T)


def test_relative_error_of_a_ten_percent_change():
    assert relative_error(torch.tensor([1.1, 0.0]), torch.tensor([1.0, 0.0])) == pytest.approx(0.1)


def test_saved_bytes_count_the_activations_by_hand():
    model = nn.Sequential(nn.Linear(10, 20), nn.Tanh(), nn.Linear(20, 3))
    by_hand = 4 * 7 * (10 + 20)  # the input of each linear layer, in float32; tanh keeps its output, which is the second of them
    assert backpropagation.saved_bytes(model, torch.zeros(7, 10)) == by_hand


@pytest.mark.parametrize("shared", [True, False])
def test_chain_shares_modules_as_asked(shared):
    model = backpropagation.chain(5, 8, 6, nn.Tanh, shared)
    assert sum(isinstance(layer, nn.Linear) for layer in model) == 8
    assert len({id(layer) for layer in model if isinstance(layer, nn.Linear)}) == (3 if shared else 8)


def test_scale_weights_has_the_asked_deviation():
    torch.manual_seed(0)
    model = backpropagation.scale_weights(backpropagation.chain(5, 200, 1, nn.ReLU, False), 3.0)
    assert model[2].weight.std().item() == pytest.approx(3 / 200**0.5, rel=0.02)
    assert not model[2].bias.any()


def test_travel_of_linear_layers_is_a_product_of_transposes():
    torch.manual_seed(0)
    model = backpropagation.chain(3, 4, 2, nn.Identity, shared=False).double()
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 1, dtype=torch.float64)
    norms = backpropagation.travel(model, x, y)[1]
    back = 2 * (model(x) - y).detach() / 6
    for norm, layer in zip(norms[::-1], [layer for layer in model if isinstance(layer, nn.Linear)][::-1], strict=True):
        assert norm == pytest.approx(back.norm().item())
        back = back @ layer.weight.detach()


def test_train_reports_the_loss_before_each_step_and_lowers_it():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 1), torch.randn(32, 3)
    y = x.sum(dim=1, keepdim=True)
    first = nn.functional.mse_loss(model(x), y).item()
    losses = backpropagation.train_chain(model, x, y, 60, 0.05)
    assert losses[0] == pytest.approx(first) and losses[-1] < 1e-2 * first


def test_a_lone_linear_unit_follows_the_closed_form():
    x, y = torch.linspace(-1, 1, 5), torch.tensor(3.0).expand(5)
    path = backpropagation.largest_preactivations(nn.Identity(), lambda p: torch.optim.SGD(p, lr=0.1), x, y, -2.0, 20)
    w, b = 1 - 0.2 * x.square().mean(), 3 - 5 * 0.8  # x is centred, so w and b shrink their errors apart: by 1 − 2η x̄², by 1 − 2η
    assert path[0] == pytest.approx(-1.0) and path[1] == pytest.approx(float(w + b), rel=1e-5)
    assert path[20] == pytest.approx(float(w**20 + 3 - 5 * 0.8**20), rel=1e-4)


def test_momentum_carries_a_kicked_unit_by_a_geometric_series():
    """Inactive, the gradient is zero: the velocity left over shrinks by β a step."""
    x, y = torch.linspace(0, 1, 5), torch.full((5,), -9.0)  # the target pulls down, so the unit stays inactive
    path = backpropagation.largest_preactivations(nn.ReLU(), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.5), x, y, 1.0, 9, 2)
    moves = np.diff(path[2:])
    assert path[2] == pytest.approx(-0.1) and moves[0] < 0 and np.allclose(moves[1:5] / moves[:4], 0.5, rtol=0.05)


def test_an_inactive_unit_without_a_past_does_not_move():
    x = torch.linspace(-1, 1, 5)
    for optimizer in (torch.optim.SGD, torch.optim.Adam):
        path = backpropagation.largest_preactivations(nn.ReLU(), lambda p, o=optimizer: o(p, lr=0.1), x, x, -3.0, 5)
        assert path == [-2.0] * 6
