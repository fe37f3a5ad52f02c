"""Every figure of the report, drawn from results and tensors in the style of `latent.show.plots`."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from torch import Tensor, nn
from torch.nn import functional as F

from latent.data import Dataset, Split
from latent.models import parameter_count
from latent.probe import confusions, worst_pair
from latent.recipes import Views
from latent.show.plots import COLOURS, canvas, images, label
from latent.show.tables import way
from latent.views import to_float, view


def samples(data: Dataset, per_class: int = 10, seed: int = 0) -> Figure:
    """`per_class` random training images of every class, a row a class."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
    labels = data.train.labels[order]
    rows = [data.train.images[order[(labels == c).nonzero()[:per_class, 0]]] for c in range(len(data.classes))]
    return images(
        torch.stack(rows) / 255,
        [str(name) for name in data.classes],
        [str(n + 1) for n in range(per_class)],
        f"{data.title}: training images",
        f"{per_class} images of every class of {data.title}, drawn at random from the training split (rows: classes; columns: draws).",
        size=0.4,
    )


def random_views(data: Dataset, views: Views, draws: int = 9, count: int = 2, seed: int = 0) -> Figure:
    """Some training images, each beside random views of it, shown as large as the image."""
    shown = to_float(data.train.images[:count])
    generator = torch.Generator().manual_seed(seed)
    columns = [shown, *(F.interpolate(view(shown, views, generator), shown.shape[-2:]) for _ in range(draws))]
    return _close(
        torch.stack(columns, 1),
        [data.classes[label] for label in data.train.labels[:count]],
        ["image", *(f"view {n + 1}" for n in range(draws))],
        f"{data.title}: what the encoder is shown",
        f"Left: {count} training images. Beside each, {draws} random views of it.",
        size=0.5,
    )


def _close(pictures: Tensor, rows: Sequence[str], columns: Sequence[str], title: str, caption: str, size: float) -> Figure:
    """`images` with little between them: for print."""
    figure = images(pictures, rows, columns, title, caption, size)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    lines = 1 + max(name.count("\n") for name in columns)
    figure.set_figheight(0.4 + 0.16 * lines + (size + 0.04) * len(rows))
    return figure


def network(networks: nn.ModuleDict, data: Dataset) -> Figure:
    """A drawing of an encoder and of what is trained on its latents: feature maps as boxes, layers of perceptrons as bars."""
    latent, encoder = _encoder_maps(networks["encoder"].eval(), data)
    ways = {name: part for name, part in networks.items() if name not in ("encoder", "reader")}
    rows = [_decoder_maps(part.eval(), latent, data) if name == "decoder" else _widths(part) for name, part in ways.items()]
    names = [f"{name}, {parameter_count(networks[name]):,} parameters" for name in ("encoder", *ways)]
    figure, axes = canvas(
        f"{data.title}: the networks",
        "Boxes are feature maps, as high as their side: channels, and below them the sides. Bars are layers of so many numbers.",
        size=(7.0, 0.6 + 0.95 * len(rows)),
    )
    panel, y = axes[0, 0], 0.0
    panel.set_axis_off()
    start = _row(panel, _row(panel, 0, 0, encoder, names[0]), 0, [(latent.shape[1],)], "latent", COLOURS[2])
    for name, boxes in zip(names[1:], rows):
        panel.annotate("", (start - 0.06, y), (start - 0.34, 0), arrowprops={"arrowstyle": "->", "color": "grey"})
        _row(panel, start, y, boxes, name, COLOURS[0] if len(boxes[0]) > 1 else COLOURS[1])
        y -= 1.85 if len(boxes[0]) > 1 else 1.5
    panel.set(xlim=(-0.2, max(6.4, panel.dataLim.x1 + 0.2)), ylim=(y + 0.65, 0.95))
    return figure


@torch.no_grad()
def _encoder_maps(encoder: nn.Module, data: Dataset) -> tuple[Tensor, list[tuple[int, int]]]:
    """A latent, and (channels, side) of the maps on the way to it, the image first: the last map of each side."""
    image = to_float(data.train.images[:1])
    latent, passed = _watched(encoder, image)
    last = {side: channels for channels, side in passed}
    return latent, [(data.channels, data.side), *((channels, side) for side, channels in last.items() if side != data.side)]


