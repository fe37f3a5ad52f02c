"""What courses teach: three convolutions, PIL images through torchvision's transforms, a DataLoader, float32, Adam; no trick."""

import itertools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.arrival.race import SEED, Training
from benchmarks.textbook import WORKERS, Pair, Pictures
from latent.data import Dataset
from latent.losses import nt_xent
from latent.recipes import LATENT, Recipe


def trainings(recipe: Recipe, data: Dataset, rate: float) -> Iterable[Training]:
    """One training without a schedule, at the constant `rate`."""
    torch.manual_seed(SEED)
    networks = course_networks(recipe.objective, data.channels, data.side)
    transform = transforms.Compose([*VIEWS.get((recipe.dataset, recipe.objective), []), transforms.ToTensor()])
    contrast = recipe.objective == "contrast"
    loader = loader_of(data, Pair(transform) if contrast else transform, batch=256 if contrast else 128)
    return [epochs(networks, torch.optim.Adam(networks.parameters(), lr=rate), LOSSES[recipe.objective], loader)]


def course_networks(objective: str, channels: int, side: int) -> nn.ModuleDict:
    """An encoder of three strided convolutions to 4 × 4 maps, and what the objective needs beside it: the decoder is its mirror."""
    widths, latent = (channels, 32, 64, 128), nn.Linear(128 * 4 * 4, LATENT)
    down = [nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU()) for a, b in itertools.pairwise(widths)]
    encoder = nn.Sequential(*down, nn.Flatten(), latent)
    if objective == "classify":
        return nn.ModuleDict({"encoder": encoder, "classifier": nn.Sequential(nn.ReLU(), nn.Linear(LATENT, 10))})
    if objective == "contrast":
        projection = nn.Sequential(nn.Linear(LATENT, LATENT), nn.ReLU(), nn.Linear(LATENT, LATENT))
        return nn.ModuleDict({"encoder": encoder, "projection": projection})
    uneven = side // 4 % 2  # 7 pixels were halved to 4 as 8 were
    up = [nn.ConvTranspose2d(128, 64, 3, 2, 1, output_padding=1 - uneven), nn.BatchNorm2d(64), nn.ReLU()]
    up += [nn.ConvTranspose2d(64, 32, 3, 2, 1, output_padding=1), nn.BatchNorm2d(32), nn.ReLU()]
    up += [nn.ConvTranspose2d(32, channels, 3, 2, 1, output_padding=1), nn.Sigmoid()]
    decoder = nn.Sequential(nn.Linear(LATENT, 128 * 4 * 4), nn.ReLU(), nn.Unflatten(1, (128, 4, 4)), *up)
    return nn.ModuleDict({"encoder": encoder, "decoder": decoder})


# The usual ones; an autoencoder is shown the images as they are.
VIEWS = {
    ("mnist", "classify"): [transforms.RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1))],
    ("mnist", "contrast"): [transforms.RandomResizedCrop(28, scale=(0.5, 1)), transforms.RandomRotation(15)],
    ("cifar10", "classify"): [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()],
    ("cifar10", "contrast"): [
        transforms.RandomResizedCrop(32, scale=(0.2, 1)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
        transforms.RandomGrayscale(0.2),
    ],
}


def reconstruct(networks: nn.ModuleDict, images: Tensor, labels: Tensor) -> Tensor:
    return F.l1_loss(networks["decoder"](networks["encoder"](images)), images)  # what is judged, so what is learned


def classify(networks: nn.ModuleDict, images: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(networks["classifier"](networks["encoder"](images)), labels)


def contrast(networks: nn.ModuleDict, pair: list[Tensor], labels: Tensor) -> Tensor:
    return nt_xent(*networks["projection"](networks["encoder"](torch.cat(pair))).chunk(2), temperature=0.5)


LOSSES = {function.__name__: function for function in (reconstruct, classify, contrast)}


def loader_of(data: Dataset, transform: Callable, batch: int) -> DataLoader:
    return DataLoader(Pictures(data.train, transform), batch, shuffle=True, num_workers=WORKERS, drop_last=True)


def epochs(networks: nn.ModuleDict, optimizer: Optimizer, loss: Callable, loader: DataLoader) -> Training:
    """The loop of every tutorial, without end. loss: (networks, what the loader gives for the images, labels) → scalar."""
    while True:
        networks.train()
        for seen, labels in loader:
            value = loss(networks, seen, labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        yield networks
