"""`python -m benchmarks.scaling`: measure, calculate, and write docs/scaling.md. Three minutes on two cores, on which nothing else should run."""

import math
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.images import images
from benchmarks.scaling import batches, cluster, photographs, shards
from benchmarks.scaling.cluster import Cluster, Work
from benchmarks.scaling.measured import Measured, measure
from benchmarks.training import flops_per_image, inputs, networks_of
from latent import device as devices
from latent import experiment, probe
from latent.recipes import Recipe, recipe
from latent.tables import markdown

ROOT = Path(__file__).parents[2]
GPUS = (1, 8, 64, 512)
CIFAR, IMAGENET = 50_000, 1_281_167  # training images (Krizhevsky 2009; Russakovsky et al. 2015)
IMAGENET_BYTES = 110_000  # of a JPEG in it, on average: 138 GB over all
WHOLE = 4_096  # a batch that stays as it is while GPUs are added


@dataclass(frozen=True)
class Amounts:
    """How much is measured: the recipes' scale, the batch of one process and its steps, and for the gradients' noise K means of `count`."""

    scale: str = "cpu"
    batch: int = 512
    steps: int = 8
    means: int = 64
    count: int = 256
    views: int = 4_096


def document(amounts: Amounts) -> str:
    """docs/scaling.md."""
    plan = recipe("cifar-contrastive", amounts.scale)
    parts = [
        introduction(),
        processes(amounts),
        on_paper(work_of(plan, amounts), plan.encoder.batch),
        noise(amounts),
        negatives(amounts),
        loader(work_of(plan, amounts), plan.encoder.batch),
        CHANGES,
    ]
    return "\n\n".join(parts) + "\n"


def introduction() -> str:
    return f"""# Beyond one machine

What changes on 8, 64 and 512 GPUs, and with a dataset that no memory holds. Made by `python -m benchmarks.scaling`, which measured what
two processes on two cores can show, and calculated the rest from formulas that stand in `benchmarks/scaling/`. No GPU was used: what
follows from the assumed hardware is an estimate, and said to be one. Machine: {devices.describe(torch.device("cpu"))}, with a load of
{os.getloadavg()[0]:.1f} before anything was measured (where others worked, two processes look worse than they are); torch
{torch.__version__.split("+")[0]}. Images: {images(1)[0]}. The experiment is `cifar-contrastive`, whose loss is the one that binds the
processes together; the other objectives need the gradient and BatchNorm's statistics alone."""


