"""The most memory that each CPU recipe takes: a few steps of it among as many images as the real data has."""

import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from latent import experiment, models, probe, recipes
from latent.compute import device
from latent.data import FORMS, Dataset, Split
from soak.processes import CONTEXT

MOST = 4.0  # GiB
IMAGES = {"mnist": 70_000, "cifar10": 60_000}  # of all three splits, which stay in memory
STEPS = 3
HELD_OUT = 1_500  # more than a batch of any recipe, and of what is judged at once: more of them would take time, not memory


def rows(folder: Path, effort: float) -> list[tuple[str, str]]:
    """The peak of every CPU recipe in a process of its own."""
    begun, found = time.perf_counter(), []
    for name in recipes.RECIPES["cpu"]:
        process = CONTEXT.Process(target=_measure, args=(name, folder / name))
        process.start()
        process.join()
        assert process.exitcode == 0, name
        peak = float((folder / name).read_text())
        assert peak <= MOST, f"{name} takes {peak:.2f} GiB"
        found.append((f"peak memory of {name}, GiB (at most {MOST:.0f} allowed)", f"{peak:.2f}"))
    return [*found, ("seconds", f"{time.perf_counter() - begun:.0f}")]


def _measure(name: str, told: Path) -> None:
    recipe = recipes.find_recipe(name)
    whole = _random(IMAGES[recipe.dataset], recipe.dataset)
    held_out = _random(HELD_OUT, recipe.dataset)
    few = Split(whole.images[: STEPS * recipe.encoder.batch], whole.labels[: STEPS * recipe.encoder.batch])
    data = Dataset("random", tuple("0123456789"), few, held_out, held_out, digest="", standin=True)
    short = replace(recipe, encoder=replace(recipe.encoder, epochs=1), classifier=replace(recipe.classifier, epochs=1))
    experiment.run(name, short, data, 0, torch.device("cpu"))
    device.keep_memory()
    if recipe.objective != "classify":  # the second stage and the vote see all latents at once
        copies = torch.cat([torch.randn(len(whole), recipe.latent) for _ in range(recipe.classifier.copies)])
        networks = models.build(recipe, *FORMS[recipe.dataset], seed=0)
        networks["classifier"](copies[: recipe.classifier.batch]).sum().backward()
    for judge in (probe.knn_accuracy, probe.linear_accuracy):
        judge(torch.randn(len(whole), recipe.latent), whole.labels, torch.randn(1_000, recipe.latent), whole.labels[:1_000])
    per_gib = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, KiB elsewhere
    told.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_gib))


def _random(count: int, dataset: str) -> Split:
    channels, side = FORMS[dataset]
    return Split(torch.randint(256, (count, channels, side, side), dtype=torch.uint8), torch.arange(count) % 10)
