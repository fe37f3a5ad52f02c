"""Recipes: plain data that survives JSON, and changes that are checked value by value."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from helpers import ROOT

from latent import recipes
from latent.errors import UserError
from latent.recipes import Recipe, change, find_recipe


@pytest.mark.parametrize("scale", recipes.RECIPES)
def test_every_recipe_survives_its_own_json(scale):
    for recipe in recipes.RECIPES[scale].values():
        assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_a_recipe_of_another_version_is_refused():
    values = find_recipe("mnist-ae").as_dict() | {"unheard_of": 1}
    with pytest.raises(UserError, match="another version"):
        Recipe.from_dict(values)


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="mnist-ae"):
        find_recipe("mnist-gan")
    with pytest.raises(UserError, match="cpu, gpu, study, demo, tiny"):
        find_recipe("mnist-ae", "huge")


WRONG = {
    "encoder.epochs": ("three", "0", "2.5", "True"),
    "encoder.batch": ("-1",),
    "encoder.learning_rate": ("nan", "1e999", "-0.1", "(1,)"),
    "encoder.views.zoom": ("1.5",),
    "encoder.views.flip": ("1",),
    "widths": ("8", "(8, 8, 'x')", "[8, 8, 8]"),
    "hidden": ("(0,)",),
    "dropout": ("2",),
    "objective": ("guess", "3"),
}


@pytest.mark.parametrize(("place", "text"), [(place, text) for place, texts in WRONG.items() for text in texts])
def test_a_value_that_cannot_be_is_refused(place, text):
    with pytest.raises(UserError, match=f"{place.split('.')[-1]}.* cannot be|unknown objective|choose one of"):
        change(find_recipe("mnist-ae", "tiny"), {place: text})


@pytest.mark.parametrize("changes", [{"epochs": "3"}, {"encoder.speed": "3"}, {"encoder": "3"}, {"dataset.x": "3"}, {"": "3"}, {".": "3"}])
def test_a_value_that_does_not_exist_is_refused(changes):
    with pytest.raises(UserError, match="one of"):
        change(find_recipe("mnist-ae", "tiny"), changes)


def test_longer_recipes_do_not_lengthen_the_demonstration():
    for name, recipe in recipes.RECIPES["demo"].items():
        trainings = [getattr(recipe, stage) for stage in recipes.STAGES if getattr(recipe, stage)]
        assert sum(training.epochs for training in trainings) <= 24 and max(training.batch for training in trainings) <= 128
        assert (recipe.widths, recipe.objective) == (find_recipe(name).widths, find_recipe(name).objective)


def test_recipes_are_read_without_waiting_for_torch():
    asked = "import sys, latent.recipes as r; r.find_recipe('mnist-ae'); print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("scale", ["cpu", "gpu", "demo", "tiny"])
@pytest.mark.parametrize("dataset", ["mnist", "cifar"])
def test_contrast_with_labels_is_contrast_but_for_its_objective(dataset, scale):
    with_labels, without = (find_recipe(f"{dataset}-contrastive{suffix}", scale) for suffix in ("-labels", ""))
    assert with_labels == replace(without, objective="contrast_labels")
