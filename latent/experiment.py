"""One experiment from images to measures: train the encoder, train what reads its latents, evaluate, record."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from latent import probe
from latent.compute import processes
from latent.compute.device import autocast, choose_device, describe, keep_memory
from latent.data import Dataset, Split, load
from latent.errors import Busy, UserError
from latent.models import build, freeze, round_weights, signature, start_from_images
from latent.objectives import Loss, loss_of, trained_with
from latent.readers import train_readers
from latent.recipes import UNTRAINED, Recipe, default_scale, find_recipe
from latent.store import checkpoints, files, results
from latent.store.checkpoints import Checkpoint
from latent.train import epoch_generator, fit, make_optimizers, require_numbers

# Sees the networks after each epoch of the encoder; what it raises ends the training.
Look = Callable[[nn.ModuleDict], None]


@dataclass(frozen=True)
class Run:
    """A trained experiment: what it was, what it measured, and the networks of one seed, frozen."""

    experiment: str
    recipe: Recipe
    data: Dataset
    networks: nn.ModuleDict
    record: dict


def run(
    experiment: str,
    recipe: Recipe,
    data: Dataset,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    test: bool = True,
    look: Look | None = None,
) -> Run:
    """Train and judge one seed. `checkpoint`: a file from which an interrupted run goes on; `test`: read the test set (once).

    The file holds the first stage; what follows, short beside it, is done again, and gives the same again.
    """
    keep_memory()
    networks = build(recipe, data.channels, data.side, seed)
    start_from_images(networks, data.train.images)
    networks.to(device)
    made_with = _made_with(experiment, recipe, data, seed, networks)
    kept = Checkpoint(checkpoint, made_with) if checkpoint else None
    in_memory = partial(_in_memory, experiment, recipe, device)
    with in_memory("encoder"):
        curves = {"encoder": train_encoder(experiment, networks, recipe, data, seed, device, kept, look)}
    with processes.apart():  # short beside what was before: every process does it for itself
        curves |= train_readers(networks, recipe, data, seed, device, in_memory)
    round_weights(networks)
    measures = evaluate(freeze(networks), recipe, data, ("train", "validation", "test") if test else ("train", "validation"))
    return Run(experiment, recipe, data, networks, _record(made_with, device, curves, measures))


@contextmanager
def _in_memory(experiment: str, recipe: Recipe, device: torch.device, stage: str) -> Iterator[None]:
    """Around a training: raises UserError where a batch of it is too large for the memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:  # a smaller contrastive batch has fewer negatives: it is not ours to choose
        batch = getattr(recipe, stage).batch
        raise UserError(
            f"{experiment}, {stage}: batches of {batch} do not fit into the memory of {describe(device)}; "
            f"try {stage}.batch={batch // 2} with `latent trial`, then set it in latent/recipes.py"
        ) from error


def train_encoder(
    experiment: str,
    networks: nn.ModuleDict,
    recipe: Recipe,
    data: Dataset,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
    look: Look | None = None,
) -> list[dict]:
    """First stage, from its last checkpoint where there is one; returns the curves, one dict an epoch.

    Only the networks that the objective uses are trained; none, where it is of UNTRAINED.
    """
    if recipe.objective in UNTRAINED:
        return []
    used = nn.ModuleDict({name: networks[name] for name in ("encoder", trained_with(recipe))})
    optimizers = make_optimizers(used, recipe.encoder)
    curves = checkpoint.restore(used, optimizers) if checkpoint else []
    train, validation, loss = data.train.to(device), data.validation.to(device), loss_of(used, recipe)
    with processes.whole_batch_statistics(used):
        for epoch in fit(used, optimizers, loss, train.images, train.labels, recipe.encoder, seed, len(curves), experiment):
            curves.append(epoch | validate(used, recipe, loss, validation, seed))
            require_numbers(experiment, used, curves[-1])
            if checkpoint and processes.rank() == 0:
                checkpoint.save(used, optimizers, curves)
            if look:
                look(networks)
    return curves


@torch.no_grad()
def validate(networks: nn.ModuleDict, recipe: Recipe, loss: Loss, split: Split, seed: int) -> dict[str, float]:
    """The loss on a validation split, with the views that training has, so that the two curves compare; and a classifier's accuracy.

    The views are the same after each epoch. Accuracy is judged on the images themselves.
    """
    generator = epoch_generator(seed, recipe.encoder.epochs, split.images.device)
    batches = zip(split.images.split(recipe.encoder.batch), split.labels.split(recipe.encoder.batch))
    with autocast(split.images.device), processes.apart():
        losses = [loss(images, labels, generator).item() for images, labels in batches]
        measured = {"validation_loss": sum(losses) / len(losses)}
        if recipe.objective == "classify":
            believed = probe.predict(networks[trained_with(recipe)], probe.encode(networks["encoder"], split.images))
            measured["validation_accuracy"] = probe.accuracy(believed, split.labels)
    return measured


