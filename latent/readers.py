"""What is trained on the latents of a frozen encoder: a classifier, a decoder, and a reader of what the decoder makes of them.

Readers of growing power say what latents lay open (usable information, Xu et al. 2020); a decoder says what they store.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from latent import probe
from latent.compute.device import autocast
from latent.data import Dataset
from latent.models import build, freeze, whiten
from latent.objectives import Loss, classify, classify_latents, decode_latents, trained_with
from latent.recipes import Recipe, Training, Views
from latent.train import fit, make_optimizers, require_numbers

# What is measured after an epoch.
Measure = Callable[[], dict[str, float]]


def train_readers(
    networks: nn.ModuleDict,
    recipe: Recipe,
    data: Dataset,
    seed: int,
    device: torch.device,
    around: Callable[[str], AbstractContextManager] = nullcontext,
) -> dict[str, list[dict]]:
    """What follows on frozen latents: a classifier (where none was trained with the encoder), a decoder and a reader (where asked for).

    around: from the name of each to the context that it is trained in. Returns the curves of each.
    """
    freeze(networks["encoder"])
    trainings = {"classifier": train_classifier} if trained_with(recipe) != "classifier" else {}
    trainings |= {"decoder": train_decoder} if recipe.decoder else {}
    trainings |= {"reader": train_reader} if recipe.reader else {}
    curves = {}
    for stage, train in trainings.items():
        with around(stage):
            curves[stage] = train(networks, recipe, data, seed, device)
    return curves


def train_classifier(networks: nn.ModuleDict, recipe: Recipe, data: Dataset, seed: int, device: torch.device) -> list[dict]:
    """A classifier on latents: images become latents once, and the classifier sees those alone."""
    training, encoder, classifier = recipe.classifier, networks["encoder"], networks["classifier"]
    latents = probe.encode_views(encoder, data.train.images.to(device), training.views, training.copies, seed)
    labels = data.train.labels.to(device).repeat(training.copies)
    validation = data.validation.to(device)
    seen = probe.encode(encoder, validation.images)

    def measure() -> dict[str, float]:
        return {"validation_accuracy": probe.accuracy(probe.predict(classifier, seen), validation.labels)}

    used = nn.ModuleDict({"classifier": classifier})
    return _train_on_frozen(used, partial(classify_latents, used, recipe), latents, labels, training, seed, "classifier", measure)


def train_decoder(networks: nn.ModuleDict, recipe: Recipe, data: Dataset, seed: int, device: torch.device) -> list[dict]:
    """A new decoder on frozen latents, also where the encoder was trained with one: what do the latents store?"""
    encoder, decoder, validation = networks["encoder"], networks["decoder"], data.validation.to(device)
    decoder.load_state_dict(build(recipe, data.channels, data.side, seed)["decoder"].state_dict())
    train = data.train.to(device)
    latents = probe.encode_views(encoder, train.images, Views(), 1, seed)

    def measure() -> dict[str, float]:
        return {"validation_mae": probe.reconstruction_error(encoder, decoder, validation.images)}

    used, order = nn.ModuleDict({"decoder": decoder}), torch.arange(len(train), device=device)
    loss = partial(decode_latents, used, latents, train.images)
    return _train_on_frozen(used, loss, order, order, recipe.decoder, seed, "decoder", measure)


def train_reader(networks: nn.ModuleDict, recipe: Recipe, data: Dataset, seed: int, device: torch.device) -> list[dict]:
    """A classifier that sees latents unfolded: the frozen decoder makes images of them, once, and the reader reads those."""
    encoder, decoder, reader = freeze(networks["encoder"]), freeze(networks["decoder"]), networks["reader"]
    images = probe.decode(decoder, probe.encode(encoder, data.train.images.to(device)))
    whiten(reader.encoder, images)
    validation = data.validation.to(device)
    seen = probe.encode(encoder, validation.images)

    def measure() -> dict[str, float]:
        return {"validation_accuracy": probe.accuracy(probe.read(reader, decoder, seen), validation.labels)}

    used = nn.ModuleDict({"encoder": reader.encoder, "classifier": reader.classifier})
    loss = partial(classify, used, replace(recipe, encoder=recipe.reader, head=False))
    return _train_on_frozen(used, loss, images, data.train.labels.to(device), recipe.reader, seed, "reader", measure)


def _train_on_frozen(
    networks: nn.ModuleDict, loss: Loss, inputs: Tensor, labels: Tensor, training: Training, seed: int, title: str, measure: Measure
) -> list[dict]:
    """Train what follows on frozen latents; returns the curves, with what `measure` finds after each epoch."""
    curves = []
    for epoch in fit(networks, make_optimizers(networks, training), loss, inputs, labels, training, seed, title=title):
        with autocast(inputs.device):
            curves.append(epoch | measure())
        require_numbers(title, networks, curves[-1])
    return curves
