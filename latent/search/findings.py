"""What a sweep has found, for a terminal and for results/sweeps/<study>.json."""

import json
from pathlib import Path

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from latent.data import load
from latent.errors import UserError
from latent.recipes import find_recipe
from latent.search import trials
from latent.search.sweep import Sweep, folder
from latent.store import files

TITLES = {"validation_mae": "validation MAE", "validation_accuracy": "validation accuracy (%)"}


def account(sweep: Sweep, study: Study) -> dict:
    """What a study has found so far, as plain data. Raises UserError where no trial ran to its end."""
    counts = {state: len(study.get_trials(states=(state,))) for state in TrialState}
    done = study.get_trials(states=(TrialState.COMPLETE,))
    if not done:
        raise UserError(f"no trial of the study {study.study_name!r} ran to its end yet; give it more --trials, or a narrower space")
    data, base = load(sweep.recipe.dataset), sweep.recipe.as_dict()
    return {
        "study": study.study_name,
        "experiment": sweep.experiment,
        "data": data.title,
        "images": min(sweep.images or len(data.train), len(data.train)),
        "trials": {"complete": len(done), "pruned": counts[TrialState.PRUNED], "failed": counts[TrialState.FAIL]},
        "measure": sweep.measure,
        "base": base,
        "start": next((trial.value for trial in done if trial.user_attrs["recipe"] == base), None),
        "best": study.best_value,
        "recipe": study.best_trial.user_attrs["recipe"],
        "judged": [trial.value for trial in done],
        "searched": _searched(sweep, study, done),
    }


def _searched(sweep: Sweep, study: Study, done: list[FrozenTrial]) -> dict[str, dict]:
    """For each searched place: the values tried, by trial, and which share of the variance they explain (None: too few trials)."""
    shares = {}
    if len(done) >= 4 and len({trial.value for trial in done}) > 1:
        shares = optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0))
    return {
        place: {"tried": [trial.params[place] for trial in done], "log": getattr(values, "log", False), "share": shares.get(place)}
        for place, values in sweep.searched.items()
    }


def words(found: dict, scale: str) -> str:
    """The account for a terminal: what was found, as a difference against the recipe of today, and how to try it."""
    today = find_recipe(found["experiment"], scale)
    counts = ", ".join(f"{number} {state}" for state, number in found["trials"].items())
    start = "–" if found["start"] is None else f"{found['start']:.4f}"
    changes, flat = trials.difference(found["recipe"], today), trials.flat(today.as_dict())
    lines = [
        f"{found['study']}, {found['data']}, {found['images']:,} images, trials: {counts}",
        f"{TITLES[found['measure']]}: {found['best']:.4f} at best, {start} at the start",
        *(f"- {place}={flat.get(place)}\n+ {place}={value}" for place, value in changes.items()),
    ]
    values = " ".join(f"{place}={value}" for place, value in changes.items())
    command = f"to try it: latent trial {found['experiment']} {values} --recipe {scale}"
    return "\n".join([*lines, command if changes else "nothing was better than today's recipe"])


def store(found: dict) -> None:
    """Keep an account as results/sweeps/<study>.json."""
    files.write(folder() / f"{found['study']}.json", (json.dumps(found, indent=1) + "\n").encode())


def read(experiment: str) -> list[dict]:
    """The stored accounts of an experiment's studies. Raises UserError where one is damaged."""
    return [found for found in map(_read, sorted(folder().glob("*.json"))) if found["experiment"] == experiment]


def _read(file: Path) -> dict:
    """The account in a file. Raises UserError where it is damaged."""
    try:
        found = json.loads(files.read(file))
        found["experiment"], found["base"], found["recipe"], found["judged"], found["searched"]
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged; restore it, or let `latent sweep` write it again") from error
