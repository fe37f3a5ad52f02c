"""What the dimension of a latent changes: autoencoders trained alike but for it, and classifiers on what they keep."""

import torch
from torch import Tensor, nn

from theory.optimization import fit

HIDDEN = 256  # units between pixels and latent, so no latent carries more than 256 independent numbers

Labelled = tuple[Tensor, Tensor]  # latents (N, h) and labels (N,)


def halved(images: Tensor) -> Tensor:
    """Images (N, 1, H, W) as rows of H·W / 4 pixels, each the mean of two by two: a quarter of the work."""
    return nn.functional.avg_pool2d(images, 2).flatten(1)


def autoencode(pixels: Tensor, latent: int, seed: int, steps: int = 300) -> nn.Module:
    """The encoder of an autoencoder with one hidden layer on each side, trained on rows of `pixels` for the mean squared error."""
    torch.manual_seed(seed)
    encoder = _layers(pixels.shape[1], latent)
    decoder = nn.Sequential(_layers(latent, pixels.shape[1]), nn.Sigmoid())
    parameters = [*encoder.parameters(), *decoder.parameters()]
    fit(lambda x: (decoder(encoder(x)) - x).square().mean(), parameters, (pixels,), steps, 64, 3e-3, seed)
    return encoder


@torch.no_grad()
def latents(encoder: nn.Module, pixels: Tensor) -> Tensor:
    """h of every row of `pixels`, shape (N, latent), by the frozen `encoder`."""
    return encoder(pixels)


def _layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs))


def classify(train: Labelled, test: Labelled, seed: int = 0, hidden: int = 128, steps: int = 400) -> tuple[float, float]:
    """Accuracy in % on `train` and `test` of an MLP learned on the standardised training latents."""
    (x, y), (x_test, y_test) = standardised(train, test)
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 10))
    fit(lambda a, b: nn.functional.cross_entropy(network(a), b), network.parameters(), (x, y), steps, 128, 2e-3, seed)
    with torch.no_grad():
        return _percent(network(x), y), _percent(network(x_test), y_test)


def least_squares(train: Labelled, test: Labelled, decay: float = 0.0) -> float:
    """Test accuracy in % of the linear classifier with the least summed squared error, `decay` · ‖W‖² added, on standardised latents.

    Without decay, and with more dimensions than samples, it is the interpolating solution of least norm.
    """
    train, (x_test, y_test) = standardised(train, test)
    return _percent(_with_one(x_test) @ _solution(train, decay), y_test)


def solution_norm(train: Labelled, decay: float = 0.0) -> float:
    """‖W‖ (Frobenius, the biases included) of the weights of `least_squares`."""
    return float(_solution(standardised(train, train)[0], decay).norm())


def _solution(train: Labelled, decay: float) -> Tensor:
    """Weights (dimensions + 1, 10) in float64, the biases last."""
    x, targets = _with_one(train[0]), nn.functional.one_hot(train[1], 10).double() - 0.1
    values, vectors = torch.linalg.eigh(x @ x.T if len(x) < x.shape[1] else x.T @ x)
    inverse = torch.where(values > 1e-10 * values[-1], 1 / (values + decay), 0.0)
    solve = (vectors * inverse) @ vectors.T
    return x.T @ (solve @ targets) if len(x) < x.shape[1] else solve @ (x.T @ targets)


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1)], dim=1).double()


def nearest_neighbours(train: Labelled, test: Labelled, count: int = 5) -> float:
    """Test accuracy in % of a vote of the `count` nearest training latents (Euclidean, as the encoder scales them)."""
    nearest = torch.cdist(test[0], train[0]).topk(count, largest=False).indices
    return _percent(nn.functional.one_hot(train[1][nearest], 10).sum(1), test[1])


def intrinsic_dimension(points: Tensor, kept: float = 0.9) -> float:
    """The TwoNN estimate (Facco et al. 2017) from the two nearest neighbours of each of `points` (N, D).

    Where density is locally constant, μ = r₂ / r₁ has P(μ > m) = m^−d: a line of slope d through the origin in logarithms,
    fitted to the smallest `kept` of all ratios, as the authors do. Points that occur twice are left out.
    """
    distances = torch.cdist(points.double(), points.double()).fill_diagonal_(torch.inf)
    first, second = distances.topk(2, largest=False).values.T
    ratios = (second / first)[first > 0].log().sort().values
    beyond = -torch.log1p(-torch.arange(1, len(ratios) + 1, dtype=torch.float64) / (len(ratios) + 1))
    ratios, beyond = ratios[: int(kept * len(ratios))], beyond[: int(kept * len(ratios))]
    return float((ratios @ beyond) / (ratios @ ratios))


def standardised(train: Labelled, test: Labelled) -> tuple[Labelled, Labelled]:
    """Both sets with the training latents' mean and deviation taken out, dimension by dimension."""
    mean, deviation = train[0].mean(0), train[0].std(0).clamp(min=1e-6)
    return ((train[0] - mean) / deviation, train[1]), ((test[0] - mean) / deviation, test[1])


def _percent(scores: Tensor, labels: Tensor) -> float:
    return 100.0 * float((scores.argmax(1) == labels).float().mean())
