"""The report as it is shipped: its figures are those of results/, and what is handed in gives nobody away."""

import io
import os
import re
import zipfile
from pathlib import Path

import pytest
from pypdf import PdfReader

from latent import results, tables, trials
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
