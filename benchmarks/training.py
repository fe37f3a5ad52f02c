"""Our training: images a second, its arithmetic against that of a plain matrix product, and what data and views take of a step."""

from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contestants import Tasks
from benchmarks.images import images
from latent import convolution
from latent import device as devices
from latent.objectives import OBJECTIVES, build
from latent.recipes import Recipe, recipe
from latent.train import epoch_generator, fit
from latent.views import to_float, view

MATRIX = 2048  # side of the matrices whose product gives the rate to reach
PRODUCTS = 10


def prepare(experiment: str, scale: str, count: int) -> Tasks:
    """The project's own loop, `latent.train.fit`, on about `count` images in whole batches; their views alone; a matrix product."""
    devices.keep_memory()  # as `latent train` does
    plan, device = recipe(experiment, scale), torch.device("cpu")
    _, split = images(max(1, count // plan.encoder.batch) * plan.encoder.batch)
    networks, generator = networks_of(plan), epoch_generator(0, 0, device)
    training = replace(plan.encoder, epochs=1)
    square = torch.randn(MATRIX, MATRIX).to(torch.bfloat16 if devices.has_bfloat16(device) else torch.float32)

    def train() -> Iterator:
        yield
        fit(networks, OBJECTIVES[plan.objective], split.images, split.labels, plan, training, 0, dict)
        yield len(split)

    def views() -> Iterator:
        yield
        order = torch.randperm(len(split), generator=generator).split(plan.encoder.batch)
        yield sum(len(inputs(split.images[batch], plan, generator)) for batch in order)

    def matrix() -> Iterator:
        yield
        for _ in range(PRODUCTS):
            torch.mm(square, square)
        yield PRODUCTS

    return {"train": train, "views": views, "matrix": matrix}


def networks_of(plan: Recipe) -> torch.nn.ModuleDict:
    """The networks that the objective of `plan` trains, for images of CIFAR-10's shape."""
    networks = build(plan, 3, 32, 0)
    return networks if plan.objective == "classify" else torch.nn.ModuleDict({k: v for k, v in networks.items() if k != "classifier"})


def inputs(batch: torch.Tensor, plan: Recipe, generator: torch.Generator) -> torch.Tensor:
    """What the objective of `plan` makes of a batch of uint8 images before its networks see it."""
    pixels = to_float(batch)
    if plan.objective.startswith("contrast"):
        pixels = pixels.repeat(2, 1, 1, 1)
    return view(view(pixels, plan.together, generator), plan.encoder.views, generator)


def flops_per_image(plan: Recipe) -> float:
    """Floating-point operations, forward and backward, of one training image; those on the zeros of `latent.convolution` do not count."""
    count = plan.encoder.batch
    _, split = images(count)
    networks, generator = networks_of(plan).train(), torch.Generator().manual_seed(0)
    with patch.object(convolution, "SMALL", 0), FlopCounterMode(display=False) as counter:
        OBJECTIVES[plan.objective](networks, split.images, split.labels, plan, generator).backward()
    return counter.get_total_flops() / count
