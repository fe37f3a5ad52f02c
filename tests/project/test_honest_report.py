"""The report as it is shipped: its figures are those of results/, and what is handed in gives nobody away."""

import ast
import inspect
import io
import os
import re
import zipfile
from pathlib import Path

import nbformat
import pytest
import torch
from helpers import ROOT
from matplotlib.figure import Figure
from pypdf import PdfReader

from latent import experiment
from latent.data import FORMS, Dataset, Split
from latent.recipes import EXPERIMENTS
from latent.report import SIGNED
from latent.report.submission import PRIVATE, submit
from latent.search import trials
from latent.show import comparison, display, figures, notebook, study, tables
from latent.store import results


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    monkeypatch.setenv("LATENT_RESULTS", str(ROOT / "results"))
    monkeypatch.setenv("LATENT_RECIPE", "cpu")


@pytest.fixture(scope="module")
def printed():
    """The words of wet.pdf, one blank between two."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(ROOT / "wet.pdf").pages).split())


def lines_of(names: str) -> set[str]:
    """The lines of all Markdown that notebooks have printed."""
    cells = [cell for path in (ROOT / "notebooks").glob(names) for cell in nbformat.read(path, as_version=4).cells]
    shown = [output.data.get("text/markdown", "") for cell in cells for output in cell.get("outputs", []) if "data" in output]
    return {line for text in shown for line in text.splitlines()}


def test_every_row_of_results_is_printed_as_it_is_stored(printed):
    numbers = printed.replace(" –", "")  # which columns a table has depends on the rows beside it
    for name, *cells in tables.rows():
        assert " ".join(cell for cell in cells if cell != "–") in numbers, name


def test_every_row_and_every_effect_of_the_study_is_printed_as_it_is_stored(printed):
    studies = {title: study.read(dataset) for dataset, title in {"mnist": "MNIST", "cifar": "CIFAR-10"}.items()}
    for rows in studies.values():
        assert set(rows) == set(study.TITLES.values())
        for cells in (*study.table(rows)[1], *study.agreement(rows)):
            assert " ".join(cell for cell in cells[1:] if cell) in printed
    for line in study.effects(studies)[1]:
        assert "–" not in line and " ".join(line).replace("-", "−") in printed.replace("-", "−"), line


def test_how_the_latents_of_the_study_lie_stands_in_its_notebook_as_it_is_stored():
    lines = lines_of("07_*.ipynb")
    for dataset in ("mnist", "cifar"):
        for row in study.table(study.read(dataset), study.GEOMETRY)[1]:
            assert f"| {' | '.join(row)} |" in lines, row


def test_every_trial_stands_in_a_notebook_as_it_was_logged():
    digits = {"validation_accuracy": 2, "validation_linear_accuracy": 2, "validation_mae": 4}
    lines = {line.replace("| – ", "") for line in lines_of("*.ipynb")}
    for number, row in enumerate(trials.read()):
        measured = [f"{row[name]:.{count}f}" for name, count in digits.items() if name in row]
        trained = f"{row['images']:,} × {row['recipe']['encoder']['epochs']}"
        assert f"| {' | '.join([str(number), trained, *measured, row['decision'], row['reason']])} |" in lines, number


# A notebook's cells that compute with images or weights, and those that print code.
WITH_IMAGES = re.compile(r"\b(?:probe|tsne|explore|interpolation)\.\w+\(|\b(?:display\.source|plot_tsne)\(")
WITH_WIDGETS = re.compile(r"\bexplore\.|display\.source")
NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?")
SIZES = {"mnist": (55_000, 5_000, 10_000), "cifar10": (45_000, 5_000, 10_000)}


@pytest.fixture
def said(monkeypatch):
    """What cells display, as Markdown, in a place where nothing is trained, drawn or kept."""
    shown = []
    for variable in ("LATENT_RECIPE", "LATENT_DATA"):
        monkeypatch.delenv(variable)
    monkeypatch.setattr(experiment, "run", lambda name, *_, **__: pytest.fail(f"the results of {name} are not those of today's recipe"))
    monkeypatch.setattr(display, "display", lambda bundle, **_: shown.append(bundle["text/markdown"]))
    monkeypatch.setattr(display, "show", lambda *_: None)
    for module in (figures, comparison):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if inspect.signature(function).return_annotation is Figure:
                monkeypatch.setattr(module, name, lambda *_, **__: None)
    return shown


def blank(dataset):
    """A dataset by its name and digest, but with no image in it: what is printed over it comes from results/ alone."""
    stored = next(record for name in EXPERIMENTS for record in results.read(name) if record["recipe"]["dataset"] == dataset)
    images = torch.zeros((), dtype=torch.uint8).expand(max(SIZES[dataset]), FORMS[dataset][0], FORMS[dataset][1], FORMS[dataset][1])
    parts = [Split(images[:count], torch.arange(count) % 10) for count in SIZES[dataset]]
    return Dataset(stored["data"]["title"], tuple("0123456789"), *parts, stored["data"]["digest"], standin=False)


def run_again(path, said, left_out):
    """(what a cell printed when the notebook was made, what it prints now) for every cell but those left out and what builds on them."""
    space, pairs, unmade = {}, [], set()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        names = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)]
        makes = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        needs = {node.id for node in names if isinstance(node.ctx, ast.Load)} - makes
        if left_out.search(cell.source) or needs & unmade:
            unmade |= makes - space.keys()
            continue
        said.clear()
        exec(compile(cell.source, path.name, "exec"), space)
        unmade -= makes
        pairs.append((printed_by(cell), list(said)))
    return pairs


def printed_by(cell):
    """The Markdown that a cell shows, but for the captions of pictures."""
    bundles = [(output.get("data", {}), output.get("metadata", {}).get("latent", {}).get("role")) for output in cell.outputs]
    before = [{}, *(data for data, _ in bundles)]
    return [
        data["text/markdown"]
        for (data, role), last in zip(bundles, before)
        if "text/markdown" in data and not (role == "caption" and "image/png" in last)
    ]


def words(texts):
    """What is read: a table's rule, between its head and its rows, is drawn and may be written in several ways."""
    return [re.sub(r"^\|[-:| ]+\|$", "|---|", text, flags=re.MULTILINE) for text in texts]


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_every_table_that_needs_no_image_is_what_results_say(monkeypatch, said, path):
    """wet.pdf is made of these notebooks, byte for byte: its digest of them is checked where it is handed in, below."""
    for module in (experiment, notebook):
        monkeypatch.setattr(module, "load", blank)
    pairs = run_again(path, said, WITH_IMAGES)
    for before, now in pairs:
        assert words(before) == words(now)
    found = " ".join(text for _, now in pairs for text in now)
    assert len(NUMBER.findall(found)) > 50


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_every_number_is_what_the_stored_weights_and_the_data_give(real_data, monkeypatch, said, path):
    """Also those of latents, neighbours, confusions, PCA and maps, where another machine may round otherwise."""
    monkeypatch.setenv("LATENT_DATA", str(real_data))
    for before, now in run_again(path, said, WITH_WIDGETS):
        assert [NUMBER.sub("0", text) for text in words(before)] == [NUMBER.sub("0", text) for text in words(now)]
        for old, new in zip(NUMBER.findall(" ".join(before)), NUMBER.findall(" ".join(now))):
            assert value(new) == pytest.approx(value(old), rel=0.01, abs=0.011)


