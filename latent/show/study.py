"""The controlled comparison as tables and series: every row of the study with what its latents store and lay open."""

from collections.abc import Mapping
from statistics import mean

from scipy.stats import spearmanr

from latent.show.tables import signed, spread
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
LABELLED = ("guided", "guided, strong", "contrast, labels")  # rows whose encoder saw labels
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
JUDGED = {"error": "stored: MAE"} | READERS  # measure → head of its column
GEOMETRY = {"alignment": "alignment", "uniformity": "uniformity", "rank": "effective rank"}
NOTE = (
    "The study on {}, test images, {} seeds a row. Stored: error (MAE) of a decoder trained on the frozen latents; of the best constant "
    "image: {:.4f}. Laid open: accuracy in percent of four readers. Below: their rank correlations with the error."
)
GEOMETRY_NOTE = (
    "How the latents of the study lie on {}. Alignment (mean squared distance of two views of an image, those of the MLP's training) and "
    "uniformity, of normalised latents: Wang and Isola (2020), lower is better; effective rank: Roy and Vetterli (2007), at most 128."
)

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


def table(rows: Rows, columns: Mapping[str, str] = JUDGED) -> tuple[list[str], list[list[str]]]:
    """Header and a formatted line for each row of the study: its title, and its measures named by `columns`."""
    lines = [[title, *(spread(measures[name], _MEASURES[name][1]) for name in columns)] for title, measures in rows.items()]
    return ["encoder", *columns.values()], lines


def agreement(rows: Rows) -> list[list[str]]:
    """Two more lines for the table of `rows`: Spearman's rank correlation of the decoder's error with what each reader finds.

    It is taken over the means of all rows, then over those whose encoder saw no label; a dash where these are fewer than two.
    """
    blind = {title: measures for title, measures in rows.items() if title not in LABELLED}
    return [["rank correlation, all rows", "", *_ranked(rows)], ["rank correlation, rows without labels", "", *_ranked(blind)]]


def _ranked(rows: Rows) -> list[str]:
    if len(rows) < 2:
        return ["–"] * len(READERS)
    means = {name: [mean(measures[name]) for measures in rows.values()] for name in ("error", *READERS)}
    return [signed(spearmanr(means["error"], means[reader]).statistic, 2) for reader in READERS]


EFFECTS = {  # two rows, the second to be taken from the first → what differs
    ("contrast", "autoencoder, views"): "objective",
    ("contrast", "autoencoder"): "objective and views",
    ("contrast", "contrast, weak"): "views",
    ("autoencoder, views", "autoencoder"): "views",
    ("guided, strong", "guided"): "views",
    ("contrast, labels", "contrast"): "labels in the loss",
    ("guided, strong", "contrast"): "labels and loss",
    ("autoencoder", "PCA"): "a network, trained",
}
EFFECTS_NOTE = (
    "What one change is worth to the linear probe and the MLP, in points of test accuracy: the second row of the study taken from the "
    "first, seed by seed, mean ± standard deviation."
)


def effects(studies: Mapping[str, Rows]) -> tuple[list[str], list[list[str]]]:
    """Header and a formatted line for each of EFFECTS: the difference for two readers in each of `studies`, title of the data → rows."""
    columns = [(title, reader) for title in studies for reader in ("linear", "classifier")]
    header = ["rows", "what differs", *(f"{title}, {READERS[reader]}" for title, reader in columns)]
    return header, [
        [f"{first} − {second}", change, *(spread(_differences(studies[title], first, second, reader), 1) for title, reader in columns)]
        for (first, second), change in EFFECTS.items()
    ]


def _differences(rows: Rows, first: str, second: str, reader: str) -> list[float]:
    """Seed by seed, of the seeds that both rows have, none where a row is missing; a seed fixes start and order of the images for both."""
    if not {first, second} <= rows.keys():
        return []
    one, other = (dict(zip(rows[title]["seed"], rows[title][reader])) for title in (first, second))
    return [value - other[seed] for seed, value in one.items() if seed in other]
