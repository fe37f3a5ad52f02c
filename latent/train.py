"""The one training loop."""

import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm.auto import tqdm

from latent import device as devices
from latent.errors import Diverged, UserError
from latent.muon import Muon
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
    checkpoint: Path | None = None,
    title: str = "",
) -> list[dict[str, float]]:
    """Train `networks` in place on `inputs` (N, …) and `labels` (N,), all on one device; return the curves, one dict an epoch.

    watch: what to measure on the validation set after each epoch. checkpoint: a file from which an interrupted training goes
    on. Every epoch draws from a generator of its own, seeded by (seed, epoch): a resumed run is the run never interrupted.
    An epoch's `seconds` are its steps times the median step, so that a machine that slept in between does not count.
    Raises Diverged where the loss is no longer a number.
    """
    optimizers = make_optimizers(networks, training)
    curves = restore(checkpoint, networks, optimizers)
    steps = len(inputs) // min(training.batch, len(inputs))  # an incomplete last batch is left to the next epoch's order
    for epoch in range(len(curves), training.epochs):
        generator = epoch_generator(seed, epoch, inputs.device)
        batches = torch.randperm(len(inputs), generator=generator, device=inputs.device).split(min(training.batch, len(inputs)))
        networks.train()
        total, durations = 0.0, []
        progress = tqdm(batches[:steps], desc=f"{title} {epoch + 1}/{training.epochs}", unit="batch", leave=False, mininterval=1)
        for step, batch in enumerate(progress):
            start = time.perf_counter()
            set_learning_rate(optimizers, training, (epoch + step / steps) / training.epochs)
            with devices.autocast(inputs.device):
                loss = objective(networks, inputs[batch], labels[batch], recipe, generator)
            networks.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            total += loss.item()
            durations.append(time.perf_counter() - start)
            if not math.isfinite(total):
                raise Diverged(f"{title}: the loss is {loss.item()} at epoch {epoch + 1}, step {step + 1}; lower the learning rate")
            progress.set_postfix_str(f"loss {loss.item():.4f}, {_speed(progress, len(batch))} img/s", refresh=False)
        networks.eval()
        seconds = round(steps * statistics.median(durations), 2)
        with devices.autocast(inputs.device):
            watched = watch()
        curves.append({"epoch": epoch + 1, "seconds": seconds, "train_loss": total / steps, **watched})
        save(checkpoint, networks, optimizers, curves)
    networks.eval()
    return curves


def epoch_generator(seed: int, epoch: int, device: torch.device) -> Generator:
    """The random numbers of one epoch: order and views from the generator returned, dropout from torch's own."""
    torch.manual_seed(100_003 * seed + epoch)
    return Generator(device).manual_seed(100_003 * seed + epoch)


def make_optimizers(networks: nn.ModuleDict, training: Training) -> list[Optimizer]:
    """AdamW for everything, or Muon for the layers without a bias and AdamW, at a fiftieth of its rate, for the rest.

    A layer has no bias where a BatchNorm follows: there only the direction of a weight matters, and Muon may fix its norm.
    """
    learned = [p for p in networks.parameters() if p.requires_grad]
    if training.optimizer == "adamw":
        optimizers = [_adamw(learned, training.learning_rate, training.weight_decay)]
    elif training.optimizer == "muon":
        before_norm = {module.weight for module in networks.modules() if getattr(module, "bias", module) is None and module.weight.requires_grad}
        inner, rest = [p for p in learned if p in before_norm], [p for p in learned if p not in before_norm]
        optimizers = [Muon(inner, training.learning_rate), _adamw(rest, training.learning_rate / 50, training.weight_decay)]
    else:
        raise UserError(f"unknown optimizer {training.optimizer!r}; choose one of: adamw, muon")
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return optimizers


def _adamw(parameters: list[nn.Parameter], rate: float, weight_decay: float) -> AdamW:
    """Fused; weight decay for matrices and kernels, not for biases and BatchNorm."""
    decayed, free = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return AdamW([{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}], lr=rate, fused=True)


def set_learning_rate(optimizers: list[Optimizer], training: Training, progress: float) -> None:
    """Linear warm-up, then linearly down to zero; `progress` is the share of the training done."""
    share = progress / training.warmup if progress < training.warmup else (1 - progress) / (1 - training.warmup)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share


def save(checkpoint: Path | None, networks: nn.ModuleDict, optimizers: list[Optimizer], curves: list[dict]) -> None:
    """Write the state after an epoch, whole or not at all."""
    if checkpoint is None:
        return
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    temporary = checkpoint.with_suffix(f".{os.getpid()}.tmp")
    torch.save({"networks": networks.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers], "curves": curves}, temporary)
    temporary.replace(checkpoint)


def restore(checkpoint: Path | None, networks: nn.ModuleDict, optimizers: list[Optimizer]) -> list[dict]:
    """Load the state after the last finished epoch, if there is one; return the curves so far."""
    if checkpoint is None or not checkpoint.exists():
        return []
    state = torch.load(checkpoint, weights_only=True)
    networks.load_state_dict(state["networks"])
    for optimizer, stored in zip(optimizers, state["optimizers"]):
        optimizer.load_state_dict(stored)
    return state["curves"]


def _speed(progress: tqdm, batch: int) -> str:
    rate = progress.format_dict["rate"]
    return f"{rate * batch:,.0f}" if rate else "–"
