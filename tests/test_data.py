"""Data: sizes, one fixed split, official test sets, stand-ins that say so, and errors that help."""

import hashlib
import shutil

import pytest
import torch
from torchvision.datasets import CIFAR10, MNIST

from latent import data
from latent.data import Split
from latent.errors import UserError


def each(split):
    """A digest of every image with its label."""
    return [hashlib.md5(image.numpy().tobytes() + bytes([label])).digest() for image, label in zip(split.images, split.labels)]


def rows(split):
    return set(each(split))


@pytest.mark.parametrize("name", data.NAMES)
def test_a_standin_has_the_form_of_the_real_one_and_says_what_it_is(name):
    found = data.load(name)
    assert found.standin and "stand-in" in found.title and "not" in found.title
    assert (found.channels, found.side) == data.FORMS[name]
    for split in (found.train, found.validation, found.test):
        assert split.images.dtype == torch.uint8 and split.labels.dtype == torch.int64
        assert set(split.labels.tolist()) == set(range(10))


@pytest.mark.parametrize("name", data.NAMES)
def test_standin_splits_are_disjoint(name):
    found = data.load(name)
    train, validation, test = (rows(split) for split in (found.train, found.validation, found.test))
    assert not train & test and not train & validation and not validation & test


@pytest.mark.parametrize(("name", "sizes"), [("mnist", (55_000, 5_000, 10_000)), ("cifar10", (45_000, 5_000, 10_000))])
def test_real_data_is_split_as_announced(real_data, name, sizes):
    found = data.load(name)
    assert not found.standin and (found.channels, found.side) == data.FORMS[name]
    assert tuple(map(len, (found.train, found.validation, found.test))) == sizes
    of_each_class = {"mnist": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], "cifar10": [1000] * 10}  # as published
    assert torch.bincount(found.test.labels).tolist() == of_each_class[name]


@pytest.mark.parametrize("name", data.NAMES)
def test_real_splits_share_no_index_and_are_what_torchvision_reads(real_data, name):
    found = data.load(name)
    for train, parts in ((True, (found.train, found.validation)), (False, (found.test,))):
        theirs = {"mnist": MNIST, "cifar10": CIFAR10}[name](real_data, train)
        pictures = torch.as_tensor(theirs.data)
        whole = Split(pictures.unsqueeze(1) if name == "mnist" else pictures.permute(0, 3, 1, 2), torch.as_tensor(theirs.targets))
        assert sorted(image for part in parts for image in each(part)) == sorted(each(whole))


def test_missing_data_is_an_error_that_names_the_folder_and_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    with pytest.raises(UserError) as caught:
        data.load("mnist")
    message = str(caught.value)
    assert str(tmp_path) in message and "--download" in message and "LATENT_DATA=embedded" in message and "\n" not in message


def test_without_the_variable_the_default_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("LATENT_DATA")
    monkeypatch.setattr(data, "SERVER_ROOT", tmp_path / "no-server")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="LATENT_DATA is not set"):
        data.load("cifar10")


def test_the_server_folder_is_used_where_it_exists(monkeypatch, tmp_path):
    monkeypatch.delenv("LATENT_DATA")
    monkeypatch.setattr(data, "SERVER_ROOT", tmp_path)
    assert data.root() == tmp_path


@pytest.mark.parametrize(
    ("name", "file"), [("mnist", "MNIST/raw/train-labels-idx1-ubyte"), ("cifar10", "cifar-10-batches-py/data_batch_3")]
)
def test_a_changed_byte_is_noticed(real_data, monkeypatch, tmp_path, name, file):
    folder = file.split("/")[0]
    shutil.copytree(real_data / folder, tmp_path / folder)
    damaged = tmp_path / file
    damaged.chmod(0o644)
    content = bytearray(damaged.read_bytes())
    content[5_000] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    with pytest.raises(UserError, match="damaged"):
        data.load(name)


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match="choose one of: mnist, cifar10"):
        data.load("imagenet")
