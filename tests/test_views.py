"""Views: identities, one draw per image, distributions and exact cases."""

import pytest
import torch

from latent.views import LUMINANCE, Views, to_float, view


def draw(x, views, seed=0):
    return view(x, views, torch.Generator().manual_seed(seed))


def picture(count=1, channels=3, side=32, seed=0):
    return torch.rand((count, channels, side, side), generator=torch.Generator().manual_seed(seed))


def test_to_float_maps_bytes_to_the_unit_interval():
    x = to_float(torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1))
    assert x.flatten().tolist() == pytest.approx([0, 0.2, 1])


def test_everything_off_is_the_identity():
    x = picture(4)
    assert torch.equal(draw(x, Views()), x)


ALL = Views(shift=3, flip=True, rotate=15, zoom=0.3, stretch=0.4, jitter=0.4, jittered=1.0, grey=0.2, erase=8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 5])
def test_views_keep_shape_range_and_layout(channels, count):
    x = draw(picture(count, channels, 28), ALL)
    assert x.shape == (count, channels, 28, 28) and x.min() >= 0 and x.max() <= 1
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_views_of_a_smaller_side_are_the_image_at_that_resolution():
    x = picture(2).repeat_interleave(2, 2).repeat_interleave(2, 3)  # (2, 3, 64, 64), in blocks of four equal pixels
    assert torch.allclose(draw(x, Views(side=32)), x[:, :, ::2, ::2], atol=1e-5)


@pytest.mark.parametrize(
    "views",
    [Views(shift=3), Views(rotate=20), Views(zoom=0.3), Views(stretch=0.5), Views(jitter=0.4, jittered=1.0), Views(erase=8)],
    ids=["shift", "rotate", "zoom", "stretch", "jitter", "erase"],
)
def test_every_image_has_a_draw_of_its_own(views):
    same = picture().expand(8, -1, -1, -1)
    drawn = draw(same, views)
    different = sum(not torch.equal(drawn[i], drawn[j]) for i in range(8) for j in range(i))
    assert different >= 25  # of 28 pairs; whole-pixel shifts may meet by chance


def uniform(values, low, high):
    """Whether `values` (N,) may be draws from low to high: Kolmogorov and Smirnov's distance, at one false alarm in ten thousand."""
    shares = ((values.double().sort().values - low) / (high - low)).clamp(0, 1)
    steps = torch.arange(len(values) + 1) / len(values)
    return max((shares - steps[:-1]).max(), (steps[1:] - shares).max()) < 2.23 / len(values) ** 0.5


def independent(values):
    """Whether neighbours in the batch, and the two halves of it, which hold two views of the same images, go their own ways."""
    pairs = ((values[1:], values[:-1]), values.chunk(2))
    return all(abs(torch.corrcoef(torch.stack(pair))[0, 1]) < 4 / len(pair[0]) ** 0.5 for pair in pairs)


def test_no_images_make_no_views_of_the_side_asked_for():
    assert draw(picture(0), Views(side=24)).shape == (0, 3, 24, 24)