def evaluate(networks: nn.ModuleDict, recipe: Recipe, data: Dataset, splits: tuple[str, ...]) -> dict[str, float]:
    """Accuracy in percent on each split by every reader there is, and the error of the decoder.

    `accuracy` of the classifier, `unfolding_accuracy` of the reader, `knn_accuracy`, `linear_accuracy`; where the classifier
    learned from mirrored images, also with test-time augmentation (`views_…`).
    """
    device = next(networks.parameters()).device
    encoder, known, measures = networks["encoder"], {}, {}
    readers = {"accuracy": partial(probe.predict, networks["classifier"])}
    if "reader" in networks:
        readers["unfolding_accuracy"] = partial(probe.read, networks["reader"], networks["decoder"])
    mirrored = (recipe.encoder if trained_with(recipe) == "classifier" else recipe.classifier).views.flip
    for name in splits:
        split = getattr(data, name).to(device)
        latents = probe.encode(encoder, split.images)
        views = probe.encode_six(encoder, split.images) if mirrored and name != "train" else []
        for measure, reader in readers.items():
            measures[f"{name}_{measure}"] = probe.accuracy(reader(latents), split.labels)
            if views:
                seen_often = probe.predict_six(reader, views)
                measures[f"{name}_{measure.replace('accuracy', 'views_accuracy')}"] = probe.accuracy(seen_often, split.labels)
        if name == "train":
            known = {"known": latents, "known_labels": split.labels}
        elif known:
            measures[f"{name}_knn_accuracy"] = probe.knn_accuracy(**known, latents=latents, labels=split.labels)
            measures[f"{name}_linear_accuracy"] = probe.linear_accuracy(**known, latents=latents, labels=split.labels)
        if "decoder" in networks:
            measures[f"{name}_mae"] = probe.reconstruction_error(encoder, networks["decoder"], split.images)
        if name != "train" and "reader" in networks:
            measures |= {f"{name}_{measure}": value for measure, value in geometry(encoder, latents, split, recipe).items()}
    return measures


def geometry(encoder: nn.Module, latents: Tensor, split: Split, recipe: Recipe) -> dict[str, float]:
    """How the latents of a split lie: see `latent.probe` for each measure. Views are those of the classifier's training."""
    return {
        "alignment": probe.alignment(encoder, split.images, recipe.classifier.views),
        "uniformity": probe.uniformity(latents),
        "effective_rank": probe.effective_rank(latents),
    }


def _made_with(experiment: str, recipe: Recipe, data: Dataset, seed: int, networks: nn.ModuleDict) -> dict:
    """What a training depends on: the head of its record, and the lock of its checkpoint."""
    return {
        "experiment": experiment,
        "seed": seed,
        "recipe": recipe.as_dict(),
        "data": {"title": data.title, "digest": data.digest, "standin": data.standin},
        "signature": signature(recipe, networks),
    }


def _record(made_with: dict, device: torch.device, curves: dict[str, list[dict]], measures: dict[str, float]) -> dict:
    """All that results/ keeps of a run besides its weights."""
    return {
        **made_with,
        "versions": {"torch": torch.__version__.split("+")[0]},
        "device": describe(device),
        "seconds": {stage: round(sum(epoch["seconds"] for epoch in epochs), 1) for stage, epochs in curves.items()},
        "measures": measures,
        "curves": curves,
    }


def load_or_run(experiment: str, scale: str | None = None, seed: int = 0, device: torch.device | None = None) -> Run:
    """The stored run if recipe, data and model are unchanged, else a new one, stored. Waits where another process trains it.

    LATENT_RECIPE names the scale where none is given; LATENT_RETRAIN=1 trains in any case. Raises UserError at scale study.
    """
    scale, device = scale or default_scale(), device or choose_device()
    if scale == "study":
        raise UserError("the study keeps its measures and no weights: there is no run of it to load; choose another LATENT_RECIPE")
    recipe = find_recipe(experiment, scale)
    data = load(recipe.dataset)
    while True:
        if found := _stored(experiment, recipe, data, seed, device, scale):
            return found
        try:
            return run_and_store(experiment, recipe, data, seed, device, scale)
        except Busy:
            with files.turn(_checkpoint(experiment, seed, scale).with_suffix(".lock")):
                pass  # the other one has ended: look again


def _stored(experiment: str, recipe: Recipe, data: Dataset, seed: int, device: torch.device, scale: str) -> Run | None:
    networks = build(recipe, data.channels, data.side, seed)
    record = {record["seed"]: record for record in results.read(experiment, scale)}.get(seed)
    has_weights = results.path(experiment, seed, ".safetensors", scale).exists()
    if record and has_weights and results.is_current(record, recipe, data, networks) and os.environ.get("LATENT_RETRAIN") != "1":
        return Run(experiment, recipe, data, freeze(results.load_weights(experiment, seed, networks, scale).to(device)), record)
    return None


def run_and_store(
    experiment: str,
    recipe: Recipe,
    data: Dataset,
    seed: int,
    device: torch.device,
    scale: str | None = None,
    look: Look | None = None,
) -> Run:
    """Train and judge one seed, resuming an interrupted run, and store its record; weights are kept for seed 0, but not of the study.

    Of processes that train together the first one alone keeps files. Raises Busy where another process trains the same
    seed of the same experiment.
    """
    scale = scale or default_scale()
    checkpoint = _checkpoint(experiment, seed, scale)
    if processes.rank() > 0:
        return run(experiment, recipe, data, seed, device, checkpoint)
    with files.hold(checkpoint.with_suffix(".lock"), f"{experiment}, seed {seed},"):
        outputs = (results.path(experiment, seed, suffix, scale) for suffix in (".json", ".safetensors"))
        for file in (checkpoint, *outputs):
            files.remove_leftovers(file)
        try:
            done = run(experiment, recipe, data, seed, device, checkpoint, look=look)
            kept = done.networks if seed == 0 and scale != "study" else None
            record = results.write(experiment, seed, done.record, kept, scale)
        except KeyboardInterrupt as stop:
            finished = f"epoch {checkpoints.finished_epochs(checkpoint)} of {recipe.encoder.epochs}"
            raise type(stop)(f"{experiment}, seed {seed}: stopped after {finished}; the same command goes on") from None
        checkpoint.unlink(missing_ok=True)
    return replace(done, record=record)


def _checkpoint(experiment: str, seed: int, scale: str) -> Path:
    return results.folder(scale) / "checkpoints" / f"{experiment}-seed{seed}.pt"
