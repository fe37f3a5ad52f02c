"""One of the processes that `measured` starts: trains a little, times what the processes tell each other, prints JSON from the first."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import distributed as dist

from benchmarks.images import images
from benchmarks.training import networks_of
from latent import device as devices
from latent import distributed
from latent.objectives import OBJECTIVES
from latent.recipes import recipe
from latent.train import fit

REPEATS = 20


def seconds_of(talk: Callable[[], object]) -> float:
    """The median of a collective's seconds; 0 where there is nobody to talk to."""
    if distributed.world() == 1:
        return 0.0
    spent = []
    for _ in range(REPEATS):
        dist.barrier()
        start = time.perf_counter()
        talk()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def main(experiment: str, scale: str, batch: int, steps: int) -> None:
    devices.keep_memory()
    distributed.begin(torch.device("cpu"))
    plan = recipe(experiment, scale)
    training = replace(plan.encoder, epochs=2, batch=batch)
    plan = replace(plan, encoder=training)
    _, split = images(batch * steps)
    networks = networks_of(plan)
    with distributed.whole_batch_statistics(networks):
        curves = fit(networks, OBJECTIVES[plan.objective], split.images, split.labels, plan, training, 0, dict)
    gradient = torch.zeros(sum(p.numel() for p in networks.parameters() if p.requires_grad))
    projections = torch.zeros(2 * batch // distributed.world(), plan.projection)
    moments = torch.zeros(2, plan.widths[-1], dtype=torch.float64)
    measured = {
        "step": curves[-1]["seconds"] / steps,
        "gradient": seconds_of(lambda: dist.all_reduce(gradient)),
        "projections": seconds_of(lambda: distributed.gather(projections)),
        "statistics": seconds_of(lambda: dist.all_reduce(moments)),
    }
    if distributed.rank() == 0:
        print(json.dumps(measured))
    distributed.end()


if __name__ == "__main__":
    name, scale, batch, steps = sys.argv[1:]
    main(name, scale, int(batch), int(steps))
