"""Two processes with half a batch each against one with the whole: loss, gradients, BatchNorm's statistics, and who sees what.

And trainings by two real processes, one of which dies, and their end with another number of processes.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from soak.processes import CONTEXT  # the two are forked from its server, which has imported what they need
from torch import multiprocessing, nn

from latent import models, objectives, recipes
from latent.compute import processes
from latent.data import load
from latent.errors import UserError
from latent.recipes import Views
from latent.store import checkpoints
from latent.train import fit, make_optimizers

CPU = torch.device("cpu")
OBJECTIVES = {
    "reconstruct": "cifar-ae",
    "classify": "cifar-guided",
    "contrast": "mnist-contrastive",
    "contrast_labels": "mnist-contrastive-labels",
}


def step(name: str) -> dict[str, torch.Tensor]:
    """Loss, gradients and running statistics after one step on 16 images, without views or dropout, whose draws are each process's own."""
    recipe = recipes.find_recipe(name, "tiny")
    recipe = replace(recipe, dropout=0.0, together=Views(), encoder=replace(recipe.encoder, views=Views()))
    found = load(recipe.dataset)
    networks = models.build(recipe, found.channels, found.side, seed=0).train()
    if recipe.objective != "classify":
        del networks["classifier"]
    batch = processes.share(torch.arange(16))
    with processes.whole_batch_statistics(networks):
        compute = processes.parallel(networks, objectives.loss_of(networks, recipe))
        loss = compute(found.train.images[batch], found.train.labels[batch], torch.Generator())
        loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in networks.parameters() if p.requires_grad])
    return {"loss": torch.tensor(processes.mean(loss.item(), CPU)), "gradient": gradient, **dict(networks.named_buffers())}


def two_epochs() -> dict[str, torch.Tensor]:
    """Which of 24 images this process is given in each of two epochs (2, images), and what it draws for their views and for dropout."""
    seen, views, dropout = [], [], []

    def look(images, labels, generator):
        seen.append(images)
        views.append(torch.rand(1, generator=generator))
        dropout.append(torch.rand(1))
        return networks["line"](images).mean()

    training = replace(recipes.find_recipe("mnist-guided", "tiny").encoder, epochs=2, batch=8, optimizer="adamw")
    networks = nn.ModuleDict({"line": nn.Linear(1, 1)})
    for _ in fit(networks, make_optimizers(networks, training), look, torch.arange(24.0)[:, None], torch.zeros(24), training, seed=0):
        pass
    return {"seen": torch.cat(seen).view(2, -1), "views": torch.cat(views), "dropout": torch.cat(dropout)}


def normalised() -> dict[str, torch.Tensor]:
    """What BatchNorm makes of 16 images whose mean is far from zero, and what it sends back, in order of the images."""
    generator = torch.Generator().manual_seed(0)
    images, gradient = (3 * torch.randn(16, 4, 5, 5, generator=generator) + 20 for _ in range(2))
    mine = processes.share(torch.arange(16))
    norm, x = nn.BatchNorm2d(4), images[mine].requires_grad_()
    with processes.whole_batch_statistics(nn.ModuleDict({"norm": norm})):
        y = norm(x)
        y.backward(gradient[mine])
    order = processes.gather(mine).argsort()
    return {"y": processes.gather(y.detach())[order], "x": processes.gather(x.grad)[order], "variance": norm.running_var}


