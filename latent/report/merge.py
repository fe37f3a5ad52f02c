"""Many notebooks as one document."""

from collections.abc import Mapping

import nbformat
from nbformat import NotebookNode

from latent.report import ReportError


def merge(notebooks: Mapping[str, NotebookNode]) -> NotebookNode:
    """One notebook with the cells of `notebooks` (name → notebook) in order; these stay as they are.

    Every cell remembers its notebook and its number there, for messages and for the prefix of its headings' identifiers;
    attachments and outputs go with their cell, footnotes stay within it, identifiers of cells become unique.
    """
    merged = nbformat.v4.new_notebook(metadata={"latent": {"chapters": True}})
    for name, notebook in notebooks.items():
        for number, cell in enumerate(notebook.cells, 1):
            home = {**cell.metadata.get("latent", {}), "notebook": name, "cell": number}
            metadata = {**cell.metadata, "latent": home}
            merged.cells.append(nbformat.from_dict({**cell, "id": f"cell-{len(merged.cells) + 1}", "metadata": metadata}))
    return merged


def check_run(name: str, notebook: NotebookNode) -> None:
    """Raise ReportError unless every code cell of `notebook` has been run, from the top to the end."""
    latest = 0
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if not cell.execution_count:
            raise ReportError(f"notebook {name}, cell {number} has not been run; run the whole notebook and save it")
        if cell.execution_count < latest:
            raise ReportError(f"notebook {name}, cell {number} was run before a cell above it; restart, run the whole notebook and save it")
        latest = cell.execution_count