def value(text):
    return float(text.replace(",", "").replace("−", "-"))


def test_what_is_handed_in_names_no_place_person_or_secret(tmp_path):
    """Also the archive's own fields, and the text and the fields of the PDFs."""
    made = submit("123456789", "987654321", ROOT, tmp_path, anonymous=True)
    home = os.path.expanduser("~")
    private = [*PRIVATE.values(), re.escape(str(tmp_path)), rf"(?<![\w.]){re.escape(home)}/", rf"{re.escape(os.path.basename(home))}@"]
    with zipfile.ZipFile(made) as archive:
        assert not archive.comment
        for entry in archive.infolist():
            assert not entry.is_dir() and not entry.comment and not entry.extra and entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert not Path(entry.filename).is_absolute() and ".." not in Path(entry.filename).parts
            data = archive.read(entry)
            words = pdf_words(data) if entry.filename.endswith(".pdf") else re.sub(r"[A-Za-z0-9+/=]{300,}", "", data.decode("latin-1"))
            for pattern in private:
                assert not re.search(pattern, words), (entry.filename, pattern)


def pdf_words(data):
    """Every text that a reader of the PDF can get at: pages, document fields, XMP. Authors are named only where they were given."""
    reader = PdfReader(io.BytesIO(data))
    fields = {key: str(value) for key, value in (reader.metadata or {}).items()}
    assert "/Producer" not in fields and ("/Author" in fields) == (SIGNED in fields["/Keywords"])
    if "/Author" in fields:
        assert fields["/Author"].replace(", ", " · ") in " ".join(reader.pages[0].extract_text().split())
    xmp = reader.trailer["/Root"].get("/Metadata")
    described = xmp.get_object().get_data().decode() if xmp else ""
    return "\n".join([*fields.values(), described, *(page.extract_text() for page in reader.pages)])
