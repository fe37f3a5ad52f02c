"""What `theory.convolution` computes, against closed forms and slow or independent versions."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from theory import convolution


def test_the_convolution_is_its_matrix():
    kernel, image = torch.randn(3, 2), torch.randn(7, 6)
    matrix = convolution.convolution_matrix(kernel, (7, 6))
    reference = nn.functional.conv2d(image[None, None], kernel[None, None])
    assert torch.allclose(matrix @ image.flatten(), reference.flatten(), atol=1e-5)
    assert int((matrix != 0).sum()) == 6 * reference.numel()


def test_the_shared_gradient_is_the_sum_over_places():
    kernel, image = torch.randn(3, 3, requires_grad=True), torch.randn(6, 6)
    dense = convolution.convolution_matrix(kernel.detach(), (6, 6)).requires_grad_()
    (dense @ image.flatten()).pow(3).sum().backward()
    nn.functional.conv2d(image[None, None], kernel[None, None]).pow(3).sum().backward()
    assert torch.allclose(convolution.tied_gradient(dense.grad, (3, 3), (6, 6)), kernel.grad, rtol=1e-3, atol=1e-3)


def test_shifting_moves_and_loses_what_leaves():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    moved = convolution.shifted(image, right=1, down=-2)
    assert torch.equal(moved[0, 0, :2, 1:], image[0, 0, 2:, :3])
    assert moved.count_nonzero() == 6


def test_scrambling_is_one_permutation_for_all_images():
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(convolution.scrambled(images).flatten(1).sort()[0], images.flatten(1).sort()[0])
    assert torch.equal(convolution.scrambled(images)[1:], convolution.scrambled(images[1:]))


def test_the_wrapping_cnn_gives_every_shift_the_same_answer():
    image = torch.rand(1, 1, 8, 8)
    network = convolution.wrapping_cnn()
    moved = torch.cat([image.roll(shift, (2, 3)) for shift in ((1, 0), (3, 5), (0, 7))])
    assert torch.allclose(network(moved), network(image).expand(3, 2), atol=1e-6)


def test_the_gradients_of_the_full_image_convolution_by_finite_differences():
    generator = torch.Generator().manual_seed(0)
    x, y, weight = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    bias = torch.tensor(0.3, dtype=torch.float64)

    def loss(weight, bias):
        return ((convolution.full_image_output(x, weight, bias) - y) ** 2).sum()

    by_weight, by_bias = convolution.full_image_gradients(x, y, weight, bias)
    step = torch.zeros(4, 5, dtype=torch.float64)
    step[2, 3] = 1e-4
    assert float((loss(weight + step, bias) - loss(weight - step, bias)) / 2e-4) == pytest.approx(float(by_weight[2, 3]), rel=1e-6)
    assert float((loss(weight, bias + 1e-4) - loss(weight, bias - 1e-4)) / 2e-4) == pytest.approx(float(by_bias), rel=1e-6)


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
    dense = convolution.all_passing(model)
    mask = convolution.central_gradient(dense, torch.rand(1, 1, 41, 41))[0] > 0
    assert convolution.field_growth(model)[-1][1] == side
    assert convolution.extent(mask) == (side, side)
    assert perturbed_side(dense, 41) == side


def test_growth_ignores_pointwise_layers_and_counts_strides():
    steps = convolution.field_growth(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.MaxPool2d(2)))
    assert steps == [("Conv2d", 3, 2), ("MaxPool2d", 5, 4)]


def test_growth_refuses_windows_that_are_not_square():
    with pytest.raises(ValueError, match="not square"):
        convolution.field_growth(nn.Sequential(nn.Conv2d(1, 1, (3, 5))))


def test_identity_filter_returns_the_image():
    image = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    assert torch.equal(functional.conv2d(image, convolution.identity_filter(3, 5), padding=2), image)


def test_least_squares_filter_recovers_the_true_kernel_and_ridge_shrinks_it():
    torch.manual_seed(0)
    image, kernel = torch.randn(8, 2, 9, 9, dtype=torch.float64), torch.randn(2, 2, 3, 3, dtype=torch.float64)
    target = functional.conv2d(image, kernel, padding=1)
    assert torch.allclose(convolution.least_squares_filter(image, target, 3), kernel)
    assert convolution.least_squares_filter(image, target, 3, ridge=1.0).norm() < 0.7 * kernel.norm()


def test_the_skip_of_filters_adds_the_input():
    torch.manual_seed(0)
    plain, skip = convolution.Filters(residual=False, depth=1).double(), convolution.Filters(residual=True, depth=1).double()
    skip.load_state_dict(plain.state_dict())
    with torch.no_grad():
        plain.layers[0].weight += convolution.identity_filter(8, 3)  # the identity kernel does what the skip does
    images = torch.rand(4, 1, 8, 8, dtype=torch.float64)
    assert torch.allclose(plain(images), skip(images))


def test_the_flat_head_keeps_positions_and_the_maximum_forgets_them():
    image = torch.zeros(1, 1, 28, 28)
    image[..., 12:14, 12:14] = 50 * torch.rand(2, 2, generator=torch.Generator().manual_seed(0))  # far brighter than the border
    changes = {}
    for head in ("flat", "max"):
        network = convolution.cnn(4, head=head)
        changes[head] = (network(image) - network(image.roll((4, 4), (2, 3)))).abs().max().item()  # whole strides
    assert changes["max"] < 0.05 * changes["flat"]
