"""Data that is missing, damaged, exchanged, forged or half fetched: one line that names the file, and nothing good is touched."""

import functools
import gzip
import hashlib
import http.server
import io
import pickle
import struct
import tarfile
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from test_interruptions import Trap, without_privileges
from torchvision.datasets import CIFAR10, MNIST

from latent import cli, data
from latent.errors import UserError


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


def take_the_small_ones_for_right(monkeypatch):
    """Put the small files' checksums in the place of the real ones."""
    monkeypatch.setattr(data, "_MNIST_MD5", {name: md5(content) for name, content in small_mnist().items()})
    sums = {Path(name).name: md5(content) for name, content in small_cifar().items()}
    for part in ("train_list", "test_list"):
        monkeypatch.setattr(CIFAR10, part, [[name, sums[name]] for name, _ in getattr(CIFAR10, part)])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums["batches.meta"]})


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; sends half of each while `server.cut` is set."""

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        content = self.server.files[self.path]
        self.server.sent += 1
        self.answer(content[: len(content) // 2] if self.server.cut else content)

    def answer(self, content):
        self.send_response(200 if self.path in self.server.files else 404)
        self.send_header("Content-Length", str(len(self.server.files.get(self.path, b""))))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The two datasets in small, on a server of this machine; LATENT_DATA is a folder without them."""
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{serving.server_port}/"
    serving.cut, serving.sent, serving.files = False, 0, {}
    mnist, cifar = small_mnist(), small_cifar()
    archives = {f"{Path(name).name}.gz": gzip.compress(content) for name, content in mnist.items()}
    monkeypatch.setattr(MNIST, "mirrors", [address])
    monkeypatch.setattr(MNIST, "resources", [(name, md5(content)) for name, content in archives.items()])
    take_the_small_ones_for_right(monkeypatch)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in cifar.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    archives["cifar.tar.gz"] = buffer.getvalue()
    monkeypatch.setattr(CIFAR10, "url", address + "cifar.tar.gz")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(buffer.getvalue()))
    serving.files = {f"/{name}": content for name, content in archives.items()}
    threading.Thread(target=functools.partial(serving.serve_forever, poll_interval=0.01), daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


def here(name, folder):
    """The dataset's files in a folder, whole."""
    for file, content in (small_mnist() if name == "mnist" else small_cifar()).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return sorted(folder / file for file in data._checksums(name))


@pytest.mark.parametrize("name", data.NAMES)
def test_a_download_that_breaks_leaves_nothing_in_place_and_the_next_one_begins_again(server, tmp_path, name):
    server.cut = True
    with pytest.raises(UserError, match=f"{name} could not be fetched into .*; see to network and disk, then run it again") as caught:
        data._download(name, tmp_path)
    assert "\n" not in str(caught.value) and not [file for file in data._checksums(name) if (tmp_path / file).exists()]
    server.cut = False
    data._download(name, tmp_path)
    assert len(data._read(name, tmp_path, train=True)) == (10 if name == "mnist" else 50)
    assert {path.parts[len(tmp_path.parts)] for path in tmp_path.rglob("*")} == {"MNIST" if name == "mnist" else "cifar-10-batches-py"}


@pytest.mark.parametrize("name", data.NAMES)
def test_a_download_replaces_what_is_damaged_and_leaves_what_is_good(server, tmp_path, name):
    paths = here(name, tmp_path)
    data._download(name, tmp_path)
    assert server.sent == 0  # nothing was missing
    paths[0].write_bytes(paths[0].read_bytes()[:-5])  # as a disk that was full would leave it
    paths[1].unlink()
    good = {path: path.stat().st_ino for path in paths[2:]}
    data._download(name, tmp_path)
    data._read(name, tmp_path, train=False)
    assert good == {path: path.stat().st_ino for path in paths[2:]}


@pytest.mark.parametrize("name", data.NAMES)
def test_no_server_or_no_room_is_one_line(server, tmp_path, name):
    server.files = {}
    with pytest.raises(UserError, match=f"{name} could not be fetched") as caught:
        data._download(name, tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"{name} could not be fetched"):
        data._download(name, tmp_path / "file")


@pytest.mark.parametrize("name", data.NAMES)
@pytest.mark.parametrize("trouble", ["missing", "truncated", "exchanged", "labels out of range", "a folder"])
def test_files_that_are_not_right_are_named_with_a_remedy(server, monkeypatch, tmp_path, capsys, name, trouble):
    paths = here(name, tmp_path / "data")
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    first = tmp_path / "data" / next(iter(data._checksums(name)))
    if trouble in ("missing", "a folder"):
        first.unlink()
    if trouble == "a folder":
        first.mkdir()
    if trouble == "truncated":
        first.write_bytes(first.read_bytes()[:-1])
    if trouble == "labels out of range":
        first = next(path for path in paths if "labels" in path.name or "batch" in path.name)
        first.write_bytes(first.read_bytes()[:-1] + b"\xff")
    if trouble == "exchanged":  # the test images under the name of the training images, and the other way round
        last = tmp_path / "data" / ("MNIST/raw/t10k-labels-idx1-ubyte" if name == "mnist" else "cifar-10-batches-py/test_batch")
        first = tmp_path / "data" / ("MNIST/raw/train-labels-idx1-ubyte" if name == "mnist" else "cifar-10-batches-py/data_batch_1")
        one, other = first.read_bytes(), last.read_bytes()
        first.write_bytes(other), last.write_bytes(one)
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    data._load_real.cache_clear()
    with pytest.raises(UserError) as caught:
        data.load(name)
    message = str(caught.value)
    assert first.name in message and "\n" not in message and ("latent data --download" in message or "make it readable" in message)
    assert before == {path: path.read_bytes() for path in paths if path.is_file()}


def test_a_folder_that_may_not_be_written_is_named_and_keeps_what_is_in_it(server):
    with tempfile.TemporaryDirectory() as folder:
        paths = here("mnist", Path(folder))
        paths[0].write_bytes(b"damaged")
        closed = [Path(folder), *(path for path in Path(folder).rglob("*") if path.is_dir())]
        for place in closed:
            place.chmod(0o555)
        before = {path: path.read_bytes() for path in paths}
        with without_privileges(), pytest.raises(UserError, match=rf"mnist could not be fetched into {folder}: .*Permission denied"):
            data._download("mnist", Path(folder))
        for place in closed:
            place.chmod(0o755)
        assert before == {path: path.read_bytes() for path in paths}


def test_a_file_that_may_not_be_read_is_named(server, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        [first, *_] = here("mnist", Path(folder))
        first.chmod(0)
        with without_privileges(), pytest.raises(UserError, match=rf"{first} cannot be read \(Permission denied\); make it readable"):
            data._read("mnist", Path(folder), train=True)


def test_a_forged_pickle_is_never_unpickled(monkeypatch, tmp_path, capsys):
    for file in data._checksums("cifar10"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    assert cli.main(["train", "cifar-ae", "--recipe", "tiny"]) == 2
    assert "data_batch_1 is damaged" in capsys.readouterr().err and not (tmp_path / "sprung").exists()
    pickle.loads((tmp_path / "cifar-10-batches-py/data_batch_1").read_bytes())
    assert (tmp_path / "sprung").exists()  # the trap does work


def test_data_beside_the_checked_files_is_not_read(server, monkeypatch, tmp_path):
    """torchvision would take an old MNIST/processed, which nobody checks, before the files themselves."""
    here("mnist", tmp_path)
    (tmp_path / "MNIST/processed").mkdir()
    for part in ("training.pt", "test.pt"):
        torch.save((torch.full((10, 28, 28), 7, dtype=torch.uint8), torch.zeros(10)), tmp_path / "MNIST/processed" / part)
    assert data._read("mnist", tmp_path, train=True).images.max() == 0
