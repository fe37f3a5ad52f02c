"""Figures that put encoders beside one another: their results, their training, their maps, and the controlled comparison."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import patheffects, pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from latent.show.figures import losses, scatter
from latent.show.plots import COLOURS, STYLE, canvas, label
from latent.show.study import READERS, Rows
from latent.store import results

_STYLES = {  # of a row of the study, in every figure: objective by colour, views by the marker
    "untrained": (COLOURS[7], "D"),
    "PCA": (COLOURS[8], "s"),
    "autoencoder": (COLOURS[0], "o"),
    "autoencoder shown views": (COLOURS[0], "^"),
    "contrast, weak views": (COLOURS[4], "v"),
    "contrast": (COLOURS[4], "o"),
    "guided": (COLOURS[2], "o"),
    "guided, contrast's views": (COLOURS[2], "^"),
    "contrast with labels": (COLOURS[1], "o"),
}
_ASIDE = {  # where a name stands beside its point, in points of type, if not above it: others are near
    "PCA": (0, -13, "center"),
    "untrained": (0, -13, "center"),
    "autoencoder shown views": (-5, 7, "left"),
    "guided, contrast's views": (2, -13, "left"),
    "contrast with labels": (7, -1, "left"),
}
NO_STUDY = "not trained on this data:\nlatent train-all --recipe study"


def measured(dataset: str, kinds: Mapping[str, str], measures: Mapping[str, str]) -> dict[str, dict[str, list[float]]]:
    """What is stored of a dataset's experiments: title → measure in words → a value for each seed; `kinds`, `measures`: as named."""
    return {
        title: {said: [record["measures"][key] for record in results.read(f"{dataset}-{kind}")] for said, key in measures.items()}
        for kind, title in kinds.items()
    }


def accuracies(panels: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], title: str, caption: str) -> Figure:
    """Accuracies as dots with whiskers, a panel a dataset: panels[dataset][experiment][measure] holds a value for each seed."""
    figure, axes = canvas(title, caption, columns=len(panels), size=(6.5, 2.3))
    for panel, (name, rows) in zip(axes[0], panels.items()):
        for number, measure in enumerate(next(iter(rows.values()))):
            values = [np.asarray(row[measure], dtype=float) for row in rows.values()]
            spread = [_deviation(v) or 0 for v in values]
            places = np.arange(len(rows)) + 0.18 * (number - 1)
            style = {"fmt": "os^D"[number], "color": COLOURS[(2, 0, 4)[number]], "markersize": 4, "capsize": 2}
            panel.errorbar([v.mean() for v in values], places, xerr=spread, label=measure, **style)
        panel.set_yticks(range(len(rows)), list(rows), fontsize=9)
        panel.invert_yaxis()
        label(panel, "accuracy (%)", "", name)
    _legend(figure, 4)
    return figure


