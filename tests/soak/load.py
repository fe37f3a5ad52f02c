"""Ten notebooks at once on one folder of results, while others train one of their experiments too and log trials."""

import json
import time
from pathlib import Path

from latent.recipes import EXPERIMENTS, VARIANTS
from soak import kills, processes

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TWICE = 3  # of the notebooks
TRIALS = 3
TINY = ["--recipe", "tiny", "--device", "cpu"]
WANTED_TOO = "mnist-ae"
COMPARED = ("mnist-ae", "cifar-contrastive")


def rows(folder: Path, effort: float) -> list[tuple[str, str]]:
    """Start all, and compare what they leave with what each leaves when it runs alone."""
    begun, results = time.perf_counter(), folder / "results"
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    opened = [*notebooks, *notebooks[:TWICE]]
    commands = [["train", WANTED_TOO, *TINY], *[["trial", "mnist-guided", "encoder.epochs=1", *TINY]] * TRIALS]
    said = [folder / f"said{number}.txt" for number in range(len(opened) + len(commands))]
    running = [processes.start_notebook(notebook, results, file) for notebook, file in zip(opened, said)]
    running += [processes.start(command, results, file) for command, file in zip(commands, said[len(opened) :])]
    for process in running:
        process.join()
    refused = [file for process, file in zip(running, said) if process.exitcode]
    assert all("is being trained by process" in processes.last_line(file) for file in refused), [file.read_text() for file in refused]
    assert set(refused) <= {said[len(opened)]}  # a notebook waits; the command says who has it
    for name in EXPERIMENTS + VARIANTS:
        assert sum(f"{name} 1/2:" in file.read_text() for file in said) == 1, f"{name} was trained more than once"
    _check(results, folder)
    return [
        ("notebooks at once in one folder, beside a training and three trials", str(len(opened))),
        ("experiments that they trained, each once, and shared", str(len(EXPERIMENTS + VARIANTS))),
        ("told that another process has the same training", str(len(refused))),
        ("files damaged, trials lost, weights other than alone", "0"),
        ("seconds", f"{time.perf_counter() - begun:.0f}"),
    ]


def _check(results: Path, folder: Path) -> None:
    assert len(json.loads((results / "trials.json").read_text())) == TRIALS and not list(results.rglob("*.tmp"))
    left = {name: kills.outcome(results, name) for name in EXPERIMENTS + VARIANTS}
    for name in COMPARED:
        process = processes.start(["train", name, *TINY], folder / "alone", folder / "alone.txt")
        process.join()
        assert left[name] == kills.outcome(folder / "alone", name), name