@torch.no_grad()
def _decoder_maps(decoder: nn.Module, latent: Tensor, data: Dataset) -> list[tuple[int, int]]:
    """(channels, side) of the maps on the way from a latent to the image: the first map of each side, and the image."""
    _, passed = _watched(decoder, latent)
    first = {side: channels for channels, side in reversed(passed)}
    return [*((channels, side) for side, channels in reversed(first.items())), (data.channels, data.side)]


def _watched(network: nn.Module, x: Tensor) -> tuple[Tensor, list[tuple[int, int]]]:
    """What `network` makes of `x`, and (channels, side) of every map that enters or leaves one of its stages."""
    passed: list[tuple[int, int]] = []

    def note(_, inputs: tuple[Tensor], out: Tensor) -> None:
        passed.extend((maps.shape[1], maps.shape[-1]) for maps in (inputs[0], out))

    stages = next((part.stages for part in network.modules() if hasattr(part, "stages")), ())
    pools = [part for part in network.modules() if isinstance(part, nn.AdaptiveMaxPool2d)]
    hooks = [layer.register_forward_hook(note) for layer in (*stages, *pools)]
    out = network(x)
    for hook in hooks:
        hook.remove()
    return out, passed


def _widths(perceptron: nn.Module) -> list[tuple[int]]:
    return [(layer.out_features,) for layer in perceptron.modules() if isinstance(layer, nn.Linear)]


def _row(axes: Axes, x: float, y: float, boxes: Sequence[tuple[int, ...]], name: str, colour: str = COLOURS[0]) -> float:
    """Draw boxes from `x` on about the height `y`, joined by lines, the name of the row above them; where the next may begin."""
    sizes = [(0.06 + 0.05 * np.log2(count), 0.2 + side[0] / 32) if side else (0.12, 0.08 * np.log2(count)) for count, *side in boxes]
    start = x
    axes.text(x, y + 0.1 + max(high for _, high in sizes) / 2, name, fontsize=9, va="bottom")
    for number, ((count, *side), (wide, high)) in enumerate(zip(boxes, sizes)):
        if number:
            axes.plot([x - 0.32, x], [y, y], color="grey", linewidth=1)
        axes.add_patch(Rectangle((x, y - high / 2), wide, high, facecolor=colour, edgecolor="black", linewidth=0.6))
        text = f"{count}\n{side[0]}×{side[0]}" if side else str(count)
        axes.text(x + wide / 2, y - high / 2 - 0.06, text, fontsize=8, ha="center", va="top", linespacing=1.0)
        axes.update_datalim([(x, y), (x + wide, y)])
        x += wide + 0.32
    return max(x, start + 0.062 * len(name)) + 0.1


def curves(records: Sequence[dict]) -> Figure:
    """The loss of the encoder's training and validation by epoch, and the classifier's validation accuracy, a line a seed."""
    first, last = records[0], [record["curves"]["encoder"][-1] for record in records]
    ends = [f"{np.mean([row[key] for row in last]):.4f}" for key in ("train_loss", "validation_loss")]
    figure, axes = canvas(
        f"{first['data']['title']} by {way(first['experiment'])}: training",
        f"Left: the loss of the encoder's training by epoch, at the end {ends[0]} in training and {ends[1]} in validation. Right: accuracy "
        f"of the classifier on validation images. {'One seed.' if len(records) == 1 else f'A line for each of {len(records)} seeds.'}",
        columns=2,
        size=(7.0, 1.6),
    )
    losses(axes[0, 0], records)
    for record in records:
        classifier = record["curves"].get("classifier", record["curves"]["encoder"])
        axes[0, 1].plot(*_column(classifier, "validation_accuracy"), color=COLOURS[2], linewidth=1)
    axes[0, 0].legend()
    label(axes[0, 0], "epoch", "loss")
    label(axes[0, 1], "epoch", "accuracy (%)")
    for panel in axes[0]:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def losses(axes: Axes, records: Sequence[dict]) -> None:
    """The loss of an encoder on training and validation images by epoch, a line a record, drawn on `axes`."""
    for number, record in enumerate(records):
        for key, name, colour in (("train_loss", "training", COLOURS[0]), ("validation_loss", "validation", COLOURS[1])):
            shown = _column(record["curves"]["encoder"], key)
            axes.plot(*shown, color=colour, label=name if number == 0 else None, linewidth=1)


