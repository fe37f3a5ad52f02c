"""A sweep searches where it says, judges on validation alone, stops what falls behind, and goes on where it was left."""

import json
import math
from dataclasses import replace

import optuna
import pytest
from helpers import CPU
from optuna.trial import TrialState

from latent import cli
from latent.data import load
from latent.errors import Diverged, UserError
from latent.models import build
from latent.recipes import change, find_recipe
from latent.search import findings, ranges, sweep, trials
from latent.store import results

QUICK = {"encoder.epochs": "1", "classifier.epochs": "1"}


def planned(name="mnist-guided", **changes):
    return sweep.prepare(name, find_recipe(name, "tiny"), QUICK | changes, images=200)


def test_values_are_drawn_from_the_space_and_rounded():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    kinds = {"log": ranges.Range(1e-3, 1, log=True), "step": ranges.Range(0, 4, step=2), "choice": (64, 500), "plain": ranges.Range(0.5, 1)}
    drawn = [{place: sweep.draw(trial, place, space) for place, space in kinds.items()} for trial in (study.ask() for _ in range(200))]
    assert {values["step"] for values in drawn} == {0, 2, 4} and {values["choice"] for values in drawn} == {64, 500}
    assert all(1e-3 <= values["log"] <= 1 and 0.5 <= values["plain"] <= 1 for values in drawn)
    assert all(value == float(f"{value:.3g}") for values in drawn for value in values.values())
    low = sum(values["log"] < math.sqrt(1e-3) for values in drawn)
    assert 70 < low < 130  # half of them, evenly in the logarithm


def test_a_sweep_starts_from_the_recipe_reads_no_test_set_and_goes_on_where_it_was_left(monkeypatch, capsys):
    blind = replace(load("mnist"), test=None)
    for module in (sweep, findings, trials):
        monkeypatch.setattr(module, "load", lambda name: blind)
    words = ["sweep", "mnist-guided", *(f"{place}={value}" for place, value in QUICK.items())]
    options = ["--recipe", "tiny", "--device", "cpu", "--images", "200", "--trials"]
    assert cli.main([*words, *options, "4"]) == 0
    told = capsys.readouterr().out
    assert [line[:8] for line in told.splitlines()[:4]] == [f"trial {n}:" for n in range(4)]
    [found] = findings.read("mnist-guided")
    assert found["trials"] == {"complete": 4, "pruned": 0, "failed": 0} and found["images"] == 200 and "stand-in" in found["data"]
    assert found["start"] is not None and found["best"] >= found["start"]
    pictures = results.folder("cpu").parent / "figures"
    assert {file.name for file in pictures.iterdir()} == {f"sweep-mnist-guided-{kind}.png" for kind in ("importance", "slices")}

    assert cli.main([*words, *options, "4"]) == 0  # enough are finished
    assert "trial 4:" not in capsys.readouterr().out
    assert cli.main([*words, *options, "5"]) == 0
    assert "trial 4:" in (told := capsys.readouterr().out) and "trial 3:" not in told
    assert findings.read("mnist-guided")[0]["trials"] == {"complete": 5, "pruned": 0, "failed": 0}

    for wrong in ("encoder.epochs=2", "hidden=(16,)"):
        assert cli.main([*words, wrong, *options, "6"]) == 2
        assert "begun with another recipe; name a new one with --study" in capsys.readouterr().err
    assert cli.main([*words, *options, "6", "--seed", "1"]) == 2 and "another seed" in capsys.readouterr().err
    assert trials.read() == []


def test_the_best_recipe_is_told_as_a_difference_and_trains_to_the_same_measure(capsys):
    recipe = planned("mnist-ae")
    study = sweep.run(recipe, "pair", None, 2, CPU)
    found = findings.account(recipe, study)
    told = findings.words(found, "tiny")
    changes = dict(word.split("=") for word in told.splitlines()[-1].split()[6:-2])
    assert all(f"\n+ {place}={value}" in told for place, value in changes.items())
    _, row = trials.run("mnist-ae", find_recipe("mnist-ae", "tiny"), changes, CPU, images=200)
    assert row["recipe"] == found["recipe"] and row["validation_mae"] == found["best"]