def processes(amounts: Amounts) -> str:
    """One process and two: measured."""
    half, one, two, double = (
        measure("cifar-contrastive", amounts.scale, count, batch, amounts.steps)
        for count, batch in ((1, amounts.batch // 2), (1, amounts.batch), (2, amounts.batch), (2, 2 * amounts.batch))
    )
    table = markdown(
        ["processes", "whole batch", "step (ms)", "images/s", "gradient (ms)", "projections (ms)", "statistics of one layer (ms)"],
        [_measured_row(found) for found in (half, one, two, double)],
    )
    norms = len(_norms(recipe("cifar-contrastive", amounts.scale)))
    talk = two.gradient + 2 * two.projections + 2 * norms * two.statistics
    foretold = half.step + talk
    return f"""## Measured: one process and two

Each process has one core and one thread. `gradient`: one all-reduce of as many numbers as are learned; `projections`: one all-gather; `statistics`:
one all-reduce of the two moments of a BatchNorm's channels; each alone (gloo, medians). Medians of {amounts.steps} steps.

{table}

- **Same batch, twice the cores**: {two.rate / one.rate:.2f} times the images a second, an efficiency of {two.rate / one.rate / 2:.0%}.
- **Twice the batch, twice the cores**: {double.rate / one.rate:.2f} times, {double.rate / one.rate / 2:.0%}.
- **What talking should cost**: one gradient, the projections and their gradients, and two all-reduces (forward and backward) for
  each of {norms} BatchNorms are {1000 * talk:.0f} ms. Added to a step of half the batch by one process that foretells
  {1000 * foretold:.0f} ms; measured are {1000 * two.step:.0f} ms, {two.step / foretold - 1:+.0%}. The cores share caches and memory, which no
  formula here knows, and each process computes the loss of the whole batch and Muon's update of every kernel."""


def _measured_row(found: Measured) -> list[str]:
    talk = (found.gradient, found.projections, found.statistics)
    told = [f"{1000 * seconds:.2f}" for seconds in talk] if found.processes > 1 else ["–"] * 3
    return [str(found.processes), str(found.batch), f"{1000 * found.step:.0f}", f"{found.rate:.0f}", *told]


def _norms(plan: Recipe) -> list[torch.nn.Module]:
    return [module for module in networks_of(plan).modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]


def work_of(plan: Recipe, amounts: Amounts) -> Work:
    """What a step of `plan` has to do, counted on its networks."""
    norms, batch = _norms(plan), min(plan.encoder.batch, amounts.batch)
    counted = flops_per_image(replace(plan, encoder=replace(plan.encoder, batch=batch)))
    learned = sum(p.numel() for p in networks_of(plan).parameters() if p.requires_grad)
    work = Work(learned, len(norms), sum(norm.num_features for norm in norms), plan.projection, 0.0)
    return replace(work, flops=counted - cluster.loss_flops(work, batch) / batch)


def on_paper(work: Work, each: int) -> str:
    """8, 64 and 512 GPUs: calculated."""
    hardware = Cluster()
    grown = markdown(
        ["GPUs", "whole batch", "negatives of a view", "steps an epoch: CIFAR-10", "ImageNet", "gradient sent (MB)", "projections sent (MB)",
         "similarities (MB)"],
        [_bytes_row(work, gpus, each * gpus) for gpus in GPUS],
    )  # fmt: skip
    header = ["GPUs", "encoder (ms)", "loss (ms)", "gradient (ms)", "projections (ms)", "statistics (ms)", "efficiency", "with rows apart"]
    weak = markdown(header, [_time_row(work, hardware, gpus, each * gpus, each) for gpus in GPUS])
    strong = markdown(header, [_time_row(work, hardware, gpus, WHOLE, WHOLE) for gpus in GPUS])
    first, last = (cluster.step(work, hardware, GPUS[-1], each * GPUS[-1], apart) for apart in (False, True))
    alone = cluster.step(work, hardware, 1, each)
    return f"""## On paper: 8, 64 and 512 GPUs

Assumed: a GPU reaches {hardware.rate / 1e12:.0f} TFLOP/s in bfloat16 (30 % of an H100's 989, data sheet; our small maps will rather reach less),
sends {hardware.inside / 1e9:.0f} GB/s to the {hardware.node - 1} others of its node (NVLink) and {hardware.outside / 1e9:.0f} GB/s beyond it (one 400 Gb/s
card for each), and a message takes {1e6 * hardware.latency[0]:.0f} µs inside and {1e6 * hardware.latency[1]:.0f} µs between nodes for each level of a tree.
Counted: {work.parameters:,} learned parameters, {work.norms} BatchNorms with {work.channels:,} channels, {work.flops / 1e9:.2f} GFLOP for an image in two
views. Bytes are those of rings: 2 (P − 1) / P of the gradient, (P − 1) / P of the projections each way.

**{each} images on each GPU.** What one GPU sends in a step, and what the batch becomes:

{grown}

{weak}

**{WHOLE:,} images in all**, however many GPUs:

{strong}

*Efficiency*: seconds of one GPU over P times the seconds of P, nothing overlapping. *With rows apart*: each GPU takes the similarities of its own
views with all, instead of all with all as `losses.nt_xent` does today: right for two processes, but at {GPUS[-1]} GPUs the loss alone takes
{1000 * first.loss:.0f} ms against {1000 * last.loss:.1f} ms, and its similarities {cluster.similarity_bytes(each * GPUS[-1]) / 1e9:,.0f} GB, which no GPU has. Then comes BatchNorm: its messages are
short, and only their latency counts, {1000 * last.statistics:.1f} ms at {GPUS[-1]} GPUs against {1000 * last.encoder:.1f} ms of arithmetic.

So the honest answer for networks as small as ours is *one* GPU: by these figures it is done with a step in {1000 * alone.total:.1f} ms and with an epoch of CIFAR-10 in
{alone.total * CIFAR / each:.2f} s, before the others have heard of it. More GPUs are for other seeds, other recipes and `latent sweep`, which share nothing, or for
networks with a hundred times the arithmetic by image."""


def _bytes_row(work: Work, gpus: int, batch: int) -> list[str]:
    sent = cluster.gradient_bytes(work, gpus), cluster.projection_bytes(work, gpus, batch), cluster.similarity_bytes(batch)
    steps = [f"{count // batch:,}" if count >= batch else "less than one" for count in (CIFAR, IMAGENET)]
    return [str(gpus), f"{batch:,}", f"{2 * batch - 2:,}", *steps, *(f"{amount / 1e6:,.2f}" for amount in sent)]


def _time_row(work: Work, hardware: Cluster, gpus: int, batch: int, alone: int) -> list[str]:
    """alone: the batch of the one GPU that is compared with."""
    found, apart = (cluster.step(work, hardware, gpus, batch, rows) for rows in (False, True))
    before = cluster.step(work, hardware, 1, alone).total * batch / alone
    spent = (found.encoder, found.loss, found.gradient, found.projections, found.statistics)
    return [str(gpus), *(f"{1000 * s:.3f}" for s in spent), *(f"{before / gpus / one.total:.2%}" for one in (found, apart))]


def noise(amounts: Amounts) -> str:
    """How large a batch may become: measured."""
    run = experiment.load_or_train("cifar-guided", amounts.scale)
    part = probe.subset(run.data.train, amounts.means * amounts.count)
    scale = batches.noise_scale(batches.gradients(run.networks, run.recipe, part.images, part.labels, amounts.count), amounts.count)
    batch, rate = run.recipe.encoder.batch, run.recipe.encoder.learning_rate
    told = f"**{scale:,.0f}** images" if math.isfinite(scale) else "larger than can be told"
    rows = [[str(gpus), f"{batch * gpus:,}", f"{batches.speed_up(scale, batch, gpus):.1f}", f"{gpus**0.5:.1f}"] for gpus in GPUS]
    table = markdown(["GPUs", "whole batch", "SGD: rate and saved steps, ×", "Muon, AdamW: rate, ×"], rows)
    return f"""## Batch and learning rate

More GPUs with as many images each make the batch larger, which pays as long as the gradient is mostly noise. The batch at which noise and gradient are
equal (McCandlish et al. 2018) is {told} for the shipped weights of `cifar-guided`, from {amounts.means} gradients of
{amounts.count} images each. That is the end of a training. They found it to grow by orders of magnitude in the course of one: a rate that suits the whole training is bound by
the start, hence a warm-up.

{table}

For SGD the best rate, and with it the progress of one step, grows as 1 / (1 + noise / batch) (their equations 2.5 and 2.6): with the batch at first, hardly at
all beyond the noise scale. Where the optimizer fixes the length of an update, as Muon and nearly AdamW do, the noise is divided out already, and
the square root is the usual rule (Malladi et al. 2022). Both are starting points for `latent sweep` around {rate:g}, not results."""


def negatives(amounts: Amounts) -> str:
    """How many negatives a view needs: simulated on the shipped encoder."""
    run = experiment.load_or_train("cifar-contrastive", amounts.scale)
    part = probe.subset(run.data.train, amounts.views)
    first, second = _projections(run, part.images)
    counts = [count for count in (64, 128, 256, 512, 1024, 2048) if count < len(first)]
    found = batches.negatives_cosines(first, second, run.recipe.temperature, counts)
    table = markdown(
        ["images in the batch", "negatives of a view", "cosine"], [[str(n), str(2 * n - 2), f"{c:.3f}"] for n, c in found.items()]
    )
    return f"""## Negatives

Gathering the projections gives each view the whole batch as negatives. What are they worth? For the shipped encoder and {len(first):,} training images in two
views: the cosine between the gradient of NT-Xent on the first 64 pairs' projections as it is with fewer images in the batch, and as it is
with all.

{table}

What is gained beyond a thousand or two is little at this temperature ({run.recipe.temperature:g}) and with ten classes, of which a tenth of all negatives are of
the view's own. A group of 8 GPUs may then gather for itself alone: its bytes stay within the node."""


@torch.no_grad()
def _projections(run: experiment.Run, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    both = [
        run.networks["projection"](run.networks["encoder"](inputs(part, run.recipe, generator))).chunk(2) for part in pictures.split(512)
    ]
    first, second = (torch.cat(side) for side in zip(*both))
    return first, second


def loader(work: Work, each: int) -> str:
    """A dataset that no memory holds: measured and simulated."""
    seconds, size = photographs.decode_seconds()
    step = cluster.step(work, Cluster(), GPUS[-1], each * GPUS[-1], rows_apart=True)
    rate = each / step.total
    table = markdown(
        ["GPUs", "images/s", "read (GB/s)", "cores to decode"],
        [[str(n), f"{n * rate:,.0f}", f"{n * rate * IMAGENET_BYTES / 1e9:,.1f}", f"{2 * n * rate * seconds:,.0f}"] for n in GPUS],
    )
    return f"""## A dataset that no memory holds

Ours are uint8 tensors in memory, {CIFAR * 3 * 32**2 / 1e6:.0f} MB: a batch is an index. ImageNet's {IMAGENET:,} images are {IMAGENET * IMAGENET_BYTES / 1e9:.0f} GB of JPEG and, at {photographs.SIDE} × {photographs.SIDE}
pixels, {IMAGENET * 3 * photographs.SIDE**2 / 1e9:.0f} GB decoded. Measured: a JPEG of {size / 1000:.0f} kB takes one core {1000 * seconds:.1f} ms to decode and to resize. If the network
stayed as small as ours, at the {rate:,.0f} images a second of one GPU of {GPUS[-1]} and two views of each:

{table}

Nobody has so many cores beside a GPU: photographs are stored at the size that is trained on, decoded once for both views, and cropped, turned and coloured
on the GPU, as `latent.views` does already. (A network for photographs does far more arithmetic by image, and needs as much less.)

A disk wants to be read in order, training wants a random order. The compromise is shards, read in order, several at once, and a buffer to draw from.
Simulated on {CIFAR:,} labels of ten classes in 100 shards, batches of {each}: how far the classes of a batch are from equal shares (total
variation; the least that chance allows is in the first row).

{_shards(each)}

The last row is the trap: from files sorted by class, read one after the other, come batches of a few classes, and BatchNorm and contrastive
negatives see nothing else. Shards written once in random order need few open files and a small buffer. With P processes each takes every P-th shard, in an
order drawn from (seed, epoch) alike for all: no image twice, and resuming is counting."""


def _shards(batch: int) -> str:
    chance = np.random.default_rng(0)
    sorted_by_class = np.repeat(np.arange(10), CIFAR // 10)
    mixed = chance.permutation(sorted_by_class)
    rows = [["a random order of all", "–", "–", f"{shards.imbalance(mixed, batch):.3f}"]]
    for written, labels in (("in random order", mixed), ("sorted by class", sorted_by_class)):
        for opened, buffer in ((16, 8_192), (16, 1_024), (1, 8_192), (1, 1_024)):
            given = np.fromiter(shards.stream(labels, 100, opened, buffer, chance), int)
            rows.append([written, str(opened), f"{buffer:,}", f"{shards.imbalance(given, batch):.3f}"])
    return markdown(["shards written", "open at once", "buffer", "imbalance"], rows)


CHANGES = """## What the code would have to change

- `losses.nt_xent` and `supervised_contrastive`: each process its own rows, against all columns; the first thing, from 64 GPUs on.
- `distributed.whole_batch_statistics`: groups of 8 processes instead of all: BatchNorm needs a few hundred images, not a hundred thousand.
- `latent.muon`: every process orthogonalises every kernel today; each could take some of them and send the results (a gather of the parameters).
- `latent.data`: shards and a buffer instead of a tensor; `distributed.share` then deals shards instead of images.
- Checkpoints: rank 0 writes, which is right for networks that fit one GPU; with 512 processes a rank is lost often, so they would be
  written by the minute instead of by the epoch.
- What would *not* change: recipes, objectives, evaluation, and the rule that P processes do what one does: `tests/test_distributed.py`."""


if __name__ == "__main__":
    text = document(Amounts())
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs/scaling.md").write_text(text)
    sys.stdout.write(text)
