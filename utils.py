"""The course's helper: t-SNE maps of any encoder's latents and of the images, with the course's interface."""

import torch
from torch import nn
from torch.utils.data import DataLoader

from latent.show import figures, tsne


def plot_tsne(model: nn.Module, dataloader: DataLoader, device: str) -> None:
    """Map the images of `dataloader` by t-SNE, from their latents and from their pixels, coloured by class.

    model: an encoder, called as `model(images)`. dataloader: yields (images (B, C, H, W), labels (B,)). device: where the
    model runs. Saves latent_tsne.png and image_tsne.png in the current folder: same points, same seed.
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
    for domain, points in (("latent", torch.cat(latents)), ("image", torch.cat(images))):
        caption = f"t-SNE map of {len(labels)} points of the {domain} domain, coloured by class; the map saw no label."
        figure = figures.tsne_map(tsne.embed(points), labels, names, f"t-SNE, {domain} domain", caption)
        figure.savefig(f"{domain}_tsne.png", dpi=150)
