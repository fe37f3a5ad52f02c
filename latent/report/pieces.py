"""What a notebook shows, as a flat list of pieces in reading order."""

import re
import struct
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field

from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from latent.report import ReportError

DOTS_PER_INCH = 110  # of the PNG files that `latent.display.show` makes
TEXT_INCHES = (6.53, 8.6)  # the width of the text column of template.typ, and the height left for a picture
PICTURES = {"image/svg+xml": ".svg", "image/png": ".png", "image/jpeg": ".jpg"}  # vectors first
WIDGET = "application/vnd.jupyter.widget-view+json"
REPLACED = re.compile(r"[^\n]*\r(?!\n)")  # what a carriage return has overwritten


@dataclass(frozen=True)
class Piece:
    """One thing to print. `kind`: markdown, cover, caption, notice (these four are Markdown), code, output or picture."""

    notebook: str
    cell: int  # counted from 1
    kind: str
    text: str = ""
    picture: bytes = b""
    suffix: str = ""
    width: float | None = None  # inches; None: the picture's own width
    attachments: dict = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"notebook {self.notebook}, cell {self.cell}"


def pieces(notebook: NotebookNode, name: str) -> list[Piece]:
    """The pieces of `notebook`: code only of cells tagged `show`, nothing of cells tagged `skip`.

    A cell that `merge` has moved names its first home in its metadata; the others belong to notebook `name`.
    Raises ReportError at an error output.
    """
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        home = cell.metadata.get("latent", {})
        origin = home.get("notebook", name), home.get("cell", number)
        tags = cell.metadata.get("tags", [])
        if "skip" in tags:
            continue
        if cell.cell_type == "markdown":
            found.append(Piece(*origin, home.get("role", "markdown"), cell.source, attachments=cell.get("attachments", {})))
        elif cell.cell_type == "code":
            if "show" in tags and cell.source.strip():
                found.append(Piece(*origin, "code", cell.source))
            found.extend(_outputs(cell, origin))
    return found


def _outputs(cell: NotebookNode, origin: tuple[str, int]) -> Iterator[Piece]:
    for output in cell.outputs:
        if output.output_type == "error":
            said = f"{output.ename}: {output.evalue}".splitlines()[0]
            raise ReportError(f"notebook {origin[0]}, cell {origin[1]}: the code stopped with {said}; mend it and run the notebook again")
        if output.output_type == "stream":
            shown = {"text/plain": output.text} if output.name == "stdout" else {}
        else:
            shown = {} if WIDGET in output.data else output.data
        piece = _best(shown, output.get("metadata", {}), origin)
        if piece:
            yield piece


def _best(data: dict, metadata: dict, origin: tuple[str, int]) -> Piece | None:
    """The richest form of an output that a page can hold, or None where there is none."""
    for mime, suffix in PICTURES.items():
        if mime in data:
            raw = data[mime].encode() if suffix == ".svg" else b64decode(data[mime])
            return Piece(*origin, "picture", picture=raw, suffix=suffix, width=picture_width(raw, metadata.get(mime, {}).get("width")))
    for mime in ("text/markdown", "text/latex"):
        if mime in data:
            return Piece(*origin, metadata.get("latent", {}).get("role", "markdown"), data[mime])
    plain = REPLACED.sub("", strip_ansi(data.get("text/plain", ""))).rstrip()
    if not plain.strip() or plain.startswith("<IPython.core.display."):
        return None
    return Piece(*origin, "output", plain)


def picture_width(data: bytes, shown: float | None = None) -> float | None:
    """Inches a PNG takes on the page: `shown` pixels wide (else its own number) at 110 dpi, never more than the page holds."""
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return min((shown or width) / DOTS_PER_INCH, TEXT_INCHES[0], TEXT_INCHES[1] * width / height)