def _column(rows: Sequence[dict], key: str) -> tuple[list[float], list[float]]:
    return [row["epoch"] for row in rows], [row[key] for row in rows]


def reconstructions(shown: Split, decoded: Tensor, reference: Tensor, data: Dataset) -> Figure:
    """Test images above what the decoder makes of their latents, the absolute difference, and what PCA makes of as many numbers."""
    originals = to_float(shown.images)
    difference = (originals - decoded).abs()
    errors = zip(difference.mean((1, 2, 3)), (originals - reference).abs().mean((1, 2, 3)))
    names = [f"{data.classes[c]}\n{ours:.4f}\n{theirs:.4f}" for c, (ours, theirs) in zip(shown.labels, errors)]
    return _close(
        torch.stack([originals, decoded, (3 * difference).clamp(max=1), reference]),
        ["image", "decoded", "|error| × 3", "PCA"],
        names,
        f"{data.title}: images and reconstructions",
        "Random test images (seed 0), what the decoder makes of their 128 numbers, three times the absolute difference, and what 128 "
        "principal components give. Above each: its class, the decoder's mean absolute error, and below it PCA's.",
        size=0.58,
    )


def interpolation(decoded: Tensor, blended: Tensor, ends: Sequence[str]) -> Figure:
    """A walk between two images: decoded from interpolated latents, and the images themselves blended."""
    steps = len(decoded)
    return images(
        torch.stack([decoded, blended]),
        ["latent space", "pixel space"],
        [f"{k / (steps - 1):.2f}" for k in range(steps)],
        f"From {ends[0]} to {ends[1]} in {steps} steps",
        "Top: latents of two test images interpolated linearly, each decoded. Bottom: the two images blended pixel by pixel with the "
        "same weights. Above each column: the weight of the second image.",
        size=0.62,
    )


def tsne_map(points: np.ndarray, labels: Tensor, classes: Sequence[str], title: str, caption: str) -> Figure:
    """One t-SNE map, points (N, 2), coloured by class."""
    figure, axes = canvas(title, caption, size=(6.2, 4.6))
    scatter(axes[0, 0], points, labels, classes)
    label(axes[0, 0], "t-SNE dimension 1", "t-SNE dimension 2")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=4, title="class")
    return figure


def tsne_row(maps: Mapping[str, np.ndarray], labels: Tensor, classes: Sequence[str], title: str, caption: str) -> Figure:
    """Several t-SNE maps of the same points side by side, one legend."""
    figure, axes = canvas(title, caption, columns=len(maps), size=(7.2, 0.9 + 6.2 / len(maps)))
    for panel, (name, points) in zip(axes[0], maps.items()):
        scatter(panel, points, labels, classes)
        label(panel, "t-SNE dimension 1", "t-SNE dimension 2", name)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        *handles,
        loc="outside lower center",
        ncols=10 if max(map(len, classes)) < 3 else 5,
        markerscale=4,
        columnspacing=1,
        handletextpad=0.2,
    )
    return figure


def scatter(axes: Axes, points: np.ndarray, labels: Tensor, classes: Sequence[str]) -> None:
    """Points (N, 2) coloured by class, drawn on `axes`."""
    labels = labels.cpu().numpy()
    for number, name in enumerate(classes):
        chosen = points[labels == number]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=4, color=COLOURS[number % len(COLOURS)], label=str(name), linewidths=0, rasterized=True)


