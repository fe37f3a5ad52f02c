"""MNIST, CIFAR-10 and their embedded stand-ins as uint8 tensors in memory, in one fixed split.

Real data comes through `torchvision.datasets`. Where it lies is the environment variable LATENT_DATA, else the course's
server, else ./data; the word `embedded` in its place asks for the stand-ins of `latent.embedded`.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torchvision import datasets

from latent import embedded
from latent.errors import UserError

SERVER_ROOT = Path("/datasets/cv_datasets/data")
EMBEDDED = "embedded"
VALIDATION_SIZE = 5_000
SPLIT_SEED = 236781  # one split for every experiment, stage and seed
NAMES = ("mnist", "cifar10")

_MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_CLASSES = {
    "mnist": tuple("0123456789"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}


@dataclass(frozen=True)
class Split:
    """images: uint8 (N, C, H, W); labels: int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits of one dataset. `title` is what figures and tables call it; `digest` identifies every pixel."""

    title: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    digest: str
    standin: bool

    @property
    def channels(self) -> int:
        return self.train.images.shape[1]

    @property
    def side(self) -> int:
        return self.train.images.shape[2]


def root() -> Path:
    """The folder that is searched for real data."""
    if os.environ.get("LATENT_DATA"):
        return Path(os.environ["LATENT_DATA"])
    return SERVER_ROOT if SERVER_ROOT.is_dir() else Path("data")


def uses_standin() -> bool:
    """Whether LATENT_DATA asks for the embedded stand-ins."""
    return os.environ.get("LATENT_DATA") == EMBEDDED


def load(name: str, download: bool = False) -> Dataset:
    """`mnist` or `cifar10`: 55,000 or 45,000 training images, 5,000 for validation, and the official test set.

    With LATENT_DATA=embedded the stand-in of that name, which says so in its title.
    Raises UserError if the name is unknown, or the data is missing or damaged; nothing else is loaded in its place.
    """
    if name not in NAMES:
        raise UserError(f"unknown dataset {name!r}; choose one of: {', '.join(NAMES)}")
    return _load_standin(name) if uses_standin() else _load_real(name, root().resolve(), download)


@cache
def _load_real(name: str, folder: Path, download: bool) -> Dataset:
    train, test = (_read(name, folder, part, download) for part in (True, False))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(SPLIT_SEED))
    held_out, kept = order[:VALIDATION_SIZE], order[VALIDATION_SIZE:]
    parts = [Split(train.images[kept], train.labels[kept]), Split(train.images[held_out], train.labels[held_out]), test]
    return Dataset({"mnist": "MNIST", "cifar10": "CIFAR-10"}[name], _CLASSES[name], *parts, _digest(parts), standin=False)


@cache
def _load_standin(name: str) -> Dataset:
    make = embedded.digits if name == "mnist" else embedded.shapes
    title, classes, images, labels = make()
    sizes = [len(labels) - 600, 200, 400]
    parts = [Split(i, y) for i, y in zip(images.split(sizes), labels.split(sizes))]
    return Dataset(title, classes, *parts, _digest(parts), standin=True)


def _read(name: str, folder: Path, train: bool, download: bool) -> Split:
    """One official part, checked against its checksums."""
    reader = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}[name]
    try:
        raw = reader(str(folder), train=train, download=download)
    except RuntimeError as error:
        where = "LATENT_DATA" if os.environ.get("LATENT_DATA") else "the default (LATENT_DATA is not set)"
        raise UserError(
            f"{name} is missing or damaged in {folder}, from {where}; set LATENT_DATA to a folder in torchvision's layout, "
            f"run `latent data --download`, or ask for the stand-in with LATENT_DATA={EMBEDDED}"
        ) from error
    if name == "mnist":
        _check_mnist(Path(raw.raw_folder))
        return Split(raw.data.unsqueeze(1), raw.targets)
    return Split(torch.from_numpy(raw.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(raw.targets))


def _check_mnist(folder: Path) -> None:
    """torchvision checks CIFAR-10's files itself, but not MNIST's unpacked ones."""
    for file, expected in _MNIST_MD5.items():
        found = hashlib.md5((folder / file).read_bytes()).hexdigest()
        if found != expected:
            raise UserError(f"{folder / file} is damaged: its MD5 is {found}, not {expected}; delete it and run `latent data --download`")


def _digest(parts: list[Split]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.images.numpy().tobytes())
        digest.update(part.labels.numpy().tobytes())
    return digest.hexdigest()[:16]
