"""The store: what is written is read back, what changed is stale, what does not fit is refused."""

import hashlib
import json
import statistics
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from latent import experiment, goals, objectives, recipes, results, studies, tables, trials, verify
from latent.data import FORMS, load
from latent.errors import UserError
from latent.recipes import Recipe

CPU = torch.device("cpu")


def stored(name="mnist-ae"):
    plan = recipes.recipe(name, "tiny")
    return experiment.train_and_store(name, plan, load(plan.dataset), 0, CPU)


def made(name, seed, measures, plan=None):
    """A record with these measures, as a run of `plan` (today's recipe, if none) would leave it."""
    plan = plan or recipes.recipe(name, "tiny")
    signature = results.signature(objectives.build(plan, *FORMS[plan.dataset], 0))
    made_with = {"experiment": name, "seed": seed, "recipe": plan.as_dict(), "data": {"digest": ""}, "signature": signature}
    return made_with | {"measures": measures}


def test_a_stored_run_is_loaded_and_not_trained_again(monkeypatch):
    first = stored()
    monkeypatch.setattr(experiment, "train", lambda *_, **__: pytest.fail("trained again"))
    again = experiment.load_or_train("mnist-ae", device=CPU)
    assert again.record == first.record
    assert all(torch.equal(a, b) for a, b in zip(again.networks.state_dict().values(), first.networks.state_dict().values()))


def test_a_changed_recipe_data_or_model_makes_a_result_stale():
    run = stored()
    assert results.is_current(run.record, run.recipe, run.data, run.networks)
    assert not results.is_current(run.record, replace(run.recipe, levels=2), run.data, run.networks)
    assert not results.is_current(run.record, run.recipe, replace(run.data, digest="other"), run.networks)
    wider = objectives.build(replace(run.recipe, widths=(8, 8, 24)), 1, 28, 0)
    assert not results.is_current(run.record, run.recipe, run.data, wider)


def test_judging_the_stored_weights_again_gives_the_stored_measures():
    stored()
    checks = verify.verify("mnist-ae", CPU)
    assert {check.measure for check in checks} == {"test_accuracy", "test_mae"}
    assert all(check.agrees for check in checks) and all(abs(check.stored - check.found) < 1e-5 for check in checks)


def test_verify_notices_every_false_claim():
    """Of the test set, or of all three splits; also one that was taken away."""
    run = stored()
    true = run.record["measures"]
    assert {check.measure for check in verify.verify("mnist-ae", CPU, verify.SPLITS[::-1])} == set(true)
    for measure, splits in (("test_accuracy", ("test",)), ("validation_knn_accuracy", verify.SPLITS), ("train_mae", ("train",))):
        false = {key: value for key, value in true.items() if key != measure}
        for claimed in (false | {measure: true[measure] + 0.2}, false):
            if "test_accuracy" in claimed:  # without it a record is none
                results.write("mnist-ae", 0, run.record | {"measures": claimed}, None)
                assert [check.measure for check in verify.verify("mnist-ae", CPU, splits) if not check.agrees] == [measure]


def test_no_checkpoint_is_left_behind_and_no_temporary_file():
    stored()
    files = [file.name for file in results.folder().rglob("*") if file.is_file()]
    assert sorted(files) == ["mnist-ae-seed0.lock", "seed0.json", "seed0.safetensors"]  # a lock that nobody holds


def test_weights_of_another_experiment_are_refused():
    stored()
    other = objectives.build(recipes.recipe("cifar-ae", "tiny"), 3, 32, 0)
    with pytest.raises(UserError, match="does not fit its recipe"):
        results.load_weights("mnist-ae", 0, other)


def test_weights_that_are_cut_changed_or_of_another_run_are_refused_in_one_line():
    run = stored()
    file = results.path("mnist-ae", 0, ".safetensors")
    good, middle = file.read_bytes(), 5_000
    other = objectives.build(run.recipe, 1, 28, 7)  # fits, but is not what was judged
    forged = save(results.pack(other))
    for content in (b"", good[:100], good[:-1], good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :], forged):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"seed0.safetensors is damaged or not the file that seed0.json was stored with") as caught:
            verify.verify("mnist-ae", CPU)
        assert "\n" not in str(caught.value) and file.read_bytes() == content
    results.write("mnist-ae", 0, run.record | {"weights": hashlib.sha256(good[:100]).hexdigest()}, None)
    file.write_bytes(good[:100])  # even where the checksum is right
    with pytest.raises(UserError, match="does not fit its recipe"):
        results.load_weights("mnist-ae", 0, run.networks)


