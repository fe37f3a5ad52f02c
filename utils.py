"""The course's helper: t-SNE maps of any encoder's latents and of the images, with the course's interface."""

import numpy as np
import torch
from matplotlib import pyplot
from torch import nn
from torch.utils.data import DataLoader

from latent.show import figures, tsne


def plot_tsne(model: nn.Module, dataloader: DataLoader, device: str) -> dict[str, np.ndarray]:
    """Map the images of `dataloader` by t-SNE, from their latents and from their pixels, coloured by class.

    model: an encoder, called as `model(images)`. dataloader: yields (images (B, C, H, W), labels (B,)). device: where the
    model runs. Saves latent_tsne.png and image_tsne.png in the current folder: same points, same seed. Returns the positions (N, 2) of
    both, by "latent" and "image".
    """
    model.eval()
    latents, images, labels = [], [], []
    with torch.no_grad():
        for batch, classes in dataloader:
            latents.append(model(batch.to(device)).flatten(1).float().cpu())
            images.append(batch.flatten(1).float().cpu())
            labels.append(classes)
    labels = torch.cat(labels).long()
    names = [str(c) for c in range(int(labels.max()) + 1)]
    maps = {"latent": tsne.embed(torch.cat(latents)), "image": tsne.embed_once(torch.cat(images))}
    for domain, points in maps.items():
        caption = f"t-SNE map of {len(labels)} points of the {domain} domain, coloured by class; the map saw no label."
        figure = figures.tsne_map(points, labels, names, f"t-SNE, {domain} domain", caption)
        figure.savefig(f"{domain}_tsne.png", dpi=150)
        pyplot.close(figure)
    return maps
