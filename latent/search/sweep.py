"""Sweeps: Optuna searches a recipe's values; each trial is trained as `latent trial` would, and judged on the validation set alone.

A study is a journal file, or a database that many machines share. Workers come and go: each runs trials until the study has
enough of them. The values of a killed worker's trial are tried again by another one where the study is a database, whose
trials have a heartbeat; a journal keeps such a trial as running for ever, does not count it, and goes on with other values.
"""

import itertools
import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import optuna
import torch
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback, Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from torch import nn

from latent import probe
from latent.data import Dataset, load
from latent.errors import Diverged, UserError
from latent.objectives import trained_with
from latent.recipes import Recipe, change
from latent.search import ranges, trials
from latent.search.ranges import Values
from latent.store import results

HEARTBEAT = 60  # seconds between signs of life of a trial in a database; after twice as many without one, it counts as killed
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

# What a finished trial is judged by. Training losses would not do: each temperature or smoothing has its own.
MEASURES = {
    "reconstruct": ("validation_mae", "minimize"),
    "classify": ("validation_accuracy", "maximize"),
    "contrast": ("validation_accuracy", "maximize"),
    "contrast_labels": ("validation_accuracy", "maximize"),
}


@dataclass(frozen=True)
class Sweep:
    """What all trials of a study share. recipe: its values at the places of `searched` change; the others stay.

    images: how many training images to use; all of them where None.
    """

    experiment: str
    recipe: Recipe
    searched: dict[str, Values]
    seed: int = 0
    images: int | None = None

    @property
    def measure(self) -> str:
        return MEASURES[self.recipe.objective][0]

    @property
    def direction(self) -> str:
        return MEASURES[self.recipe.objective][1]

    def made_with(self) -> dict:
        """What may not change while a study goes on, as plain data."""
        space = {place: repr(values) for place, values in self.searched.items()}
        shared = {"experiment": self.experiment, "recipe": self.recipe.as_dict(), "seed": self.seed, "number of images": self.images}
        return shared | {"space": space, "data": load(self.recipe.dataset).digest}


def prepare(experiment: str, recipe: Recipe, changes: dict[str, str], seed: int = 0, images: int | None = None) -> Sweep:
    """A sweep around `recipe`; what `changes` sets is fixed and not searched. Raises UserError where nothing is left to search."""
    fixed = change(recipe, changes)
    searched = {place: values for place, values in ranges.around(fixed).items() if place not in changes}
    if not searched:
        raise UserError("every value to search is fixed; leave one of them out")
    return Sweep(experiment, fixed, searched, seed, images)


def run(sweep: Sweep, name: str, storage: str | None, count: int, device: torch.device) -> Study:
    """Work on the study called `name` until `count` of its trials are finished, pruned ones included.

    storage: URL of a database; a journal file beside the results where None. The first trial is the recipe as it is.
    Raises UserError where the storage does not answer, or the study was begun with something else.
    """
    try:
        study = begin(sweep, name, storage)
        if len(study.get_trials(states=FINISHED)) < count:
            study.optimize(lambda trial: attempt(trial, sweep, device), callbacks=[_tell, MaxTrialsCallback(count, states=FINISHED)])
    except ValueError as error:
        if not str(error).startswith("Cannot tell a FAIL trial"):
            raise
        raise UserError(
            "this worker gave no sign of life for so long that its trial was given away; give the same command again"
        ) from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise UserError(
            f"the storage does not answer: {_first_line(error)}; see to the database, then give the same command again"
        ) from error
    return study


