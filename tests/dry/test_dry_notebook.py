"""The form of dry.ipynb: ten questions, every part led by its answer, short, and with numbers that its cells put out."""

import re
from pathlib import Path

import nbformat
import pytest

MATHS = r"\$\$.*?\$\$|\$[^$\n]*\$"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(Path(__file__).parents[2] / "dry" / "dry.ipynb", as_version=4)


@pytest.fixture(scope="module")
def questions(notebook):
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.split(r"(?m)^## (?=Question)", prose)[1:]


def test_there_are_ten_questions(questions):
    assert [int(re.match(r"Question (\d+):", text)[1]) for text in questions] == list(range(1, 11))


def test_every_part_begins_with_its_answer(questions):
    for text in questions:
        parts = re.split(r"(?m)^### .*\n", text)
        for part in parts[1:] or parts:
            first = next(line for line in part.splitlines() if line.strip() and not line.startswith((">", "Question")))
            assert first.startswith("**Answer.**"), first


def test_no_question_takes_more_than_350_words_beside_formulas(questions):
    for text in questions:
        words = re.sub(rf"(?ms){MATHS}|^>.*?$|^#.*?$|\AQuestion.*?$", "", text)
        assert len(re.findall(r"\S*\w\S*", words)) <= 350, text.splitlines()[0]


def test_every_measured_number_of_the_prose_is_in_an_output_or_in_the_code(notebook, questions):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = " ".join(cell.source for cell in code) + " ".join(
        output.data.get("text/plain", "") for cell in code for output in cell.outputs if "data" in output
    )
    known = set(re.findall(r"\d+\.\d+", shown))
    for text in questions:
        assert set(re.findall(r"\d+\.\d+", re.sub(rf"(?s){MATHS}", "", text))) <= known, text.splitlines()[0]
