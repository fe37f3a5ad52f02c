"""Receptive fields, numerical gradients, filters and the memory of a forward pass against independent computations."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from latent.theory import activation_memory, filters, receptive_field
from latent.theory.numerical_gradient import numerical_gradient, relative_error


def perturbed_side(model, size):
    """The field of the central output by brute force: change one input pixel after the other and see whether it moves."""
    image = torch.rand(1, 1, size, size)
    middle = model(image).shape[-1] // 2
    with torch.no_grad():
        before = model(image)[0, 0, middle, middle]
        moved = []
        for column in range(size):
            changed = image.clone()
            changed[..., column] += 1
            moved.append(bool(model(changed)[0, 0, middle, middle] != before))
    return max(i for i, m in enumerate(moved) if m) - min(i for i, m in enumerate(moved) if m) + 1


@pytest.mark.parametrize(
    ("layers", "side"),
    [
        ([nn.Conv2d(1, 1, 1)], 1),
        ([nn.Conv2d(1, 1, 3, padding=1)] * 4, 9),
        ([nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(1, 1, 3, padding=1)], 7),
        ([nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(1, 1, 5, dilation=2, padding=4)], 20),
        ([nn.AvgPool2d(3, stride=1), nn.AvgPool2d(2)], 4),
    ],
)
def test_field_by_formula_gradient_and_brute_force(layers, side):
    model = nn.Sequential(*layers)
    dense = receptive_field.dense(model)
    mask = receptive_field.central_gradient(dense, torch.rand(1, 1, 41, 41))[0] > 0
    assert receptive_field.growth(model)[-1][1] == side
    assert receptive_field.extent(mask) == (side, side)
    assert perturbed_side(dense, 41) == side


def test_growth_ignores_pointwise_layers_and_counts_strides():
    steps = receptive_field.growth(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.MaxPool2d(2)))
    assert steps == [("Conv2d", 3, 2), ("MaxPool2d", 5, 4)]


def test_growth_refuses_windows_that_are_not_square():
    with pytest.raises(ValueError, match="not square"):
        receptive_field.growth(nn.Sequential(nn.Conv2d(1, 1, (3, 5))))


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


def test_identity_filter_returns_the_image():
    image = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    assert torch.equal(functional.conv2d(image, filters.identity_filter(3, 5), padding=2), image)


def test_least_squares_filter_recovers_the_true_kernel_and_ridge_shrinks_it():
    torch.manual_seed(0)
    image, kernel = torch.randn(8, 2, 9, 9, dtype=torch.float64), torch.randn(2, 2, 3, 3, dtype=torch.float64)
    target = functional.conv2d(image, kernel, padding=1)
    assert torch.allclose(filters.least_squares_filter(image, target, 3), kernel)
    assert filters.least_squares_filter(image, target, 3, ridge=1.0).norm() < 0.7 * kernel.norm()


def test_the_skip_of_filters_adds_the_input():
    torch.manual_seed(0)
    plain, skip = filters.Filters(residual=False, depth=1).double(), filters.Filters(residual=True, depth=1).double()
    skip.load_state_dict(plain.state_dict())
    with torch.no_grad():
        plain.layers[0].weight += filters.identity_filter(8, 3)  # the identity kernel does what the skip does
    images = torch.rand(4, 1, 8, 8, dtype=torch.float64)
    assert torch.allclose(plain(images), skip(images))


def test_saved_bytes_count_the_activations_by_hand():
    model = nn.Sequential(nn.Linear(10, 20), nn.Tanh(), nn.Linear(20, 3))
    by_hand = 4 * 7 * (10 + 20)  # the input of each linear layer, in float32; tanh keeps its output, which is the second of them
    assert activation_memory.saved_bytes(model, torch.zeros(7, 10)) == by_hand
