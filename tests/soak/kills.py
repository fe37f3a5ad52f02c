"""Trainings stopped at random moments, again and again: they must end as the training that was never stopped."""

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from latent.store import checkpoints
from soak import processes

FULL_DISK = "full disk"
ROOM = (10_000, 200_000)  # bytes of a file: more than a training says, less than its largest checkpoint
TROUBLES = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, FULL_DISK)
NAMES = {signal.SIGKILL: "SIGKILL", signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT", FULL_DISK: FULL_DISK}


@dataclass
class Trainings:
    """One experiment trained over and over in `folder`, with trouble; what came of it is counted."""

    experiment: str
    folder: Path
    stopped: Counter = field(default_factory=Counter)  # by trouble
    finished: int = 0

    def __post_init__(self):
        self.folder.mkdir(exist_ok=True)
        begun = time.perf_counter()
        process = self.start(self.folder / "reference")
        process.join()
        assert process.exitcode == 0, self.said.read_text()
        self.seconds = time.perf_counter() - begun
        self.expected = outcome(self.folder / "reference", self.experiment)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def said(self) -> Path:
        return self.folder / "said.txt"

    def start(self, results: Path, most: int = processes.UNLIMITED):
        return processes.start(["train", self.experiment, "--recipe", "tiny", "--device", "cpu"], results, self.said, most)

    def trouble(self, kind, chance: random.Random) -> None:
        """Train until something happens: a signal at a random moment, or a file that can grow no further."""
        process = self.start(self.results, chance.randrange(*ROOM) if kind == FULL_DISK else processes.UNLIMITED)
        if kind != FULL_DISK:
            self._wait_until_it_trains(process, kind)
            process.join(chance.uniform(0, self.seconds))
            if process.is_alive():
                os.kill(process.pid, kind)
        process.join()
        self._check(kind, process.exitcode)

    def end(self) -> None:
        """Let the training run to its end, and compare."""
        process = self.start(self.results)
        process.join()
        assert process.exitcode == 0, self.said.read_text()
        self._finish()

    def _wait_until_it_trains(self, process, kind) -> None:
        """A kill may come at any moment; the other two signals are ours to answer once Python is there."""
        while kind != signal.SIGKILL and process.is_alive() and not (self.said.exists() and self.said.stat().st_size):
            time.sleep(0.005)

    def _check(self, kind, code: int) -> None:
        """What is on the disk is whole, and the process ended as it should."""
        line = processes.last_line(self.said)
        if (checkpoint := self.results / "tiny/checkpoints" / f"{self.experiment}-seed0.pt").exists():
            checkpoints.read(checkpoint)
        if (record := self.results / "tiny" / self.experiment / "seed0.json").exists():
            json.loads(record.read_text())
        if code == 0 or ": train accuracy" in line:
            self._finish()
            return
        self.stopped[NAMES[kind]] += 1
        expected = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130, FULL_DISK: 2}[kind]
        assert code == expected, (NAMES[kind], code, self.said.read_text())
        assert kind == signal.SIGKILL or "the same" in line, (NAMES[kind], line)
        assert kind == signal.SIGKILL or not list(self.results.rglob("*.tmp"))

    def _finish(self) -> None:
        assert outcome(self.results, self.experiment) == self.expected, f"{self.experiment} ended otherwise than without interruptions"
        assert not list(self.results.rglob("*.tmp")) and not list(self.results.rglob("*.pt"))
        self.finished += 1
        shutil.rmtree(self.results)


def outcome(results: Path, experiment: str) -> tuple[bytes, dict]:
    """The bytes of the weights, and the record without the seconds, which no two runs share."""
    folder = results / "tiny" / experiment
    record = json.loads((folder / "seed0.json").read_text())
    for curve in record["curves"].values():
        for row in curve:
            del row["seconds"]
    del record["seconds"]
    return (folder / "seed0.safetensors").read_bytes(), record


def rows(folder: Path, effort: float) -> list[tuple[str, str]]:
    """Stop tiny trainings of four experiments, 200 times at full effort, or as often as it goes in seven minutes."""
    chance, begun = random.Random(), time.perf_counter()
    stopped, finished = Counter(), 0
    for experiment in ("mnist-guided", "mnist-contrastive", "cifar-ae", "cifar-contrastive-labels"):
        trainings, end = Trainings(experiment, folder / experiment), time.perf_counter() + 105 * effort
        while trainings.stopped.total() < 50 * effort and time.perf_counter() < end:
            trainings.trouble(chance.choice(TROUBLES), chance)
        trainings.end()
        stopped, finished = stopped + trainings.stopped, finished + trainings.finished
    by_kind = ", ".join(f"{count} by {kind}" for kind, count in stopped.most_common())
    return [
        ("kills survived, each at a random moment of a training", f"{stopped.total()}: {by_kind}"),
        ("trainings finished after that, bit-identical to one never stopped", f"{finished} of {finished}"),
        ("seconds", f"{time.perf_counter() - begun:.0f}"),
    ]
