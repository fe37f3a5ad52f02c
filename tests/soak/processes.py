"""Real processes that run `python -m latent`, forked from a server that has imported everything: a second each, not five."""

import multiprocessing
import os
import resource
import runpy
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["latent.cli", "latent.trials", "sklearn.datasets", "torch._dynamo"])
UNLIMITED = resource.RLIM_INFINITY


def start(words: list[str], results: Path, said: Path, most: int = UNLIMITED) -> BaseProcess:
    """Start `latent WORDS` on the stand-in data, one thread, its results in `results` and all it says in the file `said`.

    most: bytes that a file may have, to play a full disk.
    """
    process = CONTEXT.Process(target=_latent, args=(words, results, said, most))
    said.unlink(missing_ok=True)
    process.start()
    return process


def _latent(words: list[str], results: Path, said: Path, most: int) -> None:
    import torch

    descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1), os.dup2(descriptor, 2)
    os.environ |= {"LATENT_DATA": "embedded", "LATENT_RESULTS": str(results)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    torch.set_num_threads(1)
    sys.argv = ["latent", *words]
    runpy.run_module("latent", run_name="__main__")


def last_line(said: Path) -> str:
    """The last line that a process said; what a progress bar has overwritten is left out."""
    lines = said.read_text().replace("\r", "\n").splitlines() if said.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
