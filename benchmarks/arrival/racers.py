"""Who races. Each gives trainings, as `benchmarks.arrival.race` takes them, from an experiment's recipe, its data and a learning rate."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from torch import nn

from benchmarks.arrival import airbench, course, simclr
from benchmarks.arrival.race import SEED, Training
from latent.compute.device import keep_memory
from latent.data import Dataset
from latent.models import build, start_from_images
from latent.objectives import loss_of, trained_with
from latent.recipes import EXPERIMENTS, Recipe, find_recipe
from latent.train import fit, make_optimizers


def ours(recipe: Recipe, data: Dataset, rate: float) -> Iterable[Training]:
    """The project's own training, in the lengths of the recipe's schedule: 1, 2, 4, … epochs."""
    keep_memory()  # as `latent train` does
    return (scheduled(recipe, data, rate, 2**doublings) for doublings in itertools.count())


def scheduled(recipe: Recipe, data: Dataset, rate: float, epochs: int) -> Training:
    training = replace(recipe.encoder, epochs=epochs, learning_rate=rate)
    networks = build(recipe, data.channels, data.side, SEED)
    start_from_images(networks, data.train.images)
    used = nn.ModuleDict({name: networks[name] for name in ("encoder", trained_with(recipe))})
    optimizers, loss = make_optimizers(used, training), loss_of(used, recipe)
    for _ in fit(used, optimizers, loss, data.train.images, data.train.labels, training, SEED, title="ours"):
        pass
    yield used


@dataclass(frozen=True)
class Racer:
    """goal: how many times faster than it ours is to be. rates: the learning rates of which its best counts, the first the usual one."""

    trainings: Callable[[Recipe, Dataset, float], Iterable[Training]]
    rates: tuple[float, ...]
    goal: float
    experiments: tuple[str, ...] = EXPERIMENTS


CONTRASTIVE = ("mnist-contrastive", "cifar-contrastive")
RACERS = {
    "ours": Racer(ours, (), 1),
    "textbook": Racer(course.trainings, (1e-3, 3e-4, 3e-3), 10),
    "lightly": Racer(simclr.documented, (0.06, 0.02, 0.2), 10, CONTRASTIVE),
    "lightly-bfloat16": Racer(simclr.in_bfloat16, (0.06, 0.02, 0.2), 4, CONTRASTIVE),
    "airbench": Racer(airbench.trainings, (11.5, 6.0, 20.0), 1, ("cifar-guided",)),
}


def rates_of(experiment: str, contestant: str, scale: str) -> tuple[float, ...]:
    """Ours has the one of its recipe: it was chosen before."""
    return RACERS[contestant].rates or (find_recipe(experiment, scale).encoder.learning_rate,)
