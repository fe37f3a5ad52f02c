"""Latents between and beside those of images, and how far they lie from any that training has seen."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from latent import probe
from latent.data import Split
from latent.errors import UserError
from latent.explore.atlas import Atlas, Space
from latent.show.interpolation import linear, spherical
from latent.views import to_float

STEPS = 51
KNOWN = 2_000  # training latents that distances are measured to
PATHS = {"linear": linear, "spherical": spherical}


@dataclass(frozen=True)
class Walk:
    """From one image to another: latents (STEPS, latent) on the way, what the classifier believes of them (STEPS, classes), and the
    images blended with the same weights (STEPS, C, H, W)."""

    latents: Tensor
    beliefs: Tensor
    blends: Tensor


@dataclass(frozen=True)
class Surroundings:
    """Where training latents lie.

    known (KNOWN, latent): some of them; mean, spread (latent,): of each dimension; typical (N,): Euclidean distance of
    each of the sample's latents to the nearest known one.
    """

    known: Tensor
    mean: Tensor
    spread: Tensor
    typical: Tensor


@dataclass(frozen=True)
class Frame:
    """One latent (latent,) looked at: decoded (C, H, W), belief (classes,), distance to the nearest known training latent."""

    latent: Tensor
    decoded: Tensor
    belief: Tensor
    distance: float


def autoencoder(atlas: Atlas) -> tuple[str, Space]:
    """The name and the space of the experiment that has a decoder. Raises UserError where none has."""
    for name, space in atlas.spaces.items():
        if "decoder" in space.networks:
            return name, space
    raise UserError(f"none of {', '.join(atlas.spaces)} has a decoder; the player needs an autoencoder, mnist-ae or cifar-ae")


def surroundings(space: Space, train: Split) -> Surroundings:
    """Where the training latents of `space` lie, from a random sample of `train`."""
    known = probe.encode(space.networks["encoder"], probe.subset(train, KNOWN).images)
    return Surroundings(known, known.mean(0), known.std(0), _distances(space.latents, known))


def between(space: Space, pair: Tensor, path: str) -> Walk:
    """The walk between two images, uint8 (2, C, H, W), along one of PATHS."""
    latents = PATHS[path](probe.encode(space.networks["encoder"], pair), STEPS)
    return Walk(latents, probe.predict(space.networks["classifier"], latents), linear(to_float(pair), STEPS))


def random_latent(around: Surroundings, generator: Generator) -> Tensor:
    """A latent whose numbers are drawn one by one from the normal distributions of the training latents' dimensions."""
    return around.mean + around.spread * torch.randn(len(around.mean), generator=generator)


@torch.no_grad()
def look(space: Space, around: Surroundings, latents: Tensor) -> list[Frame]:
    """What the decoder and the classifier make of latents (N, latent)."""
    decoded = space.networks["decoder"](latents)
    belief = probe.predict(space.networks["classifier"], latents)
    distances = _distances(latents, around.known).tolist()
    return [Frame(*parts) for parts in zip(latents, decoded, belief, distances)]


def _distances(latents: Tensor, known: Tensor) -> Tensor:
    """Euclidean distance (N,) to the nearest of `known`; by differences, since products lose a small one in rounding."""
    return torch.cdist(latents, known, compute_mode="donot_use_mm_for_euclid_dist").amin(1)
