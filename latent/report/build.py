"""The PDFs of the project: wet.pdf from notebooks/, dry.pdf and its companions from dry/."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from latent import files
from latent.report import ReportError
from latent.report.merge import check_run, merge
from latent.report.requirements import NOTEBOOKS, cover

WET_TITLE = "Six encoders, one latent dimension"
COURSE = "Deep Learning on Computational Accelerators, 236781"
DRY = {"dry": "dry.pdf", "project_2024": "project_2024.pdf", "summary_questions": "summary_questions.pdf"}  # notebook → PDF


def build_wet(folder: Path, out: Path) -> Path:
    """Write `out`/wet.pdf: the requirement map, the table of contents, then notebooks 01 to 07 of `folder`.

    Returns the file's path. Raises ReportError where a notebook is missing or not run, or where the page cannot show a cell.
    """
    paths = [folder / f"{name}.ipynb" for name in NOTEBOOKS]
    merged = merge({path.stem: read(path) for path in paths})
    merged.cells.insert(0, cover())
    merged.metadata["title"] = WET_TITLE
    merged.metadata["latent"] |= {"subtitle": f"Wet part of the mini-project · {COURSE}", "keywords": [digest(paths)]}
    return _write(merged, "wet", folder, out / "wet.pdf")


def build_dry(folder: Path, out: Path) -> Path:
    """Write `out`/dry.pdf from dry.ipynb of `folder`, and a PDF for each companion notebook that is there.

    Returns the path of dry.pdf. Raises ReportError as `build_wet` does.
    """
    for name, pdf in DRY.items():
        path = folder / f"{name}.ipynb"
        if name == "dry" or path.exists():
            notebook = read(path)
            kept = notebook.metadata.setdefault("latent", NotebookNode())
            kept["keywords"] = [digest([path])]
            kept.setdefault("subtitle", COURSE)
            _write(notebook, name, folder, out / pdf)
    return out / DRY["dry"]


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
