"""Every figure of the report, drawn from results and tensors in the style of `latent.show.plots`."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from torch import Tensor, nn
from torch.nn import functional as F

from latent.data import Dataset, Split
from latent.models import parameter_count
from latent.probe import confusions, worst_pair
from latent.recipes import Views
from latent.show import drawing
from latent.show.plots import CLASS_COLOURS, COLOURS, canvas, images, label
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


def random_views(data: Dataset, views: Views, experiment: str, draws: int = 9, count: int = 2, seed: int = 0) -> Figure:
    """Some training images, each beside random views of it, shown as large as the image: what an encoder is trained on."""
    shown = to_float(data.train.images[:count])
    generator = torch.Generator().manual_seed(seed)
    columns = [shown, *(F.interpolate(view(shown, views, generator), shown.shape[-2:]) for _ in range(draws))]
    return images(
        torch.stack(columns, 1),
        [data.classes[label] for label in data.train.labels[:count]],
        ["image", *(f"view {n + 1}" for n in range(draws))],
        f"{data.title}, {way(experiment)}: what the encoder is shown",
        f"Left: {count} training images. Beside each, {draws} random views of it.",
        size=0.54,
    )


def network(networks: nn.ModuleDict, data: Dataset, experiment: str) -> Figure:
    """A drawing of an encoder and of what is trained on its latents: feature maps as boxes, vectors as bars, layers in words."""
    image = to_float(data.train.images[:1])
    names = {name: f"{name}, {parameter_count(part):,} parameters" for name, part in networks.items() if name != "reader"}
    encoder, latent = drawing.steps(networks["encoder"].eval(), image)
    ways = {names[name]: drawing.steps(networks[name].eval(), latent)[0] for name in names if name != "encoder"}
    figure, axes = canvas(
        f"{data.title}, {way(experiment)}: the networks",
        f"Networks of {data.title}, {way(experiment)}. Boxes: feature maps, channels and sides below; bars: vectors. On the lines: layers, "
        "but for BatchNorm, ReLU, dropout.",
    )
    right, top, bottom = drawing.draw(axes[0, 0], (names["encoder"], [drawing.Step("", (data.channels, data.side)), *encoder]), ways)
    width, height = max(right + 0.26, 0.095 * len(figure.get_suptitle())), top - bottom + 0.26
    left = (right - width) / 2  # in the middle of its picture
    figure.set_layout_engine("none")  # a unit of the drawing is an inch
    figure.set_size_inches(width, height)
    figure.suptitle(figure.get_suptitle(), fontsize=12, y=1 - 0.04 / height, va="top")
    axes[0, 0].set(position=(0, 0, 1, 1), xlim=(left - 0.05, left + width - 0.05), ylim=(bottom, bottom + height))
    axes[0, 0].set_axis_off()
    return figure


def curves(records: Sequence[dict]) -> Figure:
    """The loss of the encoder's training and validation by epoch, and the classifier's validation accuracy, a line a seed."""
    first, last = records[0], [record["curves"]["encoder"][-1] for record in records]
    ends = [f"{np.mean([row[key] for row in last]):.4f}" for key in ("train_loss", "validation_loss")]
    figure, axes = canvas(
        f"{first['data']['title']}, {way(first['experiment'])}: training",
        f"Left: the loss of the encoder's training by epoch (logarithmic axis), at the end {ends[0]} in training and {ends[1]} in "
        f"validation. Right: accuracy of the classifier on validation images. "
        f"{'One seed.' if len(records) == 1 else f'A line for each of {len(records)} seeds.'}",
        columns=2,
        size=(6.6, 1.55),
    )
    figure.get_layout_engine().set(wspace=0.06)
    _losses(axes[0, 0], records)
    for record in records:
        classifier = record["curves"].get("classifier", record["curves"]["encoder"])
        axes[0, 1].plot(*_column(classifier, "validation_accuracy"), color=COLOURS[2], linewidth=1)
    axes[0, 0].legend(loc="upper right", frameon=False, fontsize=8, labelspacing=0.2, handlelength=1.2, borderaxespad=0.1)
    label(axes[0, 0], "epoch", "loss")
    label(axes[0, 1], "epoch", "accuracy (%)")
    for panel in axes[0]:
        panel.yaxis.label.set_size(8)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def _losses(axes: Axes, records: Sequence[dict]) -> None:
    """The loss of an encoder on training and validation images by epoch, a line a record, on `axes`, which become logarithmic."""
    for number, record in enumerate(records):
        for key, name, colour in (("train_loss", "training", COLOURS[0]), ("validation_loss", "validation", COLOURS[1])):
            shown = _column(record["curves"]["encoder"], key)
            axes.plot(*shown, color=colour, label=name if number == 0 else None, linewidth=1)
    axes.set_yscale("log")
    ticks = _ticks(*axes.get_ylim())
    axes.set_ylim(ticks[0], ticks[-1])
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _ticks(low: float, high: float) -> np.ndarray:
    """Round numbers for a logarithmic axis, from below `low` to above `high`: 1, 2, 5, 10 …; even steps of a short stretch."""
    if high > 3 * low:
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        ticks = np.outer(decades, (1, 2, 5)).flatten()
    else:
        ticks = MaxNLocator(4).tick_values(low, high)
    return ticks[np.flatnonzero(ticks <= low)[-1] : np.flatnonzero(ticks >= high)[0] + 1]


def _column(rows: Sequence[dict], key: str) -> tuple[list[float], list[float]]:
    return [row["epoch"] for row in rows], [row[key] for row in rows]


def reconstructions(shown: Split, decoded: Tensor, reference: Tensor, data: Dataset) -> Figure:
    """Test images, what an autoencoder makes of them, the absolute difference, and what PCA makes of as many numbers."""
    originals = to_float(shown.images)
    difference = (originals - decoded).abs()
    errors = zip(difference.mean((1, 2, 3)), (originals - reference).abs().mean((1, 2, 3)))
    names = [f"{data.classes[c]}\n{ours:.4f}\n{theirs:.4f}" for c, (ours, theirs) in zip(shown.labels, errors)]
    figure = images(
        torch.stack([originals, decoded, (3 * difference).clamp(max=1), reference]),
        ["image", "decoded", "|error| × 3", "PCA"],
        names,
        f"{data.title}, autoencoder: images and reconstructions",
        "Random test images (seed 0), what the decoder makes of their 128 numbers, three times the absolute difference, and what 128 "
        "principal components give. Above each: its class, and the mean absolute errors of the decoder and of PCA.",
        size=0.64,
    )
    _name_title_rows(figure.axes[0], ["error", "PCA's error"])
    return figure


def _name_title_rows(panel: Axes, names: Sequence[str]) -> None:
    """Name the last lines of the title of `panel` at their left, in line with the names of the rows."""
    aside = (-panel.yaxis.labelpad, rcParams["axes.titlepad"])
    style = {"ha": "right", "va": "baseline", "fontsize": panel.title.get_fontsize()}
    panel.annotate("\n".join(names), (0, 1), aside, xycoords="axes fraction", textcoords="offset points", **style)


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


def scatter(axes: Axes, points: np.ndarray, labels: Tensor, classes: Sequence[str], size: float = 4) -> None:
    """Points (N, 2) coloured by class, drawn on `axes` in their own order, so that no class covers another."""
    colours = [CLASS_COLOURS[number % len(CLASS_COLOURS)] for number in range(len(classes))]
    axes.scatter(*points.T, s=size, c=[colours[number] for number in labels.tolist()], linewidths=0, rasterized=True)
    for name, colour in zip(classes, colours):
        axes.scatter([], [], s=size, color=colour, label=str(name), linewidths=0)


def confusion(predicted: Tensor, labels: Tensor, data: Dataset, experiment: str) -> Figure:
    """How often an image of each class (row) is taken for each class (column), in percent of the row."""
    classes = data.classes
    count = len(classes)
    share, (most, true, taken) = confusions(predicted, labels, count).numpy(), worst_pair(predicted, labels, classes)
    figure, axes = canvas(
        f"{data.title}, {way(experiment)}: what is taken for what",
        "Of the test images of each true class (row), how many per cent are taken for each class (column); blank: under 0.05. "
        f"Seed 0. The commonest mistake: {true} taken for {taken}, {most:.1f} %.",
        size=(6.7, 2.7),
    )
    axes[0, 0].imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")  # wide cells, for numbers to be read
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.05:
            axes[0, 0].text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color="white" if value > 50 else "black")
    axes[0, 0].set_xticks(range(count), [str(c) for c in classes], fontsize=7)
    axes[0, 0].set_yticks(range(count), [str(c) for c in classes])
    label(axes[0, 0], "predicted class", "true class")
    axes[0, 0].grid(False)
    axes[0, 0].set_xticks(np.arange(0.5, count - 1), minor=True)
    axes[0, 0].set_yticks(np.arange(0.5, count - 1), minor=True)
    axes[0, 0].grid(which="minor", linewidth=0.4)
    return figure


def hardest(probabilities: Tensor, data: Dataset, experiment: str, count: int = 10) -> Figure:
    """The test images whose class a classifier believes least; probabilities (N, classes) of all of them."""
    believed = probabilities.gather(1, data.test.labels[:, None])[:, 0]
    worst = believed.argsort()[:count]
    pairs = zip(data.test.labels[worst], probabilities[worst].argmax(1))
    return images(
        to_float(data.test.images[worst])[None],
        ["test"],
        [f"{data.classes[true]}\nas {data.classes[taken]}" for true, taken in pairs],
        f"{data.title}, {way(experiment)}: what is still mistaken",
        f"The {len(worst)} test images to whose own class the classifier gives the least probability, and what it takes them for.",
        size=max(0.55, 0.08 * max(map(len, data.classes))),
    )


def neighbours(queries: Split, found: Sequence[Split], data: Dataset, experiment: str) -> Figure:
    """Test images, each followed by the training images nearest in the latent space of an experiment; found[query] holds those.

    A neighbour of another class than the query's has a red frame, and its class below it.
    """
    pictures = [torch.cat([image[None], near.images]) for image, near in zip(queries.images, found)]
    counts = [(near.labels == asked).sum() for asked, near in zip(queries.labels, found)]
    figure = images(
        torch.stack(pictures) / 255,
        [f"{data.classes[asked]}\n{count} of {len(near)}" for asked, count, near in zip(queries.labels, counts, found)],
        ["test", "nearest", *(str(n) for n in range(2, len(found[0]) + 1))],
        f"{data.title}, {way(experiment)}: nearest neighbours in latent space",
        "Random test images (seed 1), and of 10,000 training images those whose latents are nearest, by cosine similarity; on the left, "
        "how many are of the test image's class. Framed in red, with their class below: those of another.",
        size=0.48,
    )
    grid = np.array(figure.axes).reshape(len(found), -1)
    for row, asked, near in zip(grid, queries.labels, found):
        others = near.labels != asked
        for number in others.nonzero():
            _frame(row[1 + number.item()], data.classes[near.labels[number.item()]])
        figure.set_figheight(figure.get_figheight() + 0.13 * others.any().item())  # for the line of names
    return figure


def _frame(panel: Axes, name: str) -> None:
    """A red frame around the image of `panel`, and a name in red below it."""
    panel.spines[:].set(visible=True, color=COLOURS[2], linewidth=1.5)
    panel.set_xlabel(name, fontsize=7, color=COLOURS[2], labelpad=1.5)


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
