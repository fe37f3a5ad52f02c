"""The maps of this project, which are scikit-learn's t-SNE, against openTSNE's: the same points, the same judges, wall-clock seconds."""

import time
from statistics import median

import numpy as np
import torch
from openTSNE import TSNE
from openTSNE.affinity import PerplexityBasedNN
from scipy.sparse import coo_array
from sklearn.decomposition import PCA
from torch import Tensor

from benchmarks.images import images
from benchmarks.rows import Row, ratio
from latent import probe
from latent.errors import UserError
from latent.models import build
from latent.recipes import find_recipe
from latent.show import tsne
from latent.store import results

JUDGED = 4_000  # points whose trustworthiness is taken: it needs all pairs


def rows(count: int, repeats: int) -> tuple[str, list[Row]]:
    """What the points are, in words, and three rows: seconds, KL divergence, trustworthiness."""
    name, points = latents(count)
    other = TSNE(perplexity=tsne.PERPLEXITY, random_state=0)
    turns = [(_timed(lambda: tsne.embed(points)), _timed(lambda: np.asarray(other.fit(points.numpy())))) for _ in range(repeats)]
    affinities = PerplexityBasedNN(points.numpy(), perplexity=tsne.PERPLEXITY, method="exact").P.tocoo()
    ours, theirs = ([seconds for _, seconds in made] for made in zip(*turns, strict=True))
    maps = [made for made, _ in turns[0]]
    divergences = [kl_divergence(affinities, flat) for flat in maps]
    trusts = [probe.trustworthiness(points[:JUDGED], torch.from_numpy(flat[:JUDGED])) for flat in maps]
    title = f"t-SNE of {len(points):,} latents, against openTSNE"
    return name, [
        Row(title, median(ours), median(theirs), "s", *ratio(theirs, ours), least=5),
        Row("KL divergence of that map", *divergences, "nats", divergences[0] / divergences[1], most=1.01),
        Row("trustworthiness of that map", *trusts, "", trusts[0] / trusts[1], least=0.99),
    ]


def latents(count: int, experiment: str = "cifar-contrastive") -> tuple[str, Tensor]:
    """Latents (N, 128) of the shipped encoder; of PCA where the weights are not there or not of today's networks."""
    title, split = images(count)
    try:
        networks = results.load_weights(experiment, 0, build(find_recipe(experiment), 3, 32, 0))
        return f"{experiment}'s latents of {title}", probe.encode(networks["encoder"], split.images)
    except UserError:
        flat = PCA(128, random_state=0).fit_transform(split.images.flatten(1).numpy() / np.float32(255))
        return f"128 principal components of {title}", torch.from_numpy(flat)


def kl_divergence(affinities: coo_array, flat: np.ndarray) -> float:
    """KL(P ‖ Q) in nats, with Q over all pairs of the map `flat` (N, 2), nothing approximated (van der Maaten and Hinton 2008, eq. 5)."""
    y = torch.from_numpy(flat).double()
    total = sum((1 / (1 + torch.cdist(part, y).square())).sum().item() for part in y.split(1_000)) - len(y)
    distances = np.square(flat[affinities.row] - flat[affinities.col], dtype=float).sum(1)
    return float((affinities.data * (np.log(affinities.data * total) + np.log1p(distances))).sum())


def _timed(make) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    made = make()
    return made, time.perf_counter() - start
