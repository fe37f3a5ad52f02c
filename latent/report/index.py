"""What sections 1.2 and 1.4 of the assignment ask for, and where each point is answered, before the report's first part."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode, v4

from latent.report import ReportError
from latent.report.pieces import label, pieces
from latent.report.tree import slug

AUTOENCODERS = ("01_mnist_ae", "04_cifar_ae")
GUIDED = ("02_mnist_guided", "05_cifar_guided")
STRUCTURED = ("03_mnist_contrastive", "06_cifar_contrastive")
ALL = "07_interpolation_tsne"
COMPARISON = (ALL,)
NOTEBOOKS = tuple(sorted(AUTOENCODERS + GUIDED + STRUCTURED + COMPARISON))
ENCODERS = NOTEBOOKS[:6]
COLUMNS = {"MNIST": NOTEBOOKS[:3], "CIFAR-10": NOTEBOOKS[3:6], "All six": COMPARISON}
TITLE = "Where each point of the assignment is answered"
NAME = "requirement map"


def _in(notebooks: tuple[str, ...], *headings: str) -> list[str]:
    """The identifiers of headings, in each of the notebooks."""
    return [f"{notebook}-{slug(heading)}" for notebook in notebooks for heading in headings]


def _drawn(notebook: str, *figures: str) -> list[str]:
    """The identifiers of figures, as `display.show` names them."""
    return [label(notebook, name) for name in figures]


def _told(notebook: str, *tables: str) -> list[str]:
    """The identifiers of tables, as `display.table` names them."""
    return [label(notebook, name, "table") for name in tables]


def _of_each(notebooks: tuple[str, ...], what: str) -> list[str]:
    """The identifiers of the figure that each notebook names after its experiment, such as `mnist-ae-reconstructions`."""
    return [label(notebook, f"{notebook[3:].replace('_', '-')}-{what}") for notebook in notebooks]


SIX = _told(ALL, "six-measures", "six-measures-cifar")
CHOICES = _in(ENCODERS, "Choices") + _in(COMPARISON, "The six side by side") + _told(ALL, "six-recipes", "six-views")
VERDICT = _in(COMPARISON, "Verdict")
READING = _in(COMPARISON, "Pixels against latents", "Self-supervised against guided")
MAPS = _drawn(ALL, "tsne-mnist", "tsne-cifar")
STEPS = _told(ALL, "middle") + _in(COMPARISON, "Do the steps look like digits?", "Why the middle is not quite a digit")
SEPARATED = _in(COMPARISON, "Did contrast make the space more separable?")
SEPARABLE = _told(ALL, "separability")
REQUIREMENTS = [  # section of the assignment, what it asks, the headings, figures and tables that answer it
    ("1.2.1", "Autoencoders, and classifiers on their frozen latents", _in(AUTOENCODERS, "Objective")),
    ("1.2.2", "Encoders trained jointly with their classifiers", _in(GUIDED, "Objective")),
    ("1.2.3", "A structured latent space: method, motivation, sources", _in(STRUCTURED, "Objective") + _in(COMPARISON, "References")),
    ("1.4.1", "Architecture of each encoder, and why it is a good choice", _in(ENCODERS, "Network")),
    ("", "Network parameters and hyper-parameters, and how they were chosen", CHOICES),
    ("", "A validation set, kept apart from the test set", _in(COMPARISON, "Data, split and protocol")),
    ("1.4.2", "Accuracy on the training, validation and test sets", SIX),
    ("", "Mean absolute reconstruction error of the autoencoders", SIX),
    ("", "Did the structured latent space succeed, against the other two?", _in(STRUCTURED, "Results") + VERDICT),
    ("1.4.3", "Five random images beside their reconstructions", _of_each(AUTOENCODERS, "reconstructions")),
    ("1.4.4", "Ten-step interpolation between two of the five MNIST images", _drawn(ALL, "interpolation")),
    ("", "Do the steps look like digits, and why?", STEPS),
    ("1.4.5", "t-SNE of the latent and of the image domain", MAPS),
    ("", "Self-supervised against classification-guided; images against latents", READING + MAPS + SEPARABLE),
    ("", "Is the structured latent space more separable, how, or why not?", SEPARATED + SEPARABLE + VERDICT),
    ("Notes", "Our own implementations, kept small; classifiers that see latents only", _in(ENCODERS, "Network")),
    ("", "At least 60 % accuracy with each of the six", SIX),
]


def cover(report: NotebookNode) -> NotebookNode:
    """The Markdown cell before the parts: a table of requirements, each entry a link that prints as its page.

    Raises ReportError where the merged `report` has not every heading, figure and table that REQUIREMENTS names.
    """
    check_answers(set(_identifiers(report)))
    lines = [
        f"## {TITLE}\n\nEvery number is a link. Every chart has axis labels and a grid, every row of images its names.\n",
        f"| Section | What is asked | {' | '.join(COLUMNS)} |",
        f"|:{'-' * 6}|:{'-' * 48}|:{'-' * 8}|:{'-' * 8}|:{'-' * 10}|",  # the dashes are the columns' widths
    ]
    for section, asked, answers in REQUIREMENTS:
        cells = [", ".join(f"[](#{answer})" for answer in answers if answer.startswith(column)) for column in COLUMNS.values()]
        lines.append(f"| {section} | {asked} | {' | '.join(cells)} |")
    return v4.new_markdown_cell("\n".join(lines), metadata={"latent": {"notebook": NAME, "cell": 1, "role": "cover"}})


def check_answers(there: set[str]) -> None:
    """Raise ReportError, requirement and notebook named, where an answer is not among the identifiers that are `there`."""
    for _, asked, answers in REQUIREMENTS:
        for answer in answers:
            if answer not in there:
                raise ReportError(
                    f"{NAME}: {answer} is missing, which answers “{asked}”; give its notebook that heading, figure or table, "
                    "or change latent/report/index.py"
                )


def _identifiers(report: NotebookNode) -> Iterator[str]:
    """By which links find the headings, the figures and the tables of a merged report."""
    for piece in pieces(report, ""):
        if piece.name:
            yield piece.label
        for heading in re.findall(r"(?m)^#+ +(.*)$", piece.text) if piece.kind in ("markdown", "front") else ():
            yield f"{piece.notebook}-{slug(heading)}"
