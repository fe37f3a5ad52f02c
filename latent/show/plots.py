"""Plots in one style. Each function returns a `matplotlib.figure.Figure` with a title, axis labels and a grid
(image panels: labelled rows and columns), and carries the sentence that explains it as the figure's label."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.path import Path
from matplotlib.ticker import StrMethodFormatter

# Ten colours that people with colour-blindness tell apart in print and on a screen (Petroff 2021, ten-colour cycle).
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
# Of ten classes' points, side by side on white: as unlike as ten colours are to most eyes and to those that lack red or green
# (least distance in OKLab over pairs 0.23, and 0.12 in the simulation of Machado et al. 2009; of COLOURS 0.09 and 0.06).
CLASS_COLOURS = ("#4a9cf0", "#e0a000", "#7a1438", "#e8207f", "#ffb3e6", "#8cff1a", "#0b7d1f", "#9333ff", "#1a1f9c", "#808080")
STYLE = {
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "axes.titlesize": 11, "axes.labelsize": 10, "legend.fontsize": 9, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "axes.spines.top": False, "axes.spines.right": False, "grid.alpha": 0.3, "legend.frameon": False,
    "figure.constrained_layout.use": True,
}  # fmt: skip


def canvas(title: str, caption: str, columns: int = 1, rows: int = 1, size: tuple[float, float] = (7.0, 3.6)) -> tuple[Figure, np.ndarray]:
    """An empty figure in the house style and its axes, shape (rows, columns).

    The axes still need their labels: `label` sets them. Raises ValueError on an empty title or caption.
    """
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
    return _explained(figure, title, caption), axes


def mosaic(title: str, caption: str, layout: Sequence[Sequence[str]], size: tuple[float, float]) -> tuple[Figure, dict[str, Axes]]:
    """`canvas` with axes of several sizes: `layout` names for each place in a grid the axes that cover it."""
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplot_mosaic(layout, figsize=size)
    return _explained(figure, title, caption), axes


def _explained(figure: Figure, title: str, caption: str) -> Figure:
    if not title.strip() or not caption.strip():
        pyplot.close(figure)
        raise ValueError("a figure needs a title and a caption that explains it")
    figure.suptitle(title, fontsize=12)
    figure.set_label(caption)
    return figure


def label(axes: Axes, x: str, y: str, title: str = "") -> Axes:
    """Name both axes (with units), the panel if `title` is given, and switch the grid on."""
    axes.set(xlabel=x, ylabel=y)
    if title:
        axes.set_title(title)
    axes.grid(True)
    axes.set_axisbelow(True)
    return axes


def lines(
    series: Mapping[str, tuple[Sequence, Sequence]],
    title: str,
    caption: str,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    size: tuple[float, float] = (7.0, 3.6),
) -> Figure:
    """One line per entry of `series`: name → (xs, ys) or (xs, ys, error bars).

    A logarithmic axis of x counts in twos where all xs are powers of two. The legend stands below where it would cover a line.
    """
    figure, axes = canvas(title, caption, size=size)
    for name, (xs, ys, *bars) in series.items():
        axes[0, 0].errorbar(
            xs, ys, yerr=bars[0] if bars else None, label=name, marker="o" if len(xs) <= 30 else None, markersize=4, capsize=3
        )
    axes[0, 0].set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    if log_x:
        count_in_twos(axes[0, 0], np.concatenate([np.asarray(xs, dtype=float) for xs, *_ in series.values()]))
    label(axes[0, 0], x, y)
    if len(series) > 1:
        legend(axes[0, 0])
    return figure


def in_doublings(axes: Axes) -> None:
    """A logarithmic x axis of `axes` with a tick at each doubling, in plain numbers; what is drawn need not lie on them."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def count_in_twos(axes: Axes, xs: np.ndarray) -> None:
    """Ticks 256, 512, 1024 … on the logarithmic x axis of `axes`, where all `xs` are powers of two."""
    powers = np.log2(xs[xs > 0])
    if len(powers) == len(xs) and np.array_equal(powers, powers.round()):
        axes.set_xscale("log", base=2)
        axes.set_xticks([2.0**power for power in np.unique(powers)], [f"{2.0**power:g}" for power in np.unique(powers)])
        axes.minorticks_off()


