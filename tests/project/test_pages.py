"""wet.pdf as it would be made of the notebooks that are there: its index, its bookmarks, its pictures' words."""

import os
import re

import blank
import pytest
from helpers import ROOT
from pypdf import PdfReader

from latent.report import build
from latent.report.exporter import Document
from latent.report.index import REQUIREMENTS


@pytest.fixture(scope="module")
def wet(tmp_path_factory):
    """The report of today's notebooks, also where their outputs wait to be made again: (document, pages' text, reader)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "check_run", lambda *_: None)
        document = Document(build.wet(ROOT / "notebooks"), "wet", ROOT / "notebooks")
    path = tmp_path_factory.mktemp("wet") / "wet.pdf"
    path.write_bytes(document.compile())
    reader = PdfReader(path)
    return document, [words(page.extract_text()) for page in reader.pages], reader


def words(text):
    return " ".join(re.sub("[\xad‑–]", "-", text).split())


def target(reader, place):
    page = (reader.named_destinations[place].page if isinstance(place, str) else place[0]).get_object()
    return reader.get_page_number(page)


def test_every_page_that_the_index_names_holds_what_the_row_promises(wet):
    document, pages, reader = wet
    links = [target(reader, note.get_object()["/Dest"]) for note in reader.pages[1]["/Annots"]]
    _, *rows = re.split("|".join(re.escape(asked) for _, asked, _ in REQUIREMENTS), pages[1])
    for row, (_, asked, answers) in zip(rows, REQUIREMENTS, strict=True):
        named = {int(number) - 1 for number in re.findall(r"(?<![.\d])\d+(?![.\d])", row)} & set(links)
        for answer in answers:
            promised = words(document.captions.get(answer) or document.labels[answer])[:60]
            assert any(promised in pages[page] for page in named), (asked, answer)


def test_the_report_is_short_light_and_full(wet):
    document, pages, reader = wet
    assert 18 <= len(pages) <= 22 and reader.stream.seek(0, os.SEEK_END) < 2.5e6
    assert sum(share > 1 / 3 for share in blank.shares(document)) <= 1


def test_bookmarks_are_the_headings(wet):
    document, _, reader = wet
    found = [words(re.sub(r"^\d+(\.\d+)* ", "", entry.title)) for entry in flat(reader.outline)]
    assert found == [words(text) for text in document.labels.values()]


def flat(outline):
    return [found for entry in outline for found in (flat(entry) if isinstance(entry, list) else [entry])]


def test_every_picture_and_formula_is_described(wet):
    document, _, reader = wet
    described, pending = {"/Figure": [], "/Formula": []}, [reader.trailer["/Root"]["/StructTreeRoot"]]
    while pending:
        node = pending.pop().get_object()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            described.get(node.get("/S"), []).append(node.get("/Alt"))
            pending += [node["/K"]] if "/K" in node else []
    assert len(described["/Figure"]) == document.markup.count("#box(image(") > 20
    assert len(described["/Formula"]) == len(document.mender.formulas)
    assert all(len(text.split()) > 2 for text in described["/Figure"]) and all(described["/Formula"])
