"""Notebooks as they are when they were run."""

import struct
import zlib
from base64 import b64encode
from pathlib import Path

import nbformat
from nbformat import v4

ONE = "Question and answer|Network|#Choices|Objective|Training|Results|Reconstructions|What is kept and what is lost"
ALL = (
    "The six side by side|Linear interpolation|Do the steps look like digits?|Why the middle is not quite a digit"
    "|t-SNE, latent and image domain|Pixels against latents|Self-supervised against guided|Did contrast make the space more separable?"
    "|The controlled comparison|Verdict|Limits|References"
)
SHOWN = {  # notebook → the names of its figures and tables
    "01_mnist_ae": (["mnist-ae-reconstructions"], []),
    "04_cifar_ae": (["cifar-ae-reconstructions"], []),
    "07_interpolation_tsne": (
        ["interpolation", "walks", "tsne-mnist", "tsne-cifar"],
        ["six-measures", "six-measures-cifar", "six-recipes", "six-views", "middle", "separability"],
    ),
}
AUTHORS = ("Ada Lovelace", "Łukasz Żółć")


def png(width: int = 220, height: int = 110, grey: int = 90) -> bytes:
    """A PNG of one grey, written by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([grey]) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shown(text: str, role: str | None = None):
    return v4.new_output("display_data", {"text/markdown": text, "text/plain": text}, metadata={"latent": {"role": role}} if role else {})


def figure(caption: str, data: bytes | None = None, name: str | None = None):
    picture = {"image/png": b64encode(data or png()).decode(), "text/plain": "IGNORED"}
    return [v4.new_output("display_data", picture, metadata={"latent": {"name": name}} if name else {}), shown(caption, "caption")]


def table(caption: str, name: str | None = None, rows: int = 1):
    grid = shown("| a | b |\n|---|---|" + "\n| x | 1.5 |" * rows)
    grid.metadata |= {"latent": {"name": name}} if name else {}
    return [grid, shown(caption, "caption")]


def code(source: str, outputs=(), tags=()):
    return v4.new_code_cell(source, outputs=list(outputs), execution_count=1, metadata={"tags": list(tags)})


def notebook(title: str, headings: str, figures=(), tables=(), cells=()):
    """A run notebook with these headings, a cell each; figures and tables by their names; other cells; code with a printed result."""
    texts = [f"# {title}", *[f"#{'#' * heading.count('#')}# {heading.strip('#')}\n\nText of {title}." for heading in headings.split("|")]]
    drawn = [code(f"draw({name!r})", figure(f"Drawn {name}.", name=name)) for name in figures]
    told = [code(f"tell({name!r})", table(f"Told {name}.", name)) for name in tables]
    printed = code("1 + 1", [v4.new_output("stream", name="stdout", text="printed\n")])
    made = v4.new_notebook(cells=[*map(v4.new_markdown_cell, texts), *drawn, *told, *cells, printed])
    for number, cell in enumerate(made.cells):
        cell["id"] = f"c{number}"
    return made


def front() -> list:
    """The cells of notebook 07 that stand before all parts of the report."""
    return [
        v4.new_markdown_cell("The ABSTRACT says it all.", metadata={"tags": ["front"]}),
        code("hero()", figure("The HERO.", name="stored-and-open"), ["front"]),
        v4.new_markdown_cell("## Data, split and protocol\n\nThe SETTING of all six.", metadata={"tags": ["setting"]}),
    ]


def report(name: str):
    """One of the seven notebooks, with every heading, figure and table that the report's index leads to."""
    if name.startswith("07"):
        return notebook(f"Title of {name}", ALL, *SHOWN[name], cells=front())
    return notebook(f"Title of {name}", ONE, *SHOWN.get(name, ()))


def edit(path: Path, change) -> None:
    made = nbformat.read(path, as_version=4)
    change(made)
    nbformat.write(made, path)
