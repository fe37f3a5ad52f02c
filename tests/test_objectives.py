"""The four objectives: what each one learns from, and that it learns."""

from dataclasses import replace

import pytest
import torch
from helpers import CPU, same, small, tiny

from latent import data, experiment, models, objectives, train
from latent.data import Split
from latent.recipes import EXPERIMENTS, OBJECTIVES, VARIANTS


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS + VARIANTS if tiny(name).objective in OBJECTIVES])
def test_twenty_steps_on_one_batch_and_its_views_lower_every_loss(name):
    recipe = tiny(name, learning_rate={"adamw": 3e-3, "muon": 3e-2}[tiny(name).encoder.optimizer])
    found = data.load(recipe.dataset)
    networks = models.build(recipe, found.channels, found.side, 0)
    optimizers = train.make_optimizers(networks, recipe.encoder)
    loss_of_batch = objectives.loss_of(networks, recipe)
    fallen = []
    for _ in range(20):
        loss = loss_of_batch(found.train.images[:128], found.train.labels[:128], torch.Generator().manual_seed(0))
        networks.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        fallen.append(loss.item())
    assert sum(fallen[-4:]) < 0.95 * sum(fallen[:4])


@pytest.mark.parametrize("name", ["mnist-ae", "cifar-contrastive"])
def test_learning_without_labels_reads_none(name):
    recipe = tiny(name)
    found = small(data.load(recipe.dataset))
    shuffled = replace(found, train=Split(found.train.images, found.train.labels.flip(0)))
    encoders = []
    for version in (found, shuffled):
        networks = models.build(recipe, found.channels, found.side, 0)
        experiment.train_encoder(name, networks, recipe, version, 0, CPU, None)
        encoders.append(networks["encoder"].state_dict())
    assert same(*encoders)


def test_every_objective_that_a_recipe_may_name_is_written_out():
    assert tuple(objectives.OBJECTIVES) == OBJECTIVES
