"""t-SNE maps (van der Maaten and Hinton 2008) of latents and of images, made the same way for both."""

import hashlib

import numpy as np
from sklearn.manifold import TSNE
from torch import Tensor

PERPLEXITY = 30
_embedded: dict[str, np.ndarray] = {}  # by what the points are


def embed(points: Tensor, seed: int = 0) -> np.ndarray:
    """A map (N, 2), float32, of points (N, …), flattened; the same for the same seed on one machine.

    Raises ValueError for fewer than three points, of which no map can be made.
    """
    flat = points.detach().float().flatten(1).cpu().numpy()
    if len(flat) < 3:
        raise ValueError(f"t-SNE needs at least 3 points, got {len(flat)}")
    perplexity = min(PERPLEXITY, (len(flat) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(flat)


def embed_once(points: Tensor) -> np.ndarray:
    """The map that `embed` makes of points, made once in a process: the images of several encoders are the same."""
    key = f"{tuple(points.shape)} {hashlib.sha256(points.numpy().tobytes()).hexdigest()}"
    if key not in _embedded:
        _embedded[key] = embed(points)
    return _embedded[key].copy()
