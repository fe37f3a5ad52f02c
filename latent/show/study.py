"""The controlled comparison as tables and series: every row of the study with what its latents store and lay open."""

from latent.show.tables import spread
from latent.store import results

TITLES = {  # of the rows of the study, in their order
    "random": "untrained",
    "pca": "PCA",
    "ae": "autoencoder",
    "ae-views": "autoencoder, views",
    "contrastive-weak": "contrast, weak",
    "contrastive": "contrast",
    "guided": "guided",
    "guided-views": "guided, strong",
    "contrastive-labels": "contrast, labels",
}
READERS = {"linear": "linear", "knn": "kNN-5", "classifier": "MLP", "unfolding": "decoder + CNN"}
_MEASURES = {
    "error": ("test_mae", 4),
    "linear": ("test_linear_accuracy", 1),
    "knn": ("test_knn_accuracy", 1),
    "classifier": ("test_accuracy", 1),
    "unfolding": ("test_unfolding_accuracy", 1),
    "alignment": ("test_alignment", 2),
    "uniformity": ("test_uniformity", 2),
    "rank": ("test_effective_rank", 0),
}
HEADER = ("encoder", "stored: MAE", *READERS.values(), "alignment", "uniformity", "effective rank")
NOTE = (
    "The study on {}, test images, seeds of each row: {}. Stored: mean absolute error of a decoder trained on the frozen latents; of the "
    "best constant image: {:.4f}. Laid open: accuracy in percent of four readers. Alignment (mean squared distance of two views of an "
    "image, those of the MLP's training) and uniformity, of normalised latents: Wang and Isola (2020), lower is better; effective rank: "
    "Roy and Vetterli (2007), at most 128."
)
NOTE_AGAIN = "The same on {}, columns as in [Table](#study-mnist); seeds of each row: {}; error of the best constant image: {:.4f}."

Rows = dict[str, dict[str, list[float]]]


def read(dataset: str) -> Rows:
    """What the study measured on a dataset ("mnist" or "cifar"): title of a row → measure, or "seed" → a value for each seed.

    Rows without results are left out.
    """
    rows = {}
    for row, title in TITLES.items():
        records = results.read(f"{dataset}-{row}", "study")
        if records:
            measured = {name: [record["measures"][key] for record in records] for name, (key, _) in _MEASURES.items()}
            rows[title] = {"seed": [record["seed"] for record in records], **measured}
    return rows


def seeds(rows: Rows) -> str:
    """How many seeds stand behind a row of the study: "3", or "1 to 3" where rows differ."""
    counts = sorted({len(measures["seed"]) for measures in rows.values()}) or [0]
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def table(rows: Rows) -> list[list[str]]:
    """One formatted line for each row of the study, under HEADER."""
    return [[title, *(spread(measures[name], digits) for name, (_, digits) in _MEASURES.items())] for title, measures in rows.items()]


EFFECTS = {  # two rows, the second to be taken from the first → what differs
    ("contrast", "autoencoder, views"): "objective",
    ("contrast", "autoencoder"): "objective and views",
    ("contrast", "contrast, weak"): "views",
    ("autoencoder, views", "autoencoder"): "views",
    ("guided, strong", "guided"): "views",
    ("contrast, labels", "contrast"): "labels in the loss",
    ("guided, strong", "contrast"): "labels",
    ("autoencoder", "PCA"): "a network, trained",
}
EFFECTS_HEADER = ("rows", "what differs", *READERS.values())
EFFECTS_NOTE = (
    "What one change is worth to a reader on {}, in points of test accuracy: differences of two rows of the study seed by seed, mean ± "
    "standard deviation."
)


def effects(rows: Rows) -> list[list[str]]:
    """One formatted line for each of EFFECTS whose two rows are there, under EFFECTS_HEADER: the difference by each of the READERS."""
    return [
        [f"{first} − {second}", change, *(spread(_differences(rows[first], rows[second], reader), 1) for reader in READERS)]
        for (first, second), change in EFFECTS.items()
        if {first, second} <= rows.keys()
    ]


def _differences(first: dict[str, list[float]], second: dict[str, list[float]], reader: str) -> list[float]:
    """Seed by seed, of the seeds that both have; a seed fixes the start and the order of the images for both."""
    one, other = (dict(zip(row["seed"], row[reader])) for row in (first, second))
    return [value - other[seed] for seed, value in one.items() if seed in other]
