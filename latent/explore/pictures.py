"""Images, bars and histograms as HTML. Everything is in the text: nothing is loaded from elsewhere."""

import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from itertools import zip_longest

import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from latent.explore.atlas import shares
from latent.show import MAPS
from latent.show.display import show
from latent.show.plots import CLASS_COLOURS, COLOURS

GRID = 80  # images of a selection that are shown at most
WIDGET = "application/vnd.jupyter.widget-view+json"
# Shown once by each widget: a new <style> in every answer would make the browser look at the whole page again.
STYLE = """<style>
.latent-row { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: flex-start; line-height: 1.3 }
.latent-row figure { margin: 0; text-align: center; font-size: 12px }
.latent-row img { image-rendering: pixelated; display: block; margin: 2px auto; background: #8884 }
.latent-row figure.still { width: 66px; white-space: pre-line; line-height: 1.2 }
.latent-bars { display: grid; grid-template-columns: auto 110px 40px; gap: 1px 6px; font-size: 12px; align-items: center }
.latent-bars i { display: block; height: 10px } .latent-bars b { font-weight: normal; text-align: right }
</style>"""


class Shown:
    """For widgets: shown as a figure for where no widget runs (a PDF, a website), then as themselves. They have a `figures()`."""

    def _ipython_display_(self) -> None:
        for figure, state in zip_longest(self.figures(), self.states()):
            show(figure, beside={MAPS: state} if state else None)
        bundle = self._repr_mimebundle_()
        view = bundle[0] if isinstance(bundle, tuple) else bundle
        display({WIDGET: view[WIDGET], "text/plain": "An interactive view: run this cell in JupyterLab."}, raw=True)

    def figures(self) -> list[Figure]:
        raise NotImplementedError

    def states(self) -> list[dict]:
        """What a website needs to show the widget itself: nothing, for widgets that compute."""
        return []


def pixels(images: Tensor) -> np.ndarray:
    """Images (…, C, H, W), uint8 or in [0, 1], as uint8 RGB (…, H, W, 3)."""
    images = images.detach() if images.dtype.is_floating_point else images / 255
    levels = (255 * images).round().clamp(0, 255).byte().movedim(-3, -1)
    return levels.expand(*levels.shape[:-1], 3).numpy()


def sheet(images: Tensor) -> tuple[bytes, int]:
    """All images (N, C, H, W) in one WebP picture, row by row; and how many make a row."""
    tiles = pixels(images)
    count, side = tiles.shape[:2]
    columns = int(np.ceil(np.sqrt(count)))
    full = np.zeros((columns * columns, side, side, 3), np.uint8)
    full[:count] = tiles
    picture = full.reshape(columns, columns, side, side, 3).swapaxes(1, 2).reshape(columns * side, columns * side, 3)
    return _encode(picture, "WEBP", quality=90), columns


def image(picture: Tensor, size: int, below: str = "", above: str = "", border: str = "transparent", kind: str = "") -> str:
    """One image (C, H, W), `size` CSS pixels wide, with a line of text above and below, and a coloured edge. kind: as in STYLE."""
    levels = pixels(picture)
    source = _source(levels.tobytes(), levels.shape)
    look = f'width={size} height={size} style="border-bottom:3px solid {border}"'
    return f'<figure class="{kind}">{escape(above)}<img src="{source}" alt="{escape(below)}" {look}>{escape(below)}</figure>'


@lru_cache(4_000)
def _source(levels: bytes, shape: tuple[int, int, int]) -> str:
    """An image's text, remembered: the same neighbours are shown again and again, and writing a PNG takes as long as a layer."""
    picture = np.frombuffer(levels, np.uint8).reshape(shape)
    return "data:image/png;base64," + b64encode(_encode(picture, "PNG", compress_level=1)).decode()


def _encode(picture: np.ndarray, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, form, **options)
    return buffer.getvalue()


def row(parts: Iterable[str]) -> str:
    """Pieces of HTML side by side."""
    return f'<div class="latent-row">{"".join(parts)}</div>'


def titled(title: str, content: str) -> str:
    """A piece of HTML under its title."""
    return f'<div><div style="font-size:12px;font-weight:600;margin-bottom:2px">{escape(title)}</div>{content}</div>'


def bars(rows: Iterable[tuple[int, str, float]]) -> str:
    """Horizontal bars, one a class: (class number, name, percent)."""
    lines = [
        f'<span>{escape(name)}</span><i style="width:{max(percent, 0.5):.1f}%;background:{colour(number)}"></i><b>{percent:.0f} %</b>'
        for number, name, percent in rows
    ]
    return f'<div class="latent-bars">{"".join(lines)}</div>'


def beliefs(probabilities: Tensor, classes: Sequence[str]) -> list[tuple[int, str, float]]:
    """Class probabilities (classes,) as the rows of `bars`."""
    return [(number, name, 100 * share) for number, (name, share) in enumerate(zip(classes, probabilities.tolist()))]


def colour(number: int) -> str:
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def selection(images: Tensor, labels: Tensor, classes: Sequence[str]) -> str:
    """Chosen images (N, C, H, W) as a grid, class by class, beside the shares of their classes."""
    if not len(images):
        return ""
    shown = torch.linspace(0, len(labels) - 1, min(len(labels), GRID)).round().long()  # where there are too many, some of each class
    order = labels.argsort(stable=True)[shown]
    tiles = [image(images[n], 36, border=colour(labels[n].item())) for n in order.tolist()]
    left = f", {len(order)} of them shown" if len(order) < len(images) else ""
    grid = f'<div class="latent-row" style="gap:2px;max-width:620px">{"".join(tiles)}</div>'
    return row([titled(f"{len(images)} selected{left}", grid), titled("their classes", bars(shares(labels, classes)))])


def areas(beliefs: Tensor, width: int = 300, height: int = 84) -> str:
    """How class probabilities (steps, classes) change on the way: areas one upon the other, as SVG."""
    edges = height * (1 - torch.cat([torch.zeros(len(beliefs), 1), beliefs], 1).cumsum(1)).T  # (classes + 1, steps)
    places = torch.linspace(0, width, len(beliefs)).tolist()
    drawn = []
    for number, (below, above) in enumerate(zip(edges.tolist(), edges[1:].tolist())):
        outline = [*zip(places, above), *zip(places[::-1], below[::-1])]
        drawn.append(f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in outline)}" fill="{colour(number)}"/>')
    return f'<svg width="{width}" height="{height}">{"".join(drawn)}</svg>'


def histogram(typical: Tensor, value: float, width: int = 210, height: int = 96) -> str:
    """How often each distance of `typical` (N,) occurs, and where `value` lies, as SVG."""
    top = 1.05 * max(value, typical.max().item())
    counts = typical.histc(bins=30, min=0, max=top)
    unit, tall = width / 30, (height - 16) / counts.max().item()
    drawn = "".join(
        f'<rect x="{n * unit:.1f}" y="{height - 16 - c * tall:.1f}" width="{unit - 1:.1f}" height="{c * tall:.1f}" fill="{COLOURS[3]}"/>'
        for n, c in enumerate(counts.tolist())
        if c
    )
    place = width * value / top
    return (
        f'<svg width="{width}" height="{height}" style="overflow:visible" fill="currentColor" font-size="11">{drawn}'
        f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{height - 16}" stroke="{COLOURS[2]}" stroke-width="2"/>'
        f'<line x1="0" x2="{width}" y1="{height - 16}" y2="{height - 16}" stroke="currentColor"/>'
        f'<text x="0" y="{height - 3}">0</text><text x="{width}" y="{height - 3}" text-anchor="end">{top:.3g}</text></svg>'
    )
