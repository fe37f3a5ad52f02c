"""Many notebooks to one: cells remember their home."""

from pathlib import Path

import nbformat
from samples import notebook

from latent.report.exporter import Document
from latent.report.merge import merge


def test_merged_cells_remember_their_home_and_change_no_original():
    first, second = notebook("A", "Part"), notebook("B", "Part")
    before = nbformat.writes(first)
    merged = merge({"a": first, "b": second})
    assert nbformat.writes(first) == before
    assert len({cell.id for cell in merged.cells}) == len(merged.cells) == 6
    assert [(cell.metadata.latent.notebook, cell.metadata.latent.cell) for cell in merged.cells[2:4]] == [("a", 3), ("b", 1)]
    nbformat.validate(merged)
    assert list(Document(merged, "both", Path()).labels) == ["a-a", "a-part", "b-b", "b-part"]


def test_equal_headings_in_one_notebook_get_their_own_identifiers():
    assert list(Document(notebook("A", "Part|Part"), "n", Path()).labels) == ["n-a", "n-part", "n-part-1"]
