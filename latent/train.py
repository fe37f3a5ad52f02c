"""The one training loop."""

import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from tqdm.auto import tqdm

from latent import device as devices
from latent.checkpoints import Checkpoint
from latent.errors import UserError
from latent.objectives import Objective
from latent.recipes import Recipe, Training


def fit(
    networks: nn.ModuleDict,
    objective: Objective,
    inputs: Tensor,
    labels: Tensor,
    recipe: Recipe,
    training: Training,
    seed: int,
    watch: Callable[[], dict[str, float]],
    checkpoint: Checkpoint | None = None,
    title: str = "",
) -> list[dict[str, float]]:
    """Train `networks` in place on `inputs` (N, …) and `labels` (N,), all on one device; return the curves, one dict an epoch.

    watch: what to measure on the validation set after each epoch. checkpoint: from which an interrupted training goes on.
    Every epoch draws from a generator of its own, seeded by (seed, epoch), and the learning rate depends on the share of the
    training done alone: a resumed run is the run never interrupted.
    An epoch's `seconds` are its steps times the median step, so that a machine that slept in between does not count.
    Raises UserError where the loss, a measure or a weight is no longer a number (the last checkpoint is then kept), and where
    there are too few images for a batch.
    """
    size = min(training.batch, len(inputs))
    if size < 2 or training.epochs < 1:
        raise UserError(f"{title}: training needs 1 epoch and 2 images in a batch at least, got {training.epochs} and {size}")
    optimizer = make_optimizer(networks, training)
    curves = checkpoint.restore(networks, optimizer) if checkpoint else []
    steps = len(inputs) // size  # an incomplete last batch is left to the next epoch's order
    for epoch in range(len(curves), training.epochs):
        generator = epoch_generator(seed, epoch, inputs.device)
        batches = torch.randperm(len(inputs), generator=generator, device=inputs.device).split(size)[:steps]
        networks.train()
        total, durations = 0.0, []
        with tqdm(batches, desc=f"{title} {epoch + 1}/{training.epochs}", unit="batch", leave=False, mininterval=1) as progress:
            for step, batch in enumerate(progress):
                start = time.perf_counter()
                set_learning_rate(optimizer, training, (epoch + step / steps) / training.epochs)
                with devices.autocast(inputs.device):
                    loss = objective(networks, inputs[batch], labels[batch], recipe, generator)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item()
                durations.append(time.perf_counter() - start)
                if not math.isfinite(total):
                    raise UserError(f"{title}: the loss is {loss.item()} at epoch {epoch + 1}, step {step + 1}; lower the learning rate")
                progress.set_postfix_str(f"loss {loss.item():.4f}, {_speed(progress, len(batch))} img/s", refresh=False)
        networks.eval()
        seconds = round(steps * statistics.median(durations), 2)
        curves.append({"epoch": epoch + 1, "seconds": seconds, "train_loss": total / steps, **watch()})
        _require_numbers(title, networks, curves[-1])
        if checkpoint:
            checkpoint.save(networks, optimizer, curves)
    networks.eval()
    return curves


def _require_numbers(title: str, networks: nn.ModuleDict, measured: dict[str, float]) -> None:
    """A last step can spoil the weights behind a loss that was still a number: such weights must not be stored."""
    whole = all(torch.isfinite(tensor).all() for tensor in networks.state_dict().values())
    if not (whole and all(map(math.isfinite, measured.values()))):
        raise UserError(f"{title}: weights or measures are no longer numbers after epoch {measured['epoch']}; lower the learning rate")


def epoch_generator(seed: int, epoch: int, device: torch.device) -> Generator:
    """The random numbers of one epoch: order and views from the generator returned, dropout from torch's own."""
    torch.manual_seed(100_003 * seed + epoch)
    return Generator(device).manual_seed(100_003 * seed + epoch)


def make_optimizer(networks: nn.ModuleDict, training: Training) -> Optimizer:
    """Fused AdamW or Nesterov SGD; weight decay for matrices and kernels, not for biases and BatchNorm."""
    parameters = [p for p in networks.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if training.optimizer == "sgd":
        return SGD(groups, lr=training.learning_rate, momentum=0.9, nesterov=True, fused=True)
    if training.optimizer == "adamw":
        return AdamW(groups, lr=training.learning_rate, fused=True)
    raise UserError(f"unknown optimizer {training.optimizer!r}; choose one of: adamw, sgd")


def set_learning_rate(optimizer: Optimizer, training: Training, progress: float) -> None:
    """Linear warm-up, then a cosine to zero (Loshchilov and Hutter 2017); `progress` is the share of the training done."""
    if progress < training.warmup:
        share = progress / training.warmup
    else:
        share = (1 + math.cos(math.pi * (progress - training.warmup) / (1 - training.warmup))) / 2
    for group in optimizer.param_groups:
        group["lr"] = training.learning_rate * share


def _speed(progress: tqdm, batch: int) -> str:
    rate = progress.format_dict["rate"]
    return f"{rate * batch:,.0f}" if rate else "–"
