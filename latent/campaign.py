"""All experiments and seeds of a scale, one after another, in pieces of some minutes: each call goes on where the last one stopped.

Several processes may share the work: what one trains, the others leave to it.
"""

import time
from contextlib import suppress

import torch
from torch import nn

from latent import experiment
from latent.data import load
from latent.errors import Busy
from latent.models import build
from latent.recipes import RECIPES, SEEDS, STUDY_SEEDS
from latent.store import results


class Paused(KeyboardInterrupt):
    """The time given is over; what was reached is kept, as where a person stops a training."""


def jobs(scale: str) -> list[tuple[str, int]]:
    """Every experiment of a scale with every seed: first seed 0 of all."""
    seeds = {name: STUDY_SEEDS if scale == "study" else SEEDS[recipe.dataset] for name, recipe in RECIPES[scale].items()}
    pairs = [(name, seed) for name, count in seeds.items() for seed in range(count)]
    return sorted(pairs, key=lambda pair: pair[1])


def missing(scale: str) -> list[tuple[str, int]]:
    """The jobs whose record is not there, or not of today's recipe and model on the data at hand."""
    return [(name, seed) for name, seed in jobs(scale) if not _is_done(name, scale, seed)]


def _is_done(name: str, scale: str, seed: int) -> bool:
    recipe = RECIPES[scale][name]
    data = load(recipe.dataset)
    networks = build(recipe, data.channels, data.side, seed)
    return any(record["seed"] == seed and results.is_current(record, recipe, data, networks) for record in results.read(name, scale))


def go_on(scale: str, device: torch.device, seconds: float) -> list[tuple[str, int]]:
    """Train what is missing, until all is done or `seconds` are over at the end of an epoch; returns what is missing then.

    An epoch of an encoder, and what follows on its frozen latents, are never cut: they may take longer than `seconds`.
    """
    left = missing(scale)
    end = time.monotonic() + seconds  # counted from here, so that a busy machine gets on too, however little time it is given

    def look(_: nn.ModuleDict) -> None:
        if time.monotonic() > end:
            raise Paused("the time given is over")

    try:
        for name, seed in left:
            if time.monotonic() > end:
                break
            recipe = RECIPES[scale][name]
            with suppress(Busy):  # another process is at it, and does it
                if not _is_done(name, scale, seed):
                    experiment.run_and_store(name, recipe, load(recipe.dataset), seed, device, scale, look)
    except Paused as stop:
        print(stop)
    return missing(scale)
