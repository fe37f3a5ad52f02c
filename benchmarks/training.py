"""Our training: images a second, its arithmetic against that of a plain matrix product, and what data and views take of a step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contestants import Tasks
from benchmarks.images import images
from latent.compute import convolution
from latent.compute.device import keep_memory, precision
from latent.models import build
from latent.objectives import loss_of
from latent.recipes import Recipe, find_recipe
from latent.train import epoch_generator, fit, make_optimizers
from latent.views import to_float, view

MATRIX = 2048  # side of the matrices whose product gives the rate to reach
PRODUCTS = 10


def prepare(experiment: str, scale: str, count: int) -> Tasks:
    """The project's own loop, `latent.train.fit`, on about `count` images in whole batches; their views alone; a matrix product."""
    keep_memory()  # as `latent train` does
    recipe, device = find_recipe(experiment, scale), torch.device("cpu")
    _, split = images(max(1, count // recipe.encoder.batch) * recipe.encoder.batch)
    networks, generator = networks_of(recipe), epoch_generator(0, 0, device)
    training = replace(recipe.encoder, epochs=1)
    square = torch.randn(MATRIX, MATRIX).to(precision(device))

    def train() -> Iterator:
        optimizers, loss = make_optimizers(networks, training), loss_of(networks, recipe)
        yield
        list(fit(networks, optimizers, loss, split.images, split.labels, training, seed=0))
        yield len(split)

    def views() -> Iterator:
        yield
        order = torch.randperm(len(split), generator=generator).split(recipe.encoder.batch)
        yield sum(len(inputs(split.images[batch], recipe, generator)) for batch in order)

    def matrix() -> Iterator:
        yield
        for _ in range(PRODUCTS):
            torch.mm(square, square)
        yield PRODUCTS

    return {"train": train, "views": views, "matrix": matrix}


def networks_of(recipe: Recipe) -> torch.nn.ModuleDict:
    """The networks that the objective of `recipe` trains, for images of CIFAR-10's shape."""
    networks = build(recipe, 3, 32, 0)
    return networks if recipe.objective == "classify" else torch.nn.ModuleDict({k: v for k, v in networks.items() if k != "classifier"})


def inputs(batch: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """What the objective of `recipe` makes of a batch of uint8 images before its networks see it."""
    pixels = to_float(batch)
    if recipe.objective.startswith("contrast"):
        pixels = pixels.repeat(2, 1, 1, 1)
    return view(view(pixels, recipe.together, generator), recipe.encoder.views, generator)


@contextmanager
def counted_operations() -> Iterator[FlopCounterMode]:
    """Counts floating-point operations of what runs inside; the zeros that `latent.compute.convolution` adds do not count."""
    with patch.object(convolution, "SMALL", 0), FlopCounterMode(display=False) as counter:
        yield counter


def flops_per_image(recipe: Recipe) -> float:
    """Floating-point operations, forward and backward, of one training image."""
    count = recipe.encoder.batch
    _, split = images(count)
    networks, generator = networks_of(recipe).train(), torch.Generator().manual_seed(0)
    with counted_operations() as counter:
        loss_of(networks, recipe)(split.images, split.labels, generator).backward()
    return counter.get_total_flops() / count
