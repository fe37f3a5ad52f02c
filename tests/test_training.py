"""Training: what learns, what stays frozen, what is never read, and runs that repeat."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from latent import data, device, experiment, objectives, recipes, train
from latent.data import Split
from latent.errors import UserError
from latent.models import freeze
from latent.names import EXPERIMENTS, VARIANTS

CPU = torch.device("cpu")


def tiny(name, **changes):
    plan = recipes.recipe(name, "tiny")
    return replace(plan, encoder=replace(plan.encoder, **changes))


def small(found, count=384):
    """The same dataset with fewer images."""
    return replace(
        found,
        **{
            name: Split(getattr(found, name).images[:count], getattr(found, name).labels[:count])
            for name in ("train", "validation", "test")
        },
    )


def run(name, found=None, seed=0, **changes):
    plan = tiny(name, **changes)
    return experiment.train(name, plan, found or small(data.load(plan.dataset)), seed, CPU)


def weights(trained):
    return {name: tensor.clone() for name, tensor in trained.networks.state_dict().items()}


def losses(curves):
    """Curves without the seconds, which no two runs share."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in curves]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", EXPERIMENTS + VARIANTS)
def test_twenty_steps_on_one_batch_and_its_views_lower_every_loss(name):
    plan = tiny(name, learning_rate={"adamw": 3e-3, "muon": 3e-2}[tiny(name).encoder.optimizer])
    found = data.load(plan.dataset)
    networks = objectives.build(plan, found.channels, found.side, 0)
    optimizers = train.make_optimizers(networks, plan.encoder)
    images, labels = found.train.images[:128], found.train.labels[:128]
    fallen = []
    for _ in range(20):
        loss = objectives.OBJECTIVES[plan.objective](networks, images, labels, plan, torch.Generator().manual_seed(0))
        networks.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        fallen.append(loss.item())
    assert sum(fallen[-4:]) < 0.95 * sum(fallen[:4])


@pytest.mark.parametrize("name", ["mnist-ae", "cifar-guided", "mnist-contrastive"])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(name):
    first = run(name)
    run("mnist-ae", seed=3)  # another experiment in between changes nothing, nor do numbers drawn meanwhile
    torch.rand(7), np.random.rand(7), random.random()
    assert same(weights(first), weights(run(name)))
    assert not same(weights(first), weights(run(name, seed=1)))


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-contrastive", "cifar-contrastive-labels"])
def test_the_second_stage_leaves_the_encoder_bit_identical_buffers_included(name):
    plan = tiny(name)
    found = small(data.load(plan.dataset))
    networks = objectives.build(plan, found.channels, found.side, 0)
    experiment.train_encoder(name, networks, plan, found, 0, CPU, None)
    before = {key: tensor.clone() for key, tensor in networks["encoder"].state_dict().items()}
    classifier = {key: tensor.clone() for key, tensor in networks["classifier"].state_dict().items()}
    experiment.train_classifier(networks["classifier"], networks["encoder"], plan, found, 0, CPU)
    assert same(before, networks["encoder"].state_dict())
    assert not same(classifier, networks["classifier"].state_dict())


@pytest.mark.parametrize("name", ["mnist-ae", "cifar-contrastive"])
def test_learning_without_labels_reads_none(name):
    plan = tiny(name)
    found = small(data.load(plan.dataset))
    shuffled = replace(found, train=Split(found.train.images, found.train.labels.flip(0)))
    encoders = []
    for version in (found, shuffled):
        networks = objectives.build(plan, found.channels, found.side, 0)
        experiment.train_encoder(name, networks, plan, version, 0, CPU, None)
        encoders.append(networks["encoder"].state_dict())
    assert same(*encoders)


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
    plan, found, seen = tiny(name), small(data.load("mnist"), 187), []
    networks = freeze(objectives.build(plan, found.channels, found.side, 0))
    networks["encoder"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    experiment.evaluate(networks, plan, found, ("validation", "test"))
    times = 2 if "decoder" in networks else 1  # for the classifier, and for the reconstruction
    expected = [split.images.float() / 255 for split in (found.validation, found.test) for _ in range(times)]
    assert torch.equal(torch.cat(seen), torch.cat(expected))


def test_frozen_encoders_of_both_sections_are_judged_by_one_classifier():
    for dataset in ("mnist", "cifar"):
        plans = [recipes.recipe(f"{dataset}-{kind}") for kind in ("ae", "contrastive", "contrastive-labels")]
        built = {str(objectives.build(plan, 3, 32, 0)["classifier"]) for plan in plans}
        assert len(built) == 1


def test_a_loss_that_is_no_number_stops_the_run():
    plan = tiny("mnist-ae", optimizer="adamw")
    networks = nn.ModuleDict({"layer": nn.Linear(1, 1)})

    def broken(networks, inputs, labels, recipe, generator):
        return networks["layer"](inputs[:, :1]).sum() * float("nan")

    with pytest.raises(UserError, match="epoch 1, step 1"):
        train.fit(networks, broken, torch.ones(8, 1), torch.zeros(8), plan, plan.encoder, 0, dict, title="broken")


def test_the_learning_rate_warms_up_and_ends_at_zero():
    plan = tiny("mnist-ae", optimizer="adamw", learning_rate=0.5, warmup=0.25).encoder
    optimizers = train.make_optimizers(nn.ModuleDict({"layer": nn.Linear(1, 1)}), plan)

    def rate(progress):
        train.set_learning_rate(optimizers, plan, progress)
        return optimizers[0].param_groups[0]["lr"]

    assert rate(0) == 0 and rate(0.125) == pytest.approx(0.25) and rate(0.25) == pytest.approx(0.5)
    assert rate(0.625) == pytest.approx(0.25) and rate(1) == pytest.approx(0)


def test_biases_and_normalisation_are_not_decayed():
    networks = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.BatchNorm1d(4)})
    [optimizer] = train.make_optimizers(networks, tiny("mnist-ae", optimizer="adamw", weight_decay=0.3).encoder)
    decays = {p.ndim: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decays == {2: 0.3, 1: 0.0}


def test_muon_takes_the_layers_before_a_batchnorm_and_every_weight_has_one_optimizer():
    networks = objectives.build(tiny("cifar-contrastive"), 3, 32, 0)
    muon, adamw = train.make_optimizers(networks, tiny("cifar-contrastive", optimizer="muon").encoder)
    taken = [{id(p) for group in optimizer.param_groups for p in group["params"]} for optimizer in (muon, adamw)]
    assert not taken[0] & taken[1] and len(taken[0] | taken[1]) == sum(p.requires_grad for p in networks.parameters())
    assert id(networks["encoder"].stages[0][0].weight) in taken[0] and id(networks["encoder"].to_latent.weight) in taken[1]


def test_evaluation_changes_nothing_and_repeats():
    trained = run("mnist-ae")
    before = weights(trained)
    found = small(data.load("mnist"))
    again = experiment.evaluate(trained.networks, trained.recipe, found, ("train", "validation", "test"))
    assert again == trained.record["measures"] and same(before, weights(trained))


def test_a_frozen_encoder_has_no_gradient_but_lets_one_through():
    encoder = freeze(objectives.build(tiny("mnist-ae"), 1, 28, 0)["encoder"])
    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    encoder(x).sum().backward()
    assert x.grad.abs().sum() > 0 and all(p.grad is None for p in encoder.parameters())


def test_an_absent_device_is_refused_by_name():
    with pytest.raises(UserError, match="choose one of"):
        device.choose("tpu")