def test_a_record_that_is_damaged_or_of_another_place_is_named():
    stored()
    file = results.path("mnist-ae", 0, ".json")
    good = file.read_text()
    for content in ("", good[:-50], "[]", "null", '{"experiment": "mnist-ae", "seed": 0}', "\udcff".encode("utf-8", "surrogatepass")):
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UserError, match=r"mnist-ae/seed0.json is damaged or of another version; run `latent train mnist-ae --seed 0`"):
            results.read("mnist-ae")
    file.with_name("seed3.json").write_text(good)
    file.write_text(good)
    with pytest.raises(UserError, match=r"seed3.json is a record of mnist-ae, seed 0, not of mnist-ae, seed 3"):
        results.read("mnist-ae")
    file.with_name("seed3.json").rename(file.with_name("seed0 (copy).json"))  # no record's name
    assert len(results.read("mnist-ae")) == 1


def test_a_log_of_trials_that_is_damaged_is_named_before_the_training_and_kept(monkeypatch):
    monkeypatch.setattr(experiment, "train", lambda *_, **__: pytest.fail("trained"))
    log = results.folder() / "trials.json"
    log.parent.mkdir(parents=True)
    for content in ("", "[", "[1]", '{"experiment": 1}'):
        log.write_text(content)
        with pytest.raises(UserError, match=r"trials.json is damaged; restore it, or move it away"):
            trials.run("mnist-ae", recipes.recipe("mnist-ae", "tiny"), {}, CPU)
        assert log.read_text() == content


def test_an_account_of_a_study_that_is_damaged_is_named():
    file = results.folder() / "sweeps/any.json"
    file.parent.mkdir(parents=True)
    for content in ("", "{", "[]", "null", '{"experiment": "mnist-ae"}'):
        file.write_text(content)
        with pytest.raises(UserError, match=r"sweeps/any.json is damaged; restore it"):
            studies.read("mnist-ae")
        assert file.read_text() == content


def test_missing_results_are_an_error_that_says_what_to_run():
    with pytest.raises(UserError, match="latent train mnist-ae"):
        verify.verify("mnist-ae", CPU)


@pytest.mark.parametrize("scale", recipes.RECIPES)
def test_every_recipe_survives_its_own_json(scale):
    for plan in recipes.RECIPES[scale].values():
        assert Recipe.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


def test_a_recipe_of_another_version_is_refused():
    values = recipes.recipe("mnist-ae").as_dict() | {"unheard_of": 1}
    with pytest.raises(UserError, match="another version"):
        Recipe.from_dict(values)


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="mnist-ae"):
        recipes.recipe("mnist-gan")
    with pytest.raises(UserError, match="cpu, gpu, tiny"):
        recipes.recipe("mnist-ae", "huge")


def test_a_table_gives_mean_and_deviation_over_seeds():
    values = [97.5, 98.25, 98.75]
    for seed, value in enumerate(values):
        results.write("mnist-guided", seed, made("mnist-guided", seed, {"test_accuracy": value, "train_accuracy": 99.0}), None)
    row = results.summary("mnist-guided")
    assert row["seeds"] == 3 and row["test_accuracy"] == statistics.fmean(values) and row["test_mae"] is None
    assert row["test_accuracy_std"] == pytest.approx(statistics.stdev(values))
    assert f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f}" in tables.markdown(tables.HEADER, tables.rows())
    assert tables.spread([1.0], 1) == "1.0" and tables.spread([], 1) == "–"


def test_results_of_a_recipe_that_is_gone_are_called_stale_and_no_number_of_them_is_shown(monkeypatch):
    plan = replace(recipes.recipe("mnist-ae"), levels=3)
    results.write("mnist-ae", 0, made("mnist-ae", 0, {"test_accuracy": 98.76, "test_mae": 0.0123}, plan), None)
    assert results.read("mnist-ae")
    [row] = tables.rows(["mnist-ae"])
    assert row[:2] == ["mnist-ae", "stale: train again"] and set(row[2:]) == {"–"}
    assert "98.76" not in goals.markdown() and "0.0123" not in goals.markdown()
    row = results.summary("mnist-ae")
    assert row["stale"] and row["test_accuracy"] is None and row["test_mae"] is None
    monkeypatch.setitem(recipes.RECIPES["gpu"], "mnist-ae", plan)  # a recipe at any scale is a recipe of today
    results._signature_of.cache_clear()
    assert tables.rows(["mnist-ae"])[0][4] == "98.76"
    record = made("mnist-ae", 0, {"test_accuracy": 98.76, "test_mae": 0.0123}, plan) | {"signature": "of other networks"}
    results.write("mnist-ae", 0, record, None)
    assert tables.rows(["mnist-ae"])[0][1] == "stale: train again"
    results._signature_of.cache_clear()


