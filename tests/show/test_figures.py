"""Every figure the package draws: a title, a sentence, labelled axes, a grid, and nothing outside the picture."""

import inspect
import io
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.colors import to_rgb, to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import nn

from latent import probe
from latent.data import load
from latent.models import build, parameter_count
from latent.recipes import Views, find_recipe
from latent.show import drawing, figures, plots
from latent.show.interpolation import linear


def networks(name, scale="cpu", **changes):
    """The networks of a recipe with some of its values changed, as they start, for the embedded data."""
    recipe = replace(find_recipe(name, scale), **changes)
    data = load(recipe.dataset)
    return build(recipe, data.channels, data.side, seed=0)


def record(curve):
    return {"experiment": "mnist-ae", "data": {"title": "MNIST"}, "curves": {"encoder": curve, "classifier": curve}}


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
        "random_views": figures.random_views(data, Views(shift=3), "mnist-contrastive"),
        "network": figures.network(networks("mnist-ae"), data, "mnist-ae"),
        "curves": figures.curves([record(curve)] * 2),
        "reconstructions": figures.reconstructions(shown, faint * 0.9, faint * 0.8, data),
        "interpolation": figures.interpolation(linear(faint[:2], 10), linear(faint[:2], 10), ["1", "2"]),
        "tsne_map": figures.tsne_map(points, labels, data.classes, "a map", "a sentence"),
        "tsne_row": figures.tsne_row({"a": points, "b": points, "c": points}, labels, data.classes, "maps", "a sentence"),
        "confusion": figures.confusion(data.test.labels.roll(1), data.test.labels, data, "mnist-guided"),
        "hardest": figures.hardest(torch.rand(len(data.test), 10), data, "mnist-guided"),
        "neighbours": figures.neighbours(shown, near, data, "mnist-ae"),
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
    "samples", "random_views", "network", "curves", "reconstructions", "interpolation", "tsne_map", "tsne_row",
    "confusion", "hardest", "neighbours", "importance", "slices", "lines", "bars", "heatmap", "images",
]  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    import os

    before = os.environ.get("LATENT_DATA")
    os.environ["LATENT_DATA"] = "embedded"
    with pyplot.rc_context({"figure.max_open_warning": 0}):  # all of them at once are meant
        found = drawings()
    pyplot.close("all")
    yield found
    if before is None:
        del os.environ["LATENT_DATA"]
    else:
        os.environ["LATENT_DATA"] = before


def test_the_walk_misses_no_function_that_draws():
    public = {
        name
        for module in (figures, plots)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == module.__name__ and inspect.signature(function).return_annotation is Figure
    }
    assert public == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_explains_itself(drawn, name):
    figure = drawn[name]
    assert len(figure.get_suptitle()) > 3 and len(figure.get_label()) > 8
    for axes in figure.axes:
        if not axes.axison:
            continue  # a drawing, not a plot
        if axes.get_label() == "<colorbar>":
            assert axes.get_ylabel()
        elif axes.images and not len(axes.get_xticks()):
            continue  # one image of a panel: its row and column are checked below
        else:
            assert axes.get_xlabel() and axes.get_ylabel()
            lines = axes.get_xgridlines() + axes.xaxis.get_minorticklines()
            assert any(line.get_visible() for line in lines)


@pytest.mark.parametrize("name", ["samples", "random_views", "reconstructions", "interpolation", "hardest", "neighbours", "images"])
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


def boxes(figure):
    """What stands below the boxes of a drawing, in the order in which they are drawn."""
    return [text.get_text().replace("\n", " ") for text in figure.axes[0].texts if text.get_fontsize() == drawing.CAPTION]


def words(figure):
    """What stands on the lines of a drawing, in the order in which they are drawn."""
    return [text.get_text().splitlines() for text in figure.axes[0].texts if text.get_fontsize() == drawing.WORDS]


PERCEPTRON = ["1024", "512", "10"]
FOLDED = {"folds": (4, 2), "widths": (32, 48), "decoder_folds": (4, 2), "decoder_widths": (32, 48)}