def curves(records: Mapping[str, Sequence[dict]], title: str, caption: str) -> Figure:
    """The loss of every encoder on training and validation images by epoch, a panel an experiment, a line a seed."""
    figure, axes = canvas(title, caption, columns=3, rows=-(-len(records) // 3), size=(6.5, 0.5 + 1.6 * -(-len(records) // 3)))
    for panel, (name, seeds) in zip(axes.flat, records.items()):
        losses(panel, seeds)
        panel.tick_params(labelsize=8)
        label(panel, "epoch", "loss", name)
        panel.title.set_size(9)
    _legend(figure, 2)
    return figure


def maps(points: Mapping[str, np.ndarray], labels: Tensor, classes: Sequence[str], title: str, caption: str) -> Figure:
    """t-SNE maps (N, 2) of the same images side by side, coloured by class, each class named where it is densest."""
    figure, axes = canvas(title, caption, columns=len(points), size=(6.5, 2.3))
    for panel, (name, places) in zip(axes[0], points.items()):
        _map(panel, places, labels, classes)
        label(panel, "t-SNE dimension 1", "t-SNE dimension 2" if panel is axes[0, 0] else "", name)
        panel.xaxis.label.set_size(8), panel.yaxis.label.set_size(8)
    return figure


def _map(axes: Axes, places: np.ndarray, labels: Tensor, classes: Sequence[str]) -> None:
    """One map on `axes`: both axes of one scale, since distances on it are compared; no tick labels, since they mean nothing.

    A class is named where it is densest, if most of what lies there is of that class.
    """
    scatter(axes, places, labels, classes)
    for number, name in enumerate(classes):
        center, purity = _densest(places, (labels == number).cpu().numpy())
        if purity > 0.5:
            outline = [patheffects.withStroke(linewidth=2, foreground="white")]
            axes.text(*center, str(name), fontsize=6.5, ha="center", va="center", path_effects=outline)
    axes.set(xticklabels=[], yticklabels=[], aspect="equal")
    axes.set_adjustable("datalim")


def _densest(places: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, float]:
    """The point (2,) among the chosen of `places` (N, 2) around which most of them lie, and their share of all that lies around it."""
    if not chosen.any():
        return places[0], 0.0
    width = np.ptp(places, axis=0).max() / 15 + 1e-9
    near = np.exp(-((np.linalg.norm(places[chosen][:, None] - places[None], axis=2) / width) ** 2))  # (chosen, N)
    best = near[:, chosen].sum(1).argmax()
    return places[chosen][best], near[best, chosen].sum() / near[best].sum()


def stored_and_open(panels: Mapping[str, Rows], title: str, caption: str) -> Figure:
    """Every row of the study as a point: what its latents store, rightwards, against what they lay open, upwards; a panel a dataset."""
    figure, axes = canvas(title, caption, columns=len(panels), size=(6.5, 3.0))
    for panel, (name, rows) in zip(axes[0], panels.items()):
        _points(panel, rows)
        panel.set_title(name)
    _legend(figure, 3, fontsize=8)
    return figure


def hero(rows: Rows, points: Mapping[str, np.ndarray], labels: Tensor, classes: Sequence[str], title: str, caption: str) -> Figure:
    """The whole in one picture: the points of `stored_and_open` of one dataset, named, and beside them four t-SNE maps."""
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplot_mosaic([["points", "points", "a", "b"], ["points", "points", "c", "d"]], figsize=(6.5, 3.9))
    figure.suptitle(title, fontsize=12)
    figure.set_label(caption)
    _points(axes["points"], rows, named=True)
    for panel, (name, places) in zip((axes[key] for key in "abcd"), points.items()):
        _map(panel, places, labels, classes)
        panel.set_title(name, fontsize=9)
        panel.set(xticks=[], yticks=[])
    return figure


def _points(axes: Axes, rows: Rows, named: bool = False) -> None:
    """The rows of a study on `axes`, whiskers of one standard deviation; `named`: each beside its point."""
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
        if named:
            place, (*aside, align) = (error.mean(), linear.mean()), _ASIDE.get(name, (0, 7, "center"))
            axes.annotate(name, place, aside, textcoords="offset points", fontsize=7.5, ha=align, color=colour)
    if rows:
        axes.invert_xaxis()
        axes.margins(0.16, 0.12)
    else:
        axes.text(0.5, 0.5, NO_STUDY, ha="center", va="center", transform=axes.transAxes)
    label(axes, "stored: error of a decoder (better →)", "laid open: linear probe (%)")
    axes.xaxis.label.set_size(9), axes.yaxis.label.set_size(9)


def readers(panels: Mapping[str, Rows], shown: Sequence[str], title: str, caption: str) -> Figure:
    """Accuracy by readers of growing power, a line a row of the study, a panel a dataset."""
    figure, axes = canvas(title, caption, columns=len(panels), size=(6.5, 2.6))
    for panel, (name, rows) in zip(axes[0], panels.items()):
        for row in (row for row in shown if row in rows):
            values = np.asarray([rows[row][reader] for reader in READERS], dtype=float)  # (readers, seeds)
            spread = _deviation(values)
            colour, marker = _STYLES[row]
            panel.errorbar(range(len(READERS)), values.mean(1), spread, color=colour, marker=marker, markersize=4, capsize=2, label=row)
        panel.set_xticks(range(len(READERS)), list(READERS.values()))
        label(panel, "reader of the frozen latent", "accuracy (%)", name)
    _legend(figure, 3, fontsize=8)
    return figure


def _deviation(values: np.ndarray) -> np.ndarray | None:
    """Standard deviation over seeds, of values (…, seeds); none, and so no whisker, of a single one."""
    return values.std(-1, ddof=1) if values.shape[-1] > 1 else None


def _legend(figure: Figure, columns: int, **style) -> None:
    """One legend below all panels of a figure, each name once."""
    found = {}
    for panel in figure.axes:
        found |= {name: handle for handle, name in zip(*panel.get_legend_handles_labels()) if name not in found}
    figure.legend(found.values(), found.keys(), loc="outside lower center", frameon=False, ncols=columns, **style)


def walks(measured: Mapping[str, Mapping[str, np.ndarray]], real: Mapping[str, float], title: str, caption: str) -> Figure:
    """Walks between many pairs: measured[quantity][way] is (pairs, steps), drawn as median and middle half. real: medians of images."""
    figure, axes = canvas(title, caption, columns=2, rows=-(-len(measured) // 2), size=(6.5, 0.7 + 1.5 * -(-len(measured) // 2)))
    for panel, (quantity, ways) in zip(axes.flat, measured.items()):
        for number, (way, values) in enumerate(ways.items()):
            weights, (low, middle, high) = np.linspace(0, 1, values.shape[1]), np.percentile(values, (25, 50, 75), axis=0)
            panel.plot(weights, middle, color=COLOURS[(0, 4, 2)[number]], marker="o^s"[number], markersize=3, label=way)
            panel.fill_between(weights, low, high, color=COLOURS[(0, 4, 2)[number]], alpha=0.15, linewidth=0)
        if quantity in real:
            panel.axhline(real[quantity], color="black", linestyle=":", label="real test images (median)")
        label(panel, "weight of the second image", quantity)
        panel.xaxis.label.set_size(8), panel.yaxis.label.set_size(8)
    _legend(figure, 2)
    return figure
