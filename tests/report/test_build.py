"""Notebooks to wet.pdf and dry.pdf: every requirement finds its answer, and what was not run as it stands is refused."""

import io
import re

import nbformat
import pytest
from nbformat import v4
from pypdf import PdfReader
from samples import ALL, AUTHORS, ONE, edit, notebook

from latent.errors import UserError
from latent.report import SIGNED, ReportError, index
from latent.report.build import build_dry, build_wet, digest
from latent.report.cleaning import Clean
from latent.report.exporter import Document
from latent.report.tree import slug


def words(page) -> str:
    return " ".join(page.extract_text().replace("\xad", "-").split())


def linked(reader) -> list[int]:
    """Where every link on the page of the index leads, in reading order."""
    page = next(page for page in reader.pages if index.TITLE in words(page))
    targets = [note.get_object()["/Dest"] for note in page["/Annots"]]
    places = [reader.named_destinations[target].page if isinstance(target, str) else target[0] for target in targets]
    return [reader.get_page_number(place.get_object()) + 1 for place in places]


def printed(page: str) -> list[list[int]]:
    """The pages that each row of the index names."""
    _, *rows = re.split("|".join(re.escape(asked) for _, asked, _ in index.REQUIREMENTS), page.split("1 Title of")[0])
    return [[int(number) for number in re.findall(r"(?<![.\d])\d+(?![.\d])", row)] for row in rows]


def test_the_report_says_first_what_was_found_then_how_then_where(finished):
    pages = [words(page) for page in PdfReader(finished / "wet.pdf").pages]
    text = " ".join(pages)
    order = ["Six encoders, one latent dimension", " · ".join(AUTHORS), "The ABSTRACT says it all.", "Figure 1. The HERO."]
    order += ["Data, split and protocol", "The SETTING of all six.", index.TITLE, "1 Title of"]
    places = [text.index(part) for part in order]
    assert places == sorted(places) and "The HERO." in pages[0]
    assert "0.1" not in text[: places[-1]]  # before the parts, headings have no numbers
    assert sum(page.count("ABSTRACT") + page.count("HERO") + page.count("SETTING") for page in pages) == 3


def test_every_requirement_stands_in_the_index_with_the_page_of_its_answer(root):
    """Figures far behind their heading are found where they stand."""

    def draw(made):
        far = v4.new_markdown_cell("\n\n".join(["word " * 900] * 2), id="far")
        place = next(i for i, cell in enumerate(made.cells) if "'interpolation'" in cell.source)
        made.cells.insert(place, far)

    edit(root / "notebooks/07_interpolation_tsne.ipynb", draw)
    reader = PdfReader(build_wet(root / "notebooks", root))
    pages = [words(page) for page in reader.pages]
    rows = printed(next(page for page in pages if index.TITLE in page))
    assert linked(reader) == [page for row in rows for page in row]
    headings = {slug(text.strip("#")): text.strip("#") for text in f"{ONE}|{ALL}|Data, split and protocol".split("|")}
    for row, (_, _, answers) in zip(rows, index.REQUIREMENTS, strict=True):
        right = []
        for answer in answers:
            notebook = next(name for name in index.NOTEBOOKS if answer.startswith(name))
            name = answer.removeprefix(f"{notebook}-")
            shown = name.replace("figure-", "Drawn ", 1).replace("table-", "Told ", 1)
            setting = "The SETTING" if name.startswith("data") else f"Text of Title of {notebook}"
            promised = f" {headings[name]} {setting}" if name in headings else f"{shown}."
            right += [page for page in set(row) if promised in pages[page - 1]]
        assert len(right) == len(answers) and set(right) == set(row)
    drawn, told, heading = (
        next(page for page, text in enumerate(pages, 1) if shown in text)
        for shown in ("Drawn interpolation.", "Told middle.", "Linear interpolation Text")
    )
    why = ", ".join(map(str, sorted({heading, told})))
    assert drawn > heading and f"MNIST images {drawn} Do the steps look like digits, and why? {why} " in " ".join(pages)
    assert all(asked in " ".join(pages) for _, asked, _ in index.REQUIREMENTS)


@pytest.mark.parametrize(
    ("name", "spoiled", "answer"),
    [
        ("01_mnist_ae", "Network", "01_mnist_ae-network"),
        ("01_mnist_ae", "mnist-ae-reconstructions", "01_mnist_ae-figure-mnist-ae-reconstructions"),
        ("07_interpolation_tsne", "six-views", "07_interpolation_tsne-table-six-views"),
        ("07_interpolation_tsne", "Data, split", "07_interpolation_tsne-data-split-and-protocol"),
    ],
)
def test_a_missing_answer_names_the_requirement(root, name, spoiled, answer):
    path = root / f"notebooks/{name}.ipynb"
    path.write_text(path.read_text().replace(spoiled, "renamed"))
    with pytest.raises(ReportError, match=rf"requirement map: {answer} is missing, which answers “"):
        build_wet(root / "notebooks", root)


def test_a_link_to_a_notebook_leads_to_its_part_not_to_what_was_lifted_from_it(root):
    def link(made):
        made.cells[1].source += "\n\nSee [the last](07_interpolation_tsne.ipynb)."

    edit(root / "notebooks/01_mnist_ae.ipynb", link)
    pages = [words(page) for page in PdfReader(build_wet(root / "notebooks", root)).pages]
    part = next(number for number, page in enumerate(pages, 1) if "7 Title of 07" in page)
    assert part > 2 and any(f"See the last (p. {part})." in page for page in pages)


def test_alone_a_notebook_has_its_abstract_where_it_stands(finished):
    made = nbformat.read(finished / "notebooks/07_interpolation_tsne.ipynb", as_version=4)
    document = Document(made, "07_interpolation_tsne", finished / "notebooks")
    assert document.markup.index("References") < document.markup.index("ABSTRACT") < document.markup.index("SETTING")
    assert "numbering: none" not in document.markup


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
