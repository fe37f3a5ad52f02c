"""Studies: what a sweep has found, for a terminal, for results/sweeps/<study>.json and as figures."""

import json

import optuna
from optuna.study import Study
from optuna.trial import TrialState

from latent import display, figures, files, trials
from latent.data import load
from latent.errors import UserError
from latent.recipes import recipe
from latent.sweep import Sweep, folder

TITLES = {"validation_mae": "validation MAE", "validation_accuracy": "validation accuracy (%)"}


def account(sweep: Sweep, study: Study) -> dict:
    """What a study has found so far, as plain data. Raises UserError where no trial ran to its end."""
    counts = {state: len(study.get_trials(states=(state,))) for state in TrialState}
    done = study.get_trials(states=(TrialState.COMPLETE,))
    if not done:
        raise UserError(f"no trial of the study {study.study_name!r} ran to its end yet; give it more --trials, or a narrower space")
    data, unchanged = load(sweep.plan.dataset), sweep.plan.as_dict()
    return {
        "study": study.study_name,
        "experiment": sweep.experiment,
        "data": data.title,
        "images": min(sweep.images or len(data.train), len(data.train)),
        "trials": {"complete": len(done), "pruned": counts[TrialState.PRUNED], "failed": counts[TrialState.FAIL]},
        "measure": sweep.measure,
        "start": next((trial.value for trial in done if trial.user_attrs["recipe"] == unchanged), None),
        "best": study.best_value,
        "recipe": study.best_trial.user_attrs["recipe"],
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


def store(sweep: Sweep, study: Study, found: dict) -> None:
    """Keep the account as results/sweeps/<study>.json and, once there is something to see, the study's figures."""
    files.write(folder() / f"{study.study_name}.json", (json.dumps(found, indent=1) + "\n").encode())
    done = study.get_trials(states=(TrialState.COMPLETE,))
    if len(done) < 4 or len({trial.value for trial in done}) < 2:
        return
    name, measure = f"{study.study_name}, {found['data']}", TITLES[found["measure"]]
    shares = optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0))
    tried = {place: [trial.params[place] for trial in done] for place in sweep.space}
    log = {place for place, space in sweep.space.items() if getattr(space, "log", False)}
    best = [trial.number for trial in done].index(study.best_trial.number)
    drawn = {
        "importance": figures.importance(shares, name, measure, len(done)),
        "slices": figures.slices(tried, [trial.value for trial in done], best, name, measure, log),
    }
    for kind, figure in drawn.items():
        display.keep(figure, f"sweep-{study.study_name}-{kind}")


def read(experiment: str) -> list[dict]:
    """The stored accounts of an experiment's studies."""
    accounts = [json.loads(file.read_text()) for file in sorted(folder().glob("*.json"))]
    return [found for found in accounts if found["experiment"] == experiment]
