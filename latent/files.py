"""Files that are whole or not there, and locks that end with the process that holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from latent.errors import Busy, UserError


def read(path: Path) -> bytes:
    """What is in a file that is there. Raises UserError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); make it a readable file, then type the same again") from error


def write(path: Path, data: bytes) -> None:
    """Put `data` into `path`: after a kill or a power cut the file is the old one or the new one, never a part.

    Raises UserError where the disk is full or the folder cannot be written; the old file is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk too: until then a power cut can take it away."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(path: Path) -> None:
    """Remove what killed processes left half written beside `path`. Only for who holds the lock of `path`."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Keep `what` to this process, by a lock on the file `path`, which stays. Raises Busy, naming the process that has it."""
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = file.read().strip() or "unknown"
            raise Busy(f"{what} is being trained by process {owner}; wait for it, or stop it and type the same again") from None
        _sign(file, path)
        yield


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait until no other process is inside, by a lock on the file `path`, which stays."""
    with _opened(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115 (the caller closes it)
    except OSError as error:
        raise _unwritable(path, error) from error
    file.seek(0)
    return file


def _sign(file: IO[str], path: Path) -> None:
    try:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written ({error.strerror or error}); make room or make its folder writable, then type the same again: "
        "what was there is kept"
    )
