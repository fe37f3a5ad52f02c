"""Trials: they change what they say, never read the test set, and their log is kept whole."""

import json
from dataclasses import replace

import pytest
import torch
from helpers import CPU, ROOT

from latent import cli, experiment
from latent.errors import UserError
from latent.recipes import RECIPES, find_recipe
from latent.search import trials
from latent.store import results


def test_a_log_of_trials_that_is_damaged_is_named_before_the_training_and_kept(monkeypatch):
    monkeypatch.setattr(experiment, "run", lambda *_, **__: pytest.fail("trained"))
    log = results.folder("cpu") / "trials.json"
    log.parent.mkdir(parents=True)
    for content in ("", "[", "[1]", '{"experiment": 1}'):
        log.write_text(content)
        with pytest.raises(UserError, match=r"trials.json is damaged; restore it, or move it away"):
            trials.run("mnist-ae", find_recipe("mnist-ae", "tiny"), {}, CPU)
        assert log.read_text() == content


def test_a_trial_changes_what_it_says_and_never_reads_the_test_set():
    recipe = find_recipe("mnist-ae", "tiny")
    number, row = trials.run("mnist-ae", recipe, {"encoder.views.erase": "6", "encoder.epochs": "1", "depth": "2"}, CPU)
    assert number == 0 and row["recipe"]["depth"] == 2 and row["recipe"]["encoder"]["views"]["erase"] == 6
    assert not any("test" in key for key in row) and trials.read() == [json.loads(json.dumps(row))]


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-pca", "mnist-contrastive"])
def test_the_latents_of_a_stored_encoder_are_read_and_it_stays_as_it_was(name, capsys, monkeypatch):
    study = RECIPES["study"]["mnist-ae"]
    brief = {stage: replace(getattr(study, stage), epochs=1) for stage in ("decoder", "reader")}
    monkeypatch.setitem(RECIPES["study"], "mnist-ae", replace(study, **brief, decoder_widths=(8,), reader_widths=(8, 8, 16)))
    before = experiment.load_or_run(name)
    kept = {key: tensor.clone() for key, tensor in before.networks.state_dict().items()}
    assert cli.main(["read", name]) == 0
    row = trials.read()[0]
    assert json.loads(capsys.readouterr().out.splitlines()[-2])["validation_unfolding_accuracy"] == row["validation_unfolding_accuracy"]
    assert not any("test" in key for key in row) and row["validation_accuracy"] == before.record["measures"]["validation_accuracy"]
    assert (row["recipe"]["decoder"] is None) == ("decoder" in before.networks)  # the encoder's own is not trained again
    told = [f"{row[f'validation_{measure}']:.2f}" for measure in ("accuracy", "unfolding_accuracy")]
    assert trials.as_read(name) == told and trials.as_read("cifar-ae") == ["–", "–"]
    after = experiment.load_or_run(name).networks.state_dict()
    assert all(torch.equal(tensor, after[key]) for key, tensor in kept.items())


def test_a_row_is_open_until_somebody_decides_and_says_why(capsys):
    recipe = find_recipe("mnist-ae", "tiny")
    for epochs in ("1", "2"):
        trials.run("mnist-ae", recipe, {"encoder.epochs": epochs}, CPU, images=200)
    assert cli.main(["decide", "1", "kept", "half the error,\nand twice the time"]) == 0
    first, second = trials.rows("mnist-ae")
    assert first[:2] == ["0", "200 × 1"] and first[-2:] == ["open", ""]
    assert second[:2] == ["1", "200 × 2"] and second[-2:] == ["kept", "half the error, and twice the time"]
    assert trials.rows("cifar-ae") == trials.of_study() == []
    for row, reason, told in (("2", "why", "no row 2; the log has rows 0 to 1"), ("0", " ", "with the reason in words")):
        assert cli.main(["decide", row, "dropped", reason]) == 2
        assert told in capsys.readouterr().err
    assert [row["decision"] for row in trials.read()] == ["open", "kept"]


def test_trials_of_the_study_stand_together_and_in_no_table_of_a_recipe():
    for name in ("mnist-ae", "mnist-contrastive"):
        trials.run(name, find_recipe(name, "tiny"), {"encoder.epochs": "1"}, CPU, images=200, scale="study")
    assert [row[:2] for row in trials.of_study()] == [["0", "200 × 1"], ["1", "200 × 1"]] and trials.rows("mnist-ae") == []


def test_a_trial_counts_by_its_epochs_only_where_nothing_else_and_no_image_differs():
    recipe = find_recipe("mnist-ae", "tiny")
    for changes, images in (
        ({"encoder.epochs": "3"}, None),
        ({"encoder.epochs": "4", "encoder.batch": "64"}, None),
        ({"encoder.epochs": "1"}, 200),
        ({}, None),
    ):
        number, _ = trials.run("mnist-ae", recipe, changes, CPU, images=images)
    assert number == 3 and list(trials.by_epochs("mnist-ae")) == [3] and trials.by_epochs("cifar-ae") == {}


def test_every_shipped_trial_carries_its_decision_and_the_reason(monkeypatch):
    monkeypatch.setenv("LATENT_RESULTS", str(ROOT / "results"))
    monkeypatch.delenv("LATENT_RECIPE")
    found = trials.read()
    assert found and all(row["decision"] in trials.DECISIONS and len(row["reason"].split()) > 2 for row in found)
