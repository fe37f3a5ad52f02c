"""Some test images, and where each encoder of their dataset puts them: computed once, so that looking takes no time."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from latent import probe
from latent.data import Dataset, Split
from latent.experiment import Run
from latent.show import tsne

NEIGHBOURS = 6
SAMPLE = 500  # test images on a map; t-SNE takes about a second for them, and their points do not yet hide each other


@dataclass(frozen=True)
class Space:
    """What one experiment makes of the sample of N images.

    networks: frozen, on the CPU; latents (N, latent); points (N, 2): their t-SNE map; neighbours (N, NEIGHBOURS): for each
    image the others nearest by cosine similarity of the latents.
    """

    networks: nn.ModuleDict
    latents: Tensor
    points: np.ndarray
    neighbours: Tensor


@dataclass(frozen=True)
class Atlas:
    """The sample of one dataset in pixel space (neighbours as in `Space`) and in the spaces of its experiments, by name."""

    data: Dataset
    sample: Split
    neighbours: Tensor
    spaces: dict[str, Space]


def survey(runs: Mapping[str, Run], sample: Split | None = None, maps: Mapping[str, np.ndarray] | None = None) -> Atlas:
    """The atlas of experiments on one dataset.

    sample: test images, by default SAMPLE random ones. maps: t-SNE maps of them that are at hand, by experiment; the others are made.
    Raises ValueError where the runs do not share a dataset, or where a map has other than one point an image.
    """
    datasets = {run.recipe.dataset: run.data for run in runs.values()}
    if len(datasets) != 1:
        raise ValueError(f"an atlas is of one dataset, got {', '.join(sorted(datasets)) or 'none'}; make one for each")
    (data,) = datasets.values()
    sample = sample or probe.subset(data.test, SAMPLE)
    spaces = {name: _space(run, sample, (maps or {}).get(name)) for name, run in runs.items()}
    return Atlas(data, sample, _neighbours(sample.images.flatten(1).float()), spaces)


def _space(run: Run, sample: Split, points: np.ndarray | None) -> Space:
    networks = deepcopy(run.networks).cpu()  # one image at a time is no work for a card
    latents = probe.encode(networks["encoder"], sample.images)
    points = tsne.embed(latents) if points is None else points
    if points.shape != (len(sample), 2):
        raise ValueError(f"the map of {run.experiment} has the shape {points.shape}, not {(len(sample), 2)}: a point for each image")
    return Space(networks, latents, points, _neighbours(latents))


def _neighbours(points: Tensor) -> Tensor:
    """The positions (N, NEIGHBOURS) of the others nearest to each of `points` (N, D) by cosine similarity."""
    return probe.nearest_among(F.normalize(points, dim=1), NEIGHBOURS)


def unit_square(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Places (…, 2) on a map as parts of the rectangle that its points (N, 2) fill: these lie in [0, 1]²."""
    low, high = points.min(0), points.max(0)
    return (places - low) / np.maximum(high - low, 1e-9)


def shares(labels: Tensor, classes: Sequence[str]) -> list[tuple[int, str, float]]:
    """The classes among `labels` (N,): (class number, name, share in percent), the largest share first."""
    counts = labels.bincount(minlength=len(classes))
    found = [(number, classes[number], 100 * count / len(labels)) for number, count in enumerate(counts.tolist()) if count]
    return sorted(found, key=lambda row: -row[2])
