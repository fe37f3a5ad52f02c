"""Trials: a recipe with a few values changed, trained and judged on the validation set alone.

Each is a row of results/trials.json, with the decision that was taken on it and the reason; the notebooks show them as tables.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from latent import experiment, readers
from latent.data import Split, load
from latent.errors import UserError
from latent.models import build, freeze
from latent.recipes import Recipe, change, default_scale, find_recipe
from latent.store import files, results

DECISIONS = ("kept", "dropped", "open")


def run(
    name: str,
    recipe: Recipe,
    changes: dict[str, str],
    device: torch.device,
    seed: int = 0,
    images: int | None = None,
    scale: str | None = None,
) -> tuple[int, dict]:
    """Train `recipe` with `changes`, measure on validation, and append the row to the log; returns its number and itself.

    The test set is not read. The row is open until `decide` says what came of it.
    images: how many training images to use, for a quick look; all of them by default.
    """
    read()  # a log that is damaged is better found before the training
    row = {"scale": scale or default_scale()} | judge(name, change(recipe, changes), device, seed, images)
    return _append(row), row


def judge(name: str, tried: Recipe, device: torch.device, seed: int, images: int | None, look: experiment.Look | None = None) -> dict:
    """The row of a recipe: trained on the first `images` training images, measured on validation. The test set is not read."""
    data = load(tried.dataset)
    train = Split(data.train.images[:images], data.train.labels[:images])
    trained = experiment.run(name, tried, replace(data, train=train), seed, device, test=False, look=look)
    measures = {key: value for key, value in trained.record["measures"].items() if key.startswith("validation")}
    seconds = {"seconds": round(sum(trained.record["seconds"].values()), 1)}
    row = {"experiment": name, "images": len(train), "seed": seed, **measures, **seconds, "decision": "open", "reason": ""}
    return row | {"recipe": trained.record["recipe"]}


def read_stored(name: str, device: torch.device) -> tuple[int, dict]:
    """Train the study's reader of decoded images on the frozen latents of the stored seed 0, measure on validation, and append the row.

    It looks at what the encoder's own decoder draws; where there is none, the study's decoder is trained on the latents first.
    """
    stored, study = experiment.load_or_run(name, device=device), find_recipe(f"{name.split('-')[0]}-ae", "study")
    recipe = replace(stored.recipe, reader=study.reader, reader_widths=study.reader_widths)
    if "decoder" not in stored.networks:
        form = {"decoder_folds": study.decoder_folds, "decoder_widths": study.decoder_widths, "sigmoid": study.sigmoid}
        recipe = replace(recipe, decoder=study.decoder, **form)
    networks = build(recipe, stored.data.channels, stored.data.side, seed=0).to(device)
    networks.update(stored.networks)
    if recipe.decoder:
        readers.train_decoder(networks, recipe, stored.data, 0, device)
    readers.train_reader(networks, recipe, stored.data, 0, device)
    measures = experiment.evaluate(freeze(networks), recipe, stored.data, ("validation",))
    row = {"scale": default_scale(), "experiment": name, "images": len(stored.data.train), "seed": 0, **measures}
    row |= {"decision": "open", "reason": "", "recipe": recipe.as_dict()}
    return _append(row), row


def as_read(name: str) -> list[str]:
    """What `read_stored` found last, in percent: the accuracy of the stored classifier, and that of the new reader. Dashes for nothing."""
    found = [row for row in read() if _is_of(row, name) and "validation_unfolding_accuracy" in row]
    return [f"{found[-1][f'validation_{measure}']:.2f}" if found else "–" for measure in ("accuracy", "unfolding_accuracy")]


def difference(tried: dict, recipe: Recipe) -> dict[str, object]:
    """What a tried recipe, as plain data, has in other ways than `recipe`: {"encoder.epochs": 3}."""
    today = flat(recipe.as_dict())
    return {place: value for place, value in flat(tried).items() if today.get(place) != value}


def by_epochs(name: str) -> dict[int, dict]:
    """The trials of an experiment that differ from its recipe in the encoder's number of epochs alone, {epochs: row}.

    Of several trials of one number the last counts; those on fewer training images than others of the experiment do not.
    """
    recipe, own = find_recipe(name, default_scale()), [row for row in read() if _is_of(row, name)]
    most = max((row["images"] for row in own), default=0)
    alike = [row for row in own if row["images"] == most and set(difference(row["recipe"], recipe)) == {"encoder.epochs"}]
    return {row["recipe"]["encoder"]["epochs"]: row for row in alike}


def flat(values: dict, before: str = "") -> dict[str, object]:
    """A recipe as plain data, each value by its place: {"encoder.epochs": 3}."""
    pairs = [flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value} for name, value in values.items()]
    return {place: value for pair in pairs for place, value in pair.items()}


HEADER = ["trial", "images × epochs", "accuracy %", "linear %", "error", "decision", "what was tried: what came of it"]


def rows(name: str) -> list[list[str]]:
    """The trials of an experiment as rows of a table under HEADER, numbered as in the log."""
    return _numbered(lambda row: _is_of(row, name))


def of_study() -> list[list[str]]:
    """The trials of all rows of the study, as `rows` has them."""
    return _numbered(lambda row: row["scale"] == "study")


def _numbered(wanted: Callable[[dict], bool]) -> list[list[str]]:
    return [[str(number), *_cells(row)] for number, row in enumerate(read()) if wanted(row)]


def _is_of(row: dict, name: str) -> bool:
    """Whether a row is of an experiment at the scale that is meant where none is named."""
    return (row["experiment"], row["scale"]) == (name, default_scale())


def _cells(row: dict) -> list[str]:
    digits = {"validation_accuracy": 2, "validation_linear_accuracy": 2, "validation_mae": 4}
    measures = [f"{row[name]:.{count}f}" if name in row else "–" for name, count in digits.items()]
    return [f"{row['images']:,} × {row['recipe']['encoder']['epochs']}", *measures, row["decision"], row["reason"]]


def decide(number: int, decision: str, reason: str) -> dict:
    """Write into row `number` of the log what was decided after it, and why; returns the row.

    Raises UserError where there is no such row, or the reason is none.
    """
    log = _log()
    with files.turn(log.with_name(f".{log.name}.lock")):
        found = read()
        if not 0 <= number < len(found):
            raise UserError(f"there is no row {number}; the log has rows 0 to {len(found) - 1}")
        if decision not in DECISIONS or not reason.strip():
            raise UserError(f"a decision is one of {', '.join(DECISIONS)}, with the reason in words")
        found[number] |= {"decision": decision, "reason": " ".join(reason.split())}
        _write(log, found)
    return found[number]


def read() -> list[dict]:
    """All rows, in the order in which they were tried. Raises UserError where the log is damaged."""
    log = _log()
    try:
        rows = json.loads(files.read(log)) if log.exists() else []
        for row in rows:
            row["experiment"], row["scale"], row["recipe"], row["decision"], row["reason"]
        return rows
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{log} is damaged; restore it, or move it away to begin another") from error


def _log() -> Path:
    return results.folder("cpu") / "trials.json"


def _append(row: dict) -> int:
    """Add a row to the log; returns its number."""
    log = _log()
    with files.turn(log.with_name(f".{log.name}.lock")):
        found = [*read(), row]
        _write(log, found)
    return len(found) - 1


def _write(log: Path, rows: list[dict]) -> None:
    files.write(log, ("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n").encode())
