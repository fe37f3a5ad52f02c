"""The one training loop."""

import math
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm.auto import tqdm

from latent import device as devices
from latent import distributed
from latent.checkpoints import Checkpoint
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
    checkpoint: Checkpoint | None = None,
    title: str = "",
) -> list[dict[str, float]]:
    """Train `networks` in place on `inputs` (N, …) and `labels` (N,), all on one device; return the curves, one dict an epoch.

    watch: what to measure on the validation set after each epoch. checkpoint: from which an interrupted training goes on.
    Every epoch draws from a generator of its own, seeded by (seed, epoch), and the learning rate depends on the share of the
    training done alone: a resumed run is the run never interrupted.
    An epoch's `seconds` are its steps times the median step, so that a machine that slept in between does not count.
    Raises Diverged where the loss, a measure or a weight is no longer a number (the last checkpoint is then kept), UserError
    where there are too few images for a batch.
    """
    size = min(training.batch, len(inputs))
    if size < 2 or training.epochs < 1:
        raise UserError(f"{title}: training needs 1 epoch and 2 images in a batch at least, got {training.epochs} and {size}")
    optimizers = make_optimizers(networks, training)
    curves = checkpoint.restore(networks, optimizers) if checkpoint else []
    compute = distributed.parallel(networks, objective)
    steps = len(inputs) // size  # an incomplete last batch is left to the next epoch's order
    for epoch in range(len(curves), training.epochs):
        generator = epoch_generator(seed, epoch, inputs.device)
        batches = torch.randperm(len(inputs), generator=generator, device=inputs.device).split(size)[:steps]
        if distributed.rank() > 0:  # one order for all processes, but views and dropout of its own for each
            generator = epoch_generator(seed, epoch, inputs.device, distributed.rank())
        networks.train()
        total, durations = 0.0, []
        with _progress(batches, f"{title} {epoch + 1}/{training.epochs}") as progress:
            for step, batch in enumerate(progress):
                start = time.perf_counter()
                set_learning_rate(optimizers, training, (epoch + step / steps) / training.epochs)
                mine = distributed.share(batch)
                with devices.autocast(inputs.device):
                    loss = compute(inputs[mine], labels[mine], recipe, generator)
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
        with devices.autocast(inputs.device), distributed.apart():
            watched = watch()
        train_loss = distributed.mean(total / steps, inputs.device)
        curves.append({"epoch": epoch + 1, "seconds": seconds, "train_loss": train_loss, **watched})
        _require_numbers(title, networks, curves[-1])
        if checkpoint and distributed.rank() == 0:
            checkpoint.save(networks, optimizers, curves)
    networks.eval()
    return curves


def _require_numbers(title: str, networks: nn.ModuleDict, measured: dict[str, float]) -> None:
    """A last step can spoil the weights behind a loss that was still a number: such weights must not be stored."""
    whole = all(torch.isfinite(tensor).all() for tensor in networks.state_dict().values())
    if not (whole and all(map(math.isfinite, measured.values()))):
        raise Diverged(f"{title}: weights or measures are no longer numbers after epoch {measured['epoch']}; lower the learning rate")


def epoch_generator(seed: int, epoch: int, device: torch.device, rank: int = 0) -> Generator:
    """The random numbers of one epoch: order and views from the generator returned, dropout from torch's own."""
    number = 100_003 * seed + epoch + 1_000_000_007_000 * rank
    torch.manual_seed(number)
    return Generator(device).manual_seed(number)


def make_optimizers(networks: nn.ModuleDict, training: Training) -> list[Optimizer]:
    """AdamW for everything, or Muon for the layers without a bias and AdamW, at a fiftieth of its rate, for the rest.

    A layer has no bias where a BatchNorm follows: there only the direction of a weight matters, and Muon may fix its norm.
    """
    learned = [p for p in networks.parameters() if p.requires_grad]
    if training.optimizer == "adamw":
        optimizers = [_adamw(learned, training.learning_rate, training.weight_decay)]
    elif training.optimizer == "muon":
        before_norm = {module.weight for module in networks.modules() if getattr(module, "bias", module) is None}
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


def _progress(batches: Sequence[Tensor], title: str) -> tqdm:
    return tqdm(batches, desc=title, unit="batch", leave=False, mininterval=1, disable=distributed.rank() > 0)


def _speed(progress: tqdm, batch: int) -> str:
    rate = progress.format_dict["rate"]
    return f"{rate * batch:,.0f}" if rate else "–"
