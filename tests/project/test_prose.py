"""No number in a notebook's prose is wrong or stale: each was printed beside it, or is a stored result."""

import json

import nbformat
import pytest
from helpers import ROOT
from nbformat import v4
from prose import claims, stored, unfounded

NOTEBOOKS = [*sorted(ROOT.glob("notebooks/*.ipynb")), ROOT / "explore.ipynb"]
SEEDS = [(98.71, 0.0118), (98.82, 0.0121), (98.93, 0.0122)]  # accuracy and error: mean 98.82 ± 0.11, .01203


@pytest.fixture
def results(tmp_path):
    """A store with one experiment of three seeds."""
    (tmp_path / "results/mnist-x").mkdir(parents=True)
    for seed, (accuracy, error) in enumerate(SEEDS):
        record = {"seed": seed, "measures": {"test_accuracy": accuracy, "test_mae": error}, "curves": [{"loss": 0.777}], "seconds": 41.6}
        (tmp_path / f"results/mnist-x/seed{seed}.json").write_text(json.dumps(record))
    (tmp_path / "results/trials.json").write_text("[55.55]")
    return tmp_path / "results"


def complaints(results, prose, *outputs):
    """What is said of a notebook with this prose, and with code that printed `outputs`."""
    made = v4.new_notebook(cells=[v4.new_markdown_cell("# Title"), v4.new_markdown_cell(prose)])
    made.cells.append(v4.new_code_cell("1", outputs=[v4.new_output("display_data", {"text/markdown": text}) for text in outputs]))
    nbformat.write(made, results.parent / "made.ipynb")
    return unfounded(results.parent / "made.ipynb", [stored(results)])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_number_in_prose_was_measured(path):
    dataset = next((name for name in ("mnist", "cifar") if name in path.stem), "")
    assert not unfounded(path, [stored(ROOT / "results", dataset)])


@pytest.mark.parametrize(
    "prose",
    [
        "It reaches 98.8 % of accuracy.",
        "98.82 ± 0.11 on the test set, with an error of 0.0120.",
        "98.8 ± 0.1 (three seeds), the error being .0120, or .0118 at best",
        "A third (33.3 %, 33%, 33 per cent) of them; 1,234.5 in all; a drop of −2.57, or −2.6.",
        "The first seed took 41.6 seconds and reached 98.71.",
    ],
)
def test_what_was_measured_may_be_said_to_any_rounding(results, prose):
    assert complaints(results, prose, "| a | b |\n|---|---|\n| 0.3333 | -2.57 |", "in all 1,234.5") == []


def test_a_number_that_is_also_printed_with_fewer_digits_is_found(results):
    assert complaints(results, "It has 43.80 and 12.50 ± 0.10.", "43.8", "43.80, 12.5 ± 0.1", "12.50 ± 0.10", "43.8") == []


@pytest.mark.parametrize(
    ("prose", "number"),
    [
        ("It reaches 98.81 %.", "98.81 %"),  # 98.82 is the mean
        ("98.82 ± 0.12 on the test set.", "98.82 ± 0.12"),  # another deviation
        ("98.71 ± 0.11 on the test set.", "98.71 ± 0.11"),  # one seed beside the deviation of all
        ("The error is .0119.", ".0119"),
        ("The error is 0.012034.", "0.012034"),  # the mean is 0.0120333…
        ("It has 98.710000000000001 %.", "98.710000000000001 %"),
        ("It was 97.3 % before.", "97.3 %"),  # stale
        ("A loss of 0.777.", "0.777"),  # of some epoch
        ("A trial had 55.55.", "55.55"),  # and is not shown
        ("In all 1,234.6 of them.", "1,234.6"),
        ("**7.5** times, $x$ and 3.5×.", "7.5"),
    ],
)
def test_what_was_not_is_named_with_notebook_and_cell(results, prose, number):
    first, *_ = complaints(results, prose, "in all 1,234.5")
    assert first.startswith(f"made.ipynb, cell 2: '{number}' is, to its rounding, in no output of the notebook and in no result")


def test_numbers_that_are_not_measured_are_left_alone():
    texts = [
        "$0.5 x$ and $$\n\\frac{1}{2.5}\n$$ or `0.123` and\n```\n0.9 %\n```\n",
        "§1.2.3, §1.4, §§ 1.2–1.4, section 4.2 and 4.3, Table 2.1; version 1.2.3; 128 numbers, 10 classes, 2×2, CIFAR-10, 2020",
        "[a link](https://example.org/1.5) <https://example.org/2.5> https://example.org/3.5 arXiv:2002.05709",
        "## 1.4 A heading\n\na correction of at most ± 1",
        "## References\n\n- K. Jordan. 94% on CIFAR-10 in 3.29 seconds.",
        "<!-- 3.5 % -->",
    ]
    assert [found for text in texts for found in claims(text)] == []


def test_numbers_beside_those_are_found():
    text = (
        "In §1.2.1 it is 98.5 %, $x = 1.5$ or 12 per cent (99.1%), and 3.25 ± 0.50 % of 1,024.5; costs \\$2.75 in Fig. 3, 7.5 in Table 2.1."
    )
    assert [written for written, *_ in claims(text)] == ["98.5 %", "12 per cent", "99.1%", "3.25 ± 0.50 %", "1,024.5", "2.75", "7.5"]
