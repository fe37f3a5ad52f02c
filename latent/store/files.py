"""Files that are whole or not there, and locks that end with the process that holds them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

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
    if os.name == "nt":
        return  # Windows opens no folders; NTFS keeps a journal of names itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left half written beside `path`. Only for who holds the lock of `path`."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Keep `what` to this process, by a lock on the file `path`, which stays. Raises Busy, naming the process that has it."""
    owner = path.with_suffix(".owner")  # beside the lock: Windows lets nobody read a locked file
    try:
        with _locked(path, timeout=0):
            remove_leftovers(owner)
            write(owner, str(os.getpid()).encode())
            try:
                yield
            finally:
                owner.unlink(missing_ok=True)
    except Timeout:
        number = "unknown"
        with suppress(OSError):  # it may have ended just now
            number = owner.read_text().strip()
        raise Busy(f"{what} is being trained by process {number}; wait for it, or stop it and type the same again") from None


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait until no other process is inside, by a lock on the file `path`, which stays."""
    with _locked(path, timeout=-1):
        yield


@contextmanager
def _locked(path: Path, timeout: float) -> Iterator[None]:
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=timeout)
    except OSError as error:
        if isinstance(error, Timeout):  # which is an OSError, too
            raise
        raise _unwritable(path, error) from error
    try:
        yield
    finally:
        lock.release()


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written ({error.strerror or error}); make room or make its folder writable, then type the same again: "
        "what was there is kept"
    )
