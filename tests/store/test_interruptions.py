"""Nothing lost: trainings that are stopped, killed, out of room or begun twice."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers import losses, same, tiny, weights, without_privileges
from soak import kills
from stopped import NAME, Stop, checkpoint, start, stop_after_first_epoch

from latent.data import load
from latent.errors import UserError
from latent.store import files, results


def test_stopped_at_any_file_it_writes_a_training_goes_on_and_ends_the_same(monkeypatch, tmp_path):
    whole = start()
    for number, after in ((2, False), (3, True), (4, True), (5, False)):
        monkeypatch.setenv("LATENT_RESULTS", str(tmp_path / f"stopped {number} {after}"))
        with monkeypatch.context() as patch:
            Stop(patch, number, after)
            with pytest.raises(KeyboardInterrupt, match=rf"stopped after epoch {min(2, number - 2 + after)} of 2; the same command"):
                start()
        assert not list(results.folder().rglob("*.tmp"))
        resumed = start()
        assert same(weights(whole), weights(resumed)) and not checkpoint().exists()
        assert resumed.record["weights"] == whole.record["weights"] and resumed.record["measures"] == whole.record["measures"]
        assert all(losses(resumed.record["curves"][stage]) == losses(curve) for stage, curve in whole.record["curves"].items())


def test_processes_that_are_killed_stopped_or_out_of_room_end_the_same(tmp_path):
    trainings, chance = kills.Trainings("mnist-contrastive", tmp_path), random.Random(0)
    for kind in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, kills.FULL_DISK):
        trainings.trouble(kind, chance)
    trainings.end()
    assert trainings.finished


def test_a_full_disk_is_one_line_and_keeps_the_last_checkpoint(monkeypatch):
    stop_after_first_epoch(monkeypatch)
    before = checkpoint().read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(UserError, match=rf"{NAME}-seed0.pt cannot be written \(.+\); make room") as caught:
            start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value) and checkpoint().read_bytes() == before and not list(results.folder().rglob("*.tmp"))
    assert len(start().record["curves"]["encoder"]) == 2


ON_A_SMALL_DISK = """
mount -t tmpfs -o size={room} tmpfs "$LATENT_RESULTS" || exit 77
"$@" 2>"$SAID"; echo $?
mount -o remount,size=64m "$LATENT_RESULTS"
"$@" 2>/dev/null >&2; echo $?
cp "$LATENT_RESULTS/tiny/mnist-guided/seed0.safetensors" "$KEPT"
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare: a file system of its own needs Linux")
def test_on_a_file_system_that_is_really_full_a_training_stops_in_one_line_and_ends_the_same_when_there_is_room(monkeypatch, tmp_path):
    stop_after_first_epoch(monkeypatch, name="mnist-guided", recipe=tiny("mnist-guided"), found=load("mnist"))
    room = int(1.5 * checkpoint("mnist-guided").stat().st_size)  # for one checkpoint, not for the next one beside it
    start(name="mnist-guided", recipe=tiny("mnist-guided"), found=load("mnist"))
    places = {"LATENT_RESULTS": tmp_path / "disk", "SAID": tmp_path / "said", "KEPT": tmp_path / "kept"}
    places["LATENT_RESULTS"].mkdir()
    surroundings = os.environ | {name: str(place) for name, place in places.items()} | {"LATENT_DATA": "embedded"}
    train_it = [sys.executable, "-m", "latent", "train", "mnist-guided", "--recipe", "tiny", "--device", "cpu"]
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK.format(room=room), "sh", *train_it]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this machine mounts no file systems for its users")
    assert done.stdout.split() == ["2", "0"], done.stderr
    assert "cannot be written (No space left on device); make room" in places["SAID"].read_text().splitlines()[-1]
    ours = (results.folder() / "mnist-guided/seed0.safetensors").read_bytes()
    assert places["KEPT"].read_bytes() == ours


def test_a_folder_that_cannot_be_written_is_one_line_and_keeps_the_last_checkpoint(monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # pytest's own folders are closed to nobody
        monkeypatch.setenv("LATENT_RESULTS", folder)
        stop_after_first_epoch(monkeypatch)
        before = checkpoint().read_bytes()
        checkpoint().parent.chmod(0o555)
        with (
            without_privileges(),
            pytest.raises(UserError, match=rf"{NAME}-seed0.* cannot be written .*make its folder writable") as caught,
        ):
            start()
        checkpoint().parent.chmod(0o755)
        assert "\n" not in str(caught.value) and checkpoint().read_bytes() == before


def test_one_training_at_a_time_and_the_second_is_told_who_is_first():
    with files.hold(checkpoint().with_suffix(".lock"), "it"):
        with pytest.raises(UserError, match=rf"{NAME}, seed 0, is being trained by process {os.getpid()}; wait for it"):
            start()
        start(seed=1)  # another seed is free
    start()
