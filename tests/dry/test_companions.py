"""The form of the two companion notebooks: short answers, numbers that their cells put out, code that fits on the page."""

import re
from pathlib import Path

import nbformat
import pytest

MATHS = r"\$\$.*?\$\$|\$[^$]*\$"
HEADINGS = {"project_2024": r"(?m)^## (?=Question)", "summary_questions": r"(?m)^### (?=.*question \d)"}


@pytest.fixture(scope="module", params=HEADINGS)
def notebook(request):
    found = nbformat.read(Path(__file__).parents[2] / "dry" / f"{request.param}.ipynb", as_version=4)
    prose = "\n\n".join(cell.source for cell in found.cells if cell.cell_type == "markdown")
    return found, re.split(HEADINGS[request.param], prose)[1:]


def plain(text: str) -> str:
    """The words of an answer: without the question, headings, tables and mathematics."""
    return re.sub(rf"(?ms){MATHS}|^>.*?$|^#.*?$|^\|.*?$|\A.*?$", "", text)


def test_no_question_takes_more_than_350_words_beside_formulas(notebook):
    for text in notebook[1]:
        assert len(re.findall(r"\S*\w\S*", plain(text))) <= 350, text.splitlines()[0]


def test_every_question_is_followed_by_an_answer(notebook):
    for text in notebook[1]:
        for behind in re.split(r"(?m)^> .*\n", text)[1:]:
            assert re.match(r"\s*\*\*(\([a-d]\) )?Answer[.:]\*\*", behind), behind[:80]


def test_every_measured_number_of_the_prose_is_in_an_output_or_in_the_code(notebook):
    code = [cell for cell in notebook[0].cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    shown = [cell.source for cell in code] + [out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in outputs]
    known = set(re.findall(r"\d+\.\d+", " ".join(shown)))
    for text in notebook[1]:
        assert set(re.findall(r"\d+\.\d+", plain(text))) <= known, text.splitlines()[0]


def test_no_line_of_shown_code_wraps_on_the_page(notebook):
    for cell in notebook[0].cells:
        if "show" in cell.metadata.get("tags", []):
            assert max(map(len, cell.source.splitlines())) <= 85, cell.source


def test_no_output_line_wraps_on_the_page(notebook):
    for cell in notebook[0].cells:
        for output in cell.get("outputs", []):
            assert max(map(len, output.get("text", " ").splitlines())) <= 100, output.text
