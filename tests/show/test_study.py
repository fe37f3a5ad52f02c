"""The controlled comparison as tables: against values worked out by hand, and against the records that are stored."""

import json

import pytest
from helpers import ROOT, made

from latent.recipes import STUDY, find_recipe
from latent.show import study

KEYS = ("test_mae", "test_linear_accuracy", "test_knn_accuracy", "test_accuracy", "test_unfolding_accuracy")
SHAPE = ("test_alignment", "test_uniformity", "test_effective_rank")


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Two rows of the study on MNIST, the second with two seeds."""
    monkeypatch.setenv("LATENT_RESULTS", str(tmp_path))
    for row, seed, linear in (
        ("contrastive", 0, 99.0),
        ("contrastive-weak", 0, 97.5),
        ("contrastive-weak", 1, 98.5),
        ("contrastive", 1, 99.4),
    ):
        name = f"mnist-{row}"
        measures = dict.fromkeys(KEYS + SHAPE, 0.5) | {"test_linear_accuracy": linear}
        folder = tmp_path / "study" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"seed{seed}.json").write_text(json.dumps(made(name, seed, measures, find_recipe(name, "study"))))


def test_rows_come_in_the_order_of_the_study_with_a_value_for_each_seed(stored):
    rows = study.read("mnist")
    assert list(rows) == ["contrast, weak", "contrast"]
    assert rows["contrast"]["linear"] == [99.0, 99.4]
    assert study.read("cifar") == {}


def test_the_table_gives_mean_and_deviation(stored):
    header, (first, _) = study.table(study.read("mnist"))
    assert header[:3] == ["encoder", "stored: MAE", "linear"] and len(first) == len(header)
    assert first[:3] == ["contrast, weak", "0.5000 ± 0.0000", "98.0 ± 0.7"] and study.seeds(study.read("mnist")) == "2"
    header, (first, _) = study.table(study.read("mnist"), study.GEOMETRY)
    assert header[1:] == ["alignment", "uniformity", "effective rank"] and first[1] == "0.50 ± 0.00"


def test_an_effect_is_taken_seed_by_seed_and_needs_both_rows(stored):
    header, lines = study.effects({"MNIST": study.read("mnist"), "CIFAR-10": {}})
    assert header == ["rows", "what differs", "MNIST, linear", "MNIST, MLP", "CIFAR-10, linear", "CIFAR-10, MLP"]
    (known,) = (line for line in lines if line[2] != "–")
    assert known == ["contrast − contrast, weak", "views", "1.2 ± 0.4", "0.0 ± 0.0", "–", "–"]  # 1.5 and 0.9
    assert len(lines) == len(study.EFFECTS)


def test_an_effect_pairs_the_same_seeds_where_one_row_has_others_too():
    rows = {
        "contrast": {"seed": [0, 2], **{reader: [99.0, 99.8] for reader in study.READERS}},
        "contrast, weak": {"seed": [0, 1, 2], **{reader: [97.5, 90.0, 98.9] for reader in study.READERS}},
    }
    (known,) = (line for line in study.effects({"MNIST": rows})[1] if line[2] != "–")
    assert known[2:] == ["1.2 ± 0.4"] * 2 and study.seeds(rows) == "2 to 3"  # 1.5 and 0.9, and nothing of seed 1


def test_the_agreement_of_error_and_reader_goes_by_the_ranks_of_the_rows_means():
    titles = ("PCA", "guided", "contrast", "autoencoder")
    errors, found = ([0.1, 0.3], [0.25, 0.35], [0.4, 0.0], [0.9, 0.9]), ([90.0, 92.0], [99.0, 99.0], [70.0, 74.0], [95.0, 97.0])
    rows = {
        title: {"error": error, **dict.fromkeys(("linear", "knn", "classifier"), error), "unfolding": right}
        for title, error, right in zip(titles, errors, found)
    }
    every, blind = study.agreement(rows)
    assert every[1:] == ["", "1.00", "1.00", "1.00", "0.74"]  # ranks 1.5 3 1.5 4 and 2 4 1 3: 3.5 / √(4.5 · 5)
    assert blind[1:] == ["", "1.00", "1.00", "1.00", "0.87"]  # without the guided row 1.5 1.5 3 and 2 1 3: √3 / 2
    assert study.agreement({})[0][2:] == ["–"] * 4
    assert {title for row, title in study.TITLES.items() if "guided" in row or "labels" in row} == set(study.LABELLED)


def test_every_row_of_the_study_has_a_title_and_every_effect_two_rows_that_differ():
    assert list(study.TITLES) == list(STUDY)
    for first, second in study.EFFECTS:
        assert first != second and {first, second} <= set(study.TITLES.values())


def test_what_an_effect_says_is_all_that_differs_between_its_recipes():
    """But for the network that the objective needs, and for its temperature, which others do not use."""
    names = {title: row for row, title in study.TITLES.items()}
    for (first, second), change in study.EFFECTS.items():
        for dataset in ("mnist", "cifar"):
            a, b = (find_recipe(f"{dataset}-{names[title]}", "study").as_dict() for title in (first, second))
            differing = {key for key in a if a[key] != b[key]}
            for recipe in (a, b):  # a mirror image is one, whether the decoder's target is mirrored with it or not
                recipe["encoder"]["views"]["flip"] |= recipe["together"].pop("flip")
            views = {key for key in a["encoder"] if a["encoder"][key] != b["encoder"][key]}
            assert differing <= {"objective", "encoder", "head", "together"} and a["together"] == b["together"]
            assert ("views" in views) == ("views" in change) or change == "a network, trained", change
            assert views <= {"views"}


def test_the_stored_study_on_mnist_is_whole():
    shipped = {path.parent.name for path in (ROOT / "results/study").glob("mnist-*/seed0.json")}
    assert shipped == {f"mnist-{row}" for row in STUDY}
