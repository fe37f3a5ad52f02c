"""The report as it is shipped: its figures are those of results/, and what is handed in gives nobody away."""

import inspect
import io
import os
import re
import zipfile
from pathlib import Path

import nbformat
import pytest
import torch
from matplotlib.figure import Figure
from pypdf import PdfReader

from latent import display, experiment, figures, results, tables, trials
from latent.data import _CLASSES, FORMS, Dataset, Split
from latent.names import EXPERIMENTS, VARIANTS
from latent.report.submission import PRIVATE, submit

ROOT = Path(__file__).parents[1]
NAMES = sorted(EXPERIMENTS + VARIANTS, key=len, reverse=True)
NAME = rf"(?<![\w-])({'|'.join(NAMES)})"
CELL = r"(?:\d+\.\d+(?: ± \d+\.\d+)?|–)"


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    monkeypatch.setenv("LATENT_RESULTS", str(ROOT / "results"))


@pytest.fixture(scope="module")
def printed():
    """The words of wet.pdf, one blank between two."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(ROOT / "wet.pdf").pages).split())


def mean(name, key):
    values = [record["measures"][key] for record in results.read(name)]
    return sum(values) / len(values)


def test_every_table_of_results_prints_what_is_stored(printed):
    stored = {row[0]: " ".join(row) for row in tables.rows() if row[1] != "0"}
    found = [match[0] for match in re.finditer(rf"{NAME} \d+(?: {CELL}){{{len(tables.HEADER) - 2}}}", printed)]
    assert set(found) == set(stored.values())
    assert len(found) == len(re.findall(rf"{NAME} \d+ (?:\d|–)", printed))  # no row that this test cannot read


def test_the_autoencoders_beside_pca_are_the_stored_ones(printed):
    found = re.findall(r"this autoencoder (\S+) (\S+)", printed)
    assert found == [(f"{mean(name, 'test_mae'):.4f}", f"{mean(name, 'test_knn_accuracy'):.2f}") for name in ("mnist-ae", "cifar-ae")]


def test_every_difference_is_one_of_stored_values(printed):
    found = re.findall(rf"{NAME} {NAME} ([+−]\d+\.\d+) ([+−]\d+\.\d+)", printed)
    assert len(found) >= 4
    for first, second, *differences in found:
        for key, shown in zip(("test_accuracy", "test_knn_accuracy"), differences):
            assert shown == f"{mean(first, key) - mean(second, key):+.2f}".replace("-", "−")


def test_every_trial_is_printed_as_it_was_logged(printed):
    for row in trials.read():
        error = f"{row['validation_mae']:.4f}" if "validation_mae" in row else "–"
        assert f"{row['validation_accuracy']:.2f} {row['validation_knn_accuracy']:.2f} {error}" in printed


# A notebook's cells that compute with images or weights, and those that print code; what builds on them has no name to begin with.
WITH_IMAGES = re.compile(r"\b(?:probe|baseline|tsne|explore|inspect)\.\w+\(|\blinear\(")
WITH_WIDGETS = re.compile(r"\bexplore\.|inspect\.")
NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?")
SIZES = {"mnist": (55_000, 5_000, 10_000), "cifar10": (45_000, 5_000, 10_000)}


@pytest.fixture
def said(monkeypatch):
    """What cells display, as Markdown, in a place where nothing is trained, drawn or kept."""
    shown = []
    for variable in ("LATENT_RECIPE", "LATENT_DATA"):
        monkeypatch.delenv(variable)
    monkeypatch.setattr(experiment, "train", lambda name, *_, **__: pytest.fail(f"the results of {name} are not those of today's recipe"))
    monkeypatch.setattr(display, "display", lambda bundle, **_: shown.append(bundle["text/markdown"]))
    monkeypatch.setattr(display, "show", lambda *_: None)
    for name, function in inspect.getmembers(figures, inspect.isfunction):
        if inspect.signature(function).return_annotation is Figure:
            monkeypatch.setattr(figures, name, lambda *_, **__: None)
    return shown


def blank(dataset):
    """A dataset by its name and digest, but with no image in it: what is printed over it comes from results/ alone."""
    stored = next(record for name in EXPERIMENTS for record in results.read(name) if record["recipe"]["dataset"] == dataset)
    images = torch.zeros((), dtype=torch.uint8).expand(max(SIZES[dataset]), FORMS[dataset][0], FORMS[dataset][1], FORMS[dataset][1])
    parts = [Split(images[:count], torch.arange(count) % 10) for count in SIZES[dataset]]
    return Dataset(stored["data"]["title"], _CLASSES[dataset], *parts, stored["data"]["digest"], standin=False)


def run_again(path, said, left_out):
    """(what a cell printed when the notebook was made, what it prints now) for every cell that can be run without those left out."""
    space, pairs = {}, []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or left_out.search(cell.source):
            continue
        said.clear()
        try:
            exec(compile(cell.source, path.name, "exec"), space)
        except NameError:
            continue
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


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_every_sentence_and_table_that_needs_no_image_is_what_results_say(monkeypatch, said, path):
    """wet.pdf is made of these notebooks, byte for byte: its digest of them is checked where it is handed in, below."""
    monkeypatch.setattr(experiment, "load", blank)
    pairs = run_again(path, said, WITH_IMAGES)
    for before, now in pairs:
        assert before == now
    found = " ".join(text for _, now in pairs for text in now)
    assert ("**Verdict.**" if path.stem.startswith("07") else "**Answer.**") in found and len(NUMBER.findall(found)) > 50


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_every_number_is_what_the_stored_weights_and_the_data_give(real_data, monkeypatch, said, path):
    """Also those of latents, neighbours, confusions, PCA and maps, where another machine may round otherwise."""
    monkeypatch.setenv("LATENT_DATA", str(real_data))
    for before, now in run_again(path, said, WITH_WIDGETS):
        assert [NUMBER.sub("0", text) for text in before] == [NUMBER.sub("0", text) for text in now]
        for old, new in zip(NUMBER.findall(" ".join(before)), NUMBER.findall(" ".join(now))):
            assert value(new) == pytest.approx(value(old), rel=0.01, abs=0.011)


def value(text):
    return float(text.replace(",", "").replace("−", "-"))


def test_what_is_handed_in_names_no_place_person_or_secret(tmp_path):
    """Also the archive's own fields, and the text and the fields of the PDFs."""
    made = submit("123456789", "987654321", ROOT, tmp_path)
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
    """Every text that a reader of the PDF can get at: pages, document fields, XMP."""
    reader = PdfReader(io.BytesIO(data))
    fields = {key: str(value) for key, value in (reader.metadata or {}).items()}
    assert not {"/Author", "/Producer"} & fields.keys()
    xmp = reader.trailer["/Root"].get("/Metadata")
    described = xmp.get_object().get_data().decode() if xmp else ""
    return "\n".join([*fields.values(), described, *(page.extract_text() for page in reader.pages)])
