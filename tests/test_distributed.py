"""Two processes with half a batch each against one with the whole: loss, gradients, BatchNorm's statistics."""

import os
import socket
from dataclasses import replace

import pytest
import torch
from torch import multiprocessing

from latent import distributed, objectives, recipes
from latent.data import load
from latent.errors import UserError
from latent.views import Views

CPU = torch.device("cpu")
OBJECTIVES = {
    "reconstruct": "cifar-ae",
    "classify": "cifar-guided",
    "contrast": "mnist-contrastive",
    "contrast_labels": "mnist-contrastive-labels",
}


def step(name: str) -> dict[str, torch.Tensor]:
    """Loss, gradients and running statistics after one step on 16 images, without views or dropout, whose draws are each process's own."""
    plan = recipes.recipe(name, "tiny")
    plan = replace(plan, dropout=0.0, encoder=replace(plan.encoder, views=Views()))
    found = load(plan.dataset)
    networks = objectives.build(plan, found.channels, found.side, seed=0).train()
    if plan.objective != "classify":
        del networks["classifier"]
    batch = distributed.share(torch.arange(16))
    with distributed.whole_batch_statistics(networks):
        compute = distributed.parallel(networks, objectives.OBJECTIVES[plan.objective])
        loss = compute(found.train.images[batch], found.train.labels[batch], plan, torch.Generator())
        loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in networks.parameters() if p.requires_grad])
    return {"loss": torch.tensor(distributed.mean(loss.item(), CPU)), "gradient": gradient, **dict(networks.named_buffers())}


def process(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"LATENT_DATA": "embedded", "RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    distributed.begin(CPU)
    with pytest.raises(UserError, match="cannot be shared equally"):
        distributed.share(torch.arange(5))
    found = {name: step(name) for name in OBJECTIVES.values()}
    if rank == 0:
        torch.save(found, f"{folder}/two.pt")
    distributed.end()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(process, (port, str(folder)), nprocs=2)
    return torch.load(folder / "two.pt", weights_only=True)


@pytest.mark.parametrize("name", OBJECTIVES.values(), ids=OBJECTIVES)
def test_two_processes_with_half_a_batch_are_one_with_the_whole(two_processes, name):
    alone, together = step(name), two_processes[name]
    assert alone.keys() == together.keys()
    for key, value in alone.items():
        apart = (together[key].double() - value.double()).norm()
        assert apart <= 1e-3 * value.double().norm() + 1e-6, key  # float32 through seven BatchNorms over 16 images


def test_alone_a_process_has_the_whole_batch():
    assert distributed.world() == 1 and distributed.rank() == 0
    assert torch.equal(distributed.share(torch.arange(5)), torch.arange(5))
    rows = torch.rand(3, 2)
    assert distributed.gather(rows) is rows and distributed.mean(2.0, CPU) == 2.0
