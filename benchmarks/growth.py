"""How time grows: encoding and views with the number of images, a training step with the width of the latent."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

import torch
from matplotlib.figure import Figure

from benchmarks.contestants import Tasks, compare
from benchmarks.images import images
from benchmarks.rows import Row, ratio
from benchmarks.training import inputs, networks_of
from latent import probe
from latent.compute.device import keep_memory
from latent.objectives import loss_of
from latent.recipes import find_recipe
from latent.show import plots
from latent.train import fit, make_optimizers

EXPERIMENT = "cifar-contrastive"
MOST = 1.1  # the power that still passes for linear growth


def prepare(scale: str, counts: Sequence[int], widths: Sequence[int], steps: int) -> Tasks:
    """Tasks `encode N` and `views N` for each count, `step W` for each width of the latent; each counts as one thing."""
    keep_memory()
    recipe = find_recipe(EXPERIMENT, scale)
    _, split = images(max(*counts, steps * recipe.encoder.batch))
    networks, generator = networks_of(recipe), torch.Generator().manual_seed(0)

    def encode(count: int) -> Iterator:
        yield
        probe.encode(networks["encoder"], split.images[:count])
        yield 1

    def views(count: int) -> Iterator:
        yield
        for batch in split.images[:count].split(recipe.encoder.batch):
            inputs(batch, recipe, generator)
        yield 1

    def step(width: int) -> Iterator:
        wide, part = replace(recipe, latent=width), slice(steps * recipe.encoder.batch)
        fresh, training = networks_of(wide), replace(recipe.encoder, epochs=1)
        optimizers, loss = make_optimizers(fresh, training), loss_of(fresh, wide)
        yield
        list(fit(fresh, optimizers, loss, split.images[part], split.labels[part], training, seed=0))
        yield steps

    tasks: Tasks = {}
    for count in counts:
        tasks |= {f"encode {count}": lambda n=count: encode(n), f"views {count}": lambda n=count: views(n)}
    return tasks | {f"step {width}": lambda w=width: step(w) for width in widths}


def measure(scale: str, counts: Sequence[int], widths: Sequence[int], steps: int, repeats: int) -> tuple[list[Row], Figure]:
    """Rows that say how time grew from the smallest to the largest, and the curves."""
    found = compare({"ours": (prepare, scale, counts, widths, steps)}, repeats)["ours"]
    times = {
        "encoding": [found[f"encode {count}"] for count in counts],
        "two views each": [found[f"views {count}"] for count in counts],
        "step": [found[f"step {width}"] for width in widths],
    }
    span = f"{counts[0]:,} to {counts[-1]:,} images"
    rows = [_row(f"{what}, {span}", counts, times[what]) for what in ("encoding", "two views each")]
    rows.append(_row(f"a training step, latent of {widths[0]} to {widths[-1]:,}", widths, times["step"]))
    return rows, draw(counts, widths, {what: [median(turns) for turns in of] for what, of in times.items()})


def _row(name: str, sizes: Sequence[int], seconds: Sequence[Sequence[float]]) -> Row:
    """Growth as an exponent p, time ~ size^p from the first to the last: 1 is linear."""
    largest, smallest = seconds[-1], seconds[0]
    times, (lowest, highest) = ratio(largest, smallest)
    power, *spread = (math.log(one, sizes[-1] / sizes[0]) for one in (times, lowest, highest))
    return Row(f"growth of {name}, as a power", median(largest), median(smallest), "s", power, tuple(spread), most=MOST)


def draw(counts: Sequence[int], widths: Sequence[int], curves: dict[str, list[float]]) -> Figure:
    """Two panels on logarithmic axes: seconds by images, and seconds a step by latent width."""
    caption = "Time grows in proportion to the images, and hardly with the width of the latent: the convolutions before it cost the same."
    figure, axes = plots.canvas("How time grows", caption, columns=2, size=(7.0, 3.2))
    for what in ("encoding", "two views each"):
        axes[0, 0].plot(counts, curves[what], marker="o", markersize=4, label=what)
    axes[0, 0].set(xscale="log", yscale="log")
    axes[0, 0].legend()
    plots.label(axes[0, 0], "images", "seconds")
    axes[0, 1].plot(widths, curves["step"], marker="o", markersize=4)
    axes[0, 1].set(xscale="log", ylim=(0, 1.2 * max(curves["step"])))
    axes[0, 1].set_xticks(widths, [str(width) for width in widths])
    axes[0, 1].minorticks_off()
    plots.label(axes[0, 1], "dimensions of the latent", "seconds a training step")
    return figure