def drawn_maps(views, count=4000, side=33):
    """The affine map of the plane (2, 2) that each of `count` views of one image drew, read off an image of its own coordinates."""
    line = torch.linspace(0, 1, side)
    row, column = torch.meshgrid(line, line, indexing="ij")
    seen = draw(torch.stack([column, row, row]).expand(count, -1, -1, -1), views)[:, :2]  # where each pixel was taken from
    middle = seen[:, :, side // 2 - 1 : side // 2 + 2, side // 2 - 1 : side // 2 + 2]
    rightwards, downwards = middle[:, :, 1, 2] - middle[:, :, 1, 0], middle[:, :, 2, 1] - middle[:, :, 0, 1]
    return torch.stack([rightwards, downwards], 2) * (side - 1) / 2


def test_turns_are_uniform_and_each_images_own():
    maps = drawn_maps(Views(rotate=20))
    turns = torch.atan2(maps[:, 1, 0], maps[:, 0, 0]).rad2deg()
    assert uniform(turns, -20, 20) and independent(turns)


def test_crops_are_uniform_in_area_and_in_log_aspect_and_each_images_own():
    maps = drawn_maps(Views(zoom=0.5, stretch=0.4))
    area, aspect = maps[:, 0, 0] * maps[:, 1, 1], (maps[:, 0, 0] / maps[:, 1, 1]).log()
    assert uniform(area, 0.5, 1) and independent(area)
    assert uniform(aspect, -0.4, 0.4) and independent(aspect)


def test_brightness_is_uniform_and_each_images_own():
    grey = torch.full((4000, 3, 2, 2), 0.4)
    factors = draw(grey, Views(jitter=0.4, jittered=1.0))[:, 0, 0, 0] / 0.4
    assert uniform(factors, 0.6, 1.4) and independent(factors)


def test_blanked_squares_lie_everywhere_and_each_images_own():
    x = picture(1, 1, 16).expand(4000, -1, -1, -1)
    hole = (draw(x, Views(erase=1)) != x).squeeze(1)  # (4000, 16, 16), one pixel each
    rows, columns = hole.any(2).float().argmax(1), hole.any(1).float().argmax(1)
    for place in (rows, columns):
        counts = torch.bincount(place, minlength=16)
        assert (counts - 250).abs().max() < 5 * (250 * 15 / 16) ** 0.5 and independent(place.double())


def test_one_seed_one_draw():
    x = picture(4)
    assert torch.equal(draw(x, ALL, 1), draw(x, ALL, 1)) and not torch.equal(draw(x, ALL, 1), draw(x, ALL, 2))


def test_a_flip_mirrors_exactly_and_half_of_the_time():
    x = picture().expand(2000, -1, -1, -1)
    drawn = draw(x, Views(flip=True))
    mirrored = (drawn - x.flip(3)).abs().amax((1, 2, 3)) < 1e-5
    kept = (drawn - x).abs().amax((1, 2, 3)) < 1e-5
    assert torch.all(mirrored ^ kept) and abs(mirrored.float().mean().item() - 0.5) < 5 * 0.5 / 2000**0.5


def test_a_shift_moves_by_whole_pixels_uniformly():
    x = torch.zeros(7000, 1, 15, 15)
    x[:, :, 7, 7] = 1
    drawn = draw(x, Views(shift=3))
    assert torch.allclose(drawn.amax((1, 2, 3)), torch.ones(7000), atol=1e-4)  # a bright pixel stays one pixel
    columns = drawn.squeeze(1).amax(1).argmax(1) - 7
    counts = torch.bincount(columns + 3, minlength=7)
    assert len(counts) == 7 and (counts - 1000).abs().max() < 5 * (1000 * 6 / 7) ** 0.5


def test_a_quarter_turn_moves_corners_where_they_belong():
    x = torch.zeros(400, 1, 9, 9)
    x[:, :, 0, 4] = 1  # top centre
    drawn = draw(x, Views(rotate=90))
    rows, columns = torch.meshgrid(torch.arange(9.0) - 4, torch.arange(9.0) - 4, indexing="ij")
    weight = drawn.squeeze(1).clamp(min=0)
    radius = ((weight * (rows**2 + columns**2).sqrt()).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6))[weight.sum((1, 2)) > 0.5]
    assert (radius - 4).abs().median() < 0.5  # a turn about the centre keeps distances


def test_grey_images_have_equal_channels_and_the_same_luminance():
    x = picture(500)
    drawn = draw(x, Views(grey=1.0))
    assert torch.allclose(drawn[:, 0], drawn[:, 1], atol=1e-5) and torch.allclose(drawn[:, 1], drawn[:, 2], atol=1e-5)
    weights = torch.tensor(LUMINANCE).view(1, 3, 1, 1)
    assert torch.allclose(drawn[:, 0], (x * weights).sum(1), atol=1e-5)


def test_colour_jitter_leaves_grey_grey_and_changes_colours():
    grey = torch.full((200, 3, 8, 8), 0.4)
    drawn = draw(grey, Views(jitter=0.4, jittered=1.0))
    assert (drawn.amax(1) - drawn.amin(1)).max() < 1e-4  # hue and saturation act on colour alone
    brightness = drawn[:, 0, 0, 0] / 0.4
    assert 0.58 < brightness.min() < 0.7 and 1.3 < brightness.max() < 1.42
    colourful = torch.zeros(200, 3, 8, 8)
    colourful[:, 0] = 0.6
    assert draw(colourful, Views(jitter=0.4, jittered=1.0))[:, 1].max() > 0.02


def test_jittered_is_the_share_of_images_that_change():
    drawn = draw(picture(1, 3, 8).expand(2000, -1, -1, -1), Views(jitter=0.4, jittered=0.3))
    changed = (drawn - picture(1, 3, 8)).abs().amax((1, 2, 3)) > 1e-6
    assert abs(changed.float().mean().item() - 0.3) < 0.06


def test_erase_blanks_one_square_with_the_mean():
    x = picture(300)
    drawn = draw(x, Views(erase=8))
    hole = (drawn != x).any(1)
    rows, columns = hole.any(2).sum(1), hole.any(1).sum(1)
    assert rows.max() == columns.max() == 7 and rows.min() >= 1  # around a pixel: an even side counts as one less
    assert torch.equal(hole.sum((1, 2)), rows * columns)  # a rectangle


def test_views_of_views_are_still_images():
    x = draw(draw(picture(3), ALL), ALL, 1)
    assert x.shape == (3, 3, 32, 32) and torch.isfinite(x).all()
