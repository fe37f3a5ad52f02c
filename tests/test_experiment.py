"""A run: it repeats, its second stage leaves the first alone, it reads nothing it is judged on, and judges what there is."""

import random
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import CPU, losses, run, same, small, stored, tiny, weights

from latent import data, experiment, models, objectives, readers
from latent.data import FORMS, Split, load
from latent.errors import UserError
from latent.models import freeze
from latent.recipes import Training, find_recipe
from latent.store import files, results

NAME = "cifar-contrastive"


@pytest.mark.parametrize("name", ["mnist-ae", "cifar-guided", "mnist-contrastive"])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(name):
    first = run(name)
    run("mnist-ae", seed=3)  # another experiment in between changes nothing, nor do numbers drawn meanwhile
    torch.rand(7), np.random.rand(7), random.random()
    assert same(weights(first), weights(run(name)))
    assert not same(weights(first), weights(run(name, seed=1)))


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-contrastive", "cifar-contrastive-labels"])
def test_the_second_stage_leaves_the_encoder_bit_identical_buffers_included(name):
    recipe = tiny(name)
    found = small(data.load(recipe.dataset))
    networks = models.build(recipe, found.channels, found.side, 0)
    experiment.train_encoder(name, networks, recipe, found, 0, CPU, None)
    before = {key: tensor.clone() for key, tensor in networks["encoder"].state_dict().items()}
    classifier = {key: tensor.clone() for key, tensor in networks["classifier"].state_dict().items()}
    readers.train_readers(networks, recipe, found, 0, CPU)
    assert same(before, networks["encoder"].state_dict())
    assert not same(classifier, networks["classifier"].state_dict())


