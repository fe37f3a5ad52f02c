"""Many notebooks to wet.pdf and dry.pdf, and the archive of the submission."""

import io
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from pypdf import PdfReader

from latent.errors import UserError
from latent.report import ReportError
from latent.report.build import build_dry, build_wet, digest
from latent.report.cleaning import Clean
from latent.report.exporter import Document
from latent.report.merge import merge
from latent.report.requirements import NOTEBOOKS, REQUIREMENTS
from latent.report.submission import PDFS, submit

IDS = ("123456789", "987654321")
ONE = "Question and answer|Reasoning|#Architecture|#Choices, tuned on validation|Data|Method|Training|Results"
ONE += "|Reconstructions|Latent space|Discussion"
ALL = "The six side by side|Did the structured latent space help?|Linear interpolation|t-SNE, latent and image domain|Discussion|References"


def notebook(title: str, headings: str):
    """A run notebook with the planned headings: a cell each, then one line of code with a printed result."""
    cells = [f"# {title}", *[f"#{'#' * heading.count('#')}# {heading.strip('#')}\n\nText of {title}." for heading in headings.split("|")]]
    made = v4.new_notebook(cells=[v4.new_markdown_cell(cell) for cell in cells])
    made.cells.append(v4.new_code_cell("1 + 1", outputs=[v4.new_output("stream", name="stdout", text="printed\n")], execution_count=1))
    for number, cell in enumerate(made.cells):
        cell["id"] = f"c{number}"
    return made


def edit(path: Path, change) -> None:
    made = nbformat.read(path, as_version=4)
    change(made)
    nbformat.write(made, path)


def notice(made) -> None:
    data = {"text/markdown": "> **Stand-in data.**"}
    made.cells[-1].outputs.append(v4.new_output("display_data", data, metadata={"latent": {"role": "notice"}}))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small project with its reports made; tests copy it."""
    root = tmp_path_factory.mktemp("finished")
    for folder in ("notebooks", "dry", "latent/weights", "latent/__pycache__", "data"):
        (root / folder).mkdir(parents=True)
    for name in NOTEBOOKS:
        nbformat.write(notebook(f"Title of {name}", ALL if name.startswith("07") else ONE), root / f"notebooks/{name}.ipynb")
    nbformat.write(notebook("Dry part", "1. Dimension|2. Depth|3. Convolution"), root / "dry/dry.ipynb")
    for name in ("main.py", "utils.py", "README.md", "latent/models.py"):
        (root / name).write_text(f"# {name}\n")
    for name in ("latent/weights/a.py", "latent/a.safetensors", "latent/a.pt", "latent/__pycache__/a.py", "data/a.py", "latent/.secret.py"):
        (root / name).write_text("left out")
    build_wet(root / "notebooks", root)
    build_dry(root / "dry", root)
    return root


@pytest.fixture
def root(finished, tmp_path):
    """A copy of the project with its reports."""
    for path in finished.rglob("*"):
        target = tmp_path / "project" / path.relative_to(finished)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(exist_ok=True) if path.is_dir() else target.write_bytes(path.read_bytes())
    return tmp_path / "project"


def refused(root: Path, ids=IDS) -> str:
    with pytest.raises(ReportError) as stop:
        submit(*ids, root, root / "out")
    assert not list(root.glob("out/*"))
    assert "\n" not in str(stop.value)
    return str(stop.value)


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
    assert build_wet(root / "notebooks", root).read_bytes() == before


def test_archive_holds_the_reports_and_the_code_alone(root):
    made = submit(*IDS, root, root / "out")
    assert made == root / "out/123456789-987654321.zip"
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        assert archive.read("wet.pdf") == (root / "wet.pdf").read_bytes()
        expected = {"wet.pdf", "dry.pdf", "main.py", "utils.py", "README.md", "latent/models.py", *PDFS["wet.pdf"], *PDFS["dry.pdf"]}
        assert set(archive.namelist()) == expected
    first = made.read_bytes()
    (root / "main.py").touch()
    assert submit(*IDS, root, root / "out").read_bytes() == first


@pytest.mark.parametrize(
    "ids", [("12345678", IDS[1]), (IDS[0], "12345678a"), ("", IDS[1]), ("../3456789", IDS[1]), ("１２３４５６７８９", IDS[1])]
)
def test_identity_numbers_have_nine_digits(root, ids):
    assert "nine digits" in refused(root, ids)


def test_two_partners_have_two_numbers(root):
    assert "both identity numbers" in refused(root, (IDS[0], IDS[0]))


@pytest.mark.parametrize("name", ["wet.pdf", "dry.pdf", "main.py", "utils.py"])
def test_a_missing_file_is_named(root, name):
    (root / name).unlink()
    assert refused(root).startswith(f"{name} is missing")


def test_reports_on_stand_in_data_are_refused(root):
    edit(root / "notebooks/02_mnist_guided.ipynb", notice)
    build_wet(root / "notebooks", root)
    assert all("Stand-in data." in page.extract_text() for page in PdfReader(root / "wet.pdf").pages)
    assert refused(root).startswith("wet.pdf was made with the embedded stand-in data")


def test_reports_older_than_their_notebooks_are_refused(root):
    edit(root / "dry/dry.ipynb", lambda made: made.cells.append(v4.new_markdown_cell("More.", id="more")))
    assert refused(root).startswith("dry.pdf was not made from the notebooks as they are now")
    (root / "wet.pdf").write_bytes(b"%PDF-1.7 of another maker")
    (root / "dry/dry.ipynb").unlink()
    assert refused(root).startswith("dry/dry.ipynb is missing")


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
    with pytest.raises(UserError, match=r"123456789-987654321.zip cannot be written"):
        submit(*IDS, root, root / "main.py")


@pytest.mark.parametrize("folder", [False, True])
def test_links_out_of_the_project_are_refused(root, tmp_path, folder):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("")
    (root / "latent/link.py").symlink_to(outside if folder else outside / "secret.py")
    assert refused(root).startswith("latent/link.py is a link out of the project")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("open('/" + "home/ada/x')", "path of someone's machine"),
        ("C:\\" + "Users\\ada", "path of someone's machine"),
        ("key = 'ghp_" + "a1" * 18 + "'", "an access token"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "a private key"),
        ('"trusted"' + ": true", "a notebook's mark of trust"),
    ],
)
def test_what_should_stay_private_is_found_and_not_repeated(root, line, complaint):
    (root / "latent/models.py").write_text(f"fine\n{line}\n")
    message = refused(root)
    assert message.startswith("latent/models.py, line 2 holds ") and complaint in message and "ada" not in message and "a1a1" not in message


def test_this_machine_and_its_user_are_found(root, monkeypatch):
    monkeypatch.setenv("HOME", "/elsewhere/ada")
    for line in (str(root), "/elsewhere/ada/cache", "ada@machine", "/mnt/ada/file"):
        (root / "latent/models.py").write_text(f"{line}\n")
        assert refused(root).startswith("latent/models.py, line 1 holds ")
    (root / "latent/models.py").write_text("https://example.org/home/page and the name ada alone\n")
    assert submit(*IDS, root, root / "out").exists()


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
