"""MNIST, CIFAR-10 and their embedded stand-ins as uint8 tensors in memory, in one fixed split.

Real data comes through `torchvision.datasets`. Where it lies is the environment variable LATENT_DATA, else the course's
server, else ./data; the word `embedded` in its place asks for the stand-ins of `latent.embedded`.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from latent import embedded
from latent.errors import UserError

SERVER_ROOT = Path("/datasets/cv_datasets/data")
EMBEDDED = "embedded"
VALIDATION_SIZE = 5_000
SPLIT_SEED = 236781  # one split for every experiment, stage and seed
NAMES = ("mnist", "cifar10")
FORMS = {"mnist": (1, 28), "cifar10": (3, 32)}  # channels, side

MNIST_MD5 = {  # torchvision knows the sums of the archives alone
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "MNIST/raw/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "MNIST/raw/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
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
    if download:
        _download(name, folder)
    train, test = (_read(name, folder, part) for part in (True, False))
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


# torchvision takes seconds to import, and only real data needs it: the functions below import what they need.


def _read(name: str, folder: Path, train: bool) -> Split:
    """One official part, read after its checksums alone: CIFAR-10's files are pickles, and a forged pickle can run anything."""
    for file, expected in _checksums(name).items():
        if (found := _md5(folder / file)) is None:
            where = "LATENT_DATA" if os.environ.get("LATENT_DATA") else "the default (LATENT_DATA is not set)"
            raise UserError(
                f"{name} is missing in {folder}, from {where}: there is no {file}; set LATENT_DATA to a folder in torchvision's "
                f"layout, run `latent data --download`, or ask for the stand-in with LATENT_DATA={EMBEDDED}"
            )
        if found != expected:
            raise UserError(f"{folder / file} is damaged: its MD5 is {found}, not {expected}; run `latent data --download` to replace it")
    from torchvision.datasets import CIFAR10, mnist

    if name == "cifar10":
        raw = CIFAR10(str(folder), train=train)
        return Split(torch.from_numpy(raw.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(raw.targets))
    part = folder / "MNIST/raw" / ("train" if train else "t10k")
    return Split(mnist.read_image_file(f"{part}-images-idx3-ubyte").unsqueeze(1), mnist.read_label_file(f"{part}-labels-idx1-ubyte"))


def _checksums(name: str) -> dict[str, str]:
    """MD5 of every file of a dataset, by its place in the folder."""
    if name == "mnist":
        return MNIST_MD5
    from torchvision.datasets import CIFAR10

    listed = [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]
    return {f"{CIFAR10.base_folder}/{file}": md5 for file, md5 in listed}


def _md5(path: Path) -> str | None:
    """The checksum of a file; None where there is none. Raises UserError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); make it readable, or set LATENT_DATA to another folder") from error


def _download(name: str, folder: Path) -> None:
    """Fetch the files that are missing or damaged.

    They arrive in a folder of their own, which a broken download leaves behind and the next one empties; only whole ones take
    their places, and what is good stays untouched. Raises UserError where the network or the disk fails.
    """
    wanted = {file: md5 for file, md5 in _checksums(name).items() if _md5(folder / file) != md5}
    if not wanted:
        return
    from torchvision.datasets import CIFAR10, MNIST

    arriving = folder / f".{name}-arriving"
    try:
        shutil.rmtree(arriving, ignore_errors=True)
        {"mnist": MNIST, "cifar10": CIFAR10}[name](str(arriving), download=True)
        for file, md5 in wanted.items():
            if _md5(arriving / file) != md5:
                raise RuntimeError(f"{file} arrived with a wrong checksum")
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(arriving / file, folder / file)
        shutil.rmtree(arriving)
    except (RuntimeError, OSError, HTTPException) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{name} could not be fetched into {folder}: {said[0]}; see to network and disk, then run it again") from error


def _digest(parts: list[Split]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.images.numpy().tobytes())
        digest.update(part.labels.numpy().tobytes())
    return digest.hexdigest()[:16]
