"""Every figure of the report, drawn from results and tensors in the style of `latent.show.plots`."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from torch import Tensor
from torch.nn import functional as F

from latent.data import Dataset, Split
from latent.probe import confusions
from latent.recipes import Views
from latent.show.plots import COLOURS, canvas, images, label, lines
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


def random_views(data: Dataset, views: Views, draws: int = 9, count: int = 4, seed: int = 0) -> Figure:
    """Some training images, each beside random views of it, shown as large as the image."""
    shown = to_float(data.train.images[:count])
    generator = torch.Generator().manual_seed(seed)
    columns = [shown, *(F.interpolate(view(shown, views, generator), shown.shape[-2:]) for _ in range(draws))]
    return images(
        torch.stack(columns, 1),
        [data.classes[label] for label in data.train.labels[:count]],
        ["image", *(f"view {n + 1}" for n in range(draws))],
        f"{data.title}: what the encoder is shown",
        "Training images (left) and random views of them as the encoder sees them in training. Every view is a draw of its own.",
        size=0.62,
    )


def curves(records: Sequence[dict]) -> Figure:
    """The loss of the encoder's training and validation by epoch, and the classifier's validation accuracy, a line a seed."""
    figure, axes = canvas(
        f"{records[0]['experiment']}: training",
        "Left: the encoder's loss after each epoch, on the training and the validation split, under the recipe's views. Right: the "
        "classifier's accuracy on the validation split, on images as they are. "
        f"{'One seed.' if len(records) == 1 else f'One line for each of {len(records)} seeds.'}",
        columns=2,
    )
    for number, record in enumerate(records):
        encoder, classifier = record["curves"]["encoder"], record["curves"].get("classifier", record["curves"]["encoder"])
        for key, colour in (("train_loss", COLOURS[0]), ("validation_loss", COLOURS[1])):
            name = key.replace("_", " ") if number == 0 else None
            axes[0, 0].plot(*_column(encoder, key), color=colour, label=name, marker=".")
        axes[0, 1].plot(*_column(classifier, "validation_accuracy"), color=COLOURS[2], marker=".")
    axes[0, 0].legend()
    label(axes[0, 0], "epoch", "loss", "encoder")
    label(axes[0, 1], "epoch", "validation accuracy (%)", "classifier")
    for panel in axes[0]:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def _column(rows: Sequence[dict], key: str) -> tuple[list[float], list[float]]:
    return [row["epoch"] for row in rows], [row[key] for row in rows]


def reconstructions(shown: Split, decoded: Tensor, data: Dataset) -> Figure:
    """Test images above what the decoder makes of their latents, and the absolute difference."""
    originals = to_float(shown.images)
    errors = (originals - decoded).abs()
    names = [f"{data.classes[c]}\nMAE {e:.4f}" for c, e in zip(shown.labels, errors.mean((1, 2, 3)))]
    return images(
        torch.stack([originals, decoded, errors]),
        ["image", "reconstruction", "|difference|"],
        names,
        f"{data.title}: images and reconstructions",
        "Test images drawn at random by a fixed seed (top), their reconstructions from 128 numbers (middle) and the absolute "
        "difference (bottom), pixels in [0, 1]. Above each column: the class and the mean absolute error.",
        size=1.05,
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


def belief(probabilities: Tensor, classes: Sequence[str], shown: int = 4) -> Figure:
    """What a classifier believes along a walk through latent space; probabilities (steps, classes)."""
    top = probabilities.amax(0).topk(shown).indices.tolist()
    weights = np.linspace(0, 1, len(probabilities))
    return lines(
        {f"class {classes[c]}": (weights, probabilities[:, c].tolist()) for c in top},
        "The classifier's belief along the walk",
        f"Probability that the classifier gives to the {shown} classes it favours most anywhere on the way, for each interpolated latent.",
        "weight of the second image",
        "probability",
    )


def tsne_map(points: np.ndarray, labels: Tensor, classes: Sequence[str], title: str, caption: str) -> Figure:
    """One t-SNE map, points (N, 2), coloured by class."""
    figure, axes = canvas(title, caption, size=(6.2, 4.6))
    scatter(axes[0, 0], points, labels, classes)
    label(axes[0, 0], "t-SNE dimension 1", "t-SNE dimension 2")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=4, title="class")
    return figure


def tsne_pair(latent_map: np.ndarray, image_map: np.ndarray, labels: Tensor, classes: Sequence[str], name: str, scores: str) -> Figure:
    """The maps of one encoder's latents and of the images themselves, side by side: same points, same seed."""
    return tsne_row(
        {"latent domain": latent_map, "image domain": image_map},
        labels,
        classes,
        f"{name}: t-SNE of latents and of images",
        f"The same {len(labels)} test images, mapped from their latents (left) and from their pixels (right), coloured by class; "
        f"neither map saw a label. {scores}",
    )


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


