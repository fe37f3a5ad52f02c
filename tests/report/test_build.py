"""Notebooks to wet.pdf and dry.pdf: every requirement finds its answer, and what was not run as it stands is refused."""

import io
from base64 import b64encode

import nbformat
import pytest
from nbformat import v4
from pypdf import PdfReader
from samples import ALL, AUTHORS, ONE, edit, notebook
from test_exporter import png

from latent.errors import UserError
from latent.report import SIGNED, ReportError
from latent.report.build import build_dry, build_wet, digest
from latent.report.cleaning import Clean
from latent.report.index import HEADINGS, NOTEBOOKS, REQUIREMENTS
from latent.report.tree import slug

PNG = png()


def test_first_page_maps_every_requirement_to_the_page_that_answers_it(finished):
    pages = PdfReader(finished / "wet.pdf").pages
    first = " ".join(pages[0].extract_text().split())
    for _, asked, answers in REQUIREMENTS:
        assert asked in first and answers
    words = [page.extract_text() for page in pages]
    begins = {
        name: next(i for i, page in enumerate(words, 1) if i > 2 and f"{number} Title of {name}" in page)
        for number, name in enumerate(NOTEBOOKS, 1)
    }
    row = first.split("kept apart from the test set")[1].split("The method")[0].split()
    assert row == [str(begins[name]) for name in list(NOTEBOOKS)[:6]]
    assert "Contents" in words[1] and "7.6" in words[1]


def index_pages(pdf) -> list[int]:
    """Where every link on the first page leads, in reading order."""
    reader = PdfReader(pdf)
    targets = [note.get_object()["/Dest"] for note in reader.pages[0]["/Annots"]]
    places = [reader.named_destinations[target].page if isinstance(target, str) else target[0] for target in targets]
    return [reader.get_page_number(place.get_object()) + 1 for place in places]


def test_every_page_that_the_index_names_holds_the_heading_or_the_figure_promised(root):
    """Figures far behind their heading are found where they stand; a figure without a name is looked for under its heading."""

    def draw(made):
        data = {"image/png": b64encode(PNG).decode()}
        far = v4.new_markdown_cell("\n\n".join(["word " * 900] * 2), id="far")
        output = v4.new_output("display_data", data, metadata={"latent": {"name": "interpolation"}})
        caption = v4.new_output("display_data", {"text/markdown": "Ten steps."}, metadata={"latent": {"role": "caption"}})
        made.cells[4:4] = [far, v4.new_code_cell("draw()", outputs=[output, caption], execution_count=1, id="draw")]

    edit(root / "notebooks/07_interpolation_tsne.ipynb", draw)
    pages = [" ".join(page.extract_text().replace("\xad", "-").split()) for page in PdfReader(build_wet(root / "notebooks", root)).pages]
    found = index_pages(root / "wet.pdf")
    expected = [answer for _, _, answers in REQUIREMENTS for answer in by_column(answers)]
    assert len(found) == len(expected)
    for page, answer in zip(found, expected):
        slugged = HEADINGS.get(answer, answer).split("-", 1)[1]
        heading = next(text.strip("#") for text in (ONE + "|" + ALL).split("|") if slug(text.strip("#")) == slugged)
        promised = "Ten steps." if answer == "07_interpolation_tsne-figure-interpolation" else f" {heading} Text of Title"
        assert promised in pages[page - 1], (answer, page)
    drawn = next(page for page, text in enumerate(pages, 1) if "Ten steps." in text)
    walk = next(page for page, text in enumerate(pages, 1) if "Linear interpolation Text" in text)
    assert drawn > walk and f"decoded {drawn} Do the steps look like digits, and why? {walk} " in pages[0]


def by_column(answers):
    """The answers of a row as they stand in it."""
    return [answer for name in NOTEBOOKS for answer in answers if answer.startswith(name)]


def test_a_missing_answer_names_the_requirement_map(root):
    def rename(made):
        made.cells[9].source = "## Renamed"

    edit(root / "notebooks/01_mnist_ae.ipynb", rename)
    with pytest.raises(ReportError, match=r"requirement map.*#01_mnist_ae-reconstructions leads nowhere"):
        build_wet(root / "notebooks", root)


def test_errors_in_the_merged_report_name_notebook_and_cell(root):
    before = (root / "wet.pdf").read_bytes()

    def spoil(made):
        made.cells[4].source += "\n\n$\\foo$"

    edit(root / "notebooks/05_cifar_guided.ipynb", spoil)
    with pytest.raises(ReportError, match=r"^notebook 05_cifar_guided, cell 5: unknown formula \\foo;"):
        build_wet(root / "notebooks", root)
    assert (root / "wet.pdf").read_bytes() == before
    assert not list(root.glob(".*.tmp"))