def begin(sweep: Sweep, name: str, storage: str | None) -> Study:
    """The study called `name`, a new one where there is none. Raises UserError where it was begun with something else."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise UserError(f"{name!r} cannot name a study; use letters, digits, dots, hyphens and underscores")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        sampler = optuna.samplers.TPESampler(constant_liar=True)  # keeps workers apart: a value that one tries counts as bad so far
        pruner = optuna.pruners.MedianPruner()
        where = connect(storage) if storage else _journal(folder() / f"{name}.journal")
        study = optuna.create_study(
            study_name=name, storage=where, sampler=sampler, pruner=pruner, direction=sweep.direction, load_if_exists=True
        )
    now = sweep.made_with()
    begun = study.user_attrs.get("made_with", now)
    if other := [key for key in now if begun.get(key) != now[key]]:
        raise UserError(f"the study {name!r} was begun with another {' and '.join(other)}; name a new one with --study")
    study.set_user_attr("made_with", now)
    study.enqueue_trial(ranges.inside(sweep.recipe, sweep.searched), skip_if_exists=True)
    return study


def folder() -> Path:
    """Where studies lie: results/sweeps/, or in the place of results that stand-in data has."""
    return results.folder("cpu") / "sweeps"


def _journal(file: Path) -> BaseStorage:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(file)))
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror or error}); make room or make its folder writable") from error
    except ValueError as error:  # half a line, where a disk was full or a machine went down
        raise UserError(f"{file} is damaged; remove the line that is not whole, or name a new study with --study") from error


def connect(url: str) -> BaseStorage:
    """A database with heartbeats. Raises UserError on a text that is no URL, and where its driver is not installed."""
    if "://" not in url:
        raise UserError(f"{url!r} is no storage; write a URL, for example postgresql+psycopg://USER@HOST/DATABASE")
    for tries_left in (2, 1, 0):
        try:
            return RDBStorage(
                url,
                engine_kwargs={"pool_pre_ping": True},  # a connection may not outlive a long epoch
                heartbeat_interval=HEARTBEAT,
                grace_period=2 * HEARTBEAT,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=3),
            )
        except ImportError as error:
            kind = url.partition(":")[0]
            raise UserError(f"no driver for a storage of the kind {kind!r}; for PostgreSQL: pip install 'psycopg[binary]'") from error
        except (IntegrityError, ProgrammingError):  # workers that start at once each make the tables of a new database
            if not tries_left:
                raise
            time.sleep(1)


def _first_line(error: Exception) -> str:
    return str(error.__cause__ or error).strip().splitlines()[0]  # the cause is the driver's own word


def attempt(trial: Trial, sweep: Sweep, device: torch.device) -> float:
    """One trial: draw values, train, measure. Pruned where its measure falls behind the median, or its loss is no number."""
    drawn = {place: draw(trial, place, values) for place, values in sweep.searched.items()}
    tried = change(sweep.recipe, {place: str(value) for place, value in drawn.items()})
    trial.set_user_attr("recipe", tried.as_dict())
    data, epochs = load(tried.dataset), itertools.count(1)

    def look(networks: nn.ModuleDict) -> None:
        trial.report(glance(networks, tried, data), next(epochs))
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        row = trials.judge(sweep.experiment, tried, device, sweep.seed, sweep.images, look)
    except Diverged as error:
        raise optuna.TrialPruned from error
    trial.set_user_attr("measures", {key: value for key, value in row.items() if key.startswith("validation")})
    return row[sweep.measure]


def draw(trial: Trial, place: str, values: Values) -> float:
    """One of `values`, to three digits: what is printed is what was trained."""
    if isinstance(values, tuple):
        return trial.suggest_categorical(place, values)
    if values.step:
        return trial.suggest_int(place, values.low, values.high, step=values.step)
    return float(f"{trial.suggest_float(place, values.low, values.high, log=values.log):.3g}")


@torch.no_grad()
def glance(networks: nn.ModuleDict, recipe: Recipe, data: Dataset) -> float:
    """A measure after an epoch that trials of one objective have in common, on 2,000 validation images.

    Mean absolute error for reconstruction, accuracy (%) for classification. A contrastive encoder has no trained classifier
    yet: there, accuracy (%) of a vote of the five nearest latents of 5,000 training images.
    """
    device = next(networks.parameters()).device
    seen = probe.subset(data.validation, 2_000).to(device)
    if recipe.objective == "reconstruct":
        return probe.reconstruction_error(networks["encoder"], networks["decoder"], seen.images)
    latents = probe.encode(networks["encoder"], seen.images)
    if recipe.objective == "classify":
        return probe.accuracy(probe.predict(networks[trained_with(recipe)], latents), seen.labels)
    known = probe.subset(data.train, 5_000).to(device)
    return probe.knn_accuracy(probe.encode(networks["encoder"], known.images), known.labels, latents, seen.labels)


def _tell(study: Study, trial: FrozenTrial) -> None:
    """A line for each trial of this worker."""
    judged = f"{trial.value:.4g}" if trial.state == TrialState.COMPLETE else f"pruned after {len(trial.intermediate_values)} epochs"
    print(f"trial {trial.number}: {judged}; {' '.join(f'{place}={value:.3g}' for place, value in trial.params.items())}", flush=True)
