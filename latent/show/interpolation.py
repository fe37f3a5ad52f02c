"""Lines and arcs between two points, and how much the pictures on them look like digits."""

import numpy as np
import torch
from torch import Tensor, nn

from latent import probe
from latent.data import Split
from latent.views import to_float


def linear(ends: Tensor, steps: int) -> Tensor:
    """`steps` points (steps, …) on the straight line between two, ends (2, …), both included.

    Raises ValueError for fewer than two steps or other than two ends.
    """
    if steps < 2 or len(ends) != 2:
        raise ValueError(f"a line needs two ends and at least two steps, got {len(ends)} and {steps}")
    weights = torch.linspace(0, 1, steps, dtype=ends.dtype, device=ends.device).view(-1, *[1] * (ends.ndim - 1))
    return torch.lerp(ends[:1], ends[1:], weights)


def spherical(ends: Tensor, steps: int) -> Tensor:
    """`steps` points (steps, D) on the arc about the origin between two, ends (2, D), both included (slerp, Shoemake 1985).

    Angle and length both change evenly. Where the two point the same way, or opposite ways, no single arc joins them: the
    line does. Raises ValueError as `linear` does.
    """
    line = linear(ends, steps)
    lengths = ends.norm(dim=1)
    first, second = ends / lengths[:, None]
    angle = torch.acos((first @ second).clamp(-1, 1))
    if not angle.sin() > 1e-4:  # also where an end is the origin, and the angle no number
        return line
    weights = torch.linspace(0, 1, steps, device=ends.device)[:, None]
    arc = (((1 - weights) * angle).sin() * first + (weights * angle).sin() * second) / angle.sin()
    return arc * torch.lerp(lengths[0], lengths[1], weights)


def pairs(split: Split, count: int, seed: int = 0) -> Tensor:
    """Positions (count, 2) of random pairs of images of different classes, the same for the same seed.

    Raises ValueError where all images are of one class.
    """
    if len(split.labels.unique()) < 2:
        raise ValueError("all images are of one class; take more of them")
    drawn = torch.randint(len(split), (20 * count, 2), generator=torch.Generator().manual_seed(seed))
    return drawn[split.labels[drawn[:, 0]] != split.labels[drawn[:, 1]]][:count]


def nearest_distance(points: Tensor, known: Tensor) -> Tensor:
    """Euclidean distance (N,) from each of points (N, …) to the nearest of `known` (M, …), both flattened."""
    return torch.cdist(points.flatten(1).float(), known.flatten(1).float()).amin(1)


def grey(pictures: Tensor) -> Tensor:
    """Share (N,) in percent of pixels that are grey, between 0.2 and 0.8; pictures (N, C, H, W) in [0, 1]."""
    return 100 * ((pictures > 0.2) & (pictures < 0.8)).float().mean((1, 2, 3))


WAYS = {"latents, along the line": linear, "latents, along the arc": spherical}
LATENT, PIXELS = "distance to the\nnearest latent", "distance to the\nnearest image"
Survey = dict[str, dict[str, np.ndarray]]
GREY, CERTAINTY = "grey pixels,\n0.2 to 0.8 (%)", "certainty of the\nguided classifier"


@torch.no_grad()
def survey(autoencoder: nn.ModuleDict, judge: nn.ModuleDict, split: Split, known: Split, chosen: Tensor, steps: int) -> Survey:
    """What lies between pairs of images: quantity → way of walking → values (pairs, steps).

    autoencoder: decodes the latents on the way. judge: encoder and classifier that never saw such pictures. known: training images.
    chosen: positions (pairs, 2) in `split`.
    """
    latents, known_latents = (probe.encode(autoencoder["encoder"], part.images) for part in (split, known))
    images = to_float(split.images)
    found: Survey = {LATENT: {}, PIXELS: {}, GREY: {}, CERTAINTY: {}}
    shape = len(chosen), steps

    def note(way: str, measured: dict[str, Tensor]) -> None:
        for quantity, values in measured.items():
            found[quantity][way] = values.view(shape).cpu().numpy()

    for way, walk in WAYS.items():
        path = torch.cat([walk(latents[pair], steps) for pair in chosen])
        pictures = torch.cat([autoencoder["decoder"](part) for part in path.split(probe.BATCH)])
        note(way, {LATENT: nearest_distance(path, known_latents)} | _of_pictures(judge, pictures, known))
    note("pixels, blended", _of_pictures(judge, torch.cat([linear(images[pair], steps) for pair in chosen]), known))
    return found


def of_real_images(autoencoder: nn.ModuleDict, judge: nn.ModuleDict, split: Split, known: Split) -> dict[str, float]:
    """The median of each quantity of `survey` for the images of `split` themselves."""
    latents, known_latents = (probe.encode(autoencoder["encoder"], part.images) for part in (split, known))
    measured = {LATENT: nearest_distance(latents, known_latents)} | _of_pictures(judge, to_float(split.images), known)
    return {quantity: values.median().item() for quantity, values in measured.items()}


def _of_pictures(judge: nn.ModuleDict, pictures: Tensor, known: Split) -> dict[str, Tensor]:
    distance = nearest_distance(pictures, to_float(known.images))
    return {PIXELS: distance, GREY: grey(pictures), CERTAINTY: certainty(judge, pictures)}


@torch.no_grad()
def certainty(judge: nn.ModuleDict, pictures: Tensor) -> Tensor:
    """The largest probability (N,) that encoder and classifier of `judge` give to any class of pictures (N, C, H, W) in [0, 1]."""
    latents = torch.cat([judge["encoder"](part).float() for part in pictures.split(probe.BATCH)])
    return probe.predict(judge["classifier"], latents).amax(1)


MIDDLE = ("at the two middle steps", "real images", *WAYS, "pixels, blended")
MIDDLE_NOTE = "What stands in the middle between the two digits, medians over the pairs, beside the same of real test images."


def middle(surveyed: Survey, real: dict[str, float]) -> list[list[str]]:
    """One formatted line for each quantity, under MIDDLE: medians at the two middle steps."""
    lines = []
    for quantity, ways in surveyed.items():
        halfway = next(iter(ways.values())).shape[1] // 2
        medians = {way: np.median(values[:, halfway - 1 : halfway + 1]) for way, values in ways.items()}
        cells = [f"{medians[way]:.2f}" if way in medians else "–" for way in MIDDLE[2:]]
        lines.append([quantity.replace("\n", " "), f"{real[quantity]:.2f}", *cells])
    return lines