def process(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"LATENT_DATA": "embedded", "RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes.begin(CPU)
    with pytest.raises(UserError, match="cannot be shared equally"):
        processes.share(torch.arange(5))
    torch.save({name: step(name) for name in OBJECTIVES.values()} | two_epochs() | normalised(), f"{folder}/{rank}.pt")
    processes.end()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.start_processes(process, (port, str(folder)), nprocs=2, start_method=CONTEXT.get_start_method())
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", OBJECTIVES.values(), ids=OBJECTIVES)
def test_two_processes_with_half_a_batch_are_one_with_the_whole(two_processes, name):
    alone = step(name)
    for together in (found[name] for found in two_processes):
        assert alone.keys() == together.keys()
        for key, value in alone.items():
            apart = (together[key].double() - value.double()).norm()
            assert apart <= 1e-3 * value.double().norm() + 1e-6, key  # float32 through seven BatchNorms over 16 images


def test_batchnorm_of_two_halves_is_that_of_the_whole_to_rounding(two_processes):
    for key, value in normalised().items():
        for found in two_processes:
            torch.testing.assert_close(found[key], value, rtol=1e-5, atol=2e-5)


def test_in_an_epoch_every_image_goes_to_one_process_and_each_draws_views_and_dropout_of_its_own(two_processes):
    first, second = two_processes
    for mine, others in zip(first["seen"], second["seen"]):
        assert len(mine) == len(others) == 12
        assert torch.cat([mine, others]).sort().values.tolist() == list(range(24))
    assert not torch.equal(first["seen"][0].sort().values, first["seen"][1].sort().values)  # another order in each epoch
    for draws in ("views", "dropout"):
        assert len(torch.cat([first[draws], second[draws]]).unique()) == 12


def test_alone_a_process_has_the_whole_batch():
    assert processes.world() == 1 and processes.rank() == 0
    assert torch.equal(processes.share(torch.arange(5)), torch.arange(5))
    rows = torch.rand(3, 2)
    assert processes.gather(rows) is rows and processes.mean(2.0, CPU) == 2.0
    assert processes.parallel(nn.ModuleDict({"line": nn.Linear(1, 1)}), look := (lambda *batch: batch)) is look


NAME = "mnist-contrastive"

TRAIN = ["-m", "latent", "train", NAME, "--recipe", "tiny", "--device", "cpu"]


def start(count: int, results: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", *TRAIN]
    surroundings = os.environ | {"LATENT_DATA": "embedded", "LATENT_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def record(results: Path) -> dict:
    return json.loads((results / "tiny" / NAME / "seed0.json").read_text())


@pytest.mark.slow
def test_two_processes_train_together_and_one_alone_writes(tmp_path):
    job = start(2, tmp_path)
    out, err = job.communicate(timeout=200)
    assert job.returncode == 0, err
    assert out.count(f"{NAME}, seed 0") == 1
    assert len(record(tmp_path)["curves"]["encoder"]) == 2 and not list(tmp_path.rglob("*.pt"))


def kill_one_after_the_first_epoch(job: subprocess.Popen, checkpoint: Path, writer: bool) -> None:
    while job.poll() is None and not checkpoint.exists():
        time.sleep(0.01)
    first = int(checkpoint.with_suffix(".owner").read_text())  # the process that writes signs beside its lock
    children = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True, check=True).stdout.split()
    os.kill(first if writer else next(int(child) for child in children if int(child) != first), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "writer", "after"), [(2, True, 1), (2, False, 1), (1, True, 2)])
def test_a_process_that_dies_ends_the_job_and_another_number_of_them_goes_on(tmp_path, before, writer, after):
    checkpoint = tmp_path / f"tiny/checkpoints/{NAME}-seed0.pt"
    job = start(before, tmp_path)
    kill_one_after_the_first_epoch(job, checkpoint, writer)
    _, error = job.communicate(timeout=200)
    assert job.returncode != 0 and "Signal 9 (SIGKILL)" in error  # torchrun names the rank
    assert "[rank" not in error, error  # no traceback of the one that is left, but a line:
    assert before == 1 or "latent: another process of this training has died" in error or "the same command goes on" in error
    [done] = checkpoints.read(checkpoint)["curves"]
    assert not (tmp_path / "tiny" / NAME / "seed0.json").exists()

    job = start(after, tmp_path)
    _, error = job.communicate(timeout=200)
    assert job.returncode == 0, error
    curves = record(tmp_path)["curves"]["encoder"]
    assert [epoch["epoch"] for epoch in curves] == [1, 2] and curves[0] == done and not checkpoint.exists()
