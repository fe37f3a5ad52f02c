"""Every figure the package draws: a title, a sentence, labelled axes, a grid, and nothing outside the picture."""

import inspect
import io

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from latent import probe
from latent.data import load
from latent.recipes import Views
from latent.show import figures, plots
from latent.show.interpolation import linear


def drawings():
    """Name → drawn figure, for every public function of `figures` and `plots` that draws one."""
    data = load("mnist")
    shown = probe.subset(data.test, 5)
    faint = shown.images.float() / 255
    labels = data.test.labels[:60]
    points = np.random.default_rng(0).normal(size=(60, 2))
    curve = [{"epoch": n + 1, "train_loss": 1 / (n + 1), "validation_loss": 1.1 / (n + 1), "validation_accuracy": 90 + n} for n in range(4)]
    near = [probe.subset(data.train, 7, n) for n in range(5)]
    return {
        "samples": figures.samples(data),
        "random_views": figures.random_views(data, Views(shift=3)),
        "curves": figures.curves([{"experiment": "mnist-ae", "curves": {"encoder": curve, "classifier": curve}}] * 2),
        "reconstructions": figures.reconstructions(shown, faint * 0.9, data),
        "interpolation": figures.interpolation(linear(faint[:2], 10), linear(faint[:2], 10), ["1", "2"]),
        "belief": figures.belief(torch.rand(10, 10), data.classes),
        "tsne_map": figures.tsne_map(points, labels, data.classes, "a map", "a sentence"),
        "tsne_pair": figures.tsne_pair(points, points, labels, data.classes, "mnist-ae", "scores"),
        "tsne_row": figures.tsne_row({"a": points, "b": points, "c": points}, labels, data.classes, "maps", "a sentence"),
        "comparison": figures.comparison({"a": {"x": [90.0, 91.0], "y": [80.0]}, "b": {"x": [92.0], "y": [85.0]}}, "bars", "a sentence"),
        "trade_off": figures.trade_off({"the image itself": (0.05, 60.0), "erase 8": (0.06, 63.0)}, "erase 8", "a curve", "a sentence"),
        "confusion": figures.confusion(data.test.labels.roll(1), data.test.labels, data),
        "neighbours": figures.neighbours(shown, near, data),
        "importance": figures.importance({"encoder.learning_rate": 0.7, "levels": 0.3}, "mnist-ae", "validation MAE", 5),
        "slices": figures.slices(
            {
                "encoder.learning_rate": [6e-4, 2e-3, 9e-3],
                "temperature": [0.1, 0.2, 1],
                "levels": [1, 2, 3],
                "encoder.views.zoom": [0.4, 0.5, 1],
            },
            [0.3, 0.2, 0.4],
            1,
            "mnist-ae",
            "validation MAE",
            {"encoder.learning_rate"},
        ),
        "lines": plots.lines({"a": ([1, 2], [3, 4]), "b": ([1, 2], [3, 5], [0.1, 0.2])}, "lines", "a sentence", "x", "y"),
        "bars": plots.bars({"a": 1, "b": 2}, "bars", "a sentence", "x", "y"),
        "heatmap": plots.heatmap(np.eye(3), list("abc"), list("def"), "heat", "a sentence", "x", "y", "share"),
        "images": plots.images(
            np.zeros((2, 3, 8, 8)), ["a", "b"], ["1", "2", "3"], "a title that is wider than its pictures", "a sentence"
        ),
    }


NAMES = [
    "samples", "random_views", "curves", "reconstructions", "interpolation", "belief", "tsne_map", "tsne_pair", "tsne_row", "comparison",
    "trade_off", "confusion", "neighbours", "importance", "slices", "lines", "bars", "heatmap", "images",
]  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    import os

    before = os.environ.get("LATENT_DATA")
    os.environ["LATENT_DATA"] = "embedded"
    with pyplot.rc_context({"figure.max_open_warning": 0}):  # all of them at once are meant
        found = drawings()
    yield found
    pyplot.close("all")
    if before is None:
        del os.environ["LATENT_DATA"]
    else:
        os.environ["LATENT_DATA"] = before


def test_the_walk_misses_no_function_that_draws():
    public = {
        name
        for module in (figures, plots)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and inspect.signature(function).return_annotation is Figure
    }
    assert public == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_explains_itself(drawn, name):
    figure = drawn[name]
    assert len(figure.get_suptitle()) > 3 and len(figure.get_label()) > 8
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            assert axes.get_ylabel()
        elif axes.images and not axes.get_xlabel():
            continue  # one image of a panel: its row and column are checked below
        else:
            assert axes.get_xlabel() and axes.get_ylabel()
            lines = axes.get_xgridlines() + axes.xaxis.get_minorticklines()
            assert any(line.get_visible() for line in lines)


@pytest.mark.parametrize("name", ["samples", "random_views", "reconstructions", "interpolation", "neighbours", "images"])
def test_an_image_panel_labels_rows_and_columns(drawn, name):
    grid = drawn[name].axes[0].get_gridspec()
    panel = np.array(drawn[name].axes).reshape(grid.nrows, grid.ncols)
    assert all(axes.get_ylabel() for axes in panel[:, 0]) and all(axes.get_title() for axes in panel[0])


@pytest.mark.parametrize("name", NAMES)
def test_all_text_lies_inside_the_picture(drawn, name):
    figure = drawn[name]
    figure.savefig(io.BytesIO(), format="png", dpi=60)
    width, height = figure.get_size_inches() * figure.dpi
    box = figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert box.x0 > -2 and box.y0 > -2 and box.x1 < width + 2 and box.y1 < height + 2


def test_a_figure_without_an_explanation_is_refused():
    with pytest.raises(ValueError, match="caption"):
        plots.canvas("title", " ")
    with pytest.raises(ValueError, match="do not match"):
        plots.images(np.zeros((2, 2, 4, 4)), ["a"], ["1", "2"], "title", "sentence")


def test_a_legend_covers_no_line():
    pyplot.close("all")
    x = np.linspace(0, 1, 50)
    full = {f"line {level}": (x, 0 * x + level) for level in range(12)}
    crowded, free = (
        plots.lines(full, "full", "a sentence", "x", "y"),
        plots.lines({"a": (x, x), "b": (x, x)}, "free", "a sentence", "x", "y"),
    )
    assert not crowded.axes[0].get_legend() and len(crowded.legends[0].get_texts()) == 12
    assert free.axes[0].get_legend() and not free.legends
    crowded.draw_without_rendering()
    assert not crowded.legends[0].get_window_extent().overlaps(crowded.axes[0].get_window_extent())


def test_powers_of_two_are_ticks_of_a_logarithmic_axis():
    pyplot.close("all")

    def ticks(xs):
        figure = plots.lines({"a": (xs, xs)}, "ticks", "a sentence", "x", "y", log_x=True)
        return [text.get_text() for text in figure.axes[0].get_xticklabels()]

    assert ticks([256, 512, 2048]) == ["256", "512", "2048"]
    assert "300" not in ticks([100, 300, 1000])
