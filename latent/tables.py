"""Results as tables: for a terminal, a README, a notebook or another program."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from latent import files, results
from latent.errors import UserError
from latent.names import EXPERIMENTS, VARIANTS

HEADER = ["experiment", "seeds", "train %", "validation %", "test %", "test % (6 views)", "test linear %", "test kNN-5 %", "test MAE"]


def rows(experiments: Sequence[str] = EXPERIMENTS + VARIANTS) -> list[list[str]]:
    """One formatted row an experiment: mean ± standard deviation over the seeds; a dash where there is nothing.

    Of results that are stale no number is shown.
    """
    return [_row(name, results.read(name)) for name in experiments]


def _row(name: str, records: list[dict]) -> list[str]:
    keys = {
        "train_accuracy": 2,
        "validation_accuracy": 2,
        "test_accuracy": 2,
        "test_views_accuracy": 2,
        "test_linear_accuracy": 2,
        "test_knn_accuracy": 2,
        "test_mae": 4,
    }
    if records and results.is_stale(records[0]):
        return [name, "stale: train again", *["–"] * len(keys)]
    cells = [spread([record["measures"].get(key) for record in records], digits) for key, digits in keys.items()]
    return [name, str(len(records)), *cells]


def spread(values: Sequence[float | None], digits: int) -> str:
    """`mean ± standard deviation` (n − 1 in the denominator), the mean alone for one value, a dash for none."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    return f"{mean(known):.{digits}f}" + (f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else "")


def mean(values: Sequence[float]) -> float:
    """The mean over the seeds; not a number where there are none."""
    return statistics.fmean(values) if values else math.nan


def markdown(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are set right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


BEGIN, END = "<!-- results -->\n", "<!-- end -->"


def write_into(path: Path) -> None:
    """Put the table of results between the two marks of a Markdown file. Raises UserError where there are none."""
    try:
        before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text; give a Markdown file that is there") from error
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(f"{path} has no place for the results; add the lines {BEGIN.strip()} and {END}")
    note = (
        "Accuracy in percent of the classifier on latents, of the same with beliefs averaged over six views (the image and its mirror, "
        "each in place and shifted by a pixel two ways), of a linear probe (logistic regression on training latents), and of a vote of "
        "the five nearest training latents; mean absolute error of the "
        "reconstructions; mean ± standard deviation over the seeds where there are several. Chosen on validation, test read once per model."
    )
    files.write(path, f"{before}{begin}{markdown(HEADER, rows())}\n\n{note}\n{end}{after}".encode())
