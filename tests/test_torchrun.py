"""Trainings by two real processes, one of which dies, and their end with another number of processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NAME = "mnist-contrastive"
TRAIN = ["-m", "latent", "train", NAME, "--recipe", "tiny", "--device", "cpu"]


def start(processes: int, results: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *TRAIN]
    surroundings = os.environ | {"LATENT_DATA": "embedded", "LATENT_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def record(results: Path) -> dict:
    return json.loads((results / NAME / "seed0.json").read_text())


def test_two_processes_train_together_and_one_alone_writes(tmp_path):
    job = start(2, tmp_path)
    out, err = job.communicate(timeout=200)
    assert job.returncode == 0, err
    assert out.count(f"{NAME}, seed 0") == 1
    assert len(record(tmp_path)["curves"]["encoder"]) == 2 and not list(tmp_path.rglob("*.pt"))


def test_a_process_that_dies_ends_the_job_and_one_process_goes_on(tmp_path):
    checkpoint = tmp_path / f"checkpoints/{NAME}-seed0.pt"
    job = start(2, tmp_path)
    while job.poll() is None and not checkpoint.exists():
        time.sleep(0.01)
    first = int(checkpoint.with_suffix(".lock").read_text())  # the process that writes signs its lock
    os.kill(first, signal.SIGKILL)
    _, err = job.communicate(timeout=200)
    assert job.returncode != 0 and "SIGKILL" in err
    assert checkpoint.exists() and not (tmp_path / NAME / "seed0.json").exists()
    assert start(1, tmp_path).wait(timeout=200) == 0
    assert len(record(tmp_path)["curves"]["encoder"]) == 2
