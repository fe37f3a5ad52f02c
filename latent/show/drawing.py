"""Networks as a drawing: feature maps as boxes, vectors as bars, and on the way to each what the layers do, read from the modules.

Lengths are inches: the axes that are drawn on must be as many units wide and high as the figure is inches.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from torch import Tensor, nn

from latent.models import ResidualPair
from latent.show.plots import COLOURS

GREY = "#333333"
NAME, CAPTION, WORDS = 7.5, 7, 6.8  # sizes of type, in points: of a row's name, below a box, on a line
LINE = 1.2 / 72  # inches of a line of text, for each point of its type

Points = list[tuple[float, float]]


class Step(NamedTuple):
    """A box or a bar, and what stands on the line that leads to it."""

    words: str
    shape: tuple[int, ...]  # (channels, side) of a map, (numbers,) of a vector


@torch.no_grad()
def steps(network: nn.Module, x: Tensor) -> tuple[list[Step], Tensor]:
    """What `network`, in eval mode, makes of `x` (1, …), and the steps on the way: `x` itself is none of them.

    A step ends before the side of the map shrinks, after it has grown, and on both sides of a linear layer.
    """
    passed: list[list[tuple[nn.Module, Tensor, Tensor]]] = []

    def note(layer: nn.Module, inputs: tuple[Tensor], out: Tensor) -> None:
        if not passed or _shrinks(layer, inputs[0], out) or _grows(*passed[-1][-1]):
            passed.append([])
        passed[-1].append((layer, inputs[0], out))

    hooks = [layer.register_forward_hook(note) for layer in _units(network) if _named(network, layer)]
    out = network(x)
    for hook in hooks:
        hook.remove()
    ahead = [*(group[0][1] for group in passed[1:]), out]
    words = [_counted([word for layer, *_ in group for word in _named(network, layer)]) for group in passed]
    # A linear layer gives and takes vectors of what are maps on its other side: the map is drawn.
    ends = [max(group[-1][2], following, key=Tensor.dim) for group, following in zip(passed, ahead)]
    return [Step(said, _shape(end)) for said, end in zip(words, ends)], out


def _units(network: nn.Module) -> list[nn.Module]:
    """The parts of a network in their order; of a sequence, what it holds: layers, residual pairs, stages."""
    return [unit for part in network.children() for unit in (part if isinstance(part, nn.Sequential) else (part,))]


def _shape(x: Tensor) -> tuple[int, ...]:
    return (x.shape[1], x.shape[3]) if x.dim() == 4 else (x.shape[1],)


def _shrinks(layer: nn.Module, before: Tensor, after: Tensor) -> bool:
    return isinstance(layer, nn.Linear) or after.shape[-1] < before.shape[-1]


def _grows(layer: nn.Module, before: Tensor, after: Tensor) -> bool:
    return isinstance(layer, nn.Linear) or after.shape[-1] > before.shape[-1]


def _named(network: nn.Module, unit: nn.Module) -> list[str]:
    """What a part of a network does, a word for each of its layers; none for what only scales or cuts off."""
    if unit is getattr(network, "whiten", None):
        return ["whitened", "{}×{}".format(*unit.kernel_size), "patches"]
    layers = [unit, *(() if isinstance(unit, ResidualPair) else unit.children())]
    return [word for layer in layers if (word := _word(layer))]


def _word(layer: nn.Module) -> str:
    match layer:
        case ResidualPair():
            return "residual pair"
        case nn.PixelUnshuffle(downscale_factor=side):
            return f"space-to-depth {side}×{side}"
        case nn.PixelShuffle(upscale_factor=side):
            return f"depth-to-space {side}×{side}"
        case nn.Conv2d(kernel_size=(side, _)):
            return f"conv {side}×{side}"
        case nn.MaxPool2d() | nn.AdaptiveMaxPool2d():
            return "max pool"
        case nn.Linear():
            return "linear"
    return ""


def _counted(words: Sequence[str]) -> str:
    runs = [(word, len(list(same))) for word, same in groupby(words)]
    return "\n".join(f"{count} × {word}" if count > 1 else word for word, count in runs)


def draw(axes: Axes, encoder: tuple[str, Sequence[Step]], ways: Mapping[str, Sequence[Step]]) -> tuple[float, float, float]:
    """An encoder, its latent (its last step) and the networks that follow, name → steps: how far it reaches right, up and down.

    The image begins at 0, and the line from there to the latent lies at height 0; the second of `ways` and those after lie below.
    """
    name, (*maps, latent) = encoder
    (wide, high), (above, below) = _size(latent.shape), _reach([*encoder[1], *next(iter(ways.values()))])
    axes.text(0, above, name, fontsize=NAME, va="bottom")
    ((x, _),) = _row(axes, _row(axes, [(0, 0)], maps, COLOURS[0]), [latent], COLOURS[2])
    _write(axes, x - wide / 2, high / 2 + 0.03, "latent", NAME, "bottom")
    trunk, top, right, bottom = max(x + 0.1, _width(name, NAME) + 0.2), above + NAME * LINE, 0.0, 0.0
    for number, (name, way) in enumerate(ways.items()):
        above = _reach(way)[0] if number else above
        y = bottom - above - NAME * LINE if number else 0
        axes.text(trunk + 0.04, y + above, name, fontsize=NAME, va="bottom")
        ((end, _),) = _row(axes, [(x, 0), (trunk, 0), (trunk, y)], way, COLOURS[0] if len(way[0].shape) > 1 else COLOURS[1])
        right, bottom = max(right, end + 0.1, trunk + 0.04 + _width(name, NAME)), y - _reach(way)[1]
    return right, top, min(bottom, -below)


def _row(axes: Axes, points: Points, row: Sequence[Step], colour: str) -> Points:
    """Boxes in a row, an arrow with words to each that has some; the first arrow comes by way of `points`. Where the row ends."""
    for words, shape in row:
        (x, y), (wide, high) = points[-1], _size(shape)
        if words:
            end = x + _width(words, WORDS) + 0.13
            path = Path([*points, (end + 0.01, y)])  # a head stops as much short of where its path ends
            axes.add_patch(FancyArrowPatch(path=path, arrowstyle="->", mutation_scale=5, color=GREY, linewidth=0.8, fill=False))
            _write(axes, (x + end) / 2 - 0.01, y + 0.04, words, WORDS, "bottom", GREY)
            x = end
        axes.add_patch(Rectangle((x, y - high / 2), wide, high, facecolor=colour, edgecolor="black", linewidth=0.6))
        count, *side = shape
        _write(axes, x + wide / 2, y - high / 2 - 0.03, f"{count}\n{side[0]}×{side[0]}" if side else str(count), CAPTION, "top")
        points = [(x + wide, y)]
    return points


def _write(axes: Axes, x: float, y: float, text: str, size: float, align: str, colour: str = "black") -> None:
    axes.text(x, y, text, fontsize=size, ha="center", va=align, linespacing=1.0, color=colour)


def _size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Width and height of a box (channels, side) or of a bar (numbers,)."""
    count, *side = shape
    return (0.05 + 0.022 * np.log2(count), 0.08 + side[0] / 70) if side else (0.1, 0.032 * np.log2(count))


def _reach(row: Sequence[Step]) -> tuple[float, float]:
    """How far a row reaches above its line and below it, its name not counted."""
    above = max(max(_size(shape)[1] / 2, 0.04 + WORDS * LINE * (1 + words.count("\n"))) for words, shape in row)
    return above + 0.04, max(_size(shape)[1] / 2 + CAPTION * LINE * len(shape) for _, shape in row) + 0.04


def _width(text: str, size: float) -> float:
    """Inches of the longest line of a text in points of `size`."""
    return max(TextPath((0, 0), line, size, prop=FontProperties()).get_extents().width for line in text.split("\n")) / 72
