"""Walks between two latents: lines and arcs with their ends, and what is measured along them."""

import pytest
import torch

from latent.show import interpolation


def test_a_line_has_both_ends_equal_steps_and_as_many_points_as_asked():
    ends = torch.randn(2, 128, generator=torch.Generator().manual_seed(0))
    path = interpolation.linear(ends, 10)
    assert path.shape == (10, 128) and torch.allclose(path[[0, -1]], ends)
    steps = path.diff(dim=0)
    assert torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-6)
    assert interpolation.linear(torch.rand(2, 1, 28, 28), 3).shape == (3, 1, 28, 28)


@pytest.mark.parametrize(("count", "steps"), [(2, 1), (3, 10), (1, 10)])
def test_a_line_without_two_ends_is_refused(count, steps):
    with pytest.raises(ValueError, match="two ends"):
        interpolation.linear(torch.rand(count, 4), steps)


def test_ink_and_distance_by_hand():
    pictures = torch.tensor([[0.0, 0.5, 0.9, 0.3], [0.0, 1.0, 1.0, 0.1]]).view(2, 1, 2, 2)
    assert interpolation.ink(pictures).tolist() == [0.5, 0]
    known = torch.tensor([[0, 255, 255, 0]], dtype=torch.uint8).view(1, 1, 2, 2)
    assert interpolation.nearest_distance(pictures, known)[1].item() == pytest.approx(0.1, rel=1e-4)


def test_an_arc_turns_and_grows_evenly_and_ends_where_it_should():
    ends = torch.tensor([[1.0, 0, 0], [0, 3.0, 0]])
    arc = interpolation.spherical(ends, 7)
    angles, lengths = torch.atan2(arc[:, 1], arc[:, 0]), arc.norm(dim=1)
    torch.testing.assert_close(arc[[0, -1]], ends)
    torch.testing.assert_close(angles, torch.linspace(0, torch.pi / 2, 7))
    torch.testing.assert_close(lengths, torch.linspace(1, 3, 7))


@pytest.mark.parametrize("second", [[2.0, 0], [-2.0, 0], [0.0, 0]])
def test_where_no_single_arc_joins_two_ends_the_line_does(second):
    ends = torch.tensor([[1.0, 0], second])
    torch.testing.assert_close(interpolation.spherical(ends, 5), interpolation.linear(ends, 5))
