"""Nothing lost: trainings that are stopped, killed, out of room or begun twice."""

import hashlib
import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from soak import kills
from test_results import made
from test_training import losses, same, small, tiny, weights
from torch import nn

from latent import checkpoints, experiment, files, objectives, recipes, results, train
from latent.checkpoints import Checkpoint
from latent.data import FORMS, load
from latent.errors import UserError

CPU = torch.device("cpu")
NAME = "cifar-contrastive"
PLAN = tiny(NAME)


def start(seed=0, plan=PLAN, name=NAME, found=None):
    return experiment.train_and_store(name, plan, found or small(load(plan.dataset)), seed, CPU)


def checkpoint(name=NAME, seed=0):
    return results.folder() / f"checkpoints/{name}-seed{seed}.pt"


class Stop:
    """Stands before `os.replace` and interrupts the process just before or just after the call of a given number."""

    def __init__(self, monkeypatch, number, after):
        self.left, self.after, self.replace = number, after, os.replace
        monkeypatch.setattr(os, "replace", self)

    def __call__(self, *paths):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise KeyboardInterrupt
        self.replace(*paths)
        if self.left == 0:
            raise KeyboardInterrupt


def test_a_file_reaches_the_disk_before_its_name_does(monkeypatch, tmp_path):
    done, sync, move = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.readlink(f"/proc/self/fd/{file}")), sync(file)))
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append(f"{old} becomes {new}"), move(old, new)))
    files.write(tmp_path / "kept", b"whole")
    temporary = str(tmp_path / f".kept.{os.getpid()}.tmp")
    assert done == [temporary, f"{temporary} becomes {tmp_path / 'kept'}", str(tmp_path)]
    assert (tmp_path / "kept").read_bytes() == b"whole"


def stop_after_first_epoch(monkeypatch, **changes):
    with monkeypatch.context() as patch:
        Stop(patch, 1, after=True)
        with pytest.raises(KeyboardInterrupt):
            start(**changes)


def test_stopped_at_any_file_it_writes_a_training_goes_on_and_ends_the_same(monkeypatch, tmp_path):
    whole = start()
    # Four files are written: two checkpoints, the weights, the record.
    for number, after in ((1, False), (2, True), (3, True), (4, False)):
        monkeypatch.setenv("LATENT_RESULTS", str(tmp_path / f"stopped {number} {after}"))
        with monkeypatch.context() as patch:
            Stop(patch, number, after)
            with pytest.raises(KeyboardInterrupt, match=rf"stopped after epoch {min(2, number - 1 + after)} of 2; the same command"):
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