def comparison(rows: Mapping[str, Mapping[str, Sequence[float]]], title: str, caption: str) -> Figure:
    """Grouped bars of accuracy: rows[experiment][measure] holds a value a seed; bars are means, whiskers one standard deviation."""
    figure, axes = canvas(title, caption)
    measures = list(next(iter(rows.values())))
    width = 0.8 / len(measures)
    for offset, measure in enumerate(measures):
        values = [np.asarray(rows[name][measure], dtype=float) for name in rows]
        spread = [v.std(ddof=1) if len(v) > 1 else 0 for v in values]
        places = np.arange(len(rows)) + (offset - (len(measures) - 1) / 2) * width
        drawn = axes[0, 0].bar(places, [v.mean() for v in values], width, yerr=spread, capsize=2, label=measure, color=COLOURS[offset])
        axes[0, 0].bar_label(drawn, fmt="%.1f", fontsize=7, padding=1)
    lowest = min(np.mean(rows[name][measure]) for name in rows for measure in measures)
    axes[0, 0].set_ylim(max(0, 10 * (lowest // 10) - 10), 103)
    axes[0, 0].set_xticks(range(len(rows)), list(rows), fontsize=8)
    figure.legend(loc="outside lower center", ncols=len(measures))
    label(axes[0, 0], "experiment", "accuracy (%)")
    return figure


def trade_off(points: Mapping[str, tuple[float, float]], chosen: str, title: str, caption: str) -> Figure:
    """Reconstruction error against accuracy: `points` are name → (MAE, accuracy in percent), joined in their order; `chosen` is ringed."""
    figure, axes = canvas(title, caption)
    axes[0, 0].plot(*zip(*points.values()), color=COLOURS[3], marker="o", markersize=5)
    axes[0, 0].plot(*points[chosen], color=COLOURS[2], marker="o", markersize=12, fillstyle="none", linestyle="none", label="chosen")
    for number, (name, place) in enumerate(points.items()):  # names in turns below and above: neighbours' names do not meet
        axes[0, 0].annotate(name, place, (0, 9 if number % 2 else -17), textcoords="offset points", fontsize=8, ha="center")
    axes[0, 0].margins(x=0.25, y=0.2)
    axes[0, 0].legend(loc="lower right")
    label(axes[0, 0], "validation MAE (pixels in [0, 1])", "validation accuracy (%)")
    return figure


def confusion(predicted: Tensor, labels: Tensor, data: Dataset) -> Figure:
    """How often an image of each class (row) is taken for each class (column), in percent of the row."""
    classes = data.classes
    count = len(classes)
    share = confusions(predicted, labels, count).numpy()
    figure, axes = canvas(
        f"{data.title}: confusions",
        "Share of the test images of each true class (row) that the classifier takes for each class (column), in percent; "
        "shares under 0.05 are left blank.",
        size=(6.2, 4.6),
    )
    axes[0, 0].imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.05:
            axes[0, 0].text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=7, color="white" if value > 50 else "black")
    axes[0, 0].set_xticks(range(count), [str(c) for c in classes], rotation=45 if max(map(len, classes)) > 2 else 0)
    axes[0, 0].set_yticks(range(count), [str(c) for c in classes])
    label(axes[0, 0], "predicted class", "true class")
    axes[0, 0].grid(False)
    axes[0, 0].set_xticks(np.arange(0.5, count - 1), minor=True)
    axes[0, 0].set_yticks(np.arange(0.5, count - 1), minor=True)
    axes[0, 0].grid(which="minor", linewidth=0.4)
    return figure


def neighbours(queries: Split, found: Sequence[Split], data: Dataset) -> Figure:
    """Test images, each followed by the training images whose latents are nearest by cosine similarity."""
    rows = [torch.cat([image[None], near.images]) for image, near in zip(queries.images, found)]
    return images(
        torch.stack(rows) / 255,
        [data.classes[c] for c in queries.labels],
        ["test image", *(f"nearest {n + 1}" for n in range(len(found[0])))],
        f"{data.title}: nearest neighbours in latent space",
        "Random test images (left) and the training images, of a random sample, whose latents lie nearest by cosine similarity. "
        "What a row has in common is what the encoder keeps.",
        size=0.66,
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
