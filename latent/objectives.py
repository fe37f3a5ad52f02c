"""Four ways to learn a latent space, each the loss of one batch, and the losses of what is trained on frozen latents."""

from collections.abc import Callable
from functools import partial

from torch import Generator, Tensor, nn
from torch.nn import functional as F

from latent import losses
from latent.compute import processes
from latent.recipes import Recipe
from latent.views import to_float, view

# inputs of one batch, labels (B,), generator of the random views → scalar loss
Loss = Callable[[Tensor, Tensor, Generator], Tensor]


def loss_of(networks: nn.ModuleDict, recipe: Recipe) -> Loss:
    """What `recipe` asks of `networks`, as the loss of a batch of uint8 images (B, C, H, W)."""
    return partial(OBJECTIVES[recipe.objective], networks, recipe)


def trained_with(recipe: Recipe) -> str:
    """The network that the encoder is trained with; none where it is not trained."""
    if recipe.objective == "classify":
        return "head" if recipe.head else "classifier"
    return {"reconstruct": "decoder", "contrast": "projection", "contrast_labels": "projection"}.get(recipe.objective, "")


def reconstruct(networks: nn.ModuleDict, recipe: Recipe, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """Give the image back from the latent of a view of it (1.2.1). Labels are not used."""
    target = view(to_float(images), recipe.together, generator)
    seen = view(target, recipe.encoder.views, generator)
    return losses.mean_absolute_error(networks["decoder"](networks["encoder"](seen)), target)


def classify(networks: nn.ModuleDict, recipe: Recipe, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """Encoder and classifier jointly, on labels (1.2.2); or encoder and head, where the recipe has one."""
    latents = networks["encoder"](view(to_float(images), recipe.encoder.views, generator))
    logits = networks["head" if recipe.head else "classifier"](latents)
    return F.cross_entropy(logits.float(), labels, label_smoothing=recipe.encoder.label_smoothing)


def contrast(networks: nn.ModuleDict, recipe: Recipe, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """Two views of one image belong together, of two images apart (1.2.3). Labels are not used."""
    first, second = (processes.gather(z) for z in _project_pairs(networks, recipe, images, generator).chunk(2))
    return losses.nt_xent(first, second, recipe.temperature)


def contrast_labels(networks: nn.ModuleDict, recipe: Recipe, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """As `contrast`, but all views of all images of one class belong together (the variant of 1.2.3 with labels)."""
    z = processes.gather(_project_pairs(networks, recipe, images, generator))
    return losses.supervised_contrastive(z, processes.gather(labels.repeat(2)), recipe.temperature)


def _project_pairs(networks: nn.ModuleDict, recipe: Recipe, images: Tensor, generator: Generator) -> Tensor:
    both = to_float(images).repeat(2, 1, 1, 1)  # (2B, C, H, W): row i and row B + i are two views of image i
    return networks["projection"](networks["encoder"](view(both, recipe.encoder.views, generator)))


def classify_latents(networks: nn.ModuleDict, recipe: Recipe, latents: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """The classifier alone, on latents of a frozen encoder (second stage of 1.2.1 and 1.2.3)."""
    return F.cross_entropy(networks["classifier"](latents).float(), labels, label_smoothing=recipe.classifier.label_smoothing)


def decode_latents(networks: nn.ModuleDict, latents: Tensor, images: Tensor, numbers: Tensor, _: Tensor, generator: Generator) -> Tensor:
    """The decoder alone, on latents (N, latent) of a frozen encoder: give back the images (N, C, H, W) of these numbers (B,)."""
    return losses.mean_absolute_error(networks["decoder"](latents[numbers]), to_float(images[numbers]))


OBJECTIVES = {function.__name__: function for function in (reconstruct, classify, contrast, contrast_labels)}
