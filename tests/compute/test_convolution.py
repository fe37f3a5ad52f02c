"""The convolution against torch's own: results, gradients and where each is used."""

import pytest
import torch
from torch import nn

from latent.compute.convolution import SMALL, Conv3x3, weight_gradient

SHAPES = [(1, 1), (2, 2), (1, 5), (7, 3), (SMALL, SMALL), (SMALL + 1, 2)]


def pair(inputs: int, outputs: int, precision: torch.dtype = torch.float64) -> tuple[Conv3x3, nn.Conv2d]:
    ours, theirs = Conv3x3(inputs, outputs), nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    theirs.load_state_dict(ours.state_dict())
    return ours.to(precision), theirs.to(precision)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_results_and_both_gradients_are_those_of_torch(shape, layout):
    made = []
    x, gradient = (torch.randn(3, channels, *shape, dtype=torch.float64).to(memory_format=layout) for channels in (4, 6))
    for convolution in pair(4, 6):
        seen = x.clone().requires_grad_()
        result = convolution(seen)
        result.backward(gradient)
        made.append((result.detach(), seen.grad, convolution.weight.grad))
    for ours, theirs in zip(*made):
        assert ours.shape == theirs.shape and torch.allclose(ours, theirs, atol=1e-12)


def test_gradients_agree_with_finite_differences():
    convolution = Conv3x3(2, 3).double()
    assert torch.autograd.gradcheck(convolution, torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True))
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w: torch.func.functional_call(convolution, {"weight": w}, x), convolution.weight)


def test_a_pixel_at_the_end_of_a_row_does_not_touch_the_next_row_or_image():
    x, gradient = torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 3, 3)
    x[0, 0, :, 2] = 1  # the last column of the first image
    gradient[0, 0, :, 0] = 1  # the first column: two pixels away
    gradient[1] = 1  # another image
    assert not weight_gradient(x, gradient).any()


@pytest.mark.parametrize("side", [3, SMALL + 5])
def test_autocast_gives_bfloat16_results_and_float32_gradients(side):
    ours, theirs = pair(8, 8, torch.float32)
    x = torch.randn(16, 8, side, side)
    for convolution in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16):
            result = convolution(x)
        assert result.dtype == torch.bfloat16
        result.float().square().mean().backward()
    assert ours.weight.grad.dtype == torch.float32
    assert (ours.weight.grad - theirs.weight.grad).norm() < 0.02 * theirs.weight.grad.norm()