def test_notebooks_that_were_not_run_in_order_are_refused(root):
    path = root / "dry/dry.ipynb"

    def unrun(made):
        made.cells[-1].execution_count = None

    edit(path, unrun)
    with pytest.raises(ReportError, match="notebook dry, cell 5 has not been run"):
        build_dry(root / "dry", root)

    def shuffled(made):
        made.cells[-1].execution_count = 2
        made.cells.append(v4.new_code_cell("2", execution_count=1))

    edit(path, shuffled)
    with pytest.raises(ReportError, match="cell 6 was run before a cell above"):
        build_dry(root / "dry", root)
    path.write_text("{")
    with pytest.raises(ReportError, match=r"dry/dry.ipynb is not a notebook"):
        build_dry(root / "dry", root)
    path.unlink()
    with pytest.raises(ReportError, match=r"no notebook dry/dry.ipynb"):
        build_dry(root / "dry", root)


def test_outputs_of_other_code_than_stands_there_are_refused(root):
    path = root / "dry/dry.ipynb"
    edit(path, lambda made: Clean().preprocess(made, {}))  # as `make report` leaves it
    build_dry(root / "dry", root)
    edit(path, lambda made: setattr(made.cells[0], "source", "# Another title"))  # words are not run
    build_dry(root / "dry", root)
    edit(path, lambda made: setattr(made.cells[-1], "source", "2 + 2"))
    with pytest.raises(ReportError, match="notebook dry holds other code than was run; run it again with `make report`"):
        build_dry(root / "dry", root)


def test_dry_companions_are_made_when_present(root, tmp_path):
    nbformat.write(notebook("Project 2024", "Question"), root / "dry/project_2024.ipynb")
    assert build_dry(root / "dry", tmp_path / "pdfs") == tmp_path / "pdfs/dry.pdf"
    assert sorted(path.name for path in (tmp_path / "pdfs").iterdir()) == ["dry.pdf", "project_2024.pdf"]
    assert PdfReader(tmp_path / "pdfs/project_2024.pdf").metadata["/Title"] == "Project 2024"


def test_reports_are_the_same_when_made_again(root):
    before = (root / "wet.pdf").read_bytes()
    assert build_wet(root / "notebooks", root, AUTHORS).read_bytes() == before


def test_authors_stand_on_the_first_page_and_in_the_fields_where_given(root, tmp_path):
    nbformat.write(notebook("Project 2024", "Question"), root / "dry/project_2024.ipynb")
    build_dry(root / "dry", root, AUTHORS)
    for name in ("wet.pdf", "dry.pdf", "project_2024.pdf"):
        signed = PdfReader(root / name)
        assert "Ada Lovelace · Łukasz Żółć" in signed.pages[0].extract_text() and signed.metadata["/Author"] == ", ".join(AUTHORS)
        assert SIGNED in signed.metadata["/Keywords"]
    unsigned = PdfReader(build_dry(root / "dry", tmp_path / "unsigned"))
    assert "/Author" not in unsigned.metadata and SIGNED not in unsigned.metadata["/Keywords"]


@pytest.mark.parametrize("name", ["", " ", "Ada Lovelace, Alan Turing", "Ada\nLovelace", "\udce4"])
def test_a_name_that_is_none_is_refused_in_one_line(root, name):
    before = (root / "dry.pdf").read_bytes()
    for build, folder in ((build_wet, "notebooks"), (build_dry, "dry")):
        with pytest.raises(ReportError, match=r"^'.*' is not one author's name; give each its own, .*$"):
            build(root / folder, root, [name])
    assert (root / "dry.pdf").read_bytes() == before


def test_a_report_takes_no_notebook_and_no_picture_from_elsewhere(root, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"")
    for target in ("../../secret.png", str(secret), "link.png"):
        (root / "dry/link.png").unlink(missing_ok=True)
        (root / "dry/link.png").symlink_to(secret)
        edit(root / "dry/dry.ipynb", lambda made: setattr(made.cells[1], "source", f"![a picture]({target})"))  # noqa: B023
        with pytest.raises(ReportError, match=r"notebook dry, cell 2: the image \S+ lies outside of the notebook's folder"):
            build_dry(root / "dry", root)
    notebook = root / "notebooks/01_mnist_ae.ipynb"
    notebook.rename(tmp_path / "elsewhere.ipynb")
    notebook.symlink_to(tmp_path / "elsewhere.ipynb")
    with pytest.raises(ReportError, match=r"notebooks/01_mnist_ae.ipynb is a link out of its folder"):
        build_wet(root / "notebooks", root)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"cells": 3, "nbformat": 4}',
        b'{"nbformat": "x"}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}',
    ],
)
def test_a_file_that_is_no_notebook_is_refused_in_one_line(root, content):
    (root / "dry/dry.ipynb").write_bytes(content)
    with pytest.raises(ReportError, match=r"^dry/dry.ipynb is not a notebook; restore it$"):
        build_dry(root / "dry", root)


def test_a_folder_that_cannot_be_written_is_one_line_and_keeps_the_old_report(root):
    with pytest.raises(UserError, match=r"cannot be written .*what was there is kept"):
        build_dry(root / "dry", root / "main.py")


def test_digest_changes_with_any_notebook(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("same")
    before = digest(paths)
    paths[1].write_text("other")
    assert digest(paths) != before == digest([paths[0], paths[0]])


def test_pages_of_the_report_are_not_blank(finished):
    for page in PdfReader(io.BytesIO((finished / "wet.pdf").read_bytes())).pages:
        assert len(page.extract_text().split()) > 10
