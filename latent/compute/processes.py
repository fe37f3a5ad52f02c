"""One training by several processes: `torchrun` starts them, each takes its share of every batch.

Gradients are averaged by DistributedDataParallel, BatchNorm sees the whole batch, and contrastive losses see the projections
of all processes with their gradients: P processes with B / P images each do what one process does with B.
"""

import gc
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.autograd import Function
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from latent.errors import UserError


def begin(device: torch.device) -> torch.device:
    """Join the other processes where torchrun started several; returns the device of this one."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or dist.is_initialized():
        return device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def end() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        gc.collect()  # DistributedDataParallel is in a reference cycle; what it holds of gloo must go while Python is whole
        dist.destroy_process_group()


_together = True


@contextmanager
def apart() -> Iterator[None]:
    """Within, every process works for itself, as if it were alone: on what is measured, not trained."""
    global _together
    before, _together = _together, False
    try:
        yield
    finally:
        _together = before


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _together and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is; 0 is the one that measures and writes."""
    return dist.get_rank() if _together and dist.is_initialized() else 0


def speaks() -> bool:
    """Whether this process is the one that shows its progress, also where each works for itself."""
    return not dist.is_initialized() or dist.get_rank() == 0


def share(batch: Tensor) -> Tensor:
    """This process's part of a batch's indices (B,): no image is in two parts. Raises UserError where they would be unequal."""
    if len(batch) % world():
        raise UserError(f"a batch of {len(batch)} images cannot be shared equally by {world()} processes; change `encoder.batch`")
    return batch[rank() :: world()]


def gather(rows: Tensor) -> Tensor:
    """The rows (B / P, …) of all processes, (B, …), in order of rank; gradients flow back to where each row came from."""
    return rows if world() == 1 else _Gathered.apply(rows.contiguous())


class _Gathered(Function):
    """The rows of all processes. What all their losses want of a row goes back to the process that it came from."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(world())]
        dist.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        mine = gradient.new_empty(len(gradient) // world(), *gradient.shape[1:])
        dist.reduce_scatter(mine, list(gradient.contiguous().chunk(world())))
        return mine


def mean(value: float, device: torch.device) -> float:
    """The mean of a number over the processes."""
    if world() == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.item() / world()


def parallel(networks: nn.ModuleDict, loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`loss`, a function of a batch, such that its gradients for `networks` are averaged over the processes."""
    if world() == 1:
        return loss
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # the option's new name is not in every torch yet
        return DistributedDataParallel(_Loss(networks, loss), broadcast_buffers=False)  # buffers are equal: `whole_batch_statistics`


class _Loss(nn.Module):
    """A loss as a module, which is what DistributedDataParallel can wrap."""

    def __init__(self, networks: nn.ModuleDict, loss: Callable[..., Tensor]):
        super().__init__()
        self.networks = networks
        self.loss = loss

    def forward(self, *batch) -> Tensor:
        return self.loss(*batch)


@contextmanager
def whole_batch_statistics(networks: nn.ModuleDict) -> Iterator[None]:
    """Within, every BatchNorm in training mode takes mean and variance over the batches of all processes together.

    Written here since torch's own SyncBatchNorm refuses CPUs, and with them gloo.
    Raises UserError where another process dies meanwhile.
    """
    forwards = [module for module in networks.modules() if isinstance(module, _BatchNorm)] if world() > 1 else []
    for module in forwards:
        module.forward = _synchronised(module)
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, dist.DistBackendError) or "/gloo/" in str(error)):  # gloo's errors have no class of their own
            raise
        raise UserError(
            "another process of this training has died; the same command goes on from the last finished epoch, also with "
            "another number of processes"
        ) from error
    finally:
        for module in forwards:
            del module.forward


def _synchronised(norm: _BatchNorm):
    """The forward pass of BatchNorm (Ioffe and Szegedy 2015, algorithm 1) with the moments of all processes' batches."""

    def forward(x: Tensor) -> Tensor:
        if not norm.training:
            return type(norm).forward(norm, x)
        y, mean, variance = _Normalised.apply(x, norm.weight, norm.bias, norm.eps)
        count = world() * x.numel() // x.shape[1]
        with torch.no_grad():
            norm.num_batches_tracked += 1
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
        return y

    return forward


class _Normalised(Function):
    """x (B / P, C, …) to y, and the whole batch's mean and variance (C,): one message each way, and torch's own kernels around it."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        _, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)  # the quickest way to the moments
        moments = torch.stack([mean, inverse**-2 - eps + mean.square()]).double()  # the difference below may be a small one
        dist.all_reduce(moments)
        mean, square = moments / world()
        mean, variance = mean.float(), (square - mean.square()).float()
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance

    @staticmethod
    def backward(ctx, gradient: Tensor, *_) -> tuple[Tensor | None, ...]:
        """As if mean and variance were given, less what depends on them: the gradient's mean, and its part along x."""
        x, weight, mean, variance = ctx.saved_tensors
        given = (gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True])
        for_x, for_weight, for_bias = torch.ops.aten.native_batch_norm_backward(*given)
        sums = torch.stack([for_weight, for_bias])
        dist.all_reduce(sums)
        along, level = sums * x.shape[1] / (world() * x.numel())
        slope = -weight * (variance + ctx.eps).rsqrt()
        return for_x + F.batch_norm(x, mean, variance, slope * along, slope * level, eps=ctx.eps), for_weight, for_bias, None
