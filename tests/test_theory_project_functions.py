"""Depth and width, convolutions, averages and attention, against independent computations."""

import numpy as np
import pytest
import torch
from torch import nn

from latent.theory import attention, averaging_adam, convolution_matrix, full_image_convolution, image_classifiers, sawtooth


@pytest.mark.parametrize("folds", [1, 3, 6])
def test_the_deep_network_is_the_sawtooth(folds):
    x = np.linspace(0, 1, 8 * 2**folds + 1)
    network = sawtooth.deep_sawtooth(folds)
    assert np.array_equal(sawtooth.predict(network, x), sawtooth.sawtooth(x, folds))
    assert sawtooth.hidden_units(network) == 2 * folds
    assert sawtooth.linear_pieces(x, sawtooth.sawtooth(x, folds)) == 2**folds


def test_the_sawtooth_is_the_tent_applied_again_and_again():
    x = np.linspace(0, 1, 301)
    folded = x
    for _ in range(4):
        folded = 1 - np.abs(2 * folded - 1)
    assert np.allclose(folded, sawtooth.sawtooth(x, 4))


def test_the_shallow_network_passes_through_every_point():
    x, y = np.sort(np.random.default_rng(0).random(40)), np.random.default_rng(1).normal(size=40)
    network = sawtooth.shallow_interpolator(x, y)
    assert np.allclose(sawtooth.predict(network, x), y)
    assert sawtooth.hidden_units(network) == 39


def test_the_shallow_network_refuses_two_values_at_one_point():
    with pytest.raises(ValueError, match="distinct"):
        sawtooth.shallow_interpolator([0.0, 0.0], [1.0, 2.0])


def test_random_shallow_networks_have_at_most_one_piece_more_than_units():
    torch.manual_seed(0)
    x = np.linspace(-3, 3, 4001)
    for units in (1, 5, 9):
        network = nn.Sequential(nn.Linear(1, units), nn.ReLU(), nn.Linear(units, 1)).double()
        assert sawtooth.linear_pieces(x, sawtooth.predict(network, x)) <= units + 1


def test_least_error_is_the_regression_line_for_one_piece_and_zero_for_enough():
    x = np.linspace(0, 1, 65)
    y = sawtooth.sawtooth(x, 3)
    residual = np.polyfit(x, y, 1, full=True)[1][0] / len(x)
    assert sawtooth.least_error(x, y, 1) == pytest.approx(residual)
    assert sawtooth.least_error(x, y, 8) == pytest.approx(0, abs=1e-12)
    assert sawtooth.least_error(x, y, 3) > sawtooth.least_error(x, y, 4) > 0.01


def test_least_error_finds_the_best_of_all_cuts():
    x, y = np.arange(12.0), np.random.default_rng(3).normal(size=12)

    def line(part):
        return np.polyfit(x[part], y[part], 1, full=True)[1].sum() if len(x[part]) > 2 else 0.0

    best = min(line(slice(0, cut)) + line(slice(cut, 12)) for cut in range(1, 12))
    assert sawtooth.least_error(x, y, 2) == pytest.approx(best / 12)


def test_the_convolution_is_its_matrix():
    kernel, image = torch.randn(3, 2), torch.randn(7, 6)
    matrix = convolution_matrix.convolution_matrix(kernel, (7, 6))
    reference = nn.functional.conv2d(image[None, None], kernel[None, None])
    assert torch.allclose(matrix @ image.flatten(), reference.flatten(), atol=1e-5)
    assert int((matrix != 0).sum()) == 6 * reference.numel()


def test_the_shared_gradient_is_the_sum_over_places():
    kernel, image = torch.randn(3, 3, requires_grad=True), torch.randn(6, 6)
    dense = convolution_matrix.convolution_matrix(kernel.detach(), (6, 6)).requires_grad_()
    (dense @ image.flatten()).pow(3).sum().backward()
    nn.functional.conv2d(image[None, None], kernel[None, None]).pow(3).sum().backward()
    assert torch.allclose(convolution_matrix.tied_gradient(dense.grad, (3, 3), (6, 6)), kernel.grad, rtol=1e-3, atol=1e-3)


def test_shifting_moves_and_loses_what_leaves():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    moved = image_classifiers.shifted(image, right=1, down=-2)
    assert torch.equal(moved[0, 0, :2, 1:], image[0, 0, 2:, :3])
    assert moved.count_nonzero() == 6


def test_scrambling_is_one_permutation_for_all_images():
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(image_classifiers.scrambled(images).flatten(1).sort()[0], images.flatten(1).sort()[0])
    assert torch.equal(image_classifiers.scrambled(images)[1:], image_classifiers.scrambled(images[1:]))


def test_the_wrapping_cnn_gives_every_shift_the_same_answer():
    image = torch.rand(1, 1, 8, 8)
    network = image_classifiers.wrapping_cnn()
    moved = torch.cat([image.roll(shift, (2, 3)) for shift in ((1, 0), (3, 5), (0, 7))])
    assert torch.allclose(network(moved), network(image).expand(3, 2), atol=1e-6)


def test_averaging_adam_with_exponential_averages_is_adam():
    paths = []
    for optimizer in (torch.optim.Adam, averaging_adam.AveragingAdam):
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
    stepper, gradients = averaging_adam.AveragingAdam([x], lr=1.0, plain=True), [3.0, -1.0, 4.0]
    for gradient in gradients:
        before, x.grad = x.item(), torch.tensor([gradient])
        stepper.step()
    assert before - x.item() == pytest.approx(np.mean(gradients) / np.sqrt(np.mean(np.square(gradients))), rel=1e-5)


def test_descent_along_the_plain_average_follows_the_bessel_function():
    path = averaging_adam.averaged_descent(2000, 0.01, None)
    steps = torch.arange(2001, dtype=torch.float64)
    assert (path - torch.special.bessel_j0(2 * (0.01 * steps).sqrt())).abs().max() < 0.01


def test_average_variance_against_draws():
    draws = torch.randn(200_000, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = 0.9 ** torch.arange(49, -1, -1, dtype=torch.float64)
    assert averaging_adam.average_variance(50, 0.9) == pytest.approx(float((draws @ (weights / weights.sum())).var()), rel=0.02)
    assert averaging_adam.average_variance(10**4, 0.9) == pytest.approx(0.1 / 1.9)
    assert averaging_adam.average_variance(50, None) == pytest.approx(1 / 50)


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


def test_the_gradients_of_the_full_image_convolution_by_finite_differences():
    generator = torch.Generator().manual_seed(0)
    x, y, weight = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    bias = torch.tensor(0.3, dtype=torch.float64)

    def loss(weight, bias):
        return ((full_image_convolution.output(x, weight, bias) - y) ** 2).sum()

    by_weight, by_bias = full_image_convolution.gradients(x, y, weight, bias)
    step = torch.zeros(4, 5, dtype=torch.float64)
    step[2, 3] = 1e-4
    assert float((loss(weight + step, bias) - loss(weight - step, bias)) / 2e-4) == pytest.approx(float(by_weight[2, 3]), rel=1e-6)
    assert float((loss(weight, bias + 1e-4) - loss(weight, bias - 1e-4)) / 2e-4) == pytest.approx(float(by_bias), rel=1e-6)
