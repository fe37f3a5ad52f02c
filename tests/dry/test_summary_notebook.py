"""The form of the summary questions' notebook: every question is there, every answer is marked, nothing failed."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

QUESTIONS = {
    "CNNs": 4,
    "Dropout": 3,
    "Losses and activation functions": 4,
    "Optimization": 6,
    "Backpropagation": 4,
    "Sequence models": 3,
    "Attention": 1,
    "Unsupervised learning": 3,
    "Graph neural networks": 2,
}


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(Path(__file__).parents[2] / "dry" / "summary_questions.ipynb", as_version=4)


@pytest.fixture(scope="module")
def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_all_thirty_questions_are_there_in_order(prose):
    found = re.findall(r"^### (.+), question (\d+)$", prose, flags=re.M)
    assert Counter(topic for topic, _ in found) == QUESTIONS
    assert found == [(topic, str(number)) for topic, count in QUESTIONS.items() for number in range(1, count + 1)]


def test_every_question_block_is_answered(prose):
    blocks = re.findall(r"((?:^> .*\n)+)\s*(.*)", prose, flags=re.M)
    assert len(blocks) == prose.count("**Answer:**") >= 40
    for question, answer in blocks:
        assert answer.startswith("**Answer:**"), question
        if "true or false" in question.lower():
            assert re.match(r"\*\*Answer:\*\* (True|False)\b", answer), question


def test_the_stored_run_is_complete_and_without_errors(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [
        output for cell in code for output in cell.outputs if output.output_type in ("error", "stream") and output.get("name") != "stdout"
    ]
