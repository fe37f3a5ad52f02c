"""What a latent space keeps: latents extracted once, then classified, compared and scored."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn import manifold, metrics
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from latent.compute.device import autocast
from latent.data import Split
from latent.errors import UserError
from latent.losses import mean_absolute_error
from latent.recipes import Views
from latent.train import epoch_generator
from latent.views import to_float, view

BATCH = 500


@torch.no_grad()
def encode(encoder: nn.Module, images: Tensor) -> Tensor:
    """Latents (N, latent), float32, of uint8 images (N, C, H, W): no augmentation, no dropout, and no autocast of its own."""
    encoder.eval()
    return torch.cat([encoder(to_float(batch)).float() for batch in images.split(BATCH)])


@torch.no_grad()
def encode_views(encoder: nn.Module, images: Tensor, views: Views, copies: int, seed: int) -> Tensor:
    """Latents of `copies` random views of every image: (copies · N, latent), all of the first copy first."""
    encoder.eval()
    generator = epoch_generator(seed, 0, images.device)
    batches = [batch for _ in range(copies) for batch in images.split(BATCH)]
    with autocast(images.device):
        return torch.cat([encoder(view(to_float(batch), views, generator)).float() for batch in batches])


@torch.no_grad()
def predict(classifier: nn.Module, latents: Tensor) -> Tensor:
    """Class probabilities (N, classes) of latents (N, latent)."""
    classifier.eval()
    return torch.cat([classifier(batch).float().softmax(1) for batch in latents.split(5_000)])


@torch.no_grad()
def decode(decoder: nn.Module, latents: Tensor) -> Tensor:
    """What `decoder` makes of latents (N, latent), as uint8 images (N, C, H, W)."""
    decoder.eval()
    with autocast(latents.device):
        return torch.cat([(255 * decoder(batch)).round().clamp(0, 255).to(torch.uint8) for batch in latents.split(BATCH)])


@torch.no_grad()
def read(reader: nn.Module, decoder: nn.Module, latents: Tensor) -> Tensor:
    """Class probabilities (N, classes) of latents (N, latent), unfolded by a decoder into images, which a reader reads."""
    reader.eval()
    with autocast(latents.device):
        return torch.cat([reader(to_float(batch)).float().softmax(1) for batch in decode(decoder, latents).split(BATCH)])


# Shifts (down, right) in pixels with their weights: a small jitter about the image itself.
_SHIFTS = {(0, 0): 0.5, (1, 1): 0.25, (-1, -1): 0.25}


@torch.no_grad()
def encode_six(encoder: nn.Module, images: Tensor) -> list[tuple[float, Tensor]]:
    """Latents (N, latent) of six fixed views of uint8 images (N, C, H, W), each with its weight.

    The views are the image and its mirror image, each in place, shifted by one pixel down and right, and up and left.
    """
    found = []
    for (down, right), weight in _SHIFTS.items():
        moved = F.pad(images.float(), (1, 1, 1, 1), "reflect").roll((down, right), (2, 3))[:, :, 1:-1, 1:-1].to(images.dtype)
        with autocast(images.device):
            found += [(weight / 2, encode(encoder, seen)) for seen in (moved, moved.flip(3))]
    return found


@torch.no_grad()
def predict_six(of_latents: Callable[[Tensor], Tensor], views: Sequence[tuple[float, Tensor]]) -> Tensor:
    """Class probabilities (N, classes) averaged over the views that `encode_six` found: test-time augmentation.

    of_latents: latents (N, latent) → class probabilities (N, classes).
    """
    with autocast(views[0][1].device):
        return torch.stack([weight * of_latents(latents) for weight, latents in views]).sum(0)


def accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Share of right answers, in percent. Raises UserError where there is none, or not one label for each."""
    _require_labels(probabilities, labels)
    return 100 * (probabilities.argmax(1) == labels).float().mean().item()


@torch.no_grad()
def reconstruction_error(encoder: nn.Module, decoder: nn.Module, images: Tensor) -> float:
    """Mean absolute error of the reconstructions, pixels in [0, 1]. Raises UserError where there is no image."""
    encoder.eval(), decoder.eval()
    total = sum(mean_absolute_error(decoder(encoder(to_float(b))), to_float(b)).item() * len(b) for b in images.split(BATCH))
    return total / len(images)


def constant_error(known: Split, split: Split) -> float:
    """Mean absolute error on a split, pixels in [0, 1], of the one image that errs least on the `known` ones, their median."""
    constant = known.images.median(0).values.expand_as(split.images)
    return mean_absolute_error(to_float(constant), to_float(split.images)).item()


def knn_accuracy(known: Tensor, known_labels: Tensor, latents: Tensor, labels: Tensor, neighbours: int = 5) -> float:
    """Accuracy in percent of a vote of the nearest `known` latents by cosine similarity.

    Raises UserError where there are fewer known latents than neighbours, none to judge, or not one label for each.
    """
    _require_labels(known, known_labels)
    _require_labels(latents, labels)
    if not 1 <= neighbours <= len(known):
        raise UserError(f"a vote of {neighbours} neighbours needs at least as many known latents, got {len(known)}")
    known = F.normalize(known, dim=1)
    votes = [known_labels[(F.normalize(part, dim=1) @ known.T).topk(neighbours).indices] for part in latents.split(BATCH)]
    return 100 * (torch.cat(votes).mode(1).values == labels).float().mean().item()


