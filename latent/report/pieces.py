"""What a notebook shows, as a flat list of pieces in reading order."""

import json
import re
import struct
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from latent.report import ReportError
from latent.show import DOTS_PER_INCH, MAPS

TEXT_INCHES = (6.69, 8.9)  # the width of the text column of template.typ, and the height left for a picture
HALF_INCHES = (TEXT_INCHES[0] - 0.25) / 2  # of two beside each other
PICTURES = {"image/svg+xml": ".svg", "image/png": ".png", "image/jpeg": ".jpg"}  # vectors first
WIDGET = "application/vnd.jupyter.widget-view+json"
REPLACED = re.compile(r"[^\n]*\r(?!\n)")  # what a carriage return has overwritten


@dataclass(frozen=True)
class Piece:
    """One thing to print. `kind`: markdown, front, cover, caption, notice (these five are Markdown), code, output or picture; for a
    screen also folded (code) and maps (JSON). `beside`: its cell sets its figures and tables two in a row."""

    notebook: str
    cell: int  # counted from 1
    kind: str
    text: str = ""
    picture: bytes = b""
    suffix: str = ""
    width: float | None = None  # inches; None: the picture's own width
    alt: str = ""  # the picture's title, for those who cannot see it
    name: str = ""  # of a picture or a table, by which references and the index find it
    attachments: dict = field(default_factory=dict)
    beside: bool = False
    extra: bool = False  # a PDF leaves it out
    small: bool = False  # set smaller on paper

    @property
    def label(self) -> str:
        """The identifier of a named picture or table; nothing without a name."""
        return label(self.notebook, self.name, "figure" if self.kind == "picture" else "table") if self.name else ""

    @property
    def place(self) -> str:
        return f"notebook {self.notebook}, cell {self.cell}"


def pieces(notebook: NotebookNode, name: str, screen: bool = False) -> list[Piece]:
    """The pieces of `notebook`: code only of cells tagged `show`, less what the tags `remove_cell`, `remove_input`, `remove_output` name.

    A Markdown cell tagged `caption` makes a numbered table of the one that the cell before ends with.
    A cell that `merge` has moved names its first home in its metadata; the others belong to notebook `name`.
    For a `screen`, other code comes too, to be folded away, and maps, also of cells that a PDF leaves out. Raises ReportError at an
    error output.
    """
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        home = cell.metadata.get("latent", {})
        origin = home.get("notebook", name), home.get("cell", number)
        tags = cell.metadata.get("tags", [])
        if "remove_cell" in tags and not (screen and _has_maps(cell)):
            continue
        if cell.cell_type == "markdown":
            attached = cell.get("attachments", {})
            kind = "caption" if "caption" in tags else home.get("role", "markdown")
            found.append(Piece(*origin, kind, cell.source, attachments=attached, small="small" in tags))
        elif cell.cell_type == "code":
            if "show" in tags and "remove_input" not in tags and cell.source.strip():
                found.append(Piece(*origin, "code", cell.source))
            elif screen and "remove_input" not in tags and cell.source.strip():
                found.append(Piece(*origin, "folded", cell.source))
            outputs = [] if "remove_output" in tags else _outputs(cell, origin, screen)
            found.extend(replace(piece, beside="beside" in tags, extra="remove_cell" in tags) for piece in outputs)
    return found


def _has_maps(cell: NotebookNode) -> bool:
    return any(MAPS in output.get("data", {}) for output in cell.get("outputs", []))


def _outputs(cell: NotebookNode, origin: tuple[str, int], screen: bool) -> Iterator[Piece]:
    for output in cell.outputs:
        if output.output_type == "error":
            said = f"{output.ename}: {output.evalue}".splitlines()[0]
            raise ReportError(f"notebook {origin[0]}, cell {origin[1]}: the code stopped with {said}; mend it and run the notebook again")
        if output.output_type == "stream":
            shown = {"text/plain": output.text} if output.name == "stdout" else {}
        else:
            shown = {} if WIDGET in output.data else output.data
        if screen and MAPS in shown:
            yield Piece(*origin, "maps", json.dumps(shown[MAPS]))
        piece = _best(shown, output.get("metadata", {}), origin)
        if piece:
            yield piece


def _best(data: dict, metadata: dict, origin: tuple[str, int]) -> Piece | None:
    """The richest form of an output that a page can hold, or None where there is none."""
    kept = metadata.get("latent", {})
    for mime, suffix in PICTURES.items():
        if mime in data:
            raw, told = data[mime].encode() if suffix == ".svg" else b64decode(data[mime]), metadata.get(mime, {})
            width = picture_width(raw, told.get("width"))
            return Piece(*origin, "picture", picture=raw, suffix=suffix, width=width, alt=told.get("alt", ""), name=kept.get("name") or "")
    for mime in ("text/markdown", "text/latex"):
        if mime in data:
            return Piece(*origin, kept.get("role", "markdown"), data[mime], name=kept.get("name") or "")
    plain = REPLACED.sub("", strip_ansi(data.get("text/plain", ""))).rstrip()
    if not plain.strip() or plain.startswith("<IPython.core.display."):
        return None
    return Piece(*origin, "output", plain)


def label(notebook: str, name: str, kind: str = "figure") -> str:
    """The identifier of what a notebook shows as `name`, a `figure` or a `table`."""
    return f"{notebook}-{kind}-{name}"


def picture_width(data: bytes, shown: float | None = None) -> float | None:
    """Inches a PNG takes on the page: `shown` pixels wide (else its own number) at 110 dpi, never more than the page holds."""
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return min((shown or width) / DOTS_PER_INCH, TEXT_INCHES[0], TEXT_INCHES[1] * width / height)
