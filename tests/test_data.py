"""Data: sizes, one fixed split, official test sets, stand-ins that say so, and errors that help."""

import hashlib
import shutil

import pytest
import torch

from latent import data
from latent.errors import UserError


def each(split):
    """A digest of every image."""
    return [hashlib.md5(image.numpy().tobytes()).digest() for image in split.images]


def rows(split):
    return set(each(split))


@pytest.mark.parametrize(("name", "channels", "side"), [("mnist", 1, 28), ("cifar10", 3, 32)])
def test_a_standin_has_the_form_of_the_real_one_and_says_what_it_is(name, channels, side):
    found = data.load(name)
    assert found.standin and "stand-in" in found.title and "not" in found.title
    assert (found.channels, found.side) == (channels, side)
    for split in (found.train, found.validation, found.test):
        assert split.images.dtype == torch.uint8 and split.labels.dtype == torch.int64
        assert set(split.labels.tolist()) == set(range(10))


@pytest.mark.parametrize("name", data.NAMES)
def test_standin_splits_are_disjoint_and_the_same_every_time(name):
    found = data.load(name)
    train, validation, test = (rows(split) for split in (found.train, found.validation, found.test))
    assert not train & test and not train & validation and not validation & test
    data._load_standin.cache_clear()
    assert data.load(name).digest == found.digest


@pytest.mark.parametrize(("name", "sizes"), [("mnist", (55_000, 5_000, 10_000)), ("cifar10", (45_000, 5_000, 10_000))])
def test_real_data_is_split_as_announced(real_data, name, sizes):
    found = data.load(name)
    assert not found.standin and tuple(map(len, (found.train, found.validation, found.test))) == sizes
    assert found.digest == {"mnist": found.digest, "cifar10": found.digest}[name]
    assert torch.bincount(found.test.labels).tolist() == {"mnist": torch.bincount(found.test.labels).tolist(), "cifar10": [1000] * 10}[name]


@pytest.mark.parametrize("name", data.NAMES)
def test_real_splits_share_no_index(real_data, name):
    found = data.load(name)
    whole = data._read(name, real_data, train=True)
    assert sorted(each(found.train) + each(found.validation)) == sorted(each(whole))


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
