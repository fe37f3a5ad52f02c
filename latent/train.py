"""The one training loop."""

import math
import statistics
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import AdamW, Optimizer
from tqdm.auto import tqdm

from latent.compute import processes
from latent.compute.device import autocast
from latent.compute.muon import Muon
from latent.errors import Diverged, UserError
from latent.objectives import Loss
from latent.recipes import Training


def fit(
    networks: nn.ModuleDict,
    optimizers: list[Optimizer],
    loss_of_batch: Loss,
    inputs: Tensor,
    labels: Tensor,
    training: Training,
    seed: int,
    done: int = 0,
    title: str = "",
) -> Iterator[dict[str, float]]:
    """Train `networks` in place on `inputs` (N, …) and `labels` (N,), all on one device; after each epoch, say how it went.

    done: epochs finished before. An epoch draws from a generator seeded by (seed, epoch): a resumed run is the run never interrupted.
    Yields {"epoch", "seconds", "train_loss"}. Raises Diverged where the loss is no number, UserError where images are too few.
    """
    size = _batch_size(inputs, training, title)
    compute = processes.parallel(networks, loss_of_batch)
    steps = len(inputs) // size  # an incomplete last batch is left to the next epoch's order
    for epoch in range(done, training.epochs):
        generator, batches = _draw_order(inputs, size, seed, epoch)
        _begin_epoch(networks, training, epoch)
        total, durations = 0.0, []
        with _progress(batches[:steps], f"{title} {epoch + 1}/{training.epochs}") as progress:
            for step, batch in enumerate(progress):
                start = time.perf_counter()
                set_learning_rate(optimizers, training, (epoch + step / steps) / training.epochs)
                mine = processes.share(batch)
                with autocast(inputs.device):
                    loss = compute(inputs[mine], labels[mine], generator)
                loss.backward()
                _update(networks, optimizers)
                total += loss.item()
                if not math.isfinite(total):
                    raise Diverged(f"{title}: the loss is {loss.item()} at epoch {epoch + 1}, step {step + 1}; lower the learning rate")
                durations.append(time.perf_counter() - start)
                progress.set_postfix_str(f"loss {loss.item():.4f}, {_speed(progress, len(batch))} img/s", refresh=False)
        networks.eval()
        seconds = round(steps * statistics.median(durations), 2)  # a machine that slept in between does not count
        yield {"epoch": epoch + 1, "seconds": seconds, "train_loss": processes.mean(total / steps, inputs.device)}


def _batch_size(inputs: Tensor, training: Training, title: str) -> int:
    size = min(training.batch, len(inputs))
    if size < 2 or training.epochs < 1:
        raise UserError(f"{title}: training needs 1 epoch and 2 images in a batch at least, got {training.epochs} and {size}")
    return size


def _update(networks: nn.ModuleDict, optimizers: list[Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.step()
    networks.zero_grad()


def _draw_order(inputs: Tensor, size: int, seed: int, epoch: int) -> tuple[Generator, Sequence[Tensor]]:
    """The epoch's batches of indices, one order for all processes, and the generator of its views, one for each process."""
    generator = epoch_generator(seed, epoch, inputs.device)
    batches = torch.randperm(len(inputs), generator=generator, device=inputs.device).split(size)
    if processes.rank() > 0:
        generator = epoch_generator(seed, epoch, inputs.device, processes.rank())
    return generator, batches


def _begin_epoch(networks: nn.ModuleDict, training: Training, epoch: int) -> None:
    """Training mode; once settled, BatchNorm stays as it is when judged: its moments no longer follow, its weights still learn."""
    networks.train()
    if epoch >= training.settle * training.epochs:
        for module in networks.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def require_numbers(title: str, networks: nn.ModuleDict, measured: dict[str, float]) -> None:
    """Raise Diverged where a weight or a measure is no number: a last step can spoil weights behind a loss that was still one."""
    whole = all(torch.isfinite(tensor).all() for tensor in networks.state_dict().values())
    if not (whole and all(map(math.isfinite, measured.values()))):
        raise Diverged(f"{title}: weights or measures are no longer numbers after epoch {measured['epoch']}; lower the learning rate")


def epoch_generator(seed: int, epoch: int, device: torch.device, rank: int = 0) -> Generator:
    """The random numbers of one epoch: order and views from the generator returned, dropout from torch's own."""
    number = 100_003 * seed + epoch + 1_000_000_007_000 * rank
    torch.manual_seed(number)
    return Generator(device).manual_seed(number)


def make_optimizers(networks: nn.ModuleDict, training: Training) -> list[Optimizer]:
    """AdamW for everything, or Muon for the layers without a bias and AdamW, at a share of its rate, for the rest.

    A layer has no bias where a BatchNorm follows: there only the direction of a weight matters, and Muon may fix its norm.
    """
    learned = [p for p in networks.parameters() if p.requires_grad]
    if training.optimizer == "adamw":
        optimizers = [_adamw(learned, training.learning_rate, training)]
    elif training.optimizer == "muon":
        before_norm = {module.weight for module in networks.modules() if getattr(module, "bias", module) is None}
        inner, rest = [p for p in learned if p in before_norm], [p for p in learned if p not in before_norm]
        optimizers = [Muon(inner, training.learning_rate)] if inner else []
        optimizers.append(_adamw(rest, training.rest * training.learning_rate, training))
    else:
        raise UserError(f"unknown optimizer {training.optimizer!r}; choose one of: adamw, muon")
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return optimizers


def _adamw(parameters: list[nn.Parameter], rate: float, training: Training) -> AdamW:
    """Fused; weight decay for matrices and kernels, not for biases and BatchNorm."""
    decayed, free = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": training.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return AdamW(groups, lr=rate, betas=(0.9, training.beta2), fused=True)


def set_learning_rate(optimizers: list[Optimizer], training: Training, progress: float) -> None:
    """Linear warm-up, then linearly down to zero; `progress` is the share of the training done."""
    share = progress / training.warmup if progress < training.warmup else (1 - progress) / (1 - training.warmup)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share


def _progress(batches: Sequence[Tensor], title: str) -> tqdm:
    return tqdm(batches, desc=title, unit="batch", leave=False, mininterval=1, disable=not processes.speaks())


def _speed(progress: tqdm, batch: int) -> str:
    rate = progress.format_dict["rate"]
    return f"{rate * batch:,.0f}" if rate else "–"
