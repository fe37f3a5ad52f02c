"""What a notebook shows: figures, tables and computed prose, each output marked with its role.

The marks are plain output metadata. JupyterLab ignores them; the report exporter reads them to number figures and
tables (`caption`) and to repeat a warning on every page (`notice`).
"""

import io

from IPython.display import display
from matplotlib import pyplot
from matplotlib.figure import Figure

from latent import files, results

DOTS_PER_INCH = 110  # sharp on a page column, small in a notebook file


def show(figure: Figure, name: str | None = None) -> None:
    """Display `figure` as a PNG, its label (see `latent.plots`) as the caption below it, and close it.

    With a `name` it is also kept as figures/<name>.png beside the results; the caption travels in the file's description.
    """
    picture = _png(figure)
    width, height = (round(inches * DOTS_PER_INCH) for inches in figure.get_size_inches())
    bundle = {"image/png": picture, "text/plain": figure.get_label()}
    display(bundle, raw=True, metadata={"image/png": {"width": width, "height": height}})
    caption(figure.get_label())
    pyplot.close(figure)
    if name:
        _write(picture, name)


def keep(figure: Figure, name: str) -> None:
    """Keep `figure` as `show` does, without displaying it, and close it."""
    _write(_png(figure), name)
    pyplot.close(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None, "Description": figure.get_label()})
    return buffer.getvalue()


def _write(picture: bytes, name: str) -> None:
    files.write(results.folder().parent / "figures" / f"{name}.png", picture)


def say(text: str) -> None:
    """Display Markdown `text`: prose whose numbers were just computed."""
    _markdown(text)


def table(header: list[str], rows: list[list], note: str) -> None:
    """Display a table; `note` is its caption. Numbers should arrive formatted."""
    lines = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in [header, *rows]]
    lines.insert(1, "|" + "---|" * len(header))
    _markdown("\n".join(lines))
    caption(note)


def caption(text: str) -> None:
    """Display `text` as the caption of the figure or table just above."""
    _markdown(text, role="caption")


def notice(text: str) -> None:
    """Display a warning that the report repeats on every page."""
    _markdown(f"> **{text}**", role="notice")


def _markdown(text: str, role: str | None = None) -> None:
    metadata = {"latent": {"role": role}} if role else {}
    display({"text/markdown": text, "text/plain": text}, raw=True, metadata=metadata)