def confusion(predicted: Tensor, labels: Tensor, data: Dataset) -> Figure:
    """How often an image of each class (row) is taken for each class (column), in percent of the row."""
    classes = data.classes
    count = len(classes)
    share, (most, true, taken) = confusions(predicted, labels, count).numpy(), worst_pair(predicted, labels, classes)
    figure, axes = canvas(
        f"{data.title}: what is taken for what",
        "Of the test images of each true class (row), how many per cent are taken for each class (column); blank: under 0.05. "
        f"The commonest mistake: {true} taken for {taken}, {most:.1f} %.",
        size=(5.4, 3.0),
    )
    axes[0, 0].imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.05:
            axes[0, 0].text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color="white" if value > 50 else "black")
    axes[0, 0].set_xticks(range(count), [str(c) for c in classes], rotation=45 if max(map(len, classes)) > 2 else 0)
    axes[0, 0].set_yticks(range(count), [str(c) for c in classes])
    label(axes[0, 0], "predicted class", "true class")
    axes[0, 0].grid(False)
    axes[0, 0].set_xticks(np.arange(0.5, count - 1), minor=True)
    axes[0, 0].set_yticks(np.arange(0.5, count - 1), minor=True)
    axes[0, 0].grid(which="minor", linewidth=0.4)
    return figure


def hardest(probabilities: Tensor, data: Dataset, count: int = 10) -> Figure:
    """The test images whose class a classifier believes least; probabilities (N, classes) of all of them."""
    believed = probabilities.gather(1, data.test.labels[:, None])[:, 0]
    worst = believed.argsort()[:count]
    pairs = zip(data.test.labels[worst], probabilities[worst].argmax(1))
    return _close(
        to_float(data.test.images[worst])[None],
        ["test"],
        [f"{data.classes[true]}\nas {data.classes[taken]}" for true, taken in pairs],
        f"{data.title}: what is still mistaken",
        f"The {len(worst)} test images of whose class the classifier is least convinced, and what it takes them for.",
        size=max(0.55, 0.08 * max(map(len, data.classes))),
    )


def neighbours(queries: Split, found: Sequence[Split], data: Dataset) -> Figure:
    """Test images, each followed by the training images whose latents are nearest by cosine similarity."""
    rows = [torch.cat([image[None], near.images]) for image, near in zip(queries.images, found)]
    return _close(
        torch.stack(rows) / 255,
        [data.classes[c] for c in queries.labels],
        ["test", "nearest", *(str(n) for n in range(2, len(found[0]) + 1))],
        f"{data.title}: nearest neighbours in latent space",
        "Random test images (seed 1), and of 10,000 training images those whose latents are nearest, by cosine similarity.",
        size=0.5,
    )


def importance(shares: Mapping[str, float], name: str, measure: str, count: int) -> Figure:
    """How much of a sweep's spread each searched value explains; shares by place in the recipe, largest first."""
    figure, axes = canvas(
        f"{name}: which values matter",
        f"Share of the variance of the {measure} over {count} trials that each searched value explains alone or with others (functional "
        "ANOVA of a random forest, Hutter et al. 2014).",
        size=(7.0, 1.3 + 0.3 * len(shares)),
    )
    drawn = axes[0, 0].barh(list(shares)[::-1], list(shares.values())[::-1], color=COLOURS[0])
    axes[0, 0].bar_label(drawn, fmt="%.2f", fontsize=8, padding=2)
    axes[0, 0].set_xlim(0, 1.1 * max(shares.values()))
    label(axes[0, 0], "share of the variance", "value of the recipe")
    return figure


def slices(
    tried: Mapping[str, Sequence[float]], measured: Sequence[float], best: int, name: str, measure: str, log: Collection[str] = ()
) -> Figure:
    """A sweep's measure against each searched value, a dot a trial; tried[place] and `measured` go by trial, `best` is one of them."""
    columns = min(3, len(tried))
    rows = -(-len(tried) // columns)
    figure, axes = canvas(
        f"{name}: the trials",
        f"The {measure} of {len(measured)} trials against each searched value; the best trial is marked. Pruned trials are not shown.",
        columns,
        rows,
        size=(7.2, 0.9 + 1.9 * rows),
    )
    for panel, (place, values) in zip(axes.flat, tried.items()):
        panel.scatter(values, measured, s=14, color=COLOURS[0], linewidths=0)
        panel.scatter(values[best], measured[best], s=60, color=COLOURS[2], marker="*", linewidths=0)
        if place in log:
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            panel.xaxis.set_minor_formatter(NullFormatter())
        panel.tick_params(labelsize=7)
        label(panel, place, measure)
        panel.xaxis.label.set_size(8)
        panel.yaxis.label.set_size(8)
    for panel in list(axes.flat)[len(tried) :]:
        panel.remove()
    return figure
