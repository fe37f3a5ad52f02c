"""All trainings of a scale, piece by piece."""

import time

import pytest
from helpers import CPU, tiny

from latent import campaign, cli
from latent.recipes import EXPERIMENTS, RECIPES, SEEDS, VARIANTS
from latent.store import checkpoints, results


@pytest.fixture
def two(monkeypatch):
    """A scale of two quick experiments, two seeds each."""
    monkeypatch.setitem(RECIPES, "tiny", {name: tiny(name, epochs=3, batch=500) for name in ("mnist-guided", "cifar-guided")})
    for dataset in SEEDS:
        monkeypatch.setitem(SEEDS, dataset, 2)
    results._signatures.cache_clear()
    yield
    results._signatures.cache_clear()


def test_every_experiment_of_gpu_has_its_seeds_and_seed_zero_comes_first():
    jobs = campaign.jobs("gpu")
    assert {name for name, _ in jobs} == {*EXPERIMENTS, *VARIANTS} and [seed for _, seed in jobs] == sorted(seed for _, seed in jobs)
    assert len(jobs) == len(set(jobs)) == 5 * SEEDS["mnist"] + 5 * SEEDS["cifar10"]


def test_a_campaign_without_time_keeps_each_finished_epoch_and_ends_in_the_end(two, capsys):
    left = campaign.go_on("tiny", CPU, 0)
    assert len(left) == 4 and not list(results.folder().rglob("*.pt"))
    began = time.monotonic()
    while campaign.go_on("tiny", CPU, 0.01):  # a run begins, and is paused after an epoch
        paused = list(results.folder().rglob("*.pt"))
        assert all(0 < checkpoints.finished_epochs(path) <= 3 for path in paused) and time.monotonic() - began < 120
    assert "stopped after epoch" in capsys.readouterr().out
    assert campaign.missing("tiny") == [] and not list(results.folder().rglob("*.pt"))
    assert [len(results.read(name)) for name in ("mnist-guided", "cifar-guided")] == [2, 2]
    assert cli.main(["train-all", "--recipe", "tiny", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == "4 of 4 trainings are done\n"


def test_a_campaign_with_something_left_says_so_by_its_exit_code(two, capsys):
    assert cli.main(["train-all", "--recipe", "tiny", "--device", "cpu", "--minutes", "0"]) == 3
    assert capsys.readouterr().out == "0 of 4 trainings are done\n"
