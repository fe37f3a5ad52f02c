"""Figures that put encoders side by side: everything inside the picture, every point where its values say."""

from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.lines import Line2D

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
    "maps": lambda: comparison.maps({name: PLACES for name in "abcd"}, LABELS, CLASSES, "maps", "a sentence"),
    "stored_and_open": lambda: comparison.stored_and_open({"A": rows(), "B": {}}, {"A": 0.2, "B": 0.1}, "points", "a sentence"),
    "hero": lambda: comparison.hero(rows(), 0.2, {name: PLACES for name in "abcd"}, LABELS, CLASSES, "all", "a sentence"),
    "readers": lambda: comparison.readers({"A": rows(), "B": {}}, ("PCA", "contrast"), "readers", "a sentence"),
    "lengths": lambda: comparison.lengths(
        {("A", "%"): {"contrast": {4: [68.0], 32: [77.0, 76.0]}}, ("B", "error"): {"autoencoder": {16: [0.04]}}}, "lengths", "a sentence"
    ),
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
    drawn = comparison.stored_and_open({"A": {"PCA": {"error": [0.1, 0.3], "linear": [40.0, 44.0]}}}, {"A": 0.35}, "t", "s")
    (panel,) = drawn.axes
    (container,) = panel.containers
    line, _, (across, upward) = container
    assert panel.get_xlim()[0] > panel.get_xlim()[1] and tuple(line.get_xydata()[0]) == pytest.approx((0.2, 42))
    assert panel.lines[-1].get_xdata()[0] == 0.35 < panel.get_xlim()[0]  # of knowing nothing
    assert np.ptp(across.get_segments()[0][:, 0]) == pytest.approx(2 * np.std([0.1, 0.3], ddof=1))
    assert np.ptp(upward.get_segments()[0][:, 1]) == pytest.approx(2 * np.std([40, 44], ddof=1))


def test_without_a_study_the_figure_says_how_to_train_it():
    (said,) = comparison.stored_and_open({"A": {}}, {"A": 0.2}, "t", "s").axes[0].texts
    assert said.get_text() == comparison.NO_STUDY


def test_a_map_has_one_scale_and_names_a_class_where_most_of_it_lies():
    crowd = np.concatenate([np.full((30, 2), 5.0) + 0.01 * PLACES[:30], [[-5.0, -5.0]]])
    drawn = comparison.maps({"m": crowd}, torch.zeros(31, dtype=torch.long), ["a"], "t", "s")
    panel = drawn.axes[0]
    across, upward = (np.ptp(limits()) for limits in (panel.get_xlim, panel.get_ylim))
    assert across / panel.bbox.width == pytest.approx(upward / panel.bbox.height, rel=1e-3)
    assert panel.get_aspect() == 1 and panel.texts[0].xy == pytest.approx((5, 5), abs=0.1)


def overlapping(panel):
    """Pairs of names on a panel of which one covers the other."""
    boxes = {text.get_text(): text.get_window_extent() for text in panel.texts}
    return [(a, b) for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]


def test_names_of_a_map_lie_on_it_and_not_on_one_another():
    places = np.concatenate([GENERATOR.normal(size=(20, 2)) + center for center in ((0, 0), (2, 0), (4, 3), (30, 30))])
    labels = torch.arange(4).repeat_interleave(20)
    names = ["a long name", "another long name", "third", "fourth"]
    drawn = comparison.maps({name: places for name in "abc"}, labels, names, "t", "s")
    drawn.draw_without_rendering()
    for panel in drawn.axes:
        assert not overlapping(panel)
        assert all(panel.bbox.containsx(x) for text in panel.texts for x in text.get_window_extent().intervalx)
    assert "fourth" in [text.get_text() for text in drawn.axes[0].texts]
    pyplot.close(drawn)


def test_names_beside_points_are_all_there_and_not_on_one_another():
    drawn = comparison.hero(rows(), 0.2, {name: PLACES for name in "abcd"}, LABELS, CLASSES, "all", "s")
    panel = drawn.axes[0]
    drawn.draw_without_rendering()
    assert sorted(text.get_text().replace("\n", " ") for text in panel.texts) == sorted(TITLES.values()) and not overlapping(panel)
    pyplot.close(drawn)


def test_one_legend_names_every_class_of_the_maps():
    drawn = comparison.maps({name: PLACES for name in "abcd"}, LABELS, CLASSES, "maps", "a sentence")
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == CLASSES and len(drawn.axes) == 4
    first, second, third, fourth = (axes.get_window_extent() for axes in drawn.axes)
    assert first.x1 < second.x0 and third.y1 < first.y0 and second.y0 == pytest.approx(first.y0)
    assert (first.x0, second.x0) == pytest.approx((third.x0, fourth.x0)) and first.width > 1.2 * first.height
    assert max(box.x1 for box in (second, fourth)) < legend.get_window_extent().x0
    pyplot.close(drawn)


def test_whiskers_of_walks_that_coincide_stand_beside_one_another_and_hold_the_middle_half():
    same = {way: np.arange(5.0)[:, None] * np.ones(3) for way in ("line", "arc", "pixels")}
    drawn = comparison.walks({"a": same}, {}, "walks", "a sentence")
    whiskers = [container[2][0].get_segments() for container in drawn.axes[0].containers]
    assert len({segment[0, 0] for segments in whiskers for segment in segments}) == 3 * 3
    assert all(segment[:, 1].tolist() == [1, 3] for segments in whiskers for segment in segments)
    pyplot.close(drawn)


def test_a_length_has_the_mean_of_its_seeds_and_their_deviation_for_a_whisker():
    drawn = comparison.lengths({("a", "%"): {"contrast": {32: [77.0, 75.0], 4: [68.0]}}}, "lengths", "a sentence")
    (recipe, _, (upward,)), line = drawn.axes[0].containers[0], drawn.axes[0].get_lines()[0]
    assert line.get_xydata().tolist() == [[4, 68], [32, 76]] and recipe.get_xydata().tolist() == [[32, 76]]
    assert [np.ptp(segment[:, 1]) for segment in upward.get_segments()] == pytest.approx([2 * np.std([77, 75], ddof=1)])
    pyplot.close(drawn)


def test_whiskers_of_readers_stand_beside_one_another_and_not_in_the_legend():
    drawn = comparison.readers({"A": rows(), "B": {}}, ("PCA", "contrast"), "readers", "a sentence")
    first, second = (container[0].get_xdata() for container in drawn.axes[0].containers)
    assert np.abs(first - second).min() > 0.05 and np.abs(first - np.arange(len(READERS))).max() < 0.3
    assert all(isinstance(handle, Line2D) for handle in drawn.legends[0].legend_handles)
    pyplot.close(drawn)