def pixels_knn_accuracy(known: Split, split: Split) -> float:
    """The `knn_accuracy` of pixels instead of latents, less the mean of the `known` images."""
    mean = to_float(known.images).mean(0)
    points, seen = ((to_float(images) - mean).flatten(1) for images in (known.images, split.images))
    return knn_accuracy(points, known.labels, seen, split.labels)


def linear_accuracy(known: Tensor, known_labels: Tensor, latents: Tensor, labels: Tensor) -> float:
    """Accuracy in percent of a linear probe: logistic regression fitted to the `known` latents, each dimension scaled to variance one.

    Nothing in it is random or tuned: it stops when converged, after 200 iterations of L-BFGS at the latest.
    Raises UserError where there are no latents, not one label for each, or only one class to learn.
    """
    _require_labels(known, known_labels)
    _require_labels(latents, labels)
    if len(known_labels.unique()) < 2:
        raise UserError("a linear probe needs latents of two classes at least")
    scaler = StandardScaler().fit(known.cpu().numpy())
    scaled, seen = (scaler.transform(points.cpu().numpy()) for points in (known, latents))
    model = LogisticRegression(max_iter=200)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model.fit(scaled, known_labels.cpu().numpy())
    return 100 * float((model.predict(seen) == labels.cpu().numpy()).mean())


def _require_labels(points: Tensor, labels: Tensor) -> None:
    if not len(points) or labels.shape != points.shape[:1]:
        raise UserError(f"points and labels must be as many, and at least one; got {tuple(points.shape)} and {tuple(labels.shape)}")


@torch.no_grad()
def alignment(encoder: nn.Module, images: Tensor, views: Views, seed: int = 0) -> float:
    """Mean squared distance of the normalised latents of two views of each image (Wang and Isola 2020, eq. 1, α = 2): 0 is best."""
    first, second = (F.normalize(half, dim=1) for half in encode_views(encoder, images, views, 2, seed).chunk(2))
    return (first - second).square().sum(1).mean().item()


def uniformity(latents: Tensor) -> float:
    """Logarithm of the mean of exp(−2 d²) over all pairs of normalised latents (Wang and Isola 2020, eq. 2): lower is more even."""
    return (-2 * torch.pdist(F.normalize(latents, dim=1)).square()).exp().mean().log().item()


def effective_rank(latents: Tensor) -> float:
    """exp of the entropy of the singular values of the centred latents (Roy and Vetterli 2007): 1 for a line."""
    values = torch.linalg.svdvals(latents - latents.mean(0))
    shares = values / values.sum()
    return torch.special.entr(shares).sum().exp().item()


def silhouette(latents: Tensor, labels: Tensor) -> float:
    """Mean silhouette of the classes by Euclidean distance (Rousseeuw 1987): 1 apart and tight, 0 touching, −1 swapped."""
    return float(metrics.silhouette_score(latents.cpu().numpy(), labels.cpu().numpy()))


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
    """For each of `points` (N, D), the positions (N, count) of the others nearest by Euclidean distance, nearest first.

    Of points of length one these are the nearest by cosine similarity.
    """
    return torch.cdist(points, points).fill_diagonal_(torch.inf).topk(count, largest=False).indices


def confusions(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """How often an image of each class (row) is taken for each class (column), in percent of the row; (classes, classes)."""
    table = torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)
    return 100 * table / table.sum(1, keepdim=True).clamp(min=1)


def worst_pair(predicted: Tensor, labels: Tensor, classes: Sequence[str]) -> tuple[float, str, str]:
    """The commonest confusion: (its share of the true class in percent, true class, predicted class)."""
    share = confusions(predicted, labels, len(classes)).fill_diagonal_(-1)
    true, taken = divmod(share.argmax().item(), len(classes))
    return share[true, taken].item(), classes[true], classes[taken]


def different_pair(split: Split) -> tuple[int, int]:
    """Positions of the first two images of different classes. Raises ValueError if all are of one class."""
    for second, label in enumerate(split.labels.tolist()):
        if label != split.labels[0].item():
            return 0, second
    raise ValueError("all images are of one class; take more of them")


def distance_correlation(points: Tensor, others: Tensor) -> float:
    """Spearman's rank correlation of the Euclidean distances among points (N, D) with those among the same points elsewhere (N, E)."""
    return spearmanr(*(torch.pdist(space) for space in (points, others))).statistic.item()


def structure(points: Tensor, flat: np.ndarray, labels: Tensor, pixels: Tensor) -> dict[str, float]:
    """What the eye looks for on a t-SNE map, measured: how far the distances are those of the images' `pixels`, silhouette,
    trustworthiness. All distances are Euclidean, as those that t-SNE keeps.
    """
    return {
        "distances": distance_correlation(points, pixels),
        "silhouette": silhouette(points, labels),
        "trustworthiness": trustworthiness(points, torch.from_numpy(flat)),
    }