@pytest.mark.parametrize(
    ("name", "changes", "there", "back"),
    [
        ("cifar-ae", FOLDED, ["3 32×32", "32 8×8", "48 4×4"], ["48 4×4", "32 8×8", "3 32×32", *PERCEPTRON]),
        ("cifar-guided", {"widths": (16, 32, 64)}, ["3 32×32", "24 31×31", "16 15×15", "32 7×7", "64 3×3", "64 1×1"], ["10"]),
        ("mnist-contrastive", {}, ["1 28×28", "8 27×27", "32 13×13", "64 6×6", "128 3×3", "128 1×1"], ["512", "128", *PERCEPTRON]),
    ],
)
def test_a_drawing_shows_the_maps_of_every_kind_of_network(drawn, name, changes, there, back):
    built = networks(name, **changes)
    figure = figures.network(built, load("mnist" if "mnist" in name else "cifar10"), name)
    assert boxes(figure) == [*there, "128", *back]
    written = [text.get_text() for text in figure.axes[0].texts]
    assert f"encoder, {parameter_count(built['encoder']):,} parameters" in written
    figure.draw_without_rendering()
    places = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for a, b in combinations(places, 2))
    assert figure.get_figwidth() < 6.7 and figure.get_figheight() <= 2
    pyplot.close(figure)


def test_arrows_of_a_drawing_lead_from_edge_to_edge(drawn):
    drawn["network"].draw_without_rendering()  # only now an arrow knows its path
    shapes = drawn["network"].axes[0].patches
    bars = [bar for bar in shapes if isinstance(bar, Rectangle)]
    arrows = [arrow.get_path().vertices for arrow in shapes if isinstance(arrow, FancyArrowPatch)]
    left = np.array([(bar.get_x(), bar.get_y() + bar.get_height() / 2) for bar in bars])
    right = left + [(bar.get_width(), 0) for bar in bars]
    starts, tips = np.array([path[0] for path in arrows]), np.array([path[-2] for path in arrows])
    assert np.allclose(np.abs(tips[:, None] - left[1:]).sum(2).min(1), 0, atol=0.01)
    away = np.abs(starts[:, None] - right).sum(2)
    assert np.allclose(away.min(1), 0, atol=1e-3) and len(arrows) == len(bars) - 1  # all but the image are led to
    latent = next(number for number, bar in enumerate(bars) if bar.get_facecolor() == to_rgba(plots.COLOURS[2]))
    assert (away.argmin(1) == latent).sum() == 2  # decoder and classifier


STAGES = [["whitened", "2×2", "patches"], *[["conv 3×3", "max pool", "conv 3×3"]] * 3, ["max pool"], ["linear"]]


@pytest.mark.parametrize(
    ("name", "there", "back"),
    [
        (
            "mnist-ae",
            [["space-to-depth 4×4", "conv 3×3", "residual pair"], ["linear"]],
            [["linear"], ["residual pair", "conv 3×3", "depth-to-space 4×4"]],
        ),
        ("mnist-guided", STAGES, []),
        (
            "cifar-contrastive",
            [["whitened", "2×2", "patches"], *[["conv 3×3", "max pool", "conv 3×3"]] * 3, ["max pool"], ["linear"]],
            [["linear"]] * 2,
        ),
    ],
)
def test_a_drawing_says_what_the_layers_do(drawn, name, there, back):
    built = networks(name)
    figure = figures.network(built, load("mnist" if "mnist" in name else "cifar10"), name)
    perceptron = [["linear"]] * sum(isinstance(layer, nn.Linear) for layer in built["classifier"].modules())
    assert words(figure) == [*there, *back, *perceptron]
    pyplot.close(figure)


def test_what_is_hardest_comes_first_with_what_it_is_taken_for(drawn):
    data = load("mnist")
    believed = torch.full((len(data.test), 10), 0.1)
    wrong = (data.test.labels[7].item() + 1) % 10
    believed[7] = torch.eye(10)[wrong]
    figure = figures.hardest(believed, data, "mnist-guided", count=3)
    assert figure.axes[0].get_title() == f"{data.classes[data.test.labels[7]]}\nas {data.classes[wrong]}" and len(figure.axes) == 3
    pyplot.close(figure)


