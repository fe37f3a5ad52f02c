"""Figures that put encoders side by side: everything inside the picture, every point where its values say."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from latent.show import comparison
from latent.show.study import READERS, TITLES

GENERATOR = np.random.default_rng(0)
PLACES, LABELS = GENERATOR.normal(size=(80, 2)), torch.arange(80) % 4
CLASSES = ["plane", "car", "bird", "cat"]


def rows(**changes):
    """A study of two seeds: every title with values of its own."""
    names = ("error", *READERS)
    return {title: {name: [0.01 * n + 0.1, 0.01 * n + 0.12] for name in names} | changes for n, title in enumerate(TITLES.values())}


DRAWINGS = {
    "accuracies": lambda: comparison.accuracies(
        {"A": {"x": {"m": [1.0, 2.0], "n": [3.0]}}, "B": {"y": {"m": [4.0]}}}, "dots", "a sentence"
    ),
    "curves": lambda: comparison.curves(
        {f"run {n}": [{"curves": {"encoder": [{"epoch": 1, "train_loss": 1.0, "validation_loss": 2.0}]}}] for n in range(6)},
        "c",
        "a sentence",
    ),
    "maps": lambda: comparison.maps({name: PLACES for name in "abcd"}, LABELS, CLASSES, "maps", "a sentence"),
    "stored_and_open": lambda: comparison.stored_and_open({"A": rows(), "B": {}}, "points", "a sentence"),
    "hero": lambda: comparison.hero(rows(), {name: PLACES for name in "abcd"}, LABELS, CLASSES, "all", "a sentence"),
    "readers": lambda: comparison.readers({"A": rows(), "B": {}}, ("PCA", "contrast"), "readers", "a sentence"),
    "walks": lambda: comparison.walks(
        {q: {"w": GENERATOR.random((5, 3))} for q in ("a", "b", "c", "d")}, {"a": 0.5}, "walks", "a sentence"
    ),
}


@pytest.fixture(params=DRAWINGS, ids=str)
def figure(request):
    drawn = DRAWINGS[request.param]()
    yield drawn
    pyplot.close(drawn)


def test_a_figure_explains_itself_and_lies_inside_its_picture(figure):
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    assert figure.get_suptitle() and figure.get_label() == "a sentence"
    for panel in figure.axes:
        assert panel.get_xlabel() or not panel.get_xticklabels() or panel.get_title()
        box = panel.get_tightbbox()
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1


def test_what_stores_more_lies_to_the_right_and_whiskers_are_deviations():
    drawn = comparison.stored_and_open({"A": {"PCA": {"error": [0.1, 0.3], "linear": [40.0, 44.0]}}}, "t", "s")
    (panel,) = drawn.axes
    (container,) = panel.containers
    line, _, (across, upward) = container
    assert panel.get_xlim()[0] > panel.get_xlim()[1] and tuple(line.get_xydata()[0]) == pytest.approx((0.2, 42))
    assert np.ptp(across.get_segments()[0][:, 0]) == pytest.approx(2 * np.std([0.1, 0.3], ddof=1))
    assert np.ptp(upward.get_segments()[0][:, 1]) == pytest.approx(2 * np.std([40, 44], ddof=1))


def test_without_a_study_the_figure_says_how_to_train_it():
    (said,) = comparison.stored_and_open({"A": {}}, "t", "s").axes[0].texts
    assert said.get_text() == comparison.NO_STUDY


def test_a_map_has_one_scale_and_names_a_class_where_most_of_it_lies():
    crowd = np.concatenate([np.full((30, 2), 5.0) + 0.01 * PLACES[:30], [[-5.0, -5.0]]])
    drawn = comparison.maps({"m": crowd}, torch.zeros(31, dtype=torch.long), ["a"], "t", "s")
    panel = drawn.axes[0]
    assert panel.get_aspect() == 1 and panel.texts[0].get_position() == pytest.approx((5, 5), abs=0.1)
