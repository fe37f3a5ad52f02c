"""What each layer takes of a training step, forward and backward, and how near its arithmetic comes to the machine's matrix rate."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks import training
from benchmarks.contestants import seconds
from benchmarks.images import images
from latent.compute.device import autocast
from latent.objectives import loss_of
from latent.recipes import find_recipe
from latent.show.tables import markdown

CPU = torch.device("cpu")
HEADER = ["layers", "forward, ms", "backward, ms", "share of the step, %", "GFLOP", "of the matrix rate, %"]


@dataclass(frozen=True)
class Layer:
    """A layer as one training step meets it, and what it takes: seconds, and operations of both ways together."""

    name: str
    forward: float
    backward: float
    operations: float


@dataclass
class _Met:
    """What passes a layer in one step: its input, and the gradient at its output (none where no gradient comes back)."""

    layer: nn.Module
    input: Tensor
    gradient: Tensor | None = None


def table(experiment: str, scale: str, repeats: int) -> str:
    """A Markdown table: a network's layers of one kind on maps of one size in a line, then all else in the step, then the whole step.

    Layers are timed one by one on what they meet in a step, medians of `repeats`; the step is timed as a whole.
    """
    recipe = find_recipe(experiment, scale)
    tasks = training.prepare(experiment, scale, 4 * recipe.encoder.batch)
    for name in ("train", "matrix"):
        seconds(tasks[name])  # to warm up
    step, rate = seconds(tasks["train"]) * recipe.encoder.batch, 2 * training.MATRIX**3 / seconds(tasks["matrix"])
    groups: dict[str, list[Layer]] = {}
    for layer in measure(experiment, scale, repeats):
        groups.setdefault(layer.name, []).append(layer)
    lines = [[name, *_sums(layers)] for name, layers in groups.items()]
    forward, backward, operations = (sum(line[column] for line in lines) for column in (1, 2, 3))
    lines += [["all layers", forward, backward, operations], ["views, loss, optimizer, all else", step - forward - backward, 0, 0]]
    lines.append(["the whole step", step, 0, operations])
    return markdown(HEADER, [_cells(*line, step, rate) for line in lines])


def _sums(layers: list[Layer]) -> tuple[float, float, float]:
    return tuple(sum(getattr(layer, part) for layer in layers) for part in ("forward", "backward", "operations"))


def _cells(name: str, forward: float, backward: float, operations: float, step: float, rate: float) -> list[str]:
    spent = forward + backward
    counted = [f"{operations / 1e9:.2f}", f"{100 * operations / spent / rate:.0f}"] if operations else ["–", "–"]
    milliseconds = [f"{1000 * way:.1f}" if way > 5e-5 else "–" for way in (forward, backward)]
    return [name, *milliseconds, f"{100 * spent / step:.1f}", *counted]


def measure(experiment: str, scale: str, repeats: int) -> list[Layer]:
    """Every layer of the networks that `experiment` trains, in the order in which an image passes them."""
    recipe = find_recipe(experiment, scale)
    _, split = images(recipe.encoder.batch)
    networks = training.networks_of(recipe).train()
    met: dict[str, _Met] = {}
    hooks = [layer.register_forward_hook(_note(met, name)) for name, layer in networks.named_modules() if not list(layer.children())]
    with autocast(CPU):
        loss = loss_of(networks, recipe)(split.images, split.labels, torch.Generator().manual_seed(0))
    loss.backward()
    for hook in hooks:
        hook.remove()
    return [_time(name, one, repeats) for name, one in met.items()]


def _note(met: dict[str, _Met], name: str) -> Callable:
    """A forward hook that remembers what passes, and asks for the gradient that comes back."""

    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        one = met[name] = _Met(layer, inputs[0].detach().clone().requires_grad_(inputs[0].requires_grad))
        if output.requires_grad:
            output.register_hook(lambda gradient: setattr(one, "gradient", gradient.clone()))

    return hook


def _time(name: str, met: _Met, repeats: int) -> Layer:
    with training.counted_operations() as counter:
        _pass(met)
    goes = [_pass(met) for _ in range(repeats + 1)][1:]  # the first warms up
    forward, backward = (median(times) for times in zip(*goes))
    side = f", {met.input.shape[2]}×{met.input.shape[3]}" if met.input.ndim == 4 else ""
    kind = f"{name.partition('.')[0]}, {type(met.layer).__name__}{side}"
    return Layer(kind, forward, backward, counter.get_total_flops())


def _pass(met: _Met) -> tuple[float, float]:
    """Seconds forward and backward, of the layer alone."""
    seen = met.input.clone()  # some layers work in place
    learned = [tensor for tensor in (met.input, *met.layer.parameters()) if tensor.requires_grad]
    start = time.perf_counter()
    with autocast(CPU):
        output = met.layer(seen)
    between = time.perf_counter()
    if met.gradient is not None and learned:
        torch.autograd.grad(output, learned, met.gradient)
    return between - start, time.perf_counter() - between
