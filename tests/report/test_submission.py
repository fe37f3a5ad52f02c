"""The archive that is handed in: the reports and the code alone, and nothing private in them."""

import zipfile
from pathlib import Path

import pytest
from nbformat import v4
from pypdf import PdfReader
from samples import edit

from latent.errors import UserError
from latent.report import ReportError
from latent.report.build import build_dry, build_wet
from latent.report.submission import PDFS, submit

IDS = ("123456789", "987654321")


def notice(made) -> None:
    data = {"text/markdown": "> **Stand-in data.**"}
    made.cells[-1].outputs.append(v4.new_output("display_data", data, metadata={"latent": {"role": "notice"}}))


def refused(root: Path, ids=IDS) -> str:
    with pytest.raises(ReportError) as stop:
        submit(*ids, root, root / "out")
    assert not list(root.glob("out/*"))
    assert "\n" not in str(stop.value)
    return str(stop.value)


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


@pytest.mark.parametrize("name", ["wet.pdf", "dry.pdf"])
def test_reports_without_authors_are_refused_unless_meant(root, name):
    build_wet(root / "notebooks", root) if name == "wet.pdf" else build_dry(root / "dry", root)
    assert refused(root).startswith(
        f"{name} names no authors; make the reports again with `latent report --author NAME`, or give --anonymous"
    )
    assert submit(*IDS, root, root / "out", anonymous=True).exists()


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


def test_an_archive_that_cannot_be_written_is_one_line(root):
    with pytest.raises(UserError, match=r"123456789-987654321.zip cannot be written .*what was there is kept"):
        submit(*IDS, root, root / "main.py")
