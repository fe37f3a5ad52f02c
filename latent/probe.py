"""What a latent space keeps: latents extracted once, then classified, compared and scored."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn import manifold, metrics
from torch import Tensor, nn
from torch.nn import functional as F

from latent import device as devices
from latent.data import Split
from latent.losses import mean_absolute_error
from latent.train import epoch_generator
from latent.views import Views, to_float, view

BATCH = 500


@torch.no_grad()
def encode(encoder: nn.Module, images: Tensor) -> Tensor:
    """Latents (N, latent), float32, of uint8 images (N, C, H, W): no augmentation, no dropout, no rounding to bfloat16."""
    encoder.eval()
    return torch.cat([encoder(to_float(batch)).float() for batch in images.split(BATCH)])


@torch.no_grad()
def encode_views(encoder: nn.Module, images: Tensor, views: Views, copies: int, seed: int) -> Tensor:
    """Latents of `copies` random views of every image: (copies · N, latent), all of the first copy first."""
    encoder.eval()
    generator = epoch_generator(seed, 0, images.device)
    batches = [batch for _ in range(copies) for batch in images.split(BATCH)]
    with devices.autocast(images.device):
        return torch.cat([encoder(view(to_float(batch), views, generator)).float() for batch in batches])


@torch.no_grad()
def predict(classifier: nn.Module, latents: Tensor) -> Tensor:
    """Class probabilities (N, classes) of latents (N, latent)."""
    classifier.eval()
    return torch.cat([classifier(batch).float().softmax(1) for batch in latents.split(5_000)])


def accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Share of right answers, in percent."""
    return 100 * (probabilities.argmax(1) == labels).float().mean().item()


@torch.no_grad()
def reconstruction_error(encoder: nn.Module, decoder: nn.Module, images: Tensor) -> float:
    """Mean absolute error of the reconstructions, pixels in [0, 1]."""
    encoder.eval(), decoder.eval()
    total = sum(mean_absolute_error(decoder(encoder(to_float(b))), to_float(b)).item() * len(b) for b in images.split(BATCH))
    return total / len(images)


def knn_accuracy(known: Tensor, known_labels: Tensor, latents: Tensor, labels: Tensor, neighbours: int = 5) -> float:
    """Accuracy in percent of a vote of the nearest `known` latents by cosine similarity."""
    known = F.normalize(known, dim=1)
    votes = [known_labels[(F.normalize(part, dim=1) @ known.T).topk(neighbours).indices] for part in latents.split(BATCH)]
    return 100 * (torch.cat(votes).mode(1).values == labels).float().mean().item()


def silhouette(latents: Tensor, labels: Tensor) -> float:
    """Mean silhouette of the classes by cosine distance (Rousseeuw 1987): 1 apart and tight, 0 touching, −1 swapped."""
    return float(metrics.silhouette_score(latents.cpu().numpy(), labels.cpu().numpy(), metric="cosine"))


def trustworthiness(points: Tensor, flat: Tensor, neighbours: int = 12) -> float:
    """Share of neighbours on a 2-D map that are true ones, penalised by rank (Venna and Kaski 2001): 1 is best."""
    return float(manifold.trustworthiness(points.cpu().numpy(), flat.cpu().numpy(), n_neighbors=neighbours))


def subset(split: Split, count: int, seed: int = 0) -> Split:
    """`count` images of a split, random by a seed."""
    chosen = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))[:count].to(split.labels.device)
    return Split(split.images[chosen], split.labels[chosen])


def nearest(encoder: nn.Module, images: Tensor, known: Split, count: int) -> list[Split]:
    """For each of `images`, the `count` images of `known` whose latents are nearest by cosine similarity, nearest first."""
    library = F.normalize(encode(encoder, known.images), dim=1)
    order = (F.normalize(encode(encoder, images), dim=1) @ library.T).topk(count).indices
    return [Split(known.images[row], known.labels[row]) for row in order]


def nearest_among(points: Tensor, count: int) -> Tensor:
    """For each of `points` (N, D), the positions (N, count) of the others nearest by cosine similarity, nearest first."""
    unit = F.normalize(points, dim=1)
    return (unit @ unit.T).fill_diagonal_(-2).topk(count).indices


def worst_pair(predicted: Tensor, labels: Tensor, classes: Sequence[str]) -> tuple[float, str, str]:
    """The commonest confusion: (its share of the true class in percent, true class, predicted class)."""
    count = len(classes)
    table = torch.bincount(labels * count + predicted, minlength=count**2).view(count, count)
    share = 100 * table / table.sum(1, keepdim=True).clamp(min=1)
    share.fill_diagonal_(-1)
    true, taken = divmod(share.argmax().item(), count)
    return share[true, taken].item(), classes[true], classes[taken]


def different_pair(split: Split) -> tuple[int, int]:
    """Positions of the first two images of different classes. Raises ValueError if all are of one class."""
    for second, label in enumerate(split.labels.tolist()):
        if label != split.labels[0].item():
            return 0, second
    raise ValueError("all images are of one class; take more of them")


def structure(points: Tensor, flat: np.ndarray, labels: Tensor) -> dict[str, float]:
    """What the eye looks for on a t-SNE map, measured: kNN accuracy among the points themselves (%), silhouette, trustworthiness."""
    votes = labels[nearest_among(points, 5)].mode(1).values
    return {
        "knn": 100 * (votes == labels).float().mean().item(),
        "silhouette": silhouette(points, labels),
        "trustworthiness": trustworthiness(points, torch.from_numpy(flat)),
    }
