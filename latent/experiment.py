"""One experiment from images to measures: train the encoder, train a classifier on its latents, judge once."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from latent import checkpoints, distributed, files, initialize, probe, results
from latent import device as devices
from latent.checkpoints import Checkpoint
from latent.data import Dataset, load
from latent.errors import Busy, UserError
from latent.models import Classifier, freeze
from latent.objectives import OBJECTIVES, build, classify_latents
from latent.recipes import Recipe, recipe
from latent.train import epoch_generator, fit

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


def train(
    experiment: str,
    plan: Recipe,
    data: Dataset,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    test: bool = True,
    look: Look | None = None,
) -> Run:
    """Train and judge one seed. `checkpoint`: a file from which an interrupted run goes on; `test`: read the test set (once).

    The file holds the first stage; the second, short beside it, is done again, and gives the same again.
    """
    devices.keep_memory()
    networks = build(plan, data.channels, data.side, seed)
    initialize.from_images(networks, data.train.images)
    networks.to(device)
    made_with = {
        "experiment": experiment,
        "seed": seed,
        "recipe": plan.as_dict(),
        "data": {"title": data.title, "digest": data.digest, "standin": data.standin},
        "signature": results.signature(networks),
    }
    kept = Checkpoint(checkpoint, made_with) if checkpoint else None
    try:
        curves = {"encoder": train_encoder(experiment, networks, plan, data, seed, device, kept, look)}
        if plan.objective != "classify":
            with distributed.apart():  # seconds beside the minutes before: every process does it for itself
                curves["classifier"] = train_classifier(networks["classifier"], networks["encoder"], plan, data, seed, device)
    except torch.OutOfMemoryError as error:  # a smaller contrastive batch has fewer negatives: it is not ours to choose
        raise UserError(
            f"{experiment}: batches of {plan.encoder.batch} do not fit into the memory of {devices.describe(device)}; set a smaller "
            f"encoder batch in latent/recipes.py, after `latent trial {experiment} encoder.batch={plan.encoder.batch // 2}`"
        ) from error
    results.round_weights(networks)
    freeze(networks)
    measures = evaluate(networks, plan, data, ("train", "validation", "test") if test else ("train", "validation"))
    record = {
        **made_with,
        "versions": {"torch": torch.__version__.split("+")[0]},
        "device": devices.describe(device),
        "seconds": {stage: round(sum(epoch["seconds"] for epoch in epochs), 1) for stage, epochs in curves.items()},
        "measures": measures,
        "curves": curves,
    }
    return Run(experiment, plan, data, networks, record)


def train_encoder(
    experiment: str,
    networks: nn.ModuleDict,
    plan: Recipe,
    data: Dataset,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None,
    look: Look | None = None,
) -> list[dict]:
    """First stage. Only the networks that the objective uses are trained."""
    used = networks if plan.objective == "classify" else nn.ModuleDict({k: v for k, v in networks.items() if k != "classifier"})
    train, validation = data.train.to(device), data.validation.to(device)
    objective = OBJECTIVES[plan.objective]

    @torch.no_grad()
    def watch() -> dict[str, float]:
        # The loss as training has it, views and all, so that the two curves compare; accuracy is judged on the images themselves.
        generator = epoch_generator(seed, plan.encoder.epochs, device)  # the same views after each epoch
        batches = zip(validation.images.split(plan.encoder.batch), validation.labels.split(plan.encoder.batch))
        losses = [objective(used, images, labels, plan, generator).item() for images, labels in batches]
        measured = {"validation_loss": sum(losses) / len(losses)}
        if plan.objective == "classify":
            latents = probe.encode(used["encoder"], validation.images)
            measured["validation_accuracy"] = probe.accuracy(probe.predict(used["classifier"], latents), validation.labels)
        if look:
            look(networks)
        return measured

    with distributed.whole_batch_statistics(used):
        return fit(used, objective, train.images, train.labels, plan, plan.encoder, seed, watch, checkpoint, experiment)


def train_classifier(
    classifier: Classifier, encoder: nn.Module, plan: Recipe, data: Dataset, seed: int, device: torch.device
) -> list[dict]:
    """Second stage: the encoder is frozen, images become latents once, and the classifier sees those alone."""
    freeze(encoder)
    training = plan.classifier
    latents = probe.encode_views(encoder, data.train.images.to(device), training.views, training.copies, seed)
    labels = data.train.labels.to(device).repeat(training.copies)
    validation, validation_labels = probe.encode(encoder, data.validation.images.to(device)), data.validation.labels.to(device)

    def watch() -> dict[str, float]:
        return {"validation_accuracy": probe.accuracy(probe.predict(classifier, validation), validation_labels)}

    networks = nn.ModuleDict({"classifier": classifier})
    return fit(networks, classify_latents, latents, labels, plan, training, seed, watch, title="classifier")


def evaluate(networks: nn.ModuleDict, plan: Recipe, data: Dataset, splits: tuple[str, ...]) -> dict[str, float]:
    """Accuracy in percent on each split, kNN and linear probe, and the reconstruction error where there is a decoder.

    Where the classifier learned from mirrored images, also its accuracy with test-time augmentation.
    """
    mirrored = (plan.encoder if plan.objective == "classify" else plan.classifier).views.flip
    device = next(networks.parameters()).device
    measures, latents = {}, {}
    for name in splits:
        split = getattr(data, name).to(device)
        latents[name] = probe.encode(networks["encoder"], split.images)
        measures[f"{name}_accuracy"] = probe.accuracy(probe.predict(networks["classifier"], latents[name]), split.labels)
        if name != "train" and mirrored:
            seen_often = probe.predict_views(networks["encoder"], networks["classifier"], split.images)
            measures[f"{name}_views_accuracy"] = probe.accuracy(seen_often, split.labels)
        if name != "train" and "train" in latents:
            known = data.train.labels.to(device)
            measures[f"{name}_knn_accuracy"] = probe.knn_accuracy(latents["train"], known, latents[name], split.labels)
            measures[f"{name}_linear_accuracy"] = probe.linear_accuracy(latents["train"], known, latents[name], split.labels)
        if "decoder" in networks:
            measures[f"{name}_mae"] = probe.reconstruction_error(networks["encoder"], networks["decoder"], split.images)
    return measures


def load_or_train(experiment: str, scale: str | None = None, seed: int = 0, device: torch.device | None = None) -> Run:
    """The stored run if recipe, data and model are unchanged, else a new one, stored. Waits where another process trains it.

    LATENT_RECIPE names the scale where none is given; LATENT_RETRAIN=1 trains in any case.
    """
    plan = recipe(experiment, scale or os.environ.get("LATENT_RECIPE", "cpu"))
    data, device = load(plan.dataset), device or devices.choose()
    while True:
        if found := _stored(experiment, plan, data, seed, device):
            return found
        try:
            return train_and_store(experiment, plan, data, seed, device)
        except Busy:
            with files.turn(_checkpoint(experiment, seed).with_suffix(".lock")):
                pass  # the other one has ended: look again


def _stored(experiment: str, plan: Recipe, data: Dataset, seed: int, device: torch.device) -> Run | None:
    networks = build(plan, data.channels, data.side, seed)
    record = {record["seed"]: record for record in results.read(experiment)}.get(seed)
    has_weights = results.path(experiment, seed, ".safetensors").exists()
    if record and has_weights and results.is_current(record, plan, data, networks) and os.environ.get("LATENT_RETRAIN") != "1":
        return Run(experiment, plan, data, freeze(results.load_weights(experiment, seed, networks).to(device)), record)
    return None


def _checkpoint(experiment: str, seed: int) -> Path:
    return results.folder() / "checkpoints" / f"{experiment}-seed{seed}.pt"


def train_and_store(experiment: str, plan: Recipe, data: Dataset, seed: int, device: torch.device) -> Run:
    """Train one seed, resuming an interrupted run, and store its record; weights are kept for seed 0.

    Of processes that train together the first one alone keeps files. Raises Busy where another process trains the same
    seed of the same experiment.
    """
    checkpoint = _checkpoint(experiment, seed)
    if distributed.rank() > 0:
        return train(experiment, plan, data, seed, device, checkpoint)
    with files.hold(checkpoint.with_suffix(".lock"), f"{experiment}, seed {seed},"):
        for file in (checkpoint, *(results.path(experiment, seed, suffix) for suffix in (".json", ".safetensors"))):
            files.sweep(file)
        try:
            run = train(experiment, plan, data, seed, device, checkpoint)
            record = results.write(experiment, seed, run.record, run.networks if seed == 0 else None)
        except KeyboardInterrupt as stop:
            done = f"epoch {checkpoints.finished_epochs(checkpoint)} of {plan.encoder.epochs}"
            raise type(stop)(f"{experiment}, seed {seed}: stopped after {done}; the same command goes on") from None
        checkpoint.unlink(missing_ok=True)
    return replace(run, record=record)
