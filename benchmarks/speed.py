"""Rows of training: against the usual way, against the machine's own matrix rate, and what data and views take."""

from benchmarks import textbook, training
from benchmarks.contestants import compare
from benchmarks.rows import Row
from latent.data import VALIDATION_SIZE
from latent.recipes import find_recipe

TRAINING_IMAGES = 50_000 - VALIDATION_SIZE  # of CIFAR-10
MINUTES = {"cifar-guided": 8, "cifar-ae": 25, "cifar-contrastive": 75}  # that an encoder's whole training may take

Seconds = dict[str, dict[str, float]]  # contestant → task → seconds a thing


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


def against(experiment: str, name: str, ours: dict[str, float], theirs: dict[str, float], goal: float) -> list[Row]:
    """Images a second of whole training steps, and views a second of the data part alone."""
    parts = {"train": ("training", "images/s", goal), "views": ("data and views alone", "views/s", None)}
    return [
        Row(f"{experiment}, {what}, against {name}", 1 / ours[task], 1 / theirs[task], unit, theirs[task] / ours[task], least=least)
        for task, (what, unit, least) in parts.items()
    ]


def by_itself(experiment: str, scale: str, ours: dict[str, float]) -> list[Row]:
    """Arithmetic a second of a step beside that of a matrix product, the share of a step that data and views take, the whole training."""
    recipe = find_recipe(experiment, scale)
    reached = training.flops_per_image(recipe) / ours["train"] / 1e9
    possible = 2 * training.MATRIX**3 / ours["matrix"] / 1e9
    whole, allowed = recipe.encoder.epochs * TRAINING_IMAGES * ours["train"], 60 * MINUTES[experiment]
    data = ours["views"] * (2 if recipe.objective.startswith("contrast") else 1)  # seconds an image
    return [
        Row(f"{experiment}, arithmetic of training, against a matrix product", reached, possible, "GFLOP/s", reached / possible, least=0.6),
        Row(
            f"{experiment}, data and views of a training step",
            1000 * data,
            1000 * ours["train"],
            "ms/image",
            data / ours["train"],
            most=0.1,
        ),
        Row(f"{experiment}, all epochs of the encoder, against the time allowed", whole, allowed, "s", whole / allowed, most=1),
    ]
