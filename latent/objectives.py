"""Four ways to learn a latent space, each a function of one batch, and the networks that each one trains."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from latent import distributed, losses
from latent.models import Classifier, Decoder, DecoderBesidePCA, Encoder, EncoderBesidePCA, ProjectionHead
from latent.recipes import Recipe
from latent.views import to_float, view

# (networks, inputs of one batch, labels (B,), recipe, generator of the random views) → scalar loss
Objective = Callable[[nn.ModuleDict, Tensor, Tensor, Recipe, Generator], Tensor]


def reconstruct(networks: nn.ModuleDict, images: Tensor, labels: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    """Give the image back from the latent of a view of it (1.2.1). Labels are not used."""
    target = view(to_float(images), recipe.together, generator)
    seen = view(target, recipe.encoder.views, generator)
    return losses.pyramid_error(networks["decoder"](networks["encoder"](seen)), target, recipe.levels)


def classify(networks: nn.ModuleDict, images: Tensor, labels: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    """Encoder and classifier jointly, on labels (1.2.2)."""
    logits = networks["classifier"](networks["encoder"](view(to_float(images), recipe.encoder.views, generator)))
    return F.cross_entropy(logits.float(), labels, label_smoothing=recipe.encoder.label_smoothing)


def contrast(networks: nn.ModuleDict, images: Tensor, labels: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    """Two views of one image belong together, of two images apart (1.2.3). Labels are not used."""
    first, second = (distributed.gather(z) for z in _project_pairs(networks, images, recipe, generator).chunk(2))
    return losses.nt_xent(first, second, recipe.temperature)


def contrast_labels(networks: nn.ModuleDict, images: Tensor, labels: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    """As `contrast`, but all views of all images of one class belong together (the variant of 1.2.3 with labels)."""
    z = distributed.gather(_project_pairs(networks, images, recipe, generator))
    return losses.supervised_contrastive(z, distributed.gather(labels.repeat(2)), recipe.temperature)


def _project_pairs(networks: nn.ModuleDict, images: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    both = to_float(images).repeat(2, 1, 1, 1)  # (2B, C, H, W): row i and row B + i are two views of image i
    return networks["projection"](networks["encoder"](view(both, recipe.encoder.views, generator)))


def classify_latents(networks: nn.ModuleDict, latents: Tensor, labels: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    """The classifier alone, on latents of a frozen encoder (second stage of 1.2.1 and 1.2.3)."""
    return F.cross_entropy(networks["classifier"](latents).float(), labels, label_smoothing=recipe.classifier.label_smoothing)


OBJECTIVES: dict[str, Objective] = {
    "reconstruct": reconstruct,
    "classify": classify,
    "contrast": contrast,
    "contrast_labels": contrast_labels,
}


def build(recipe: Recipe, channels: int, side: int, seed: int) -> nn.ModuleDict:
    """Freshly initialised networks for `recipe`, the same for the same seed."""
    torch.manual_seed(seed)
    networks = nn.ModuleDict({"encoder": Encoder(channels, recipe.widths, recipe.grid, recipe.latent)})
    if recipe.objective == "reconstruct":
        networks["decoder"] = Decoder(channels, recipe.decoder_widths, side, recipe.latent)
        if recipe.beside_pca:
            networks["encoder"] = EncoderBesidePCA(networks["encoder"], channels * side**2)
            networks["decoder"] = DecoderBesidePCA(networks["decoder"], (channels, side, side))
    elif recipe.objective.startswith("contrast"):
        networks["projection"] = ProjectionHead(recipe.latent, projection=recipe.projection)
    networks["classifier"] = Classifier(recipe.latent, recipe.hidden, recipe.dropout)
    return networks.to(memory_format=torch.channels_last)
