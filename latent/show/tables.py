"""Results as tables: for a terminal, a README, a notebook or another program."""

import math
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from latent.errors import UserError
from latent.probe import confusions
from latent.recipes import EXPERIMENTS, VARIANTS
from latent.store import files, results

HEADER = ["experiment", "seeds", "train %", "validation %", "test %", "test % (6 views)", "test linear %", "test kNN-5 %", "test MAE"]
NOTE = (
    "Accuracy in percent: of the classifier on latents; of the same with probabilities averaged over six views (the image and its mirror, "
    "each in place and shifted by a pixel two ways); of a linear probe (logistic regression on training latents); of a vote of the "
    "five nearest training latents (kNN-5). Mean absolute error of "
    "reconstructions, pixels in [0, 1]. Mean ± standard deviation over the seeds. What was chosen was chosen on the "
    "validation set; the test set was read once per trained model. Two kinds stand beside the six: contrast with labels in its loss, "
    "and 128 principal components under the autoencoder's classifier (pca)."
)

SHORT = ["encoder", "seeds", "train %", "validation %", "test %", "six views %", "linear %", "kNN-5 %", "error"]  # in the same order

SHORT_NOTE = (
    "{}. Accuracy in percent of the classifier on the three splits, and on test images of a linear probe and of kNN-5{}. Error: MAE of "
    "reconstructions of test images. Mean ± standard deviation over seeds."
)
SIX_VIEWS = "; six views: probabilities averaged over six views of each image"

WAYS = {
    "ae": "autoencoder",
    "guided": "guided",
    "contrastive": "contrast",
    "contrastive-labels": "contrast, labels",
    "pca": "PCA",
}

NUMBERS = re.compile(r"[\d.,±+−–% -]*")  # a cell of numbers, or of none


def rows(experiments: Sequence[str] = EXPERIMENTS + VARIANTS) -> list[list[str]]:
    """One formatted row an experiment: mean ± standard deviation over the seeds; a dash where there is nothing.

    Of results that are stale no number is shown.
    """
    return [row(name, results.read(name)) for name in experiments]


def way(experiment: str) -> str:
    """What the encoder of an experiment is called, by what taught it: "mnist-ae" is an "autoencoder"."""
    name = experiment.partition("-")[2]
    return WAYS.get(name, name)


def filled(header: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """A table's header and rows without the columns of which no row says anything."""
    kept = [number for number in range(len(header)) if any(row[number] not in ("", "–") for row in body)]
    return [header[number] for number in kept], [[row[number] for number in kept] for row in body]


def short_note(title: str, header: Sequence[str]) -> str:
    """What stands below a table of the measures in `header`, all of data called `title`."""
    return SHORT_NOTE.format(title, SIX_VIEWS if "six views %" in header else "")


def row(name: str, records: list[dict]) -> list[str]:
    """What was measured of the records of one experiment, as `rows` and the header `SHORT` have it."""
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
    """`mean ± standard deviation` (n − 1 in the denominator), the mean alone for one value, a dash for none; minus signs are true ones."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    middle = round(mean(known), digits) + 0.0  # nought has no sign
    return signed(middle, digits) + (f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else "")


def signed(value: float, digits: int) -> str:
    """A number with a true minus sign where it is below nought."""
    return f"{value:.{digits}f}".replace("-", "−")


def mean(values: Sequence[float]) -> float:
    """The mean over the seeds; not a number where there are none."""
    return statistics.fmean(values) if values else math.nan


def markdown(header: Sequence[str], body: Sequence[Sequence]) -> str:
    """A Markdown table whose columns of numbers are set right; rules of one length leave the columns' widths to the reader."""
    lines = [list(map(str, line)) for line in (header, *body)]
    columns = [[line[number] for line in lines] for number in range(len(header))]
    lines.insert(1, ["--:" if all(map(NUMBERS.fullmatch, column[1:])) else "---" for column in columns])
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
    files.write(path, f"{before}{begin}{markdown(HEADER, rows())}\n\n{NOTE}\n{end}{after}".encode())


SCORES = ("images", "space", "kNN-5 %", "distances as in pixels", "silhouette", "trustworthiness of the map")
SCORES_NOTE = (
    "The spaces behind the maps, seed 0. kNN-5: of all test images (pixels less their mean). The others: of the 1,500 images on the maps, "
    "by Euclidean distance, as in t-SNE: rank correlation of the distances between images with those between their pixels; silhouette of "
    "the classes (Rousseeuw 1987); trustworthiness, how far neighbours on the map are neighbours in the space (Venna and Kaski 2001)."
)


def scores(structure: dict[str, float]) -> list[str]:
    """What `probe.structure` measured, formatted, under the last three of SCORES."""
    places = {"distances": 2, "silhouette": 2, "trustworthiness": 3}
    return [signed(structure[name], decimals) for name, decimals in places.items()]


CONFUSED = ("encoder", "wrong %", "commonest confusions: true class for predicted class (share of the true class)")
CONFUSED_NOTE = "Test images that the classifier takes for another class, one seed: how many, and the three commonest ways."


def confused(predicted: Tensor, labels: Tensor, classes: Sequence[str], count: int = 3) -> list[str]:
    """What a classifier mistakes, formatted, under the last two of CONFUSED: how much in all, and the commonest `count` confusions."""
    shares = confusions(predicted, labels, len(classes)).fill_diagonal_(0)
    places = shares.flatten().topk(count)
    pairs = [(classes[place // len(classes)], classes[place % len(classes)], share) for place, share in zip(places.indices, places.values)]
    named = ", ".join(f"{true} for {taken} ({share:.1f} %)" for true, taken, share in pairs)
    return [f"{100 * (predicted != labels).float().mean():.2f}", named]
