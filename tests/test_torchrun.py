"""Trainings by two real processes, one of which dies, and their end with another number of processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latent import checkpoints

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


def kill_one_after_the_first_epoch(job: subprocess.Popen, checkpoint: Path, writer: bool) -> None:
    while job.poll() is None and not checkpoint.exists():
        time.sleep(0.01)
    first = int(checkpoint.with_suffix(".lock").read_text())  # the process that writes signs its lock
    children = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True, check=True).stdout.split()
    os.kill(first if writer else next(int(child) for child in children if int(child) != first), signal.SIGKILL)


@pytest.mark.parametrize(("before", "writer", "after"), [(2, True, 1), (2, False, 1), (1, True, 2)])
def test_a_process_that_dies_ends_the_job_and_another_number_of_them_goes_on(tmp_path, before, writer, after):
    checkpoint = tmp_path / f"checkpoints/{NAME}-seed0.pt"
    job = start(before, tmp_path)
    kill_one_after_the_first_epoch(job, checkpoint, writer)
    _, error = job.communicate(timeout=200)
    assert job.returncode != 0 and "Signal 9 (SIGKILL)" in error  # torchrun names the rank
    assert "[rank" not in error, error  # no traceback of the one that is left, but a line:
    assert before == 1 or "latent: another process of this training has died" in error or "the same command goes on" in error
    [done] = checkpoints.read(checkpoint)["curves"]
    assert not (tmp_path / NAME / "seed0.json").exists()

    job = start(after, tmp_path)
    _, error = job.communicate(timeout=200)
    assert job.returncode == 0, error
    curves = record(tmp_path)["curves"]["encoder"]
    assert [epoch["epoch"] for epoch in curves] == [1, 2] and curves[0] == done and not checkpoint.exists()
