"""Data that is missing, damaged, exchanged, forged or half fetched: one line that names the file, and nothing good is touched."""

import functools
import gzip
import http.server
import io
import pickle
import tarfile
import tempfile
import threading
from pathlib import Path

import pytest
import torch
from helpers import SMALL_FILES, Trap, md5, put_small_files, take_the_small_ones_for_right, without_privileges
from torchvision.datasets import CIFAR10, MNIST

from latent import cli, data
from latent.errors import UserError


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
    mnist, cifar = (make() for make in SMALL_FILES.values())
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


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Where LATENT_DATA points: a folder that is not there yet."""
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def contents(folder):
    return {path: (path.read_bytes(), path.stat().st_ino) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", data.NAMES)
def test_a_download_that_breaks_leaves_nothing_in_place_and_the_next_one_begins_again(server, place, name):
    server.cut = True
    with pytest.raises(UserError, match=f"{name} could not be fetched into .*; see to network and disk, then run it again") as caught:
        data.load(name, download=True)
    assert "\n" not in str(caught.value) and not [file for file in SMALL_FILES[name]() if (place / file).exists()]
    server.cut = False
    found = data.load(name, download=True)
    assert (len(found.train), len(found.validation), len(found.test)) == ((6, 4, 10) if name == "mnist" else (46, 4, 10))
    assert not found.standin and found.digest == data.load(name).digest
    assert {path.relative_to(place).parts[0] for path in place.rglob("*")} == {"MNIST" if name == "mnist" else "cifar-10-batches-py"}


def test_the_command_fetches_what_is_missing_and_says_what_it_found(server, place, capsys):
    assert cli.main(["data"]) == 2 and "mnist is missing in " in capsys.readouterr().err
    assert cli.main(["data", "--download"]) == 0
    assert capsys.readouterr().out.startswith(f"MNIST: 6 + 4 + 10 images in {place}, digest ")
    assert cli.main(["data"]) == 0


@pytest.mark.parametrize("name", data.NAMES)
def test_a_download_replaces_what_is_damaged_and_leaves_what_is_good(server, place, monkeypatch, tmp_path, name):
    paths = put_small_files(name, place)
    paths[0].write_bytes(paths[0].read_bytes()[:-5])  # as a disk that was full would leave it
    paths[1].unlink()
    good = contents(place)
    del good[paths[0]]
    found = data.load(name, download=True)
    assert server.sent and good.items() < contents(place).items()
    server.sent = 0
    put_small_files(name, tmp_path / "whole")
    monkeypatch.setenv("LATENT_DATA", str(tmp_path / "whole"))
    assert data.load(name, download=True).digest == found.digest and server.sent == 0  # nothing was missing


@pytest.mark.parametrize("name", data.NAMES)
def test_no_server_or_no_room_is_one_line(server, place, monkeypatch, name):
    server.files = {}
    with pytest.raises(UserError, match=f"{name} could not be fetched") as caught:
        data.load(name, download=True)
    assert "\n" not in str(caught.value)
    place.mkdir(exist_ok=True)
    (place / "file").touch()
    monkeypatch.setenv("LATENT_DATA", str(place / "file"))
    with pytest.raises(UserError, match=f"{name} could not be fetched"):
        data.load(name, download=True)


@pytest.mark.parametrize("name", data.NAMES)
@pytest.mark.parametrize("trouble", ["missing", "truncated", "exchanged", "labels out of range", "a folder"])
def test_files_that_are_not_right_are_named_with_a_remedy(server, place, name, trouble):
    paths = put_small_files(name, place)
    first = paths[0]
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
        last = place / ("MNIST/raw/t10k-labels-idx1-ubyte" if name == "mnist" else "cifar-10-batches-py/test_batch")
        first = place / ("MNIST/raw/train-labels-idx1-ubyte" if name == "mnist" else "cifar-10-batches-py/data_batch_1")
        one, other = first.read_bytes(), last.read_bytes()
        first.write_bytes(other), last.write_bytes(one)
    before = contents(place)
    with pytest.raises(UserError) as caught:
        data.load(name)
    message = str(caught.value)
    assert first.name in message and "\n" not in message and ("latent data --download" in message or "make it readable" in message)
    assert before == contents(place)


def test_a_folder_that_may_not_be_written_is_named_and_keeps_what_is_in_it(server, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("LATENT_DATA", folder)
        paths = put_small_files("mnist", Path(folder))
        paths[0].write_bytes(b"damaged")
        closed = [Path(folder), *(path for path in Path(folder).rglob("*") if path.is_dir())]
        for place in closed:
            place.chmod(0o555)
        before = contents(Path(folder))
        with without_privileges(), pytest.raises(UserError, match=rf"mnist could not be fetched into {folder}: .*Permission denied"):
            data.load("mnist", download=True)
        for place in closed:
            place.chmod(0o755)
        assert before == contents(Path(folder))


def test_a_file_that_may_not_be_read_is_named(server, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("LATENT_DATA", folder)
        [first, *_] = put_small_files("mnist", Path(folder))
        first.chmod(0)
        with without_privileges(), pytest.raises(UserError, match=rf"{first} cannot be read \(Permission denied\); make it readable"):
            data.load("mnist")


def test_a_forged_pickle_is_never_unpickled(place, tmp_path, capsys):
    paths = put_small_files("cifar10", place)
    for path in paths:
        path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert cli.main(["train", "cifar-ae", "--recipe", "tiny"]) == 2
    assert "data_batch_1 is damaged" in capsys.readouterr().err and not (tmp_path / "sprung").exists()
    pickle.loads(paths[0].read_bytes())
    assert (tmp_path / "sprung").exists()  # the trap does work


def test_data_beside_the_checked_files_is_not_read(server, place):
    """torchvision would take an old MNIST/processed, which nobody checks, before the files themselves."""
    put_small_files("mnist", place)
    (place / "MNIST/processed").mkdir()
    for part in ("training.pt", "test.pt"):
        torch.save((torch.full((10, 28, 28), 7, dtype=torch.uint8), torch.zeros(10)), place / "MNIST/processed" / part)
    found = data.load("mnist")
    assert all(part.images.max() == 0 and len(part) for part in (found.train, found.validation, found.test))
