"""The gradient of a small map's kernels: `latent.compute.convolution`'s against torch's own, which on a CPU is oneDNN's."""

from collections.abc import Callable, Iterator
from statistics import median

import torch

from benchmarks.contestants import Tasks, compare
from benchmarks.rows import Row, ratio
from latent.compute.convolution import weight_gradient
from latent.compute.device import keep_memory, precision

# Inputs, outputs, side: maps of the CIFAR-10 recipes, of whole images and of views of 24 pixels. The first is above
# `latent.compute.convolution.SMALL`: what it gains here it loses in small batches.
MAPS = ((256, 256, 7), (256, 256, 3), (128, 256, 5), (256, 256, 2))
BATCH = 512
GOES = 5


def rows(repeats: int) -> list[Row]:
    """One row a map: milliseconds of ours and of torch's for the same tensors."""
    names = {"ours": weight_gradient, "torch": gradient_by_torch}
    seconds = compare({name: (prepare, gradient) for name, gradient in names.items()}, repeats)
    return [
        Row(f"gradient of {name}, against torch", 1000 * median(ours), 1000 * median(theirs), "ms", *ratio(theirs, ours), least=1)
        for (name, ours), theirs in zip(seconds["ours"].items(), seconds["torch"].values(), strict=True)
    ]


def prepare(gradient: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Tasks:
    """One task a map, each done GOES times."""
    keep_memory()
    return {f"{a} × {b} kernels on {side} × {side} pixels": _task(gradient, a, b, side) for a, b, side in MAPS}


def gradient_by_torch(x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """As `latent.compute.convolution.weight_gradient`."""
    return torch.nn.grad.conv2d_weight(x, (gradient.shape[1], x.shape[1], 3, 3), gradient, padding=1)


def _task(gradient: Callable, inputs: int, outputs: int, side: int) -> Callable[[], Iterator]:
    kind, layout = precision(torch.device("cpu")), torch.channels_last
    x, behind = (torch.randn(BATCH, channels, side, side).to(kind, memory_format=layout) for channels in (inputs, outputs))

    def work() -> Iterator:
        yield
        for _ in range(GOES):
            gradient(x, behind)
        yield GOES

    return work