def test_a_trial_that_falls_behind_or_diverges_is_pruned(monkeypatch):
    monkeypatch.setattr(optuna.pruners, "MedianPruner", lambda: optuna.pruners.ThresholdPruner(lower=101))
    study = sweep.run(planned(), "pruned", None, 1, CPU)
    assert study.trials[0].state == TrialState.PRUNED and list(study.trials[0].intermediate_values) == [1]
    assert study.trials[0].intermediate_values[1] == study.trials[0].value <= 100

    def diverge(*_):
        raise Diverged("no number")

    monkeypatch.setattr(trials, "judge", diverge)
    study = sweep.run(planned(), "diverged", None, 2, CPU)
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED] * 2
    with pytest.raises(UserError, match="no trial of the study 'diverged' ran to its end"):
        findings.account(planned(), study)


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-guided", "mnist-contrastive"])
def test_a_glance_is_a_measure_that_no_temperature_can_move(name):
    recipe = find_recipe(name, "tiny")
    data = load("mnist")
    networks = build(recipe, 1, 28, 0)
    seen = sweep.glance(networks, recipe, data)
    other = change(recipe, {"temperature": "0.9", "encoder.label_smoothing": "0.3", "encoder.views.zoom": "0.2"})
    assert sweep.glance(networks, other, data) == seen and 0 <= seen <= (1 if name == "mnist-ae" else 100)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--storage", "sweeps.db"], "'sweeps.db' is no storage; write a URL"),
        (["--storage", "mysql://nobody@127.0.0.1:1/none"], "no driver for a storage of the kind 'mysql'"),
        (["--storage", "postgresql+psycopg://nobody@127.0.0.1:1/none"], "the storage does not answer: "),
        (["--storage", "sqlite:///nowhere/at/all.db"], "the storage does not answer: "),
        (["--study", "../outside"], "'../outside' cannot name a study"),
        (["encoder.optimizer=sgd"], "no values to search for 'reconstruct' with optimizer 'sgd'"),
        (["encoder.speed=3"], "no value 'speed'"),
        (["encoder.learning_rate=.1", "encoder.batch=8", "encoder.weight_decay=0"], "every value to search is fixed"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_no_study(words, told, capsys):
    assert cli.main(["sweep", "mnist-ae", *words, "--recipe", "tiny", "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and not list(results.folder("cpu").rglob("*.json*"))


def test_a_journal_with_half_a_line_is_one_line(capsys):
    sweep.begin(planned(), "torn", None)
    file = sweep.folder() / "torn.journal"
    file.write_bytes(file.read_bytes() + b'{"op_code":4,"wor\n{"op_code":4}\n')
    assert cli.main(["sweep", "mnist-guided", "--recipe", "tiny", "--study", "torn", "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert "torn.journal is damaged" in error and error.count("\n") == 1
    assert json.loads(file.read_text().splitlines()[0])["study_name"] == "torn"


@pytest.mark.parametrize("words", [["--trials", "0"], ["--trials", "x"], ["--images", "-5"]])
def test_a_number_that_is_none_is_one_line(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["sweep", "mnist-ae", *words])
    assert stopped.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_worker_whose_trial_was_given_away_says_so(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/studies.db"

    def sleep_too_long(name, tried, device, seed, images, look):
        given_away = optuna.load_study(study_name="slow", storage=url)
        given_away.tell(0, state=TrialState.FAIL)
        look(build(tried, 1, 28, 0))

    monkeypatch.setattr(trials, "judge", sleep_too_long)
    with pytest.raises(UserError, match="its trial was given away; give the same command again"):
        sweep.run(planned(), "slow", url, 1, CPU)