def test_only_neighbours_of_another_class_are_framed_and_named(drawn):
    data = load("mnist")
    shown, near = probe.subset(data.test, 5), [probe.subset(data.train, 7, n) for n in range(5)]
    assert drawn["neighbours"].get_suptitle() == f"{data.title}, autoencoder: nearest neighbours in latent space"
    for row, asked, found in zip(np.array(drawn["neighbours"].axes).reshape(5, 8), shown.labels, near):
        other = [bool(label != asked) for label in found.labels]
        assert [panel.spines["top"].get_visible() for panel in row] == [False, *other]
        named = [data.classes[label] if wrong else "" for label, wrong in zip(found.labels, other)]
        assert [panel.get_xlabel() for panel in row] == ["", *named]
        assert row[0].get_ylabel() == f"{data.classes[asked]}\n{7 - sum(other)} of 7"


def test_a_caption_of_confusions_names_the_commonest(drawn):
    data = load("mnist")
    predicted = data.test.labels.clone()
    predicted[(data.test.labels == 3).nonzero()[0]] = 8
    figure = figures.confusion(predicted, data.test.labels, data, "cifar-guided")
    share = 100 / (data.test.labels == 3).sum().item()
    assert f"{data.classes[3]} taken for {data.classes[8]}, {share:.1f} %" in figure.get_label()
    pyplot.close(figure)


def test_curves_say_where_they_end():
    ends = [{"epoch": 1, "train_loss": loss, "validation_loss": 2 * loss, "validation_accuracy": 90} for loss in (0.25, 0.5)]
    figure = figures.curves([record([end]) for end in ends])
    assert "0.3750 in training and 0.7500 in validation" in figure.get_label() and figure.get_suptitle().startswith("MNIST, autoencoder")
    pyplot.close(figure)


@pytest.mark.parametrize("ends", [(5.4, 0.93), (0.65, 0.51), (0.055, 0.0076), (0.5, 0.4999)])
def test_a_logarithmic_loss_has_ticks_in_plain_numbers_and_labels_within_their_axes(drawn, ends):
    curve = [{"epoch": n, "train_loss": loss, "validation_loss": loss, "validation_accuracy": 90 + n} for n, loss in enumerate(ends)]
    figure = figures.curves([record(curve)])
    figure.draw_without_rendering()
    for panel in figure.axes:
        assert panel.yaxis.label.get_window_extent().height <= panel.bbox.height
    panel = figure.axes[0]
    low, high = panel.get_ylim()
    shown = [text for text in panel.get_yticklabels() if low <= text.get_position()[1] <= high]
    assert panel.get_yscale() == "log" and len(shown) > 1
    assert all(float(text.get_text()) == pytest.approx(text.get_position()[1], rel=1e-3) for text in shown)
    pyplot.close(figure)


def test_reconstructions_stand_beside_those_of_pca(drawn):
    data = load("mnist")
    shown = probe.subset(data.test, 2)
    exact = shown.images.float() / 255
    figure = figures.reconstructions(shown, exact, exact * 0, data)
    assert figure.axes[0].get_title().splitlines()[1:] == ["0.0000", f"{exact[0].mean():.4f}"]
    figure.draw_without_rendering()
    (said,), title = figure.axes[0].texts, figure.axes[0].title
    assert len(said.get_text().splitlines()) == 2
    assert said.get_window_extent().y0 == pytest.approx(title.get_window_extent().y0, abs=3)
    assert said.get_window_extent().x1 < title.get_window_extent().x0
    pyplot.close(figure)


def test_a_figure_without_an_explanation_is_refused():
    with pytest.raises(ValueError, match="caption"):
        plots.canvas("title", " ")
    with pytest.raises(ValueError, match="do not match"):
        plots.images(np.zeros((2, 2, 4, 4)), ["a"], ["1", "2"], "title", "sentence")


def test_colours_of_classes_are_ten_and_far_apart():
    shades = np.array([to_rgb(colour) for colour in plots.CLASS_COLOURS])
    assert len(shades) == 10 and min(np.abs(a - b).sum() for a, b in combinations(shades, 2)) > 0.5


def test_a_map_covers_no_class_with_another():
    _, axes = plots.canvas("map", "a sentence")
    figures.scatter(axes[0, 0], np.zeros((6, 2)), torch.tensor([2, 0, 1, 2, 0, 1]), ["a", "b", "c"])
    drawn = axes[0, 0].collections[0].get_facecolor()
    assert np.allclose(drawn, to_rgba_array([plots.CLASS_COLOURS[n] for n in (2, 0, 1, 2, 0, 1)]))
    assert axes[0, 0].get_legend_handles_labels()[1] == ["a", "b", "c"]


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
