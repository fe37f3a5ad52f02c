"""`python -m benchmarks`: measure everything and write it into results/benchmarks, in the folder of the cores' precision.

Half an hour on two cores; nothing else should run.
"""

import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from matplotlib.figure import Figure

from benchmarks import growth, kernels, layers, report, speed, tsne
from benchmarks.images import images
from benchmarks.rows import Row, write
from latent.compute import device
from latent.show.display import DOTS_PER_INCH

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Amounts:
    """How much is measured, and how often."""

    scale: str = "cpu"
    images: int = 2_048
    repeats: int = 3
    points: int = 10_000
    counts: tuple[int, ...] = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
    widths: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    notebooks: Path | None = ROOT / "notebooks"


def measure(amounts: Amounts) -> tuple[list[Row], Figure, str]:
    """All rows, the plot of growth, and what the points of t-SNE were."""
    of_report = report.rows(amounts.notebooks, amounts.repeats) if amounts.notebooks else []  # first: notebooks may wait to be run
    rows = speed.rows(amounts.scale, amounts.images, amounts.repeats)
    of_kernels = kernels.rows(amounts.repeats)
    points, of_tsne = tsne.rows(amounts.points, amounts.repeats)
    grown, figure = growth.measure(amounts.scale, amounts.counts, amounts.widths, 2, amounts.repeats)
    return [*rows, *of_kernels, *of_tsne, *of_report, *grown], figure, points


def save(amounts: Amounts, folder: Path) -> list[Row]:
    """Measure; write the table, the ratios and the plot into `folder`."""
    start = time.perf_counter()
    rows, figure, points = measure(amounts)
    steps = "".join(f"\n### {name}\n\n{layers.table(name, amounts.scale, amounts.repeats)}\n" for name in speed.MINUTES)
    before = f"""# How fast

Made by `make bench`. Machine: {device.describe(torch.device("cpu"))}; torch {torch.__version__.split("+")[0]}. Images: {images(1)[0]}.
Points of t-SNE: {points}. Medians of {amounts.repeats} turns after a warm-up
(t-SNE: without), contestants one after the other in each turn, each in a process of its own (t-SNE and the report: in one).
Recipes: `{amounts.scale}`."""
    after = f"""![{figure.get_label()}](growth.png)

- **Ratio** is of the medians: ours against the other, above 1 where ours is better, and a share in the rows of arithmetic and of data.
  **Lowest to highest** is the same ratio turn by turn. Growth is the power p in time ~ size^p, between the two times shown (largest,
  smallest). KL divergence and trustworthiness, of the first maps, are divided, ours by theirs.
- **Training** is the project's own loop (`latent.train.fit`) with `keep_memory`, which `latent train` calls, too. The others
  train the same networks on the same batches in float32, from PIL images, with a DataLoader of two workers and AdamW, and
  let glibc hand memory back.
- **Data and views alone** is the same with no training: what the data route gains by itself. lightly's transform is the one it advises for
  CIFAR-10; torchvision's does what the recipe does.
- **Arithmetic** is what `torch.utils.flop_counter` counts in a forward and a backward pass, over the seconds of a whole training step;
  the matrix product is of side 2048 in the same precision, in the same process, in turns.
- **Gradient of kernels**: of a 3×3 convolution, for batches of {kernels.BATCH} feature maps; ours is nine matrix products
  (`latent.compute.convolution`).
- **t-SNE**: ours is scikit-learn's; both get the same points. KL divergence is exact, over all pairs, with the same affinities.

## Where a training step goes

Layers of one kind on maps of one size, timed one by one on what they meet in a step; the matrix rate as above, in the same process.
{steps}

All took {(time.perf_counter() - start) / 60:.1f} minutes."""
    write(rows, before, after, folder)
    figure.savefig(folder / "growth.png", dpi=DOTS_PER_INCH, metadata={"Software": None, "Description": figure.get_label()})
    return rows


if __name__ == "__main__":
    if find_spec("lightly") is None:
        sys.exit("benchmarks: lightly is missing; run `make bench`, or pip install --editable '.[bench]'")
    kind = str(device.precision(torch.device("cpu"))).removeprefix("torch.")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results/benchmarks" / kind
    save(Amounts(), folder)
    print((folder / "README.md").read_text())
