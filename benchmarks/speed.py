"""Rows of training: against the usual way, against the machine's own matrix rate, and what data and views take."""

from statistics import median

from benchmarks import textbook, training
from benchmarks.contestants import compare
from benchmarks.rows import Row, ratio
from latent.data import VALIDATION_SIZE
from latent.recipes import find_recipe

TRAINING_IMAGES = 50_000 - VALIDATION_SIZE  # of CIFAR-10
MINUTES = {"cifar-guided": 8, "cifar-ae": 25, "cifar-contrastive": 75}  # that an encoder's whole training may take

Seconds = dict[str, list[float]]  # task → seconds a thing, turn by turn


def rows(scale: str, count: int, repeats: int) -> list[Row]:
    """All rows of the three CIFAR-10 recipes, from trainings on `count` images."""
    rivals = {
        "cifar-contrastive": {"DataLoader and torchvision": textbook.contrastive, "lightly": textbook.lightly},
        "cifar-guided": {"DataLoader and torchvision": textbook.guided},
        "cifar-ae": {},
    }
    goals = {"DataLoader and torchvision": 10, "lightly": 5}
    found = []
    for experiment, others in rivals.items():
        makers = {name: (prepare, experiment, scale, count) for name, prepare in {"ours": training.prepare, **others}.items()}
        seconds = compare(makers, repeats)
        for name in others:
            found += against(experiment, name, seconds["ours"], seconds[name], goals[name])
        found += by_itself(experiment, scale, seconds["ours"])
    return found


def against(experiment: str, name: str, ours: Seconds, theirs: Seconds, goal: float) -> list[Row]:
    """Images a second of whole training steps, and views a second of the data part alone."""
    parts = {"train": ("training", "images/s", goal), "views": ("data and views alone", "views/s", None)}
    return [
        Row(
            f"{experiment}, {what}, against {name}",
            1 / median(ours[task]),
            1 / median(theirs[task]),
            unit,
            *ratio(theirs[task], ours[task]),
            least=least,
        )
        for task, (what, unit, least) in parts.items()
    ]


def by_itself(experiment: str, scale: str, ours: Seconds) -> list[Row]:
    """Arithmetic a second of a step beside that of a matrix product, the share of a step that data and views take, the whole training."""
    recipe = find_recipe(experiment, scale)
    operations, product = training.flops_per_image(recipe), 2 * training.MATRIX**3
    train, matrix, views = ours["train"], ours["matrix"], ours["views"]
    images, allowed = recipe.encoder.epochs * TRAINING_IMAGES, 60 * MINUTES[experiment]
    each = 2 if recipe.objective.startswith("contrast") else 1  # views of an image
    return [
        Row(
            f"{experiment}, arithmetic of training, against a matrix product",
            operations / median(train) / 1e9,
            product / median(matrix) / 1e9,
            "GFLOP/s",
            *ratio(matrix, train, operations / product),
            least=0.6,
        ),
        Row(
            f"{experiment}, data and views of a training step",
            1000 * each * median(views),
            1000 * median(train),
            "ms/image",
            *ratio(views, train, each),
            most=0.1,
        ),
        Row(
            f"{experiment}, all epochs of the encoder, against the time allowed",
            images * median(train),
            allowed,
            "s",
            *ratio(train, [1] * len(train), images / allowed),
            most=1,
        ),
    ]
