"""The store: what is written is read back, what changed is stale, what does not fit is refused."""

import hashlib
from dataclasses import replace

import pytest
import torch
from helpers import CPU, made, stored
from safetensors.torch import save

from latent import models, verify
from latent.errors import UserError
from latent.recipes import RECIPES, find_recipe
from latent.show import tables
from latent.store import results


def test_a_changed_recipe_data_or_model_makes_a_result_stale():
    run = stored()
    assert results.is_current(run.record, run.recipe, run.data, run.networks)
    assert not results.is_current(run.record, replace(run.recipe, depth=2), run.data, run.networks)
    assert not results.is_current(run.record, run.recipe, replace(run.data, digest="other"), run.networks)
    wider = models.build(replace(run.recipe, widths=(24,)), 1, 28, 0)
    assert not results.is_current(run.record, run.recipe, run.data, wider)


def test_no_checkpoint_is_left_behind_and_no_temporary_file():
    stored()
    files = [file.name for file in results.folder().rglob("*") if file.is_file()]
    assert sorted(files) == ["mnist-ae-seed0.lock", "seed0.json", "seed0.safetensors"]  # a lock that nobody holds


def test_weights_of_another_experiment_are_refused():
    stored()
    other = models.build(find_recipe("cifar-ae", "tiny"), 3, 32, 0)
    with pytest.raises(UserError, match="does not fit its recipe"):
        results.load_weights("mnist-ae", 0, other)


def test_weights_that_are_cut_changed_or_of_another_run_are_refused_in_one_line():
    run = stored()
    file = results.path("mnist-ae", 0, ".safetensors")
    good, middle = file.read_bytes(), 5_000
    other = models.build(run.recipe, 1, 28, 7)  # fits, but is not what was judged
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
        with pytest.raises(
            UserError, match=r"mnist-ae/seed0.json is damaged or of another version; run `latent train mnist-ae --seed 0 --recipe tiny`"
        ):
            results.read("mnist-ae")
    file.with_name("seed3.json").write_text(good)
    file.write_text(good)
    with pytest.raises(UserError, match=r"seed3.json is a record of mnist-ae, seed 0, not of mnist-ae, seed 3"):
        results.read("mnist-ae")
    file.with_name("seed3.json").rename(file.with_name("seed0 (copy).json"))  # no record's name
    assert len(results.read("mnist-ae")) == 1


def test_results_of_a_recipe_that_is_gone_are_called_stale_and_no_number_of_them_is_shown():
    measures, recipe = {"test_accuracy": 98.76, "test_mae": 0.0123}, find_recipe("mnist-ae")
    gone = made("mnist-ae", 0, measures, replace(recipe, depth=3))
    for record in (gone, made("mnist-ae", 0, measures, recipe) | {"signature": "of other networks"}):
        results.write("mnist-ae", 0, record, None)
        assert results.read("mnist-ae") and results.is_stale(record)
        [shown] = tables.rows(["mnist-ae"])
        assert shown[:2] == ["mnist-ae", "stale: train again"] and set(shown[2:]) == {"–"}
        row = results.summary("mnist-ae")
        assert row["stale"] and row["test_accuracy"] is None and row["test_mae"] is None


@pytest.mark.parametrize("scale", RECIPES)
def test_results_of_a_recipe_of_any_scale_are_of_today(scale):
    results.write("mnist-ae", 0, made("mnist-ae", 0, {"test_accuracy": 98.76, "test_mae": 0.0123}, find_recipe("mnist-ae", scale)), None)
    [shown] = tables.rows(["mnist-ae"])
    assert shown[1] == "1" and shown[4] == "98.76" and not results.summary("mnist-ae")["stale"]


def test_seeds_of_another_recipe_are_not_averaged_with_the_first():
    run = stored()
    results.write("mnist-ae", 1, run.record | {"seed": 1}, None)
    gone = made("mnist-ae", 2, run.record["measures"], replace(run.recipe, depth=3))
    results.write("mnist-ae", 2, gone, None)
    assert [record["seed"] for record in results.read("mnist-ae")] == [0, 1]


def test_a_stale_first_seed_hides_none_of_today():
    measures, recipe = {"test_accuracy": 98.76, "test_mae": 0.0123}, find_recipe("mnist-ae", "tiny")
    for seed, depth in ((0, 3), (1, recipe.depth), (2, recipe.depth)):
        results.write("mnist-ae", seed, made("mnist-ae", seed, measures, replace(recipe, depth=depth)), None)
    assert [record["seed"] for record in results.read("mnist-ae")] == [1, 2]


@pytest.mark.parametrize(("scale", "told"), [("cpu", "--seed 2`"), ("gpu", "--seed 2 --recipe gpu`"), (None, "--seed 2 --recipe tiny`")])
def test_what_to_run_names_the_scale_where_it_is_not_the_default(scale, told):
    with pytest.raises(UserError, match=f"run `latent train mnist-ae {told}"):
        results.load_weights("mnist-ae", 2, models.build(find_recipe("mnist-ae", "tiny"), 1, 28, 0), scale)


def test_reading_results_draws_no_random_number():
    results._signatures.cache_clear()
    results.write("mnist-ae", 0, made("mnist-ae", 0, {"test_accuracy": 98.76, "test_mae": 0.0123}), None)
    before = torch.get_rng_state()
    assert results.read("mnist-ae") and torch.equal(torch.get_rng_state(), before)
