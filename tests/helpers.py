"""What several files of tests use: small trainings, records made by hand, forged and small files, losses as slow loops."""

import hashlib
import io
import math
import os
import pickle
import struct
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10

from latent import data, experiment, models
from latent.data import FORMS, Split
from latent.recipes import find_recipe

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")


def tiny(name, **changes):
    """The tiny recipe of an experiment, with changes to the training of its encoder."""
    recipe = find_recipe(name, "tiny")
    return replace(recipe, encoder=replace(recipe.encoder, **changes))


def small(found, count=384):
    """The same dataset with fewer images."""
    parts = {name: getattr(found, name) for name in ("train", "validation", "test")}
    return replace(found, **{name: Split(part.images[:count], part.labels[:count]) for name, part in parts.items()})


def run(name, found=None, seed=0, **changes):
    """A tiny run of an experiment on few images."""
    recipe = tiny(name, **changes)
    return experiment.run(name, recipe, found or small(data.load(recipe.dataset)), seed, CPU)


def stored(name="mnist-ae"):
    """A tiny run, kept where results lie."""
    recipe = find_recipe(name, "tiny")
    return experiment.run_and_store(name, recipe, data.load(recipe.dataset), 0, CPU)


def made(name, seed, measures, recipe=None):
    """A record with these measures, as a run of `recipe` (today's recipe, if none) would leave it."""
    recipe = recipe or find_recipe(name, "tiny")
    signature = models.signature(recipe, models.build(recipe, *FORMS[recipe.dataset], 0))
    made_with = {"experiment": name, "seed": seed, "recipe": recipe.as_dict(), "data": {"digest": ""}, "signature": signature}
    return made_with | {"measures": measures}


def weights(trained):
    return {name: tensor.clone() for name, tensor in trained.networks.state_dict().items()}


def losses(curves):
    """Curves without the seconds, which no two runs share."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in curves]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def write_signed(path, state):
    """A checkpoint with a right checksum, whatever it holds."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


@contextmanager
def without_privileges():
    """Root may write anywhere: be nobody for a while."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


def md5(content):
    return hashlib.md5(content).hexdigest()


def small_mnist():
    """Files of ten images, under the names of the real ones."""
    files = {}
    for part in ("train", "t10k"):
        files[f"MNIST/raw/{part}-images-idx3-ubyte"] = struct.pack(">iiii", 2051, 10, 28, 28) + bytes(10 * 784)
        files[f"MNIST/raw/{part}-labels-idx1-ubyte"] = struct.pack(">ii", 2049, 10) + bytes([len(part), *range(1, 10)])
    return files


def small_cifar():
    names = [name for name, _ in CIFAR10.train_list + CIFAR10.test_list]
    batch = {"data": np.zeros((10, 3072), np.uint8), "labels": list(range(10))}
    files = {f"cifar-10-batches-py/{name}": pickle.dumps(batch | {"name": name}) for name in names}
    return files | {"cifar-10-batches-py/batches.meta": pickle.dumps({"label_names": list("abcdefghij")})}


SMALL_FILES = {"mnist": small_mnist, "cifar10": small_cifar}


def take_the_small_ones_for_right(monkeypatch):
    """Put the small files' checksums in the place of the real ones; four of their images are for validation."""
    monkeypatch.setattr(data, "VALIDATION_SIZE", 4)
    monkeypatch.setattr(data, "MNIST_MD5", {name: md5(content) for name, content in small_mnist().items()})
    sums = {Path(name).name: md5(content) for name, content in small_cifar().items()}
    for part in ("train_list", "test_list"):
        monkeypatch.setattr(CIFAR10, part, [[name, sums[name]] for name, _ in getattr(CIFAR10, part)])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums["batches.meta"]})


def put_small_files(name, folder):
    """The small files of a dataset in a folder, whole; their paths in the order in which they are read."""
    for file, content in SMALL_FILES[name]().items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return [folder / file for file in SMALL_FILES[name]()]


def slow_nt_xent(first, second, temperature):
    z = [v / np.linalg.norm(v) for v in np.concatenate([first, second])]
    n, total = len(first), 0.0
    for i in range(2 * n):
        others = [math.exp(z[i] @ z[j] / temperature) for j in range(2 * n) if j != i]
        total -= math.log(math.exp(z[i] @ z[(i + n) % (2 * n)] / temperature) / sum(others))
    return total / (2 * n)


def slow_supervised(z, labels, temperature):
    z = [v / np.linalg.norm(v) for v in z]
    rows = []
    for i in range(len(z)):
        positives = [p for p in range(len(z)) if p != i and labels[p] == labels[i]]
        everyone = sum(math.exp(z[i] @ z[a] / temperature) for a in range(len(z)) if a != i)
        if positives:
            rows.append(-sum(math.log(math.exp(z[i] @ z[p] / temperature) / everyone) for p in positives) / len(positives))
    return sum(rows) / len(rows)