@pytest.mark.parametrize("name", ["mnist-ae", "cifar-guided", "cifar-contrastive"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_training_reads_the_images_it_is_judged_on(name, split):
    found = small(data.load(tiny(name).dataset))
    images, labels = getattr(found, split).images, getattr(found, split).labels
    marked = replace(found, **{split: Split(torch.full_like(images, 255), torch.zeros_like(labels))})
    honest, planted = run(name, found), run(name, marked)
    assert same(weights(honest), weights(planted))
    assert split == "validation" or all(
        losses(honest.record["curves"][stage]) == losses(planted.record["curves"][stage]) for stage in honest.record["curves"]
    )


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-guided", "mnist-contrastive"])
def test_what_is_judged_is_every_image_once_and_as_it_is(name):
    """Also the last images, which fill no batch; mirrored and shifted views of CIFAR-10 are a measure of their own."""
    recipe, found, seen = tiny(name), small(data.load("mnist"), 187), []
    networks = freeze(models.build(recipe, found.channels, found.side, 0))
    networks["encoder"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    experiment.evaluate(networks, recipe, found, ("validation", "test"))
    times = 2 if "decoder" in networks else 1  # for the classifier, and for the reconstruction
    expected = [split.images.float() / 255 for split in (found.validation, found.test) for _ in range(times)]
    assert torch.equal(torch.cat(seen), torch.cat(expected))


def test_frozen_encoders_of_both_sections_are_judged_by_one_classifier():
    def judge(name):
        recipe = find_recipe(name)
        classifier = models.build(recipe, *FORMS[recipe.dataset], 0)["classifier"]
        return {name: tensor.shape for name, tensor in classifier.state_dict().items()}, recipe.dropout

    for dataset in ("mnist", "cifar"):
        ours, *others = (judge(f"{dataset}-{kind}") for kind in ("contrastive", "ae", "contrastive-labels"))
        assert others == [ours, ours] and judge(f"{dataset}-guided") != ours


def test_evaluation_changes_nothing_and_repeats():
    trained = run("mnist-ae")
    before = weights(trained)
    found = small(data.load("mnist"))
    again = experiment.evaluate(trained.networks, trained.recipe, found, ("train", "validation", "test"))
    assert again == trained.record["measures"] and same(before, weights(trained))


def test_a_stored_run_is_loaded_and_not_trained_again(monkeypatch):
    first = stored()
    monkeypatch.setattr(experiment, "run", lambda *_, **__: pytest.fail("trained again"))
    again = experiment.load_or_run("mnist-ae", device=CPU)
    assert again.record == first.record
    assert all(torch.equal(a, b) for a, b in zip(again.networks.state_dict().values(), first.networks.state_dict().values()))


def test_a_run_of_the_study_is_not_trained_again_for_weights_that_nobody_keeps(monkeypatch):
    monkeypatch.setattr(experiment, "run", lambda *_, **__: pytest.fail("trained again"))
    with pytest.raises(UserError, match="the study keeps its measures and no weights"):
        experiment.load_or_run("mnist-guided", "study", device=CPU)


def test_a_batch_of_one_and_a_dataset_of_one_are_refused():
    found = small(load("cifar10"))
    for recipe, data_, told in (
        (tiny(NAME, batch=1), found, "2 images in a batch at least, got 2 and 1"),
        (tiny(NAME), small(found, 1), "1 epoch and 2 images"),
        (tiny(NAME, epochs=0), found, "got 0 and"),
    ):
        with pytest.raises(UserError, match=told):
            experiment.run_and_store(NAME, recipe, data_, 0, CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
def test_a_real_card_that_is_full_says_which_value_to_set(monkeypatch):
    recipe, whole = tiny("mnist-contrastive", batch=1000), torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(64 * 2**20 / whole)  # less than what one batch leaves for its backward pass
    try:
        with pytest.raises(UserError, match=r"encoder: batches of 1000 do not fit into the memory of .*encoder.batch=500"):
            experiment.run_and_store("mnist-contrastive", recipe, load("mnist"), 0, torch.device("cuda"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_full_graphics_card_says_which_value_to_set(monkeypatch):
    """Without a card: the error that torch raises for one comes out of a real backward pass, where memory is fullest."""

    def full(gradient):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    def objective(*batch):
        loss = objectives.contrast(*batch)
        loss.register_hook(full)
        return loss

    monkeypatch.setitem(objectives.OBJECTIVES, "contrast", objective)
    with pytest.raises(UserError, match=rf"{NAME}, encoder: batches of 128 do not fit .* try encoder.batch=64 with") as caught:
        experiment.run_and_store(NAME, tiny(NAME), small(load("cifar10")), 0, CPU)
    assert "\n" not in str(caught.value) and not list(results.folder().rglob("*.json"))


@pytest.mark.parametrize("stage", ["classifier", "decoder", "reader"])
def test_a_card_that_is_full_behind_the_encoder_says_in_which_training(monkeypatch, stage):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    recipe = in_depth("mnist-contrastive")
    batch = getattr(recipe, stage).batch
    monkeypatch.setattr(readers, f"train_{stage}", full)
    with pytest.raises(UserError, match=rf"{stage}: batches of {batch} do not fit .* try {stage}.batch={batch // 2} with"):
        experiment.run("mnist-contrastive", recipe, small(load("mnist")), 0, CPU)


def test_who_asks_for_a_run_that_another_process_trains_waits_and_gets_it():
    asked = ThreadPoolExecutor(1)
    with files.hold(results.folder() / "checkpoints/mnist-guided-seed0.lock", "mnist-guided, seed 0,"):
        answer = asked.submit(experiment.load_or_run, "mnist-guided", device=CPU)
        assert not wait([answer], timeout=3).done
        trained = experiment.run("mnist-guided", find_recipe("mnist-guided", "tiny"), load("mnist"), 0, CPU)
        stored = results.write("mnist-guided", 0, trained.record, trained.networks)
    assert answer.result(timeout=60).record == stored


SHORT = Training(epochs=1, batch=64)


def in_depth(name):
    """A tiny recipe with every reader, and the kind of training that study and gpu recipes have."""
    small = {"mnist": {"decoder_folds": (4,), "decoder_widths": (8,)}, "cifar10": {"decoder_folds": (4, 2), "decoder_widths": (8, 16)}}
    recipe = tiny(name)
    return replace(recipe, decoder=SHORT, reader=SHORT, reader_widths=(4, 4, 8), **small[recipe.dataset])


@pytest.mark.parametrize("name", ["cifar-guided", "mnist-contrastive"])
def test_decoder_and_reader_learn_on_frozen_latents_and_every_split_is_read_by_all(name):
    recipe = in_depth(name)
    found = small(data.load(recipe.dataset))
    networks = models.build(recipe, found.channels, found.side, 0)
    experiment.train_encoder(name, networks, recipe, found, 0, CPU)
    before = {part: {key: tensor.clone() for key, tensor in network.state_dict().items()} for part, network in networks.items()}
    curves = readers.train_readers(networks, recipe, found, 0, CPU)
    moved = {part for part, network in networks.items() if not same(before[part], network.state_dict())}
    assert moved == curves.keys() == {"decoder", "reader"} | ({"classifier"} if name == "mnist-contrastive" else set())
    measures = experiment.evaluate(freeze(networks), recipe, found, ("train", "test"))
    wanted = {"accuracy", "unfolding_accuracy", "linear_accuracy", "knn_accuracy", "mae", "alignment", "uniformity", "effective_rank"}
    assert {measure.removeprefix("test_") for measure in measures if measure.startswith("test_")} - wanted <= {
        "views_accuracy",
        "unfolding_views_accuracy",
    }
    assert {f"test_{measure}" for measure in wanted} <= measures.keys()


@pytest.mark.parametrize("objective", ["random", "pca"])
def test_an_encoder_of_the_study_that_is_not_trained_stays_as_it_starts(objective):
    recipe = replace(in_depth("mnist-contrastive"), objective=objective)
    found = small(data.load("mnist"))
    trained = experiment.run(f"mnist-{objective}", recipe, found, 0, CPU)
    start = models.build(recipe, 1, 28, 0)
    models.start_from_images(start, found.train.images)
    models.round_weights(start)
    assert trained.record["curves"]["encoder"] == [] and same(start["encoder"].state_dict(), trained.networks["encoder"].state_dict())


def test_labels_learned_through_a_head_leave_the_classifier_to_frozen_latents():
    recipe = replace(tiny("cifar-guided"), head=True, hidden=(32,))
    found = small(data.load("cifar10"))
    networks = models.build(recipe, 3, 32, 0)
    before = {key: tensor.clone() for key, tensor in networks["classifier"].state_dict().items()}
    experiment.train_encoder("cifar-guided", networks, recipe, found, 0, CPU)
    assert same(before, networks["classifier"].state_dict())
    assert "classifier" in readers.train_readers(networks, recipe, found, 0, CPU)


def test_moments_of_batchnorm_stay_once_they_are_settled(monkeypatch):
    recipe, found, seen = tiny("cifar-guided", epochs=4, settle=0.5), small(data.load("cifar10")), []
    networks = models.build(recipe, 3, 32, 0)
    norm = networks["encoder"].stages[0][2]
    experiment.train_encoder("cifar-guided", networks, recipe, found, 0, CPU, look=lambda _: seen.append(norm.running_mean.clone()))
    assert not torch.equal(seen[0], seen[1]) and torch.equal(seen[1], seen[2]) and torch.equal(seen[2], seen[3])


def test_results_of_every_scale_but_cpu_lie_apart():
    recipe, found = tiny("mnist-guided"), small(data.load("mnist"))
    for scale in ("gpu", "study", "demo", "tiny"):
        experiment.run_and_store("mnist-guided", recipe, found, 0, CPU, scale)
        assert len(results.read("mnist-guided", scale)) == 1 and results.path("mnist-guided", 0, ".json", scale).parts[-3] == scale
    assert results.read("mnist-guided", "cpu") == [] and results.folder("cpu") == results.folder("tiny").parent
    assert results.path("mnist-guided", 0, ".safetensors", "gpu").exists()
    assert not results.path("mnist-guided", 0, ".safetensors", "study").exists()
