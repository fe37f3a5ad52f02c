"""Figures that put encoders beside one another: their maps, the walks between images, and the controlled comparison."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from torch import Tensor

from latent.show.figures import scatter
from latent.show.plots import COLOURS, canvas, in_doublings, label, mosaic
from latent.show.study import READERS, Rows
from latent.show.tables import WAYS

_STYLES = {  # of a row of the study, in every figure: objective by colour, views by the marker
    "untrained": (COLOURS[7], "D"),
    "PCA": (COLOURS[8], "s"),
    "autoencoder": (COLOURS[0], "o"),
    "autoencoder, views": (COLOURS[0], "^"),
    "contrast, weak": (COLOURS[4], "v"),
    "contrast": (COLOURS[4], "o"),
    "guided": (COLOURS[2], "o"),
    "guided, strong": (COLOURS[2], "^"),
    "contrast, labels": (COLOURS[1], "o"),
}
Place = tuple[float, float, str, str]  # of a name: distance from its point, in points of type, and which of its edges lies there
_ON: list[Place] = [(x, y, "center", "center") for far in (0, 5, 9, 14, 20) for x, y in ((0, far), (0, -far), (far, 0), (-far, 0))]
_BESIDE: list[Place] = [
    (far * x, far * y, ("center", "left", "right")[x], ("center", "bottom", "top")[y])
    for far in (6, 9, 13, 20, 28)
    for x, y in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1))
]
_WAYS = (  # of walks
    (COLOURS[0], {"linewidth": 1.5, "marker": "o", "markersize": 3.5}),
    (COLOURS[4], {"linewidth": 1, "marker": "^", "markersize": 3.5, "linestyle": "--"}),
    (COLOURS[2], {"linewidth": 1, "marker": "s", "markersize": 3}),
)
_LENGTHS = dict(zip(WAYS.values(), (COLOURS[0], COLOURS[2], COLOURS[4], COLOURS[1])))
NO_STUDY = "not trained on this data:\nlatent train-all --recipe study"


def maps(points: Mapping[str, np.ndarray], labels: Tensor, classes: Sequence[str], title: str, caption: str) -> Figure:
    """t-SNE maps (N, 2) of the same images, two in a row, coloured by class, each class named where it is densest."""
    rows = -(-len(points) // 2)
    figure, axes = canvas(title, caption, columns=2, rows=rows, size=(6.6, 0.5 + 2.05 * rows))
    for panel, (name, places) in zip(axes.flat, points.items()):
        _map(panel, places, labels, classes, size=5)
        label(panel, "t-SNE dimension 1", "t-SNE dimension 2", name)
        panel.tick_params(length=0)
        for text, size in ((panel.title, 10), (panel.xaxis.label, 8), (panel.yaxis.label, 8)):
            text.set_size(size)
    _legend(figure, 1, fontsize=8, markerscale=3, handletextpad=0.1, loc="outside right center")
    figure.draw_without_rendering()  # only now it is known where everything stands
    for panel, places in zip(axes.flat, points.values()):
        _name_classes(panel, places, labels, classes, fontsize=7)
    return figure


def _map(axes: Axes, places: np.ndarray, labels: Tensor, classes: Sequence[str], size: float) -> None:
    """One map on `axes`: both axes of one scale, since distances on it are compared; no tick labels, since they mean nothing."""
    scatter(axes, places, labels, classes, size)
    axes.set(xticklabels=[], yticklabels=[], xmargin=0.04, ymargin=0.04)
    axes.set_aspect("equal", adjustable="datalim")  # the frame stays as large as it is


def _name_classes(axes: Axes, places: np.ndarray, labels: Tensor, classes: Sequence[str], fontsize: float) -> None:
    """Name a class where it is densest, or beside that where names of purer ones lie, if most of what lies there is of that class."""
    found = [(*_densest(places, (labels == number).cpu().numpy()), str(name)) for number, name in enumerate(classes)]
    outline, taken = [patheffects.withStroke(linewidth=2, foreground="white")], []
    for center, purity, name in sorted(found, key=lambda one: -one[1]):
        if purity > 0.5:
            taken += _write(axes, name, center, _ON, taken, fontsize=fontsize, path_effects=outline)


def _write(axes: Axes, name: str, point: Sequence[float], tried: Sequence[Place], taken: Sequence[Bbox], **style) -> list[Bbox]:
    """A name at the first of the `tried` places around `point` where it is on the axes and on nothing `taken`: what it covers.

    Where there is no such place nothing is written, and the list is empty.
    """
    text, inside = axes.annotate(name, point, (0, 0), textcoords="offset points", **style), axes.get_window_extent()
    for x, y, across, upward in tried:
        text.set(position=(x, y), ha=across, va=upward)
        box = text.get_window_extent()
        if (box.min >= inside.min).all() and (box.max <= inside.max).all() and not any(box.overlaps(other) for other in taken):
            return [box]
    text.remove()
    return []


def _densest(places: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, float]:
    """The point (2,) among the chosen of `places` (N, 2) around which most of them lie, and their share of all that lies around it."""
    if not chosen.any():
        return places[0], 0.0
    width = np.ptp(places, axis=0).max() / 15 + 1e-9
    near = np.exp(-((np.linalg.norm(places[chosen][:, None] - places[None], axis=2) / width) ** 2))  # (chosen, N)
    best = near[:, chosen].sum(1).argmax()
    return places[chosen][best], near[best, chosen].sum() / near[best].sum()


def stored_and_open(panels: Mapping[str, Rows], nothing: Mapping[str, float], title: str, caption: str) -> Figure:
    """Every row of the study as a point: what its latents store, rightwards, against what they lay open, upwards; a panel a dataset.

    nothing[dataset]: the error of the best constant image, a dotted line.
    """
    figure, axes = canvas(title, caption, columns=len(panels), size=(6.5, 2.5))
    for panel, (name, rows) in zip(axes[0], panels.items()):
        _points(panel, rows, nothing[name])
        panel.set_title(name)
    _legend(figure, 5, fontsize=8)
    return figure


def hero(
    rows: Rows, nothing: float, points: Mapping[str, np.ndarray], labels: Tensor, classes: Sequence[str], title: str, caption: str
) -> Figure:
    """The whole in one picture: the points of `stored_and_open` of one dataset, named, and beside them four t-SNE maps."""
    figure, axes = mosaic(title, caption, [["points", "points", "a", "b"], ["points", "points", "c", "d"]], size=(6.5, 3.9))
    _points(axes["points"], rows, nothing)
    for panel, (name, places) in zip((axes[key] for key in "abcd"), points.items()):
        _map(panel, places, labels, classes, size=3)
        label(panel, "t-SNE 1", "t-SNE 2", name)
        panel.tick_params(length=0)
        for text, size in ((panel.title, 9), (panel.xaxis.label, 7), (panel.yaxis.label, 7)):
            text.set_size(size)
    handles = axes["a"].get_legend_handles_labels()
    style = {"fontsize": 7.5, "markerscale": 3, "handletextpad": 0, "columnspacing": 0.6, "frameon": False}
    figure.legend(*handles, loc="outside lower right", ncols=-(-len(classes) // 2), **style)  # below the maps alone
    figure.draw_without_rendering()  # only now it is known where everything stands
    _name_rows(axes["points"], rows)
    return figure


def _points(axes: Axes, rows: Rows, nothing: float) -> None:
    """The rows of a study on `axes`, whiskers of one standard deviation; a dotted line at the error of knowing nothing."""
    for name, measures in rows.items():
        error, linear = (np.asarray(measures[key], dtype=float) for key in ("error", "linear"))
        colour, marker = _STYLES[name]
        axes.errorbar(
            error.mean(),
            linear.mean(),
            _deviation(linear),
            _deviation(error),
            fmt=marker,
            color=colour,
            markersize=6,
            capsize=2,
            label=name,
        )
    if rows:
        axes.invert_xaxis()
        axes.margins(0.26, 0.12)
        axes.axvline(nothing, color="grey", linestyle=":", linewidth=1)
    else:
        axes.text(0.5, 0.5, NO_STUDY, ha="center", va="center", transform=axes.transAxes)
    label(axes, "stored: error of a decoder (better →)", "laid open: linear probe (%)")
    axes.xaxis.label.set_size(9), axes.yaxis.label.set_size(9)


def _name_rows(axes: Axes, rows: Rows) -> None:
    """Write the name of each row of a study beside its point on `axes`, nearer to no other point and on no other name."""
    middle = {name: (np.mean(measures["error"]), np.mean(measures["linear"])) for name, measures in rows.items()}
    near = 7 * axes.figure.dpi / 72
    around = {name: Bbox(np.add(axes.transData.transform(point), [[-near], [near]])) for name, point in middle.items()}
    taken: list[Bbox] = []
    for name, point in middle.items():
        others = [*taken, *(box for other, box in around.items() if other != name)]
        written = _write(axes, fill(name, 16), point, _BESIDE, others, fontsize=7.5, color=_STYLES[name][0], linespacing=1.0)
        taken += [box.padded(near / 2) for box in written]  # names stand apart


def readers(panels: Mapping[str, Rows], shown: Sequence[str], title: str, caption: str) -> Figure:
    """Accuracy by readers of growing power, a marker a row of the study, a panel a dataset."""
    figure, axes = canvas(title, caption, columns=len(panels), size=(6.5, 3.0))
    for panel, (name, rows) in zip(axes[0], panels.items()):
        for number, row in enumerate(row for row in shown if row in rows):
            values = np.asarray([rows[row][reader] for reader in READERS], dtype=float)  # (readers, seeds)
            places = np.arange(len(READERS)) + 0.13 * (number - (len(shown) - 1) / 2)  # beside one another
            style = dict(zip(("color", "marker"), _STYLES[row])) | {"linestyle": "", "markersize": 5, "capsize": 2}
            panel.errorbar(places, values.mean(1), _deviation(values), label=row, **style)
        panel.set_xticks(range(len(READERS)), [name.replace(" + ", "\n+ ") for name in READERS.values()])
        panel.margins(y=0.1)
        label(panel, "reader of the frozen latent", "accuracy (%)", name)
    _legend(figure, 5, fontsize=8)
    return figure


def lengths(panels: Mapping[tuple[str, str], Mapping[str, Mapping[int, Sequence[float]]]], title: str, caption: str) -> Figure:
    """What trainings of different lengths reach: panels[name, quantity][way][epochs] are the values of the seeds trained as long."""
    figure, axes = canvas(title, caption, columns=len(panels), size=(7.0, 2.3))
    for panel, ((name, quantity), ways) in zip(axes[0], panels.items()):
        for way, found in ways.items():
            epochs, values = zip(*sorted(found.items()))
            means = [np.mean(seeds) for seeds in values]
            panel.plot(epochs, means, color=_LENGTHS[way], marker="o", markersize=4, linewidth=1.2, label=way)
            for place, mean, seeds in zip(epochs, means, values):
                if len(seeds) > 1:  # the recipe
                    panel.errorbar(place, mean, _deviation(np.asarray(seeds)), color=_LENGTHS[way], marker="D", markersize=6, capsize=3)
        in_doublings(panel)
        panel.margins(0.15)
        label(panel, "epochs", quantity, name)
    _legend(figure, 4, fontsize=8)
    return figure


def _deviation(values: np.ndarray) -> np.ndarray | None:
    """Standard deviation over seeds, of values (…, seeds); none, and so no whisker, of a single one."""
    return values.std(-1, ddof=1) if values.shape[-1] > 1 else None


def _legend(figure: Figure, columns: int, loc: str = "outside lower center", **style) -> None:
    """One legend for all panels of a figure, each name once, without whiskers."""
    found = {}
    for panel in figure.axes:
        for handle, name in zip(*panel.get_legend_handles_labels()):
            found.setdefault(name, handle[0] if isinstance(handle, ErrorbarContainer) else handle)
    figure.legend(found.values(), found.keys(), loc=loc, frameon=False, ncols=columns, **style)


def walks(measured: Mapping[str, Mapping[str, np.ndarray]], real: Mapping[str, float], title: str, caption: str) -> Figure:
    """Walks between many pairs: measured[quantity][way] is (pairs, steps), drawn as median and middle half. real: medians of images."""
    figure, axes = canvas(title, caption, columns=2, rows=-(-len(measured) // 2), size=(6.5, 0.55 + 1.4 * -(-len(measured) // 2)))
    for panel, (quantity, ways) in zip(axes.flat, measured.items()):
        for aside, (way, values), (colour, style) in zip((-0.015, 0, 0.015), ways.items(), _WAYS):
            low, middle, high = np.percentile(values, (25, 50, 75), axis=0)
            weights = np.linspace(0, 1, values.shape[1]) + aside  # so that no whisker covers another
            panel.errorbar(weights, middle, (middle - low, high - middle), color=colour, label=way, elinewidth=0.8, **style)
        if quantity in real:
            panel.axhline(real[quantity], color="black", linestyle=":", linewidth=1, label="real test images (median)")
        label(panel, "weight of the second image", quantity)
        panel.yaxis.set_major_locator(MaxNLocator(4))
        panel.xaxis.label.set_size(8), panel.yaxis.label.set_size(7)
    _legend(figure, 2, fontsize=8)
    return figure