def test_seeds_of_another_recipe_are_not_averaged_with_the_first():
    run = stored()
    results.write("mnist-ae", 1, run.record | {"seed": 1}, None)
    results.write("mnist-ae", 2, run.record | {"seed": 2, "recipe": replace(run.recipe, levels=3).as_dict()}, None)
    assert [record["seed"] for record in results.read("mnist-ae")] == [0, 1]


def test_a_trial_changes_what_it_says_and_never_reads_the_test_set():
    plan = recipes.recipe("mnist-ae", "tiny")
    row = trials.run("mnist-ae", plan, {"encoder.views.erase": "6", "encoder.epochs": "1", "levels": "2"}, CPU)
    assert row["recipe"]["levels"] == 2 and row["recipe"]["encoder"]["views"]["erase"] == 6
    assert not any("test" in key for key in row) and trials.read() == [json.loads(json.dumps(row))]


def test_trials_are_compared_with_the_first_of_their_block():
    plan = recipes.recipe("mnist-ae", "tiny")
    trials.run("mnist-ae", plan, {"encoder.epochs": "1"}, CPU, images=200)
    trials.run("mnist-ae", plan, {"encoder.epochs": "1", "levels": "2"}, CPU, images=200)
    trials.run("mnist-ae", plan, {"encoder.epochs": "1", "levels": str(plan.levels)}, CPU, images=300)
    first, second, third = trials.rows("mnist-ae", replace(plan, levels=2))
    assert first[:2] == [f"the recipe, but encoder.epochs 1, levels {plan.levels}", "200"]
    assert second[0] == "then levels 2" and second[-1] == "yes"
    assert third[1] == "300" and third[-1] == ""
    assert trials.rows("mnist-ae", plan)[1][-1] == "no" and trials.rows("cifar-ae", plan) == []


def test_trials_that_differ_in_the_views_alone_are_found_together():
    plan = recipes.recipe("mnist-ae", "tiny")
    short = {"encoder.epochs": "1"}
    for changes in (short, short | {"encoder.views.erase": "6"}, short | {"encoder.views.erase": "6", "levels": "2"}):
        trials.run("mnist-ae", plan, changes, CPU, images=200)
    trials.run("mnist-ae", plan, short | {"encoder.views.erase": "9"}, CPU, images=300)
    assert [row["recipe"]["encoder"]["views"]["erase"] for row in trials.by_views("mnist-ae")] == [0, 6]
    assert {row["images"] for row in trials.by_views("mnist-ae")} == {200} and trials.by_views("cifar-ae") == []


WRONG = {
    "encoder.epochs": ("three", "0", "2.5", "True"),
    "encoder.batch": ("-1",),
    "encoder.learning_rate": ("nan", "1e999", "-0.1", "(1,)"),
    "encoder.views.zoom": ("1.5",),
    "encoder.views.flip": ("1",),
    "widths": ("8", "(8, 8)", "(8, 8, 'x')", "[8, 8, 8]"),
    "hidden": ("(0,)",),
    "dropout": ("2",),
    "objective": ("guess", "3"),
}


@pytest.mark.parametrize(("place", "text"), [(place, text) for place, texts in WRONG.items() for text in texts])
def test_a_value_that_cannot_be_is_refused(place, text):
    with pytest.raises(UserError, match=f"{place.split('.')[-1]}.* cannot be|unknown objective|choose one of"):
        trials.change(recipes.recipe("mnist-ae", "tiny"), {place: text})


@pytest.mark.parametrize("changes", [{"epochs": "3"}, {"encoder.speed": "3"}, {"encoder": "3"}, {"dataset.x": "3"}, {"": "3"}, {".": "3"}])
def test_a_trial_of_a_value_that_does_not_exist_is_refused(changes):
    with pytest.raises(UserError, match="one of"):
        trials.change(recipes.recipe("mnist-ae", "tiny"), changes)