def test_files_that_may_not_be_read_are_named(monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("LATENT_RESULTS", folder)
        kept = [checkpoint(), results.path(NAME, 0, ".json"), results.path(NAME, 0, ".safetensors")]
        networks = objectives.build(PLAN, *FORMS["cifar10"], 0)
        Checkpoint(checkpoint(), {}).save(networks, [], [])
        results.write(NAME, 0, made(NAME, 0, {"test_accuracy": 60.0}), networks)
        readers = [lambda: checkpoints.read(kept[0]), lambda: results.read(NAME), lambda: results.load_weights(NAME, 0, networks)]
        for file, read in zip(kept, readers):
            read()
            file.chmod(0)
            with without_privileges(), pytest.raises(UserError, match=rf"{file} cannot be read \(Permission denied\); make it a readable"):
                read()
            file.chmod(0o644)


@pytest.mark.parametrize("other", ["experiment", "seed", "recipe", "data", "signature", "version"])
def test_a_checkpoint_of_another_training_is_refused_and_kept(monkeypatch, other):
    stop_after_first_epoch(monkeypatch)
    state = checkpoints.read(checkpoint())
    assert set(state["made_with"]) == {"experiment", "seed", "recipe", "data", "signature", "version"}
    state["made_with"][other] = "of something else"
    write_signed(checkpoint(), state)
    before = checkpoint().read_bytes()
    with pytest.raises(UserError, match=rf"{NAME}-seed0.pt was begun with another {other}; go back to that, or delete the file"):
        start()
    assert checkpoint().read_bytes() == before


def test_a_changed_recipe_does_not_go_on_from_the_old_ones_checkpoint(monkeypatch):
    stop_after_first_epoch(monkeypatch)
    with pytest.raises(UserError, match="begun with another recipe"):
        start(plan=replace(PLAN, temperature=0.3))
    with pytest.raises(UserError, match="begun with another data"):
        start(found=replace(small(load("cifar10")), digest="other"))
    assert len(start().record["curves"]["encoder"]) == 2


def write_signed(path, state):
    """A checkpoint with a right checksum, whatever it holds."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_that_is_cut_changed_or_a_trap_is_refused_in_one_line(monkeypatch, tmp_path):
    stop_after_first_epoch(monkeypatch)
    good = checkpoint().read_bytes()
    middle = len(good) // 2
    damaged = [b"", good[:20], good[:middle], good[:-1], good + b"x", good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]]
    for content in damaged:
        checkpoint().write_bytes(content)
        with pytest.raises(UserError, match="damaged or no checkpoint; delete it to begin anew") as caught:
            start()
        assert "\n" not in str(caught.value) and checkpoint().read_bytes() == content
    for trap in (Trap(tmp_path / "sprung"), {"curves": Trap(tmp_path / "sprung")}, [1], {"curves": []}):
        write_signed(checkpoint(), trap)
        with pytest.raises(UserError, match="damaged or no checkpoint"):
            start()
    assert not (tmp_path / "sprung").exists()


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
cp "$LATENT_RESULTS/mnist-guided/seed0.safetensors" "$KEPT"
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare: a file system of its own needs Linux")
def test_on_a_file_system_that_is_really_full_a_training_stops_in_one_line_and_ends_the_same_when_there_is_room(monkeypatch, tmp_path):
    stop_after_first_epoch(monkeypatch, name="mnist-guided", plan=tiny("mnist-guided"), found=load("mnist"))
    room = int(1.5 * checkpoint("mnist-guided").stat().st_size)  # for one checkpoint, not for the next one beside it
    start(name="mnist-guided", plan=tiny("mnist-guided"), found=load("mnist"))
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


@contextmanager
def without_privileges():
    """Root may write anywhere: be nobody for a while."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


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


@pytest.mark.parametrize("broken", ["the loss", "the weights behind a loss", "a measure"])
def test_a_number_that_is_none_stops_the_run_and_leaves_the_good_checkpoint(tmp_path, broken):
    plan = tiny("mnist-ae", epochs=3, batch=4, optimizer="adamw")
    networks = nn.ModuleDict({"layer": nn.Linear(1, 1)})
    kept, calls, epochs = Checkpoint(tmp_path / "a.pt", {}), [], []

    def objective(networks, inputs, labels, recipe, generator):
        calls.append(1)
        loss = networks["layer"](inputs).square().mean()
        if len(calls) == 4 and broken == "the loss":
            return loss * float("nan")
        if len(calls) == 4 and broken == "the weights behind a loss":
            loss.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    def watch():
        epochs.append(kept.path.read_bytes() if kept.path.exists() else b"")
        return {"measure": float("nan") if len(epochs) == 2 and broken == "a measure" else 0.0}

    told = r"epoch 2, step 2" if broken == "the loss" else r"no longer numbers after epoch 2"
    with pytest.raises(UserError, match=told):
        train.fit(networks, objective, torch.ones(8, 1), torch.zeros(8), plan, plan.encoder, 0, watch, kept, "broken")
    assert checkpoints.finished_epochs(kept.path) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
def test_a_real_card_that_is_full_says_which_value_to_set(monkeypatch):
    plan, whole = tiny("mnist-contrastive", batch=1000), torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(64 * 2**20 / whole)  # less than what one batch leaves for its backward pass
    try:
        with pytest.raises(UserError, match=r"batches of 1000 do not fit into the memory of .*encoder.batch=500"):
            experiment.train_and_store("mnist-contrastive", plan, load("mnist"), 0, torch.device("cuda"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_full_graphics_card_says_which_value_to_set(monkeypatch):
    """Without a card: the error that torch raises for one comes out of a real backward pass, where memory is fullest."""

    def full(gradient):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    def objective(*batch):
        loss = objectives.contrast(*batch)
        loss.register_hook(full)
        return loss

    monkeypatch.setitem(objectives.OBJECTIVES, "contrast", objective)
    with pytest.raises(UserError, match=rf"{NAME}: batches of 128 do not fit .* `latent trial {NAME} encoder.batch=64`") as caught:
        start()
    assert "\n" not in str(caught.value) and not list(results.folder().rglob("*.json"))


def test_a_batch_of_one_and_a_dataset_of_one_are_refused():
    with pytest.raises(UserError, match="2 images in a batch at least, got 2 and 1"):
        start(plan=tiny(NAME, batch=1))
    with pytest.raises(UserError, match="1 epoch and 2 images"):
        start(found=small(load("cifar10"), 1))
    with pytest.raises(UserError, match="got 0 and"):
        start(plan=tiny(NAME, epochs=0))
    assert recipes.recipe(NAME, "tiny") == PLAN


def test_who_asks_for_a_run_that_another_process_trains_waits_and_gets_it():
    asked = ThreadPoolExecutor(1)
    with files.hold(checkpoint("mnist-guided").with_suffix(".lock"), "mnist-guided, seed 0,"):
        answer = asked.submit(experiment.load_or_train, "mnist-guided", device=CPU)
        assert not wait([answer], timeout=3).done
        trained = experiment.train("mnist-guided", recipes.recipe("mnist-guided", "tiny"), load("mnist"), 0, CPU)
        stored = results.write("mnist-guided", 0, trained.record, trained.networks)
    assert answer.result(timeout=60).record == stored
