"""The store: results/<experiment>/seed<n>.json with everything measured, and seed<n>.safetensors with the weights.

What a scale other than `cpu` gives lies apart, in results/<scale>/.
"""

import hashlib
import json
import math
import os
import statistics
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from latent.data import FORMS, Dataset, uses_standin
from latent.errors import UserError
from latent.models import build, signature
from latent.recipes import RECIPES, Recipe, default_scale
from latent.store import files

PROJECT = Path(__file__).resolve().parents[2]


def folder(scale: str | None = None) -> Path:
    """Where results of a scale lie: in LATENT_RESULTS, else results/ for real data and build/embedded/results/ for the stand-ins.

    LATENT_RECIPE names the scale where none is given.
    """
    scale = scale or default_scale()
    place = Path(os.environ.get("LATENT_RESULTS") or PROJECT / ("build/embedded/results" if uses_standin() else "results")).resolve()
    return place if scale == "cpu" else place / scale


def path(experiment: str, seed: int, suffix: str, scale: str | None = None) -> Path:
    """The file of one seed of an experiment."""
    return folder(scale) / experiment / f"seed{seed}{suffix}"


def is_current(record: dict, recipe: Recipe, data: Dataset, networks: nn.ModuleDict) -> bool:
    """Whether `record` was made by this recipe, on this data, with these networks."""
    return _made_with(record) == (data.digest, signature(recipe, networks))


def is_stale(record: dict) -> bool:
    """Whether `record` was made by a recipe that is no longer there, at any scale, or with networks that are now built otherwise."""
    return record["signature"] not in _signatures(record["experiment"])


@cache
def _signatures(experiment: str) -> set[str]:
    """Of today's recipes of an experiment, one for each scale."""
    recipes = [recipes[experiment] for recipes in RECIPES.values() if experiment in recipes]
    with torch.random.fork_rng(devices=[]):  # who reads results draws the same numbers after it as before
        return {signature(recipe, build(recipe, *FORMS[recipe.dataset], seed=0)) for recipe in recipes}


def write(experiment: str, seed: int, record: dict, networks: nn.ModuleDict | None, scale: str | None = None) -> dict:
    """Store a record and, if given, the weights, whose SHA-256 the record keeps: each file whole or not at all.

    Returns the record as it is stored. Raises UserError where a file cannot be written.
    """
    if networks is not None:
        weights = save(pack(networks))
        record = record | {"weights": hashlib.sha256(weights).hexdigest()}
        files.write(path(experiment, seed, ".safetensors", scale), weights)
    files.write(path(experiment, seed, ".json", scale), (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    return record


def read(experiment: str, scale: str | None = None) -> list[dict]:
    """The records of an experiment, by seed: those that are not stale (all, where each one is) and of the first one's recipe and data.

    Raises UserError at a record that is damaged, or that is of another experiment or seed than its place says.
    """
    seeds = {file.stem.removeprefix("seed"): file for file in (folder(scale) / experiment).glob("seed*.json")}
    records = [_read(experiment, int(seed), seeds[seed], scale) for seed in sorted(filter(str.isdecimal, seeds), key=int)]
    records = [record for record in records if not is_stale(record)] or records
    return [record for record in records if _made_with(record) == _made_with(records[0])]


def remedy(experiment: str, seed: int, scale: str | None = None) -> str:
    """What to do where a seed has no result, or none that can be used."""
    scale = scale or default_scale()
    return f"run `latent train {experiment} --seed {seed}{'' if scale == 'cpu' else f' --recipe {scale}'}`"


def _read(experiment: str, seed: int, file: Path, scale: str | None) -> dict:
    to_do = remedy(experiment, seed, scale)
    try:
        record = json.loads(files.read(file))
        place = record["experiment"], record["seed"]
        _made_with(record), [record["measures"][measure] for measure in _needed(record["recipe"])]
        if not all(map(math.isfinite, record["measures"].values())):
            raise ValueError("a measure is no number")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"{file} is damaged or of another version; {to_do}") from error
    if place != (experiment, seed):
        raise UserError(f"{file} is a record of {place[0]}, seed {place[1]}, not of {experiment}, seed {seed}; {to_do}")
    return record


def _needed(recipe: dict) -> list[str]:
    """What tables print of every run."""
    return ["test_accuracy", "test_mae"] if recipe["objective"] == "reconstruct" else ["test_accuracy"]


def _made_with(record: dict) -> tuple:
    return record["data"]["digest"], record["signature"]  # which holds the recipe


def load_weights(experiment: str, seed: int, networks: nn.ModuleDict, scale: str | None = None) -> nn.ModuleDict:
    """Fill `networks` with stored weights. Raises UserError if there are none, or they are not those of the record, or do not fit."""
    file, to_do = path(experiment, seed, ".safetensors", scale), remedy(experiment, seed, scale)
    record = next((record for record in read(experiment, scale) if record["seed"] == seed), None)
    if record is None or not file.exists():
        raise UserError(f"no weights of {experiment}, seed {seed}, in {folder(scale)}; {to_do}")
    content = files.read(file)
    if hashlib.sha256(content).hexdigest() != record.get("weights"):
        raise UserError(f"{file} is damaged or not the file that seed{seed}.json was stored with; restore it, or {to_do}")
    try:
        networks.load_state_dict(unpack(load(content)))
    except (RuntimeError, ValueError, SafetensorError) as error:
        raise UserError(f"{file.name} of {experiment} does not fit its recipe; {to_do}") from error
    return networks


def pack(networks: nn.ModuleDict) -> dict[str, torch.Tensor]:
    """State as it is stored: parameters in float16, buffers (BatchNorm's statistics) as they are."""
    learned = {name for name, _ in networks.named_parameters()}
    state = networks.state_dict()
    return {name: (tensor.half() if name in learned else tensor).contiguous() for name, tensor in state.items()}


def unpack(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in state.items()}


def summary(experiment: str) -> dict | None:
    """Means and standard deviations over the seeds of an experiment, accuracies in percent; None without results.

    Results that are stale (see `is_stale`) are not given: their values are None.
    """
    records = read(experiment)
    if not records:
        return None
    row: dict = {"experiment": experiment, "seeds": len(records), "stale": is_stale(records[0])}
    for key in ("train_accuracy", "validation_accuracy", "test_accuracy", "test_mae"):
        values = [record["measures"].get(key) for record in records]
        known = None not in values and not row["stale"]
        row[key] = statistics.fmean(values) if known else None
        row[f"{key}_std"] = statistics.stdev(values) if known and len(values) > 1 else None
    return row
