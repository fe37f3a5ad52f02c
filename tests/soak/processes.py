"""Real processes that run `python -m latent` or a notebook, forked from a server that has imported everything: a second each, not five."""

import multiprocessing
import os
import resource
import runpy
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

import nbformat

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["latent.cli", "latent.show.notebook", "sklearn.datasets", "torch._dynamo"])
UNLIMITED = resource.RLIM_INFINITY


def start(words: list[str], results: Path, said: Path, most: int = UNLIMITED) -> BaseProcess:
    """Start `latent WORDS` on the stand-in data, one thread, its results in `results` and all it says in the file `said`.

    most: bytes that a file may have, to play a full disk.
    """
    return _start(_latent, words, results, said, most)


def start_notebook(notebook: Path, results: Path, said: Path) -> BaseProcess:
    """Start the first code cell of a notebook in the same way: it begins the notebook's runs, and so reads and writes results."""
    return _start(_notebook, notebook, results, said, UNLIMITED)


def _start(run, what, results: Path, said: Path, most: int) -> BaseProcess:
    process = CONTEXT.Process(target=_surrounded, args=(run, what, results, said, most))
    said.unlink(missing_ok=True)
    process.start()
    return process


def _surrounded(run, what, results: Path, said: Path, most: int) -> None:
    import torch

    descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1), os.dup2(descriptor, 2)
    os.environ |= {"LATENT_DATA": "embedded", "LATENT_RECIPE": "tiny", "LATENT_RESULTS": str(results)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts us in the background has it ignored
    torch.set_num_threads(1)
    run(what)


def _latent(words: list[str]) -> None:
    sys.argv = ["latent", *words]
    runpy.run_module("latent", run_name="__main__")


def _notebook(notebook: Path) -> None:
    first = next(cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code")
    exec(compile(first, notebook.name, "exec"), {})


def last_line(said: Path) -> str:
    """The last line that a process said; what a progress bar has overwritten is left out."""
    lines = said.read_text().replace("\r", "\n").splitlines() if said.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
