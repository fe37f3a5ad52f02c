"""Many notebooks as one document."""

import hashlib
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


def lift(report: NotebookNode, tag: str) -> list[NotebookNode]:
    """Take the cells with `tag` out of a merged `report`, to be set before its parts; their headings get no numbers."""
    lifted = [cell for cell in report.cells if tag in cell.metadata.get("tags", [])]
    report.cells = [cell for cell in report.cells if tag not in cell.metadata.get("tags", [])]
    for cell in lifted:
        cell.metadata.latent.role = "front"
    return lifted


def check_run(name: str, notebook: NotebookNode) -> None:
    """Raise ReportError unless every code cell of `notebook` has been run, from the top to the end, as it stands there now.

    Whether code was changed since can be told of notebooks that `make report` or `make demo` has run: these keep its digest.
    """
    if notebook.metadata.get("latent", {}).get("ran", digest_of_code(notebook)) != digest_of_code(notebook):
        raise ReportError(f"notebook {name} holds other code than was run; run it again with `make report`")
    latest = 0
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if not cell.execution_count:
            raise ReportError(f"notebook {name}, cell {number} has not been run; run the whole notebook and save it")
        if cell.execution_count < latest:
            raise ReportError(f"notebook {name}, cell {number} was run before a cell above it; restart, run the whole notebook and save it")
        latest = cell.execution_count


def digest_of_code(notebook: NotebookNode) -> str:
    """Identifies what all code cells of `notebook` say, in their order."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]
