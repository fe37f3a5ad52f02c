"""Training steps by one process and by two, on the cores of this machine: one thread each."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Measured:
    """Seconds of a step (median) with `batch` images in all processes together, and of what they tell each other, alone."""

    processes: int
    batch: int
    step: float
    gradient: float
    projections: float
    statistics: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.batch / self.step


def measure(experiment: str, scale: str, processes: int, batch: int, steps: int) -> Measured:
    """Train `steps` steps twice over (the first epoch warms up), by torchrun. Raises RuntimeError where the job fails."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*start, "-m", "benchmarks.scaling.worker", experiment, scale, str(batch), str(steps)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{processes} processes:\n{done.stderr}")
    return Measured(processes, batch, **json.loads(done.stdout.strip().splitlines()[-1]))
