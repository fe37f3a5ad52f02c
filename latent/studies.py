"""Studies: what a sweep has found, for a terminal, for results/sweeps/<study>.json and as figures."""

import json
from pathlib import Path

import optuna
from matplotlib.figure import Figure
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from latent import display, figures, files, trials
from latent.data import load
from latent.errors import UserError
from latent.recipes import Recipe, recipe
from latent.sweep import Sweep, folder

TITLES = {"validation_mae": "validation MAE", "validation_accuracy": "validation accuracy (%)"}


def account(sweep: Sweep, study: Study) -> dict:
    """What a study has found so far, as plain data. Raises UserError where no trial ran to its end."""
    counts = {state: len(study.get_trials(states=(state,))) for state in TrialState}
    done = study.get_trials(states=(TrialState.COMPLETE,))
    if not done:
        raise UserError(f"no trial of the study {study.study_name!r} ran to its end yet; give it more --trials, or a narrower space")
    data, plan = load(sweep.plan.dataset), sweep.plan.as_dict()
    return {
        "study": study.study_name,
        "experiment": sweep.experiment,
        "data": data.title,
        "images": min(sweep.images or len(data.train), len(data.train)),
        "trials": {"complete": len(done), "pruned": counts[TrialState.PRUNED], "failed": counts[TrialState.FAIL]},
        "measure": sweep.measure,
        "plan": plan,
        "start": next((trial.value for trial in done if trial.user_attrs["recipe"] == plan), None),
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
        place: {"tried": [trial.params[place] for trial in done], "log": getattr(space, "log", False), "share": shares.get(place)}
        for place, space in sweep.space.items()
    }


def words(found: dict, scale: str) -> str:
    """The account for a terminal: what was found, as a difference against the recipe of today, and how to try it."""
    today = recipe(found["experiment"], scale)
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


def sentence(found: dict) -> str:
    """The account for a reader: how it was searched, and what the best trial changed."""
    today = recipe(found["experiment"])
    fixed, best = (trials.words(trials.difference(found[key], plan)) for key, plan in (("plan", today), ("recipe", _plan(found))))
    start = "" if found["start"] is None else f", {_number(found, found['start'])} with the values it started from, the recipe's own"
    counts = found["trials"]
    return (
        f"Study {found['study']} of `latent sweep`: {counts['complete']} trials to the end and {counts['pruned']} pruned, on "
        f"{found['images']:,} images of {found['data']}, with the recipe but {fixed}; {TITLES[found['measure']]} "
        f"{_number(found, found['best'])} at best{start}. What the best trial changed: {best}."
    )


def _plan(found: dict) -> Recipe:
    return Recipe.from_dict(found["plan"])


def _number(found: dict, value: float) -> str:
    return f"{value:.4f}" if found["measure"] == "validation_mae" else f"{value:.2f}"


def store(found: dict) -> None:
    """Keep an account as results/sweeps/<study>.json, and the study's figures."""
    files.write(folder() / f"{found['study']}.json", (json.dumps(found, indent=1) + "\n").encode())
    for name, figure in drawn(found).items():
        display.keep(figure, name)


def drawn(found: dict) -> dict[str, Figure]:
    """The figures of an account by their names: the importance of each searched value, and slices; none of too few trials."""
    searched = found["searched"]
    shares = {place: values["share"] for place, values in searched.items()}
    if None in shares.values():
        return {}
    shares = dict(sorted(shares.items(), key=lambda pair: -pair[1]))
    name, measure = f"{found['study']}, {found['data']}", TITLES[found["measure"]]
    tried = {place: values["tried"] for place, values in searched.items()}
    log = {place for place, values in searched.items() if values["log"]}
    best = found["judged"].index(found["best"])
    return {
        f"sweep-{found['study']}-importance": figures.importance(shares, name, measure, len(found["judged"])),
        f"sweep-{found['study']}-slices": figures.slices(tried, found["judged"], best, name, measure, log),
    }


def read(experiment: str) -> list[dict]:
    """The stored accounts of an experiment's studies. Raises UserError where one is damaged."""
    return [found for found in map(_read, sorted(folder().glob("*.json"))) if found["experiment"] == experiment]


def _read(file: Path) -> dict:
    """The account in a file. Raises UserError where it is damaged."""
    try:
        found = json.loads(files.read(file))
        found["experiment"], found["plan"], found["recipe"], found["judged"], found["searched"]
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged; restore it, or let `latent sweep` write it again") from error
