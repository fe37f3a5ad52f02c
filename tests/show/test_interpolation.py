"""Walks between two latents: lines and arcs with their ends, and what is measured along them."""

import numpy as np
import pytest
import torch
from torch import nn

from latent.data import Split
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


def test_grey_and_distance_by_hand():
    pictures = torch.tensor([[0.0, 0.5, 0.9, 0.3], [0.0, 1.0, 1.0, 0.1]]).view(2, 1, 2, 2)
    assert interpolation.grey(pictures).tolist() == [50, 0]
    known = torch.tensor([[0.0, 1, 1, 0]]).view(1, 1, 2, 2)
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


def test_pairs_are_of_different_classes_as_many_as_asked_and_the_same_for_a_seed():
    split = Split(torch.zeros(50, 1, 2, 2, dtype=torch.uint8), torch.arange(50) % 3)
    drawn = interpolation.pairs(split, 40, seed=1)
    assert drawn.shape == (40, 2) and (split.labels[drawn[:, 0]] != split.labels[drawn[:, 1]]).all()
    assert torch.equal(drawn, interpolation.pairs(split, 40, seed=1)) and not torch.equal(drawn, interpolation.pairs(split, 40, seed=2))
    with pytest.raises(ValueError, match="one class"):
        interpolation.pairs(Split(split.images, 0 * split.labels), 5)


def test_a_survey_measures_what_lies_between_pairs():
    """An autoencoder that keeps pixels as they are: along its line lies what blending gives."""
    same = nn.ModuleDict({"encoder": nn.Flatten(), "decoder": nn.Unflatten(1, (1, 2, 2))})
    judge = nn.ModuleDict({"encoder": nn.Flatten(), "classifier": nn.Identity()})
    images = torch.tensor([[0, 0, 255, 255], [255, 255, 0, 0], [255, 0, 0, 0]], dtype=torch.uint8).view(3, 1, 2, 2)
    split = Split(images, torch.tensor([0, 1, 2]))
    found = interpolation.survey(same, judge, split, split, torch.tensor([[0, 1], [0, 2]]), steps=3)
    for quantity in (interpolation.PIXELS, interpolation.GREY, interpolation.CERTAINTY):
        line, blend = (found[quantity][way] for way in ("latents, along the line", "pixels, blended"))
        assert line.shape == (2, 3) and np.allclose(line, blend)
    # half way from the first to the second all pixels are .5, and the third, of (1, 0, 0, 0), is as near as the others: distance 1
    assert np.allclose(found[interpolation.PIXELS]["pixels, blended"][0], [0, 1, 0])
    assert np.allclose(found[interpolation.GREY]["pixels, blended"][0], [0, 100, 0])
    assert found[interpolation.CERTAINTY]["pixels, blended"][0, 1] == pytest.approx(0.25)
    real = interpolation.of_real_images(same, judge, split, split)
    assert real[interpolation.PIXELS] == pytest.approx(0, abs=1e-3) and real[interpolation.GREY] == 0
    rows = interpolation.middle(found, real)
    assert all(len(row) == len(interpolation.MIDDLE) for row in rows) and rows[0][-1] == "–"
