"""A picture from outside, brought into the form that the encoders know, and what they make of it."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from latent import probe
from latent.data import Dataset
from latent.errors import UserError
from latent.explore.atlas import NEIGHBOURS, Atlas, Space
from latent.views import LUMINANCE

INK = 0.2  # grey level from which a pixel counts as written on
BOX = 20 / 28  # share of the side that a digit of MNIST fills (LeCun et al. 1998)
LONGEST = 1_000  # pixels; a photograph is made smaller before anything else


@dataclass(frozen=True)
class Verdict:
    """What one experiment says of a picture.

    belief (classes,); neighbours (NEIGHBOURS,): positions in the sample; place (2,): among theirs on the map;
    reconstruction (C, H, W), or None where there is no decoder.
    """

    belief: Tensor
    neighbours: Tensor
    place: np.ndarray
    reconstruction: Tensor | None


def read(content: bytes) -> Tensor:
    """The picture in an image file: (3, H, W) in [0, 1], at most LONGEST pixels long. Raises UserError where there is none."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.draft("RGB", (LONGEST, LONGEST))  # a JPEG is then decoded no larger than needed
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError("this file holds no picture that can be read; use a PNG, JPEG, GIF, BMP or WebP file") from error
    picture.thumbnail((LONGEST, LONGEST))
    paper = Image.new("RGBA", picture.size, "white")  # what is transparent shows paper
    return torch.from_numpy(np.array(Image.alpha_composite(paper, picture).convert("RGB"))).permute(2, 0, 1) / 255


def prepare(picture: Tensor, data: Dataset) -> Tensor:
    """`picture` (3, H, W) in [0, 1] as an image of `data`: uint8 (1, C, side, side)."""
    image = as_digit(picture, data.side) if data.channels == 1 else as_photograph(picture, data.side)
    return (255 * image).round().clamp(0, 255).to(torch.uint8)[None]


def as_digit(picture: Tensor, side: int) -> Tensor:
    """Bright ink on black, in MNIST's box and with its centre of mass in the middle: (1, side, side). Black where nothing is written."""
    ink = _ink(picture)
    rows, columns = (ink > INK).nonzero(as_tuple=True)
    page = torch.zeros((1, side, side))
    if not len(rows):
        return page
    written = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = [max(1, round(BOX * side * extent / max(written.shape))) for extent in written.shape]
    written = F.interpolate(written[None, None], size=size, mode="bilinear", antialias=True)[0, 0]
    top, left = (min(max(round(side / 2 - _centre_of_mass(written.sum(other))), 0), side - extent) for other, extent in zip((1, 0), size))
    page[0, top : top + size[0], left : left + size[1]] = written
    return page


def _ink(picture: Tensor) -> Tensor:
    """How much each pixel differs from the paper, which is what the border shows: (H, W), the strongest ink 1."""
    grey = (torch.tensor(LUMINANCE).view(3, 1, 1) * picture).sum(0)
    paper = torch.cat([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).median()
    ink = (grey - paper if paper < 0.5 else paper - grey).clamp(min=0)
    return ink / ink.max().clamp(min=INK)  # a blank page stays blank


def _centre_of_mass(weights: Tensor) -> float:
    places = torch.arange(len(weights)) + 0.5
    return ((places * weights).sum() / weights.sum()).item()


def as_photograph(picture: Tensor, side: int) -> Tensor:
    """The square in the middle, made smaller: (3, side, side)."""
    _, height, width = picture.shape
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    cut = picture[None, :, top : top + square, left : left + square]
    return F.interpolate(cut, size=(side, side), mode="bilinear", antialias=True)[0]


def judge(image: Tensor, atlas: Atlas) -> dict[str, Verdict]:
    """What every experiment of `atlas` says of an image, uint8 (1, C, side, side), by name."""
    return {name: _verdict(image, space) for name, space in atlas.spaces.items()}


@torch.no_grad()
def _verdict(image: Tensor, space: Space) -> Verdict:
    latent = probe.encode(space.networks["encoder"], image)
    near = F.cosine_similarity(latent, space.latents).topk(NEIGHBOURS)
    weights = near.values.clamp(min=1e-6).numpy()
    place = np.average(space.points[near.indices.numpy()], axis=0, weights=weights)
    reconstruction = space.networks["decoder"](latent)[0] if "decoder" in space.networks else None
    return Verdict(probe.predict(space.networks["classifier"], latent)[0], near.indices, place, reconstruction)
