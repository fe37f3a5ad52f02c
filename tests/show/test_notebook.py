"""What the notebooks have in common: recipes in words, trials as a table, measures beside those of PCA."""

import json

import pytest
from helpers import made

from latent.data import load
from latent.recipes import RECIPES, Views
from latent.search import trials
from latent.show import display, notebook
from latent.store import results


@pytest.fixture
def shown(monkeypatch):
    """The Markdown that is displayed."""
    found = []
    monkeypatch.setattr(display, "display", lambda bundle, **_: found.append(bundle.get("text/markdown", "")))
    return found


@pytest.mark.parametrize("name", RECIPES["cpu"])
def test_a_recipe_is_shown_in_words(shown, name):
    notebook.recipe_table(RECIPES["cpu"][name])
    assert not any("_" in text or "True" in text or "adamw" in text for text in shown)
    assert ("label smoothing" in shown[2]) and ("temperature" in shown[0]) == ("contrast" in name)


def test_views_are_told_as_a_reader_would():
    assert notebook.in_words(Views()) == "the image itself"
    said = notebook.in_words(Views(shift=2, zoom=0.25, flip=True, erase=10)).split("; ")
    assert said[:3] == ["shifted by up to 2 pixels", "mirrored half of the time", "cropped to 25% of the area or more"]
    assert said[3] == "a square of 9 pixels a side blanked, less at the border"
    assert notebook.in_words(Views(jitter=0.4)).endswith("of the circle; these in 80% of the views")
    every = Views(1, True, 2, 0.5, 0.5, 0.4, 0.9, 0.2, 8, 24)
    assert len(notebook.in_words(every).split("; ")) == len(vars(every))


def test_trials_are_shown_with_the_measures_that_they_have(shown):
    notebook.trials_table("mnist-ae")
    assert shown[0].splitlines()[-1] == "| nothing was tried with this recipe |"
    shown.clear()
    recipe = RECIPES["cpu"]["mnist-ae"].as_dict()
    row = {
        "experiment": "mnist-ae",
        "scale": notebook.default_scale(),
        "images": 12000,
        "recipe": recipe,
        "decision": "kept",
        "reason": "better: by far",
    }
    log = results.folder("cpu") / "trials.json"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(json.dumps([row | {"experiment": "cifar-ae"}, row | {"validation_mae": 0.0123}]))
    assert len(trials.rows("mnist-ae")) == 1
    notebook.trials_table("mnist-ae")
    header, _, line = shown[0].splitlines()
    assert "error" in header and "accuracy" not in header
    assert line == f"| 1 | 12,000 × {recipe['encoder']['epochs']} | 0.0123 | kept | better: by far |"
    shown.clear()
    notebook.trials_table("mnist-ae", "some", range(2, 9))
    assert shown[0].splitlines()[-1] == "| nothing was tried with this recipe |"


def test_lengths_are_those_of_trials_and_of_the_recipes_own_seeds(shown):
    recipe = notebook.find_recipe("cifar-contrastive", notebook.default_scale())
    own = recipe.encoder.epochs
    tried = [notebook.trials.change(recipe, {"encoder.epochs": str(epochs)}).as_dict() for epochs in (own + 4, own + 8)]
    row = {"experiment": "cifar-contrastive", "scale": notebook.default_scale(), "decision": "kept", "reason": "longer"}
    rows = [
        row | {"images": 2, "recipe": tried[0]},
        row | {"images": len(load("cifar10").train), "recipe": tried[1], "validation_accuracy": 80.0},
    ]
    log = results.folder("cpu") / "trials.json"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(json.dumps(rows))
    for seed, accuracy in enumerate((70.0, 72.0)):
        results.write(
            "cifar-contrastive", seed, made("cifar-contrastive", seed, {"validation_accuracy": accuracy, "test_accuracy": 0.0}), None
        )
    panel = notebook.lengths_figure("t", "s").axes[list(notebook.LENGTHS).index(("CIFAR-10", "accuracy (%)"))]
    assert panel.get_lines()[0].get_xydata().tolist() == [[own, 71], [own + 8, 80]]


def test_what_was_measured_stands_in_words_a_line_an_experiment(shown, monkeypatch):
    monkeypatch.setattr(notebook.experiment, "load_or_run", lambda name: pytest.fail(f"{name} has a record"))
    for name, accuracy in (("mnist-ae", 97.5), ("mnist-pca", 91.25)):
        results.write(name, 0, made(name, 0, {"test_accuracy": accuracy, "test_mae": 0.0123}), None)
    notebook.measures_table(["mnist-ae", "mnist-pca"])
    header, _, ours, theirs = shown[0].splitlines()
    assert "six views" not in header and ours.startswith("| autoencoder") and "97.50" in ours and "0.0123" in ours
    assert theirs.startswith("| PCA |") and "91.25" in theirs


def test_recipes_stand_side_by_side_with_a_dash_where_a_value_is_not_used(shown, monkeypatch):
    monkeypatch.setenv("LATENT_RECIPE", "cpu")
    names = ["mnist-ae", "cifar-guided", "cifar-contrastive"]
    notebook.recipes_table(names)
    header, _, *lines = shown[0].splitlines()
    assert header == "|  | MNIST, autoencoder | CIFAR-10, guided | CIFAR-10, contrast |"
    cells = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in lines}
    recipes = [RECIPES["cpu"][name] for name in names]
    assert cells["epochs"] == [str(recipe.encoder.epochs) for recipe in recipes]
    assert cells["temperature"] == ["–", "–", str(recipes[2].temperature)]
    assert cells["label smoothing"] == ["–", str(recipes[1].encoder.label_smoothing), "–"]
    assert cells["last map"][0] == "–" and cells["space-to-depth"][1:] == ["–", "–"]
    assert cells["statistics settle"] == [str(recipes[0].encoder.settle), "–", "–"]
    assert cells["dropout"] == [str(recipes[0].dropout), "–", str(recipes[2].dropout)]
    assert "optimizer" not in cells and "In all: optimizer Muon, " in shown[1]


def test_the_views_of_each_training_are_told_once(shown, monkeypatch):
    monkeypatch.setenv("LATENT_RECIPE", "cpu")
    notebook.views_table(["mnist-ae", "mnist-guided", "cifar-ae", "cifar-guided", "cifar-contrastive"])
    lines = [line.strip("| ").split(" | ") for line in shown[0].splitlines()[2:]]
    assert [name for name, _ in lines] == [
        "MNIST, autoencoder",
        "MNIST, classifier on frozen latents; guided",  # shifted, turned, cropped and stretched alike
        "CIFAR-10, autoencoder",
        "CIFAR-10, classifier on frozen latents",
        "CIFAR-10, guided",
        "CIFAR-10, contrast",
    ]
    recipes = RECIPES["cpu"]
    told = dict(lines)
    assert told["CIFAR-10, autoencoder"] == notebook.in_words(recipes["cifar-ae"].together)
    assert told["CIFAR-10, classifier on frozen latents"] == notebook.in_words(recipes["cifar-contrastive"].classifier.views)
    assert "24 × 24" in told["CIFAR-10, contrast"] and "10% of the circle" in told["CIFAR-10, contrast"]
