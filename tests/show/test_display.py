"""What a notebook displays: pictures, captions and tables with the marks that the report reads."""

import io

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image, ImageColor

from latent.show import SHARPNESS, display, plots


def test_a_shown_figure_is_a_picture_and_a_marked_caption(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(display, "display", lambda bundle, **options: shown.append((bundle, options["metadata"])))
    figure = plots.bars({"a": 1.0}, "a title", "a sentence", "x", "y")
    display.show(figure)
    (picture, size), (caption, mark) = shown
    assert picture["image/png"].startswith(b"\x89PNG") and size["image/png"]["width"] == round(7.0 * display.DOTS_PER_INCH)
    assert size["image/png"]["alt"] == "a title"
    assert caption["text/markdown"] == "a sentence" and mark == {"latent": {"role": "caption"}}
    assert not pyplot.fignum_exists(figure.number)
    display.show(plots.bars({"a": 1.0}, "a title", "a sentence", "x", "y"), "kept")
    assert shown[2][1]["latent"] == {"name": "kept"} and "latent" not in size
    assert (tmp_path / "figures/kept.png").read_bytes() == shown[2][0]["image/png"]
    del shown[2:]
    display.table(["a", "b"], [[1, 2]], "note")
    assert shown[2][0]["text/markdown"].splitlines() == ["| a | b |", "| --: | --: |", "| 1 | 2 |"] and shown[2][1] == {}
    display.table(["a"], [[1]], "note", name="rates")
    assert [mark for _, mark in shown[4:]] == [{"latent": {"name": "rates"}}, {"latent": {"role": "caption"}}]


def documented(value: int) -> int:
    """What is not shown."""
    return value + 1  # shown


def test_source_is_shown_without_its_docstring(monkeypatch):
    shown = []
    monkeypatch.setattr(display, "display", lambda bundle, **_: shown.append(bundle["text/markdown"]))
    display.source(documented)
    display.source(plain)
    assert shown[0] == "```python\ndef documented(value: int) -> int:\n    return value + 1  # shown\n```"
    assert shown[1] == "```python\ndef plain():\n    return 0\n```"


def plain():
    return 0


def drawn(figure):
    """The picture that is shown of `figure`, and the pixels as matplotlib draws them."""
    figure.draw_without_rendering()  # the layout settles when it is drawn twice
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=display.DOTS_PER_INCH * SHARPNESS)
    return Image.open(io.BytesIO(display._png(figure))), np.asarray(Image.open(raw).convert("RGB"), dtype=int)


RANDOM = np.random.default_rng(0)


def test_a_plot_has_a_palette_and_no_colour_that_the_eye_tells_from_its_own():
    figure = plots.lines({f"line {n}": (range(9), RANDOM.random(9)) for n in range(9)}, "a title", "a sentence – with a dash", "x", "y")
    picture, pixels = drawn(figure)
    assert picture.mode == "P" and picture.text == {"Description": "a sentence – with a dash"}
    assert picture.width == round(7.0 * display.DOTS_PER_INCH * SHARPNESS)
    away = np.abs(np.asarray(picture.convert("RGB"), dtype=int) - pixels)
    assert away.max() < 32 and away.mean() < 1 and np.asarray(picture.convert("RGB"))[0, 0].min() == 255


def test_the_grid_stays_grey_behind_points_of_every_colour():
    figure, axes = plots.canvas("a title", "a sentence")
    axes[0, 0].scatter(*RANDOM.random((2, 3_000)), c=RANDOM.random((3_000, 3)), s=4)
    plots.label(axes[0, 0], "x", "y")
    picture, pixels = drawn(figure)
    grid = (pixels == 231).all(2)  # matplotlib's grey at the style's opacity
    shown = np.asarray(picture.convert("RGB"), dtype=int)[grid]
    assert grid.sum() > 5_000 and np.ptp(shown, axis=1).max() == 0 and np.abs(shown - 231).max() < 8


def test_a_marker_keeps_its_colour_among_points_of_ten_others():
    figure, axes = plots.canvas("a title", "a sentence")
    axes[0, 0].scatter(*RANDOM.random((2, 1_500)), c=np.resize(plots.CLASS_COLOURS, 1_500), s=4)
    for number, colour in enumerate(plots.COLOURS):
        axes[0, 0].plot(number / 10, 1.2, "o", color=colour)
    picture, _ = drawn(figure)
    shown = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {ImageColor.getrgb(colour) for colour in (*plots.COLOURS, *plots.CLASS_COLOURS)} <= shown


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_of_images_are_shown_as_they_are(channels):
    images = RANDOM.integers(0, 253, (1, 1, channels, 8, 8)) / 255
    picture, _ = drawn(plots.images(images, ["a"], ["d"], "a title", "a sentence"))
    assert picture.mode == ("P" if channels == 1 else "RGB")
    shown = np.unique(np.asarray(picture.convert("RGB"), dtype=int).reshape(-1, 3), axis=0)
    for pixel in 255 * images[0, 0].reshape(channels, -1).T:
        assert np.abs(shown - pixel).max(1).min() <= 1
