"""The PDFs of the project: wet.pdf from notebooks/, dry.pdf and its companions from dry/."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from latent.report import ReportError
from latent.report.index import NOTEBOOKS, cover
from latent.report.merge import check_run, lift, merge
from latent.store import files

WET_TITLE = "Six encoders, one latent dimension"
COURSE = "Deep Learning on Computational Accelerators, 236781"
DRY = {"dry": "dry.pdf", "project_2024": "project_2024.pdf", "summary_questions": "summary_questions.pdf"}  # notebook → PDF


def build_wet(folder: Path, out: Path, authors: Sequence[str] = ()) -> Path:
    """Write `out`/wet.pdf from notebooks 01 to 07 of `folder`; the names of `authors` stand under the title.

    Returns the file's path. Raises ReportError where a notebook is missing or not run, where the page cannot show a cell, or where a
    name is none.
    """
    return _write(wet(folder, authors), "wet", folder, out / "wet.pdf")


def build_html(folder: Path, out: Path, authors: Sequence[str] = ()) -> Path:
    """Write `out`/wet.html, the wet part as one file for a browser, as `build_wet` does; the maps in it answer to the pointer."""
    from latent.report import html

    target = out / "wet.html"
    files.write(target, html.page(wet(folder, authors), "wet", folder).encode())
    return target


def wet(folder: Path, authors: Sequence[str] = ()) -> NotebookNode:
    """The wet part as one notebook, of notebooks 01 to 07 of `folder`.

    Cells tagged `front` come first, then those tagged `setting`, the requirement map, and all others in their order.
    """
    check_names(authors)
    paths = [folder / f"{name}.ipynb" for name in NOTEBOOKS]
    merged = merge({path.stem: read(path) for path in paths})
    index, front, setting = cover(merged), lift(merged, "front"), lift(merged, "setting")
    merged.cells = [*front, *setting, index, *merged.cells]
    merged.metadata["title"] = WET_TITLE
    subtitle = f"Wet part of the mini-project · {COURSE}"
    merged.metadata["latent"] |= {"subtitle": subtitle, "authors": list(authors), "keywords": [digest(paths)]}
    return merged


def build_dry(folder: Path, out: Path, authors: Sequence[str] = ()) -> Path:
    """Write `out`/dry.pdf from dry.ipynb of `folder`, and a PDF for each companion notebook that is there.

    Returns the path of dry.pdf. Raises ReportError as `build_wet` does.
    """
    check_names(authors)
    for name, pdf in DRY.items():
        path = folder / f"{name}.ipynb"
        if name == "dry" or path.exists():
            notebook = read(path)
            kept = notebook.metadata.setdefault("latent", NotebookNode())
            kept |= {"authors": list(authors), "keywords": [digest([path])]}
            kept.setdefault("subtitle", COURSE)
            _write(notebook, name, folder, out / pdf)
    return out / DRY["dry"]


def check_names(authors: Sequence[str]) -> None:
    """Raise ReportError where an author's name is blank or holds a comma, which parts names in a PDF's fields, or a control character."""
    for name in authors:
        if not name.strip() or not name.isprintable() or set(name) & set(",;"):
            raise ReportError(f"{name!r} is not one author's name; give each its own, as in --author 'Ada Lovelace' --author 'Alan Turing'")


def digest(paths: Iterable[Path]) -> str:
    """The mark a PDF carries of the notebooks it was made from: it changes when one of them does."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return f"notebooks {total.hexdigest()[:16]}"


def read(path: Path) -> NotebookNode:
    """The notebook at `path`, run to its end. Raises ReportError where it is missing, a link elsewhere, no notebook, or not run."""
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise ReportError(f"{path.parent.name}/{path.name} is a link out of its folder; put the notebook itself there")
    if not path.is_file():
        raise ReportError(f"no notebook {path.parent.name}/{path.name}; the report is made from it, restore it")
    wrong: dict = {}
    try:
        notebook = nbformat.read(path, as_version=4, capture_validation_error=wrong)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        wrong = {"ValidationError": error}
    if wrong:
        raise ReportError(f"{path.parent.name}/{path.name} is not a notebook; restore it") from wrong["ValidationError"]
    check_run(path.stem, notebook)
    return notebook


def _write(notebook: NotebookNode, name: str, folder: Path, target: Path) -> Path:
    """Export `notebook` to `target`, which appears complete or not at all."""
    from latent.report.exporter import TypstPDFExporter  # loads nbconvert: slow, and only needed here

    pdf, _ = TypstPDFExporter().from_notebook_node(notebook, {"metadata": {"name": name, "path": str(folder)}})
    files.write(target, pdf)
    return target
