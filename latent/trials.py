"""Trials: a recipe with a few values changed, trained and judged on the validation set alone.

Each is a row of results/trials.json; results/experiments.md shows them as tables.
"""

import ast
import json
import math
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import get_args, get_origin

import torch

from latent import experiment, files, results
from latent.data import Split, load
from latent.errors import UserError
from latent.objectives import OBJECTIVES
from latent.recipes import Recipe

COUNTS = {"epochs", "batch", "copies", "widths", "grid", "latent", "decoder_widths", "levels", "projection", "hidden"}
SHARES = {"dropout", "label_smoothing", "warmup", "jittered", "grey", "zoom"}


def change(plan, changes: dict[str, str]):
    """A recipe with values replaced: {"encoder.epochs": "3", "levels": "2"}; values are Python literals, anything else a word.

    Raises UserError where a field does not exist or cannot take the value.
    """
    for place, text in changes.items():
        name, _, rest = place.partition(".")
        if name not in {field.name for field in fields(plan)} or (rest and not is_dataclass(getattr(plan, name))):
            raise UserError(f"no value {place!r} in {type(plan).__name__}; choose one of: {', '.join(f.name for f in fields(plan))}")
        value = change(getattr(plan, name), {rest: text}) if rest else _literal(text)
        if is_dataclass(getattr(plan, name)) and not is_dataclass(value):
            raise UserError(f"{place!r} is a group of values; set one of: {', '.join(f.name for f in fields(getattr(plan, name)))}")
        plan = replace(plan, **{name: value if rest else _fitting(plan, name, value)})
    return plan


def _fitting(plan, name: str, value):
    """`value` if the field `name` can take it."""
    kind = next(field.type for field in fields(plan) if field.name == name)
    if not _is_a(kind, value):
        was = getattr(plan, name)
        raise UserError(f"{name} cannot be {value!r}: write it as {was!r} is written")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, (int, float)):
            low, high = 1 if name in COUNTS else 0, 1 if name in SHARES else math.inf
            if not (low <= number <= high and math.isfinite(number)):
                raise UserError(f"{name} cannot be {number}: give {f'{low} to {high}' if high < math.inf else f'{low} or more'}")
    if name == "objective" and value not in OBJECTIVES:
        raise UserError(f"unknown objective {value!r}; choose one of: {', '.join(OBJECTIVES)}")
    return value


def _is_a(kind, value) -> bool:
    """Whether `value` is of the type that a recipe declares; whole numbers are numbers, truth values are not."""
    if get_origin(kind) is tuple:
        inside, length = get_args(kind)[0], None if get_args(kind)[-1] is ... else len(get_args(kind))
        return isinstance(value, tuple) and len(value) == (length or len(value)) and all(_is_a(inside, part) for part in value)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(kind, type) or isinstance(value, kind) or is_dataclass(kind)


def _literal(text: str):
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # the last two: brackets in brackets without end
        return text


def run(name: str, plan: Recipe, changes: dict[str, str], device: torch.device, seed: int = 0, images: int | None = None) -> dict:
    """Train `plan` with `changes`, measure on validation, append the row to the log and return it. The test set is not read.

    images: how many training images to use, for a quick look; all of them by default.
    """
    read()  # a log that is damaged is better found before the training
    row = judge(name, change(plan, changes), device, seed, images)
    _append(results.folder() / "trials.json", row)
    return row


def judge(name: str, tried: Recipe, device: torch.device, seed: int, images: int | None, look: experiment.Look | None = None) -> dict:
    """The row of a recipe: trained on the first `images` training images, measured on validation. The test set is not read."""
    data = load(tried.dataset)
    train = Split(data.train.images[:images], data.train.labels[:images])
    trained = experiment.train(name, tried, replace(data, train=train), seed, device, test=False, look=look)
    measures = {key: value for key, value in trained.record["measures"].items() if key.startswith("validation")}
    row = {"experiment": name, "images": len(train), "seed": seed, **measures, "recipe": trained.record["recipe"]}
    return row | {"seconds": round(sum(trained.record["seconds"].values()), 1)}


def difference(tried: dict, plan: Recipe) -> dict[str, object]:
    """What a tried recipe, as plain data, has in other ways than `plan`: {"encoder.epochs": 3}."""
    today = flat(plan.as_dict())
    return {place: value for place, value in flat(tried).items() if today.get(place) != value}


def flat(values: dict, before: str = "") -> dict[str, object]:
    """A recipe as plain data, each value by its place: {"encoder.epochs": 3}."""
    pairs = [flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value} for name, value in values.items()]
    return {place: value for pair in pairs for place, value in pair.items()}


def by_views(name: str) -> list[dict]:
    """The trials of an experiment that differ in nothing but the encoder's views, as they were tried: the largest such group."""
    groups: dict[tuple, list[dict]] = {}
    for row in (row for row in read() if row["experiment"] == name):
        rest = {place: value for place, value in flat(row["recipe"]).items() if not place.startswith("encoder.views.")}
        groups.setdefault((row["images"], row["seed"], json.dumps(rest)), []).append(row)
    return max(groups.values(), key=len, default=[])


HEADER = ["what was tried", "images", "classifier %", "kNN-5 %", "MAE", "kept"]


def rows(name: str, plan: Recipe) -> list[list[str]]:
    """The trials of an experiment as rows of a table.

    Trials on one number of images are a block. Its first row says what sets it apart from `plan`, the recipe of today; each
    further row what it changed against the first, and whether the recipe has kept that.
    """
    tried = [row for row in read() if row["experiment"] == name]
    blocks = {count: [row for row in tried if row["images"] == count] for count in dict.fromkeys(row["images"] for row in tried)}
    table = []
    for first, *others in blocks.values():
        table.append([f"the recipe, but {words(difference(first['recipe'], plan))}", *_cells(first), ""])
        for row in others:
            changes = difference(row["recipe"], Recipe.from_dict(first["recipe"]))
            kept = all(flat(plan.as_dict()).get(place) == value for place, value in changes.items())
            table.append([f"then {words(changes)}", *_cells(row), "yes" if kept else "no"])
    return table


def _cells(row: dict) -> list[str]:
    error = f"{row['validation_mae']:.4f}" if "validation_mae" in row else "–"
    return [f"{row['images']:,}", f"{row['validation_accuracy']:.2f}", f"{row['validation_knn_accuracy']:.2f}", error]


def words(changes: dict[str, object]) -> str:
    """Changes for a reader."""
    return ", ".join(f"{place.replace('_', ' ')} {value}" for place, value in changes.items()) or "nothing else"


def read() -> list[dict]:
    """All rows, in the order in which they were tried. Raises UserError where the log is damaged."""
    log = results.folder() / "trials.json"
    try:
        rows = json.loads(log.read_bytes()) if log.exists() else []
        for row in rows:
            row["experiment"], row["recipe"]
        return rows
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{log} is damaged; restore it, or move it away to begin another") from error


def _append(log: Path, row: dict) -> None:
    with files.turn(log.with_name(f".{log.name}.lock")):
        files.write(log, ("[\n" + ",\n".join(json.dumps(one) for one in [*read(), row]) + "\n]\n").encode())
