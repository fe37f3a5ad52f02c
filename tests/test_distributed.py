"""Two processes with half a batch each against one with the whole: loss, gradients, BatchNorm's statistics, and who sees what."""

import os
import socket
from dataclasses import replace

import pytest
import torch
from torch import multiprocessing, nn

from latent import distributed, objectives, recipes
from latent.data import load
from latent.errors import UserError
from latent.train import fit
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


def two_epochs() -> dict[str, torch.Tensor]:
    """Which of 24 images this process is given in each of two epochs (2, images), and what it draws for their views and for dropout."""
    seen, views, dropout = [], [], []

    def look(networks, images, labels, plan, generator):
        seen.append(images)
        views.append(torch.rand(1, generator=generator))
        dropout.append(torch.rand(1))
        return networks["line"](images).mean()

    plan = recipes.recipe("mnist-guided", "tiny")
    training = replace(plan.encoder, epochs=2, batch=8, optimizer="adamw")
    fit(nn.ModuleDict({"line": nn.Linear(1, 1)}), look, torch.arange(24.0)[:, None], torch.zeros(24), plan, training, 0, dict)
    return {"seen": torch.cat(seen).view(2, -1), "views": torch.cat(views), "dropout": torch.cat(dropout)}


def normalised() -> dict[str, torch.Tensor]:
    """What BatchNorm makes of 16 images whose mean is far from zero, and what it sends back, in order of the images."""
    generator = torch.Generator().manual_seed(0)
    images, gradient = (3 * torch.randn(16, 4, 5, 5, generator=generator) + 20 for _ in range(2))
    mine = distributed.share(torch.arange(16))
    norm, x = nn.BatchNorm2d(4), images[mine].requires_grad_()
    with distributed.whole_batch_statistics(nn.ModuleDict({"norm": norm})):
        y = norm(x)
        y.backward(gradient[mine])
    order = distributed.gather(mine).argsort()
    return {"y": distributed.gather(y.detach())[order], "x": distributed.gather(x.grad)[order], "variance": norm.running_var}


def process(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"LATENT_DATA": "embedded", "RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    distributed.begin(CPU)
    with pytest.raises(UserError, match="cannot be shared equally"):
        distributed.share(torch.arange(5))
    torch.save({name: step(name) for name in OBJECTIVES.values()} | two_epochs() | normalised(), f"{folder}/{rank}.pt")
    distributed.end()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(process, (port, str(folder)), nprocs=2)
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
    assert distributed.world() == 1 and distributed.rank() == 0
    assert torch.equal(distributed.share(torch.arange(5)), torch.arange(5))
    rows = torch.rand(3, 2)
    assert distributed.gather(rows) is rows and distributed.mean(2.0, CPU) == 2.0
