"""t-SNE maps (van der Maaten and Hinton 2008) of latents and of images, made the same way for both."""

import numpy as np
import torch
from openTSNE import TSNE
from openTSNE.affinity import PerplexityBasedNN
from sklearn.decomposition import PCA
from torch import Tensor

from latent.mesh import gradient_for

PERPLEXITY = 30
DIMENSIONS = 50  # distances are taken in the leading principal components, as in the paper's experiments
MESH_FROM = 1_000  # points: of fewer, a mesh gives the sum of all forces less exactly, and a tree (Barnes and Hut) is as fast
# More momentum than is usual (0.5, then 0.8): as low a divergence as scikit-learn's in half the steps.
SCHEDULE = {"early_exaggeration_iter": 60, "initial_momentum": 0.8, "n_iter": 500, "final_momentum": 0.9}


def embed(points: Tensor, seed: int = 0) -> np.ndarray:
    """A map (N, 2), float32, of points (N, …), flattened; the same for the same seed on one machine.

    Raises ValueError for fewer than three points, of which no map can be made.
    """
    flat = points.detach().float().flatten(1).cpu().numpy()
    if len(flat) < 3:
        raise ValueError(f"t-SNE needs at least 3 points, got {len(flat)}")
    leading = PCA(min(DIMENSIONS, *flat.shape), random_state=seed).fit_transform(flat)
    perplexity = min(PERPLEXITY, (len(flat) - 1) / 3)
    affinities = PerplexityBasedNN(leading, perplexity, method="exact", n_jobs=torch.get_num_threads(), random_state=seed)
    gradient = gradient_for(affinities.P) if len(flat) >= MESH_FROM else "bh"
    descent = TSNE(negative_gradient_method=gradient, n_jobs=torch.get_num_threads(), random_state=seed, **SCHEDULE)
    return np.asarray(descent.fit(leading, affinities), dtype=np.float32)
