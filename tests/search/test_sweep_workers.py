"""Workers of one study: real processes, one of them killed in the middle of a trial, others added, on a journal and on PostgreSQL."""

import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import pytest
from helpers import ROOT
from optuna.storages import JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from latent.search import sweep

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")]

TRIALS = 8
# The command as people type it, with a heartbeat that a test can wait for.
COMMAND = "import sys; from latent import cli; from latent.search import sweep; sweep.HEARTBEAT = 2; sys.exit(cli.main(sys.argv[1:]))"
WORDS = ["sweep", "mnist-ae", "encoder.epochs=20", "--recipe", "tiny", "--device", "cpu", "--images", "200", "--trials", str(TRIALS)]


@pytest.fixture
def worker():
    """Starts a worker; those still running at the end of a test are killed."""
    started = []

    def start(*words):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", COMMAND, *WORDS, *words], env=environment, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def programs():
    """The folder of PostgreSQL's server programs, which Debian keeps off the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = shutil.which("initdb") or next((folder / "initdb" for folder in folders[::-1] if (folder / "initdb").exists()), None)
    return (
        Path(found).resolve().parent
        if found
        else pytest.skip("no PostgreSQL server: apt-get install postgresql, or put initdb on the path")
    )


@pytest.fixture
def postgres():
    """URL of a database of its own on a free port. PostgreSQL refuses to run as root: there, Debian's user `postgres` runs it."""
    there, folder = programs(), Path(tempfile.mkdtemp())
    switch = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if switch:
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres to run it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program, *words):
        command = [*switch, there / program, "-D", folder / "data", *words]
        subprocess.run(command, check=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    run("initdb", "--username=latent", "--auth=trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "start", "--wait", "-l", folder / "log", "-o", options)
    yield f"postgresql+psycopg://latent@127.0.0.1:{port}/postgres"
    run("pg_ctl", "stop", "--wait", "--mode=immediate")
    shutil.rmtree(folder)


def wait_until_both_are_in_a_trial(load, *workers):
    for _ in range(900):
        assert all(process.poll() is None for process in workers)
        try:
            running = [trial for trial in load().trials if trial.state == TrialState.RUNNING and trial.intermediate_values]
        except (KeyError, SQLAlchemyError, optuna.exceptions.StorageInternalError):  # no study, no table yet
            running = []
        if len(running) == len(workers):
            return
        time.sleep(0.1)
    pytest.fail("no two trials were running at once")


def finish_without_one(load, worker, *words):
    """Two workers begin together, one is killed in the middle of a trial, a third one comes. Returns the study's trials."""
    killed, second = worker(*words), worker(*words)
    wait_until_both_are_in_a_trial(load, killed, second)
    killed.kill()
    for process in (second, worker(*words)):
        told, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
        assert told.startswith("trial ") and "validation MAE: " in told
    trials = load().trials
    assert TRIALS <= sum(trial.state in sweep.FINISHED for trial in trials) <= TRIALS + 1  # the two may each finish the last one
    return trials


def test_a_killed_worker_leaves_a_journal_that_others_go_on_with(worker):
    file = sweep.folder() / "mnist-ae.journal"
    file.parent.mkdir(parents=True)
    trials = finish_without_one(
        lambda: optuna.load_study(study_name="mnist-ae", storage=JournalStorage(JournalFileBackend(str(file)))), worker
    )
    [left] = [trial for trial in trials if trial.state not in sweep.FINISHED]
    assert left.state == TrialState.RUNNING and left.intermediate_values  # for ever: a journal has no heartbeat


def test_a_database_gives_the_values_of_a_killed_worker_to_another_one(worker, postgres):
    storage = {"skip_compatibility_check": True, "skip_table_creation": True}  # the workers make the tables
    trials = finish_without_one(
        lambda: optuna.load_study(study_name="mnist-ae", storage=RDBStorage(postgres, **storage)), worker, "--storage", postgres
    )
    [failed] = [trial for trial in trials if trial.state == TrialState.FAIL]
    [again] = [trial for trial in trials if RetryHeartbeatStaleTrialCallback.retried_trial_number(trial) == failed.number]
    assert again.params == failed.params and again.state in sweep.FINISHED
    assert failed.intermediate_values and not [trial for trial in trials if trial.state == TrialState.RUNNING]
    assert not list(sweep.folder().glob("*.journal"))


def test_workers_that_start_at_once_make_the_tables_of_a_new_database(postgres):
    context = multiprocessing.get_context("fork")
    together = context.Barrier(8)
    workers = [context.Process(target=lambda: (together.wait(60), sweep.connect(postgres))) for _ in range(8)]
    for process in workers:
        process.start()
    for process in workers:
        process.join(60)
    assert [process.exitcode for process in workers] == [0] * 8
