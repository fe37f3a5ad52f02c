"""What a notebook shows: figures, tables and computed prose, each output marked with its role.

The marks are plain output metadata. JupyterLab ignores them; the report exporter reads them to number figures and
tables (`caption`) and to repeat a warning on every page (`notice`).
"""

import ast
import inspect
import io
from collections.abc import Callable, Sequence

import numpy as np
from IPython.display import display
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.image import AxesImage, BboxImage
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latent.show import DOTS_PER_INCH, SHARPNESS
from latent.show.tables import markdown
from latent.store import files, results

COLOURS, COMMON = 112, 112  # of a plot: no line, marker or letter looks other than with all of them


def show(figure: Figure, name: str | None = None, beside: dict | None = None) -> None:
    """Display `figure` as a PNG, its label (see `latent.show.plots`) as the caption below it, and close it.

    With a `name`, by which references and the report's index find it, it is also kept as figures/<name>.png beside the results; the caption
    travels in the file's description. `beside`: other forms of the same, by MIME type.
    """
    picture = _png(figure)
    width, height = (round(inches * DOTS_PER_INCH) for inches in figure.get_size_inches())
    bundle = {"image/png": picture, "text/plain": figure.get_label(), **(beside or {})}
    size = {"width": width, "height": height}
    home = {"latent": {"name": name}} if name else {}
    display(bundle, raw=True, metadata={"image/png": {**size, "alt": " ".join(figure.get_suptitle().split())}, **home})
    caption(figure.get_label())
    pyplot.close(figure)
    if name:
        _write(picture, name)


def keep(figure: Figure, name: str) -> None:
    """Keep `figure` as `show` does, without displaying it, and close it."""
    _write(_png(figure), name)
    pyplot.close(figure)


def _png(figure: Figure) -> bytes:
    """The picture of `figure`, with a palette unless photographs need more colours than that holds."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH * SHARPNESS)
    picture = Image.open(buffer).convert("RGB")
    if picture.getcolors(256) or not _has_photographs(figure):
        picture = _with_palette(picture)
    described = PngInfo()
    described.add_text("Description", figure.get_label())
    kept = io.BytesIO()
    picture.save(kept, "png", optimize=True, pnginfo=described)
    return kept.getvalue()


def _with_palette(picture: Image.Image) -> Image.Image:
    """`picture` in all its colours if they are few, else in those most unlike each other and the commonest, so that greys stay grey."""
    if few := picture.getcolors(256):
        picture = picture.quantize(len(few), Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    else:
        common = sorted(picture.getcolors(picture.width * picture.height), reverse=True)[:COMMON]
        unlike = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * COLOURS]
        wanted = Image.new("P", (1, 1))
        wanted.putpalette([*(value for _, colour in common for value in colour), *unlike])
        picture = picture.quantize(palette=wanted, dither=Image.Dither.NONE)
    shades = np.reshape(picture.getpalette(), (-1, 3))
    picture.putpalette(np.where(shades.min(1, keepdims=True) > 247, 255, shades).flatten().tolist())  # paper is white
    return picture


def _has_photographs(figure: Figure) -> bool:
    return any(np.ndim(image.get_array()) == 3 for kind in (AxesImage, BboxImage) for image in figure.findobj(kind))


def _write(picture: bytes, name: str) -> None:
    files.write(results.folder("cpu").parent / "figures" / f"{name}.png", picture)


def source(function: Callable) -> None:
    """Display the source of `function` without its docstring, which the prose beside it replaces."""
    lines = inspect.getsource(function).rstrip().splitlines()
    first, *rest = ast.parse("\n".join(lines)).body[0].body
    if rest and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del lines[first.lineno - 1 : first.end_lineno]
    _markdown("\n".join(["```python", *lines, "```"]))


def table(header: Sequence[str], rows: Sequence[Sequence], note: str, name: str = "") -> None:
    """Display a table; `note` is its caption. Numbers should arrive formatted. References and the report's index find it by its `name`."""
    _markdown(markdown(header, rows), name=name)
    caption(note)


def caption(text: str) -> None:
    """Display `text` as the caption of the figure or table just above."""
    _markdown(text, role="caption")


def notice(text: str) -> None:
    """Display a warning that the report repeats on every page."""
    _markdown(f"> **{text}**", role="notice")


def _markdown(text: str, **marks: str) -> None:
    """Display `text` with those of its `marks` (`role`, `name`) that are not empty."""
    marks = {key: mark for key, mark in marks.items() if mark}
    display({"text/markdown": text, "text/plain": text}, raw=True, metadata={"latent": marks} if marks else {})
