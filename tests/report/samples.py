"""Notebooks as they are when they were run."""

from pathlib import Path

import nbformat
from nbformat import v4

ONE = "Question and answer|Reasoning|#Architecture|#Choices, tuned on validation|Data|Method|Training|Results"
ONE += "|Reconstructions|Latent space|Discussion"
ALL = "The six side by side|Did the structured latent space help?|Linear interpolation|t-SNE, latent and image domain|Discussion|References"

AUTHORS = ("Ada Lovelace", "Łukasz Żółć")


def notebook(title: str, headings: str):
    """A run notebook with the planned headings: a cell each, then one line of code with a printed result."""
    cells = [f"# {title}", *[f"#{'#' * heading.count('#')}# {heading.strip('#')}\n\nText of {title}." for heading in headings.split("|")]]
    made = v4.new_notebook(cells=[v4.new_markdown_cell(cell) for cell in cells])
    made.cells.append(v4.new_code_cell("1 + 1", outputs=[v4.new_output("stream", name="stdout", text="printed\n")], execution_count=1))
    for number, cell in enumerate(made.cells):
        cell["id"] = f"c{number}"
    return made


def edit(path: Path, change) -> None:
    made = nbformat.read(path, as_version=4)
    change(made)
    nbformat.write(made, path)
