"""The training loop: it stops at what is no number, goes on where it was left, and every weight has its optimizer and its rate."""

import itertools
from dataclasses import replace

import pytest
import torch
from helpers import CPU, losses, same, small, tiny
from torch import nn

from latent import data, experiment, models, objectives, train
from latent.errors import UserError
from latent.store import checkpoints
from latent.store.checkpoints import Checkpoint
from latent.views import to_float


def test_a_loss_that_is_no_number_stops_the_run():
    recipe, networks = tiny("mnist-ae", optimizer="adamw").encoder, nn.ModuleDict({"layer": nn.Linear(1, 1)})
    optimizers = train.make_optimizers(networks, recipe)

    def broken(inputs, labels, generator):
        return networks["layer"](inputs[:, :1]).sum() * float("nan")

    with pytest.raises(UserError, match="epoch 1, step 1"):
        next(train.fit(networks, optimizers, broken, torch.ones(8, 1), torch.zeros(8), recipe, seed=0, title="broken"))


@pytest.mark.parametrize("broken", ["the loss", "the weights behind a loss", "a measure"])
def test_a_number_that_is_none_stops_the_run_and_leaves_the_good_checkpoint(monkeypatch, tmp_path, broken):
    recipe, found, steps = tiny("mnist-ae", epochs=3, batch=4, optimizer="adamw"), small(data.load("mnist"), 8), []
    networks, kept = models.build(recipe, found.channels, found.side, 0), Checkpoint(tmp_path / "a.pt", {})

    def objective(networks, recipe, images, labels, generator):
        loss = networks["encoder"](to_float(images)).square().mean()
        if networks.training:
            steps.append(1)
        if len(steps) == 4 and broken == ("the loss" if networks.training else "a measure"):
            return loss * float("nan")
        if len(steps) == 4 and networks.training and broken == "the weights behind a loss":
            loss.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    monkeypatch.setitem(objectives.OBJECTIVES, "reconstruct", objective)
    with pytest.raises(UserError, match=r"epoch 2, step 2" if broken == "the loss" else r"no longer numbers after epoch 2"):
        experiment.train_encoder("broken", networks, recipe, found, 0, CPU, kept)
    assert checkpoints.finished_epochs(kept.path) == 1


def begun(recipe, found):
    """Networks, optimizers and `fit` of a training of an encoder with its classifier: with dropout and random views."""
    networks = models.build(recipe, found.channels, found.side, 0)
    optimizers, loss = train.make_optimizers(networks, recipe.encoder), objectives.loss_of(networks, recipe)
    images, labels = found.train.images, found.train.labels
    return networks, optimizers, lambda done: train.fit(networks, optimizers, loss, images, labels, recipe.encoder, 7, done)


@pytest.mark.parametrize("done", [1, 2])
def test_a_training_that_goes_on_after_finished_epochs_is_the_one_that_was_never_interrupted(done):
    recipe, found = replace(tiny("mnist-guided", epochs=3, batch=64), dropout=0.3), small(data.load("mnist"), 192)
    whole, _, all_of = begun(recipe, found)
    rows = list(all_of(0))
    first, stopped, some_of = begun(recipe, found)
    before = list(itertools.islice(some_of(0), done))
    second, optimizers, rest_of = begun(recipe, found)
    second.load_state_dict(first.state_dict())
    for fresh, old in zip(optimizers, stopped):
        fresh.load_state_dict(old.state_dict())
    after = list(rest_of(done))
    assert [row["epoch"] for row in rows] == [1, 2, 3] and losses(before + after) == losses(rows)
    assert same(second.state_dict(), whole.state_dict()) and not same(first.state_dict(), whole.state_dict())
    assert list(rest_of(3)) == []  # nothing is left to do


def test_after_each_epoch_the_networks_are_ready_to_be_judged_and_the_row_says_how_it_went():
    recipe, found = tiny("mnist-guided", batch=64), small(data.load("mnist"), 130)
    networks, _, of = begun(recipe, found)
    for number, row in enumerate(of(0), start=1):
        assert row.keys() == {"epoch", "seconds", "train_loss"} and row["epoch"] == number and row["seconds"] > 0
        assert not any(module.training for module in networks.modules())


def test_the_learning_rate_warms_up_and_ends_at_zero():
    recipe = tiny("mnist-ae", optimizer="adamw", learning_rate=0.5, warmup=0.25).encoder
    optimizers = train.make_optimizers(nn.ModuleDict({"layer": nn.Linear(1, 1)}), recipe)

    def rate(progress):
        train.set_learning_rate(optimizers, recipe, progress)
        return optimizers[0].param_groups[0]["lr"]

    assert rate(0) == 0 and rate(0.125) == pytest.approx(0.25) and rate(0.25) == pytest.approx(0.5)
    assert rate(0.625) == pytest.approx(0.25) and rate(1) == pytest.approx(0)


def test_biases_and_normalisation_are_not_decayed():
    networks = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.BatchNorm1d(4)})
    [optimizer] = train.make_optimizers(networks, tiny("mnist-ae", optimizer="adamw", weight_decay=0.3).encoder)
    decays = {p.ndim: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decays == {2: 0.3, 1: 0.0}


def test_muon_takes_the_layers_before_a_batchnorm_and_every_weight_has_one_optimizer():
    networks = models.build(tiny("cifar-contrastive"), 3, 32, 0)
    muon, adamw = train.make_optimizers(networks, tiny("cifar-contrastive", optimizer="muon").encoder)
    taken = [{id(p) for group in optimizer.param_groups for p in group["params"]} for optimizer in (muon, adamw)]
    assert not taken[0] & taken[1] and len(taken[0] | taken[1]) == sum(p.requires_grad for p in networks.parameters())
    assert id(networks["encoder"].stages[0][0].weight) in taken[0] and id(networks["encoder"].to_latent.weight) in taken[1]