def legend(axes: Axes) -> Legend:
    """The legend of `axes` in the emptiest corner; where even that covers a line, below the axes instead."""
    figure, inside = axes.figure, axes.legend()
    figure.draw_without_rendering()  # only now it is known where everything stands
    box = inside.get_window_extent()
    curves = [line.get_transform().transform(line.get_xydata()) for line in axes.get_lines() if len(line.get_xydata())]
    if not any(Path(curve).intersects_bbox(box, filled=False) for curve in curves):
        return inside
    names = inside.get_texts()
    inside.remove()
    with pyplot.rc_context(STYLE):
        return figure.legend(loc="outside lower center", ncols=2 if max(len(name.get_text()) for name in names) > 24 else 3)


def bars(values: Mapping[str, float], title: str, caption: str, x: str, y: str) -> Figure:
    """One vertical bar per entry of `values`, its value written above it."""
    figure, axes = canvas(title, caption)
    drawn = axes[0, 0].bar(list(values), list(values.values()), width=0.6)
    axes[0, 0].bar_label(drawn, fmt="%.3g", fontsize=9)
    label(axes[0, 0], x, y)
    return figure


def heatmap(
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    caption: str,
    x: str,
    y: str,
    scale: str,
    limits: tuple[float | None, float | None] = (None, None),
) -> Figure:
    """A matrix as grey levels, rows and columns named; `scale` names the quantity.

    limits: what is black and what is white; the matrix's least and greatest value where not given.
    """
    height, width = np.shape(matrix)
    figure, axes = canvas(title, caption, size=(max(min(7.0, 2.6 + 0.45 * width), 0.095 * len(title)), min(8.0, 1.8 + 0.35 * height)))
    picture = axes[0, 0].imshow(matrix, cmap="gray", aspect="auto", vmin=limits[0], vmax=limits[1])
    axes[0, 0].set_xticks(range(width), columns, rotation=45, ha="right")
    axes[0, 0].set_yticks(range(height), rows)
    label(axes[0, 0], x, y)
    axes[0, 0].grid(False)
    axes[0, 0].set_xticks(np.arange(0.5, width - 1), minor=True)
    axes[0, 0].set_yticks(np.arange(0.5, height - 1), minor=True)
    axes[0, 0].grid(which="minor", color="#808080", linewidth=0.3)
    figure.colorbar(picture, label=scale)
    return figure


def images(pictures: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, caption: str, size: float = 0.85) -> Figure:
    """A labelled grid of images, close together.

    `pictures`: (rows, columns, height, width) or (rows, columns, channels, height, width), pixels in [0, 1].
    `size`: inches of one image. Raises ValueError where labels and pictures do not match.
    """
    pictures = np.asarray(pictures, dtype=float)
    if pictures.shape[:2] != (len(rows), len(columns)):
        raise ValueError(f"pictures of shape {pictures.shape[:2]} do not match {len(rows)} rows and {len(columns)} columns")
    longest, lines = max(len(line) for name in rows for line in name.split("\n")), 1 + max(name.count("\n") for name in columns)
    width = max(0.2 + 0.075 * longest + (size + 0.04) * len(columns), 0.095 * len(title))  # a narrow panel still has to hold its title
    figure, axes = canvas(title, caption, len(columns), len(rows), (width, 0.4 + 0.16 * lines + (size + 0.04) * len(rows)))
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            picture = pictures[i, j] if pictures.ndim == 4 else pictures[i, j].transpose(1, 2, 0).squeeze()
            axes[i, j].imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes[i, j].set(xticks=[], yticks=[])
            axes[i, j].spines[:].set_visible(False)
            if i == 0:
                axes[i, j].set_title(column, fontsize=9)
            if j == 0:
                axes[i, j].set_ylabel(row, rotation=0, ha="right", va="center", fontsize=9)
    return figure
