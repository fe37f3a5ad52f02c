"""Ten processes at once on one folder of results: some train, some want the same training, some log trials."""

import json
import time
from pathlib import Path

from soak import kills, processes

TRAININGS = [(name, seed) for name in ("mnist-guided", "mnist-ae", "cifar-contrastive") for seed in ("0", "1")]
WANTED_AGAIN = [("mnist-ae", "0")]
TRIALS = 3


def rows(folder: Path, effort: float) -> list[tuple[str, str]]:
    """Start all ten, and compare what they leave with what each leaves when it runs alone."""
    begun = time.perf_counter()
    tiny = ["--recipe", "tiny", "--device", "cpu"]
    commands = [["train", name, "--seed", seed, *tiny] for name, seed in TRAININGS + WANTED_AGAIN]
    commands += [["trial", "mnist-guided", "encoder.epochs=1", *tiny]] * TRIALS
    results, said = folder / "results", [folder / f"said{number}.txt" for number in range(len(commands))]
    running = [processes.start(command, results, file) for command, file in zip(commands, said)]
    codes = []
    for process in running:
        process.join()
        codes.append(process.exitcode)
    refused = [processes.last_line(file) for code, file in zip(codes, said) if code]
    assert all("is being trained by process" in line for line in refused) and len(refused) <= len(WANTED_AGAIN), refused
    logged = json.loads((results / "trials.json").read_text())
    assert len(logged) == TRIALS and not list(results.rglob("*.tmp"))
    for name in ("mnist-ae", "cifar-contrastive"):
        process = processes.start(["train", name, *tiny], folder / "alone", folder / "alone.txt")
        process.join()
        assert kills.outcome(results, name) == kills.outcome(folder / "alone", name), name
    return [
        ("processes at once in one folder", f"{len(commands)}: {len(TRAININGS) + len(WANTED_AGAIN)} trainings, {TRIALS} trials"),
        ("told that another process has the same training", str(len(refused))),
        ("files damaged, trials lost, weights other than alone", "0"),
        ("seconds", f"{time.perf_counter() - begun:.0f}"),
    ]
