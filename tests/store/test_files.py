"""Files are whole or as they were, and a lock says who holds it."""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from helpers import ROOT, made, without_privileges
from stopped import NAME, RECIPE, Stop, checkpoint

from latent import models
from latent.data import FORMS
from latent.errors import Busy, UserError
from latent.store import checkpoints, files, results
from latent.store.checkpoints import Checkpoint


def test_a_file_reaches_the_disk_before_its_name_does(monkeypatch, tmp_path):
    done, sync, move = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.readlink(f"/proc/self/fd/{file}")), sync(file)))
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append(f"{old} becomes {new}"), move(old, new)))
    files.write(tmp_path / "kept", b"whole")
    temporary = str(tmp_path / f".kept.{os.getpid()}.tmp")
    assert done == [temporary, f"{temporary} becomes {tmp_path / 'kept'}", str(tmp_path)]
    assert (tmp_path / "kept").read_bytes() == b"whole"


def test_files_that_may_not_be_read_are_named(monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("LATENT_RESULTS", folder)
        kept = [checkpoint(), results.path(NAME, 0, ".json"), results.path(NAME, 0, ".safetensors")]
        networks = models.build(RECIPE, *FORMS["cifar10"], 0)
        Checkpoint(checkpoint(), {}).save(networks, [], [])
        results.write(NAME, 0, made(NAME, 0, {"test_accuracy": 60.0}), networks)
        readers = [lambda: checkpoints.read(kept[0]), lambda: results.read(NAME), lambda: results.load_weights(NAME, 0, networks)]
        for file, read in zip(kept, readers):
            read()
            file.chmod(0)
            with without_privileges(), pytest.raises(UserError, match=rf"{file} cannot be read \(Permission denied\); make it a readable"):
                read()
            file.chmod(0o644)


def test_a_lock_names_the_process_that_holds_it_and_is_free_when_that_is_done(tmp_path):
    lock = tmp_path / "folder/it.lock"
    with files.hold(lock, "it"):
        with pytest.raises(Busy, match=rf"^it is being trained by process {os.getpid()}; wait for it, or stop it"), files.hold(lock, "it"):
            pytest.fail("held twice")
        with files.hold(lock.with_name("other.lock"), "another"):
            pass
    with files.hold(lock, "it"):
        pass
    assert sorted(path.name for path in lock.parent.iterdir()) == ["it.lock", "other.lock"]


def test_a_lock_whose_owner_is_not_written_down_is_a_lock(tmp_path):
    lock = tmp_path / "it.lock"
    with files.hold(lock, "it"):
        lock.with_suffix(".owner").unlink()
        with pytest.raises(Busy, match="being trained by process unknown; wait for it"), files.hold(lock, "it"):
            pytest.fail("held twice")
    with files.hold(lock, "it"):
        pass


def test_a_lock_ends_with_the_process_that_was_killed_and_the_next_one_signs_it(tmp_path):
    lock = tmp_path / "it.lock"
    code = "import os, signal, sys; from pathlib import Path; from latent.store import files\n"
    code += "with files.hold(Path(sys.argv[1]), 'it'): os.kill(os.getpid(), signal.SIGKILL)"
    killed = subprocess.Popen([sys.executable, "-c", code, str(lock)], cwd=ROOT)
    assert killed.wait(60) == -9 and lock.with_suffix(".owner").read_text() == str(killed.pid)
    with files.hold(lock, "it"):
        assert lock.with_suffix(".owner").read_text() == str(os.getpid())


@pytest.mark.parametrize("after", [False, True])
def test_who_is_stopped_while_taking_a_lock_does_not_keep_it(monkeypatch, tmp_path, after):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Stop(patch, 1, after)
        with files.hold(tmp_path / "it.lock", "it"):
            pytest.fail("went on")
    with files.hold(tmp_path / "it.lock", "it"):
        pass


def test_a_turn_is_waited_for(tmp_path):
    def take():
        with files.turn(tmp_path / "lock"):
            return "taken"

    asked = ThreadPoolExecutor(1)
    with files.turn(tmp_path / "lock"):
        answer = asked.submit(take)
        assert not wait([answer], timeout=0.3).done
    assert answer.result(timeout=60) == "taken"


def test_no_file_of_the_package_needs_a_module_that_only_unix_has():
    sources = {path: path.read_text() for path in (ROOT / "latent").rglob("*.py")}
    needed = re.compile(r"fcntl|^\s*(?:import|from) (?:resource|pwd|grp|termios)\b", re.MULTILINE)
    assert len(sources) > 30 and not [path.name for path, text in sources.items() if needed.search(text)]
