"""The formulas behind docs/scaling.md, each against what it stands for, done step by step."""

import math
import re

import numpy as np
import pytest
import torch

from benchmarks.scaling import batches, cluster, shards
from benchmarks.scaling.__main__ import Amounts, document
from benchmarks.scaling.cluster import Cluster, Work
from latent import losses

WORK = Work(parameters=12_000, norms=3, channels=60, projection=16, flops=1e6)


@pytest.mark.parametrize("gpus", [2, 3, 8])
def test_a_ring_sends_as_many_bytes_as_the_formula_says(gpus):
    numbers = np.random.default_rng(0).normal(size=(gpus, WORK.parameters))
    pieces = [list(np.array_split(row, gpus)) for row in numbers.copy()]
    sent = 0
    for turn in range(2 * (gpus - 1)):  # first every piece gathers its sum, then the sums go round
        going = [(rank, (rank - turn) % gpus, pieces[rank][(rank - turn) % gpus].copy()) for rank in range(gpus)]
        for rank, place, piece in going:
            to = (rank + 1) % gpus
            pieces[to][place] = pieces[to][place] + piece if turn < gpus - 1 else piece
            sent += piece.size * cluster.FLOAT
    assert all(np.allclose(np.concatenate(row), numbers.sum(0)) for row in pieces)
    assert sent / gpus == cluster.gradient_bytes(WORK, gpus)


def test_one_gpu_tells_nobody_anything_and_more_take_their_share_of_the_arithmetic():
    alone, many = (cluster.step(WORK, Cluster(), gpus, 4096) for gpus in (1, 64))
    assert alone.gradient == alone.projections == alone.statistics == 0
    assert many.encoder == alone.encoder / 64 and many.loss == alone.loss
    assert cluster.step(WORK, Cluster(), 64, 4096, rows_apart=True).loss == alone.loss / 64
    assert many.statistics > many.gradient > 0  # latency: many short messages cost more than one long one


def test_the_loss_costs_the_products_that_it_makes():
    from torch.utils.flop_counter import FlopCounterMode

    first, second = (torch.randn(32, WORK.projection, requires_grad=True) for _ in range(2))
    with FlopCounterMode(display=False) as counter:
        losses.nt_xent(first, second, 0.2).backward()
    assert counter.get_total_flops() == cluster.loss_flops(WORK, 32)


def test_the_noise_scale_of_gradients_whose_noise_is_known():
    generator = torch.Generator().manual_seed(0)
    mean, spread, count = torch.full((500,), 0.1), 2.0, 10
    small = mean + spread / math.sqrt(count) * torch.randn(400, 500, generator=generator)
    wanted = 500 * spread**2 / mean.square().sum().item()
    assert batches.noise_scale(small, count) == pytest.approx(wanted, rel=0.15)
    assert batches.noise_scale(small - small.mean(0), count) == math.inf  # noise alone: no batch is too large
    assert batches.speed_up(math.inf, 500, 8) == 8 and batches.speed_up(0, 500, 8) == 1
    assert 7.99 < batches.speed_up(1e7, 500, 8) < 8


def test_the_gradient_with_all_negatives_is_itself():
    first, second = torch.randn(2, 256, 8, generator=torch.Generator().manual_seed(0)).unbind()
    found = batches.negatives_cosines(first, second, 0.2, [64, 128, 256])
    assert found[64] < found[128] < found[256] and found[256] == pytest.approx(1)


def test_a_loader_gives_every_image_once_and_mixes_as_much_as_its_buffer_holds():
    labels, chance = np.repeat(np.arange(10), 100), np.random.default_rng(0)

    def read(opened, buffer):
        return np.fromiter(shards.stream(labels, 20, opened, buffer, chance), int)

    orders = {"one": read(1, 0), "some": read(4, 50), "all": read(1, len(labels))}
    assert all(np.bincount(order).tolist() == [100] * 10 for order in orders.values())
    far = {name: shards.imbalance(order, 50) for name, order in orders.items()}
    assert far["one"] == pytest.approx(0.9) and far["one"] > far["some"] > far["all"]
    assert far["all"] < 0.25  # what chance allows in batches of 50


@pytest.mark.slow
def test_the_document_is_made_from_measurements_and_leaves_no_number_out():
    text = document(Amounts("tiny", batch=32, steps=2, means=16, count=8, views=128))
    sections = ["Measured", "On paper", "Batch and learning rate", "Negatives", "A dataset that no memory holds", "What the code"]
    assert [part.startswith(title) for part, title in zip(text.split("\n## ")[1:], sections, strict=True)] == [True] * 6
    assert not re.search(r"\b(nan|inf|None)\b|[{}]", text)
    measured = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if re.match(r"\| [12] \| (16|32|64) \|", line)
    ]
    assert [row[:2] for row in measured] == [["1", "16"], ["1", "32"], ["2", "32"], ["2", "64"]]
    assert all(float(row[3]) > 0 for row in measured) and all(float(cell) > 0 for row in measured[2:] for cell in row[4:])
    for gpus in (8, 64, 512):
        assert len(re.findall(rf"^\| {gpus} \|", text, re.MULTILINE)) >= 5  # bytes, two kinds of time, learning rate, loader
