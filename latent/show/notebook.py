"""What the notebooks have in common: a plan before the training, and the tables that every one of them shows."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import partial

from matplotlib.figure import Figure
from torch import Tensor, nn

from latent import experiment
from latent.data import Dataset, load, uses_standin
from latent.models import build, parameter_count
from latent.objectives import trained_with
from latent.recipes import EXPERIMENTS, RECIPES, STAGES, UNTRAINED, VARIANTS, Recipe, Views, default_scale, find_recipe
from latent.search import findings, trials
from latent.show import comparison, display, figures, tables
from latent.store import results
from latent.views import to_float

NOTICE = (
    "Made on the embedded stand-in data (scikit-learn's digits and drawn shapes), not on MNIST and CIFAR-10: "
    "these numbers say that the code runs, no more."
)


def plan(name: str) -> tuple[Recipe, Dataset, nn.ModuleDict]:
    """The recipe of an experiment, its data, and its networks as they start; says so where the data is a stand-in."""
    warn()
    recipe = find_recipe(name, default_scale())
    data = load(recipe.dataset)
    return recipe, data, build(recipe, data.channels, data.side, seed=0)


def warn() -> None:
    """A notice where stand-in data is used, which the report repeats on every page."""
    if uses_standin():
        display.notice(NOTICE)


def recipe_table(recipe: Recipe) -> None:
    """Show the recipe in words: the networks' values, then its trainings side by side."""
    stages = {name: training for name in STAGES if (training := getattr(recipe, name))}
    if trained_with(recipe) == "classifier":
        del stages["classifier"]
    values = [[WORDS.get(name, name), in_words(getattr(recipe, name))] for name in _used(recipe)]
    display.table(["value", "set to"], values, "The recipe, first part: what holds for the whole experiment.")
    names = [name for name in vars(recipe.encoder) if name != "copies" or len(stages) > 1]
    rows = [[WORDS.get(name, name), *(in_words(getattr(training, name)) for training in stages.values())] for name in names]
    display.table(["training", *stages], rows, "The recipe, second part: how the weights are found.")


SIDE_BY_SIDE = {  # what tells recipes apart, by its place: what it is called
    "encoder.optimizer": "optimizer",
    "encoder.learning_rate": "peak rate",
    "encoder.rest": "AdamW's share",
    "encoder.beta2": "AdamW's β₂",
    "encoder.weight_decay": "AdamW's decay",
    "encoder.warmup": "warm-up",
    "encoder.batch": "batch",
    "encoder.epochs": "epochs",
    "encoder.settle": "statistics settle",
    "widths": "channels",
    "depth": "residual pairs",
    "folds": "space-to-depth",
    "grid": "last map",
    "temperature": "temperature",
    "encoder.label_smoothing": "label smoothing",
    "hidden": "hidden layers",
    "dropout": "dropout",
}


def recipes_table(names: Sequence[str]) -> None:
    """Show the recipes of experiments side by side, a column each; a dash where a recipe makes no use of a value.

    What all have alike stands in the note.
    """
    recipes = [find_recipe(name, default_scale()) for name in names]
    body = [[called, *(_cell(recipe, place) for recipe in recipes)] for place, called in SIDE_BY_SIDE.items()]
    header = ["", *(f"{in_words(recipe.dataset)}, {tables.way(name)}" for name, recipe in zip(names, recipes))]
    alike = [f"{called} {values[0]}" for called, *values in body if len(set(values)) == 1]
    note = (
        f"The recipes of the six encoders. In all: {', '.join(alike)}. Peak rate: Muon's learning rate at its highest; AdamW's is a share "
        "of it. Warm-up: the share of the steps in which the rate rises; then it falls linearly to zero. Muon (momentum 0.6, three "
        "Newton–Schulz steps, kernels kept at a norm of √n for n outputs) moves the weights that a BatchNorm follows "
        "(convolutions, and the projection head's first layer), AdamW all others. Statistics settle: the share of the "
        "epochs after which BatchNorm's running statistics stay. Space-to-depth: by patches of these sides. Last map: its side. Hidden "
        "layers, dropout: of the classifier."
    )
    display.table(header, [row for row in body if len(set(row[1:])) > 1], note, "six-recipes")


def _cell(recipe: Recipe, place: str) -> str:
    name, _, inner = place.partition(".")
    value = getattr(getattr(recipe, name), inner) if inner else getattr(recipe, name)
    unused = name not in {*_used(recipe), "encoder"} or (inner == "label_smoothing" and recipe.objective != "classify") or value == ()
    return "–" if unused or (inner == "settle" and value == 1) else in_words(value)


def views_table(names: Sequence[str]) -> None:
    """Show what the views of each training are: those of the encoder, then those of a classifier on frozen latents."""
    trainings = {}  # in words: the trainings that see such views
    for name in names:
        recipe = find_recipe(name, default_scale())
        views = {tables.way(name): recipe.together if recipe.objective == "reconstruct" else recipe.encoder.views}
        if trained_with(recipe) != "classifier":
            views["classifier on frozen latents"] = recipe.classifier.views
        for training, seen in views.items():
            told = trainings.setdefault((in_words(recipe.dataset), in_words(seen)), [])
            if training not in told:
                told.append(training)
    body = [[f"{dataset}, {'; '.join(told)}", views] for (dataset, views), told in trainings.items()]
    note = (
        "The views (augmentations): what happens to each image, by a new draw each time it is shown; a classifier on frozen latents gets "
        "the same few draws of each image in all epochs. The autoencoder's target is the same view; contrast draws two of each image. "
        "Beyond its border an image goes on as its reflection."
    )
    display.table(["training", "views"], body, note, "six-views")


WORDS = {
    "widths": "channels of the encoder's stages",
    "folds": "space-to-depth, sides of the patches that become channels",
    "depth": "residual pairs in a stage",
    "grid": "side of the map that the linear layer sees",
    "latent": "numbers in the latent",
    "decoder_folds": "depth-to-space of the decoder, sides of the patches",
    "decoder_widths": "channels of the decoder's stages",
    "sigmoid": "a sigmoid at the decoder's end",
    "together": "views that input and target share",
    "reader_widths": "channels of the reader of decoded images",
    "projection": "numbers in the projection",
    "hidden": "hidden layers of the classifier",
    "head": "a linear head for the labels, thrown away",
    "learning_rate": "learning rate, at its peak",
    "rest": "AdamW's rate for what Muon leaves, as a share",
    "beta2": "AdamW's β₂",
    "weight_decay": "weight decay",
    "warmup": "share of the steps in which the rate rises",
    "settle": "BatchNorm's running statistics stay after this share of the epochs",
    "label_smoothing": "label smoothing",
    "copies": "views of each image that give latents",
}

VIEWS = {  # what a view may do, by the names of `Views`
    "shift": lambda pixels: f"shifted by up to {pixels} pixels",
    "flip": lambda _: "mirrored half of the time",
    "rotate": lambda degrees: f"turned by up to {degrees}°",
    "zoom": lambda share: f"cropped to {share:.0%} of the area or more",
    "stretch": lambda ratio: f"sides stretched up to {math.exp(ratio):.2f} to 1",
    "jitter": lambda strength: (
        f"brightness, contrast and saturation changed by up to {strength:.0%}, the hue by {strength / 4:.0%} of the circle"
    ),
    "jittered": lambda share: f"these in {share:.0%} of the views",
    "grey": lambda share: f"grey in {share:.0%} of the views",
    "erase": lambda side: f"a square of {side - 1 + side % 2} pixels a side blanked, less at the border",
    "side": lambda side: f"{side} × {side} pixels large",
}


def in_words(value) -> str:
    """A value of a recipe as a reader would write it."""
    if isinstance(value, Views):
        told = {"jittered"} if value.jitter else set()  # even where it is the default
        changed = {name: part for name, part in asdict(value).items() if name in told or part != getattr(Views(), name)}
        return "; ".join(VIEWS[name](part) for name, part in changed.items()) or "the image itself"
    if isinstance(value, bool):
        return "yes" if value else "no"
    names = {"muon": "Muon", "adamw": "AdamW", "mnist": "MNIST", "cifar10": "CIFAR-10", "contrast_labels": "contrast with labels"}
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else names.get(value, str(value))


def _used(recipe: Recipe) -> list[str]:
    """The values of a recipe that its networks and its objective make use of."""
    has_decoder = recipe.objective == "reconstruct" or recipe.decoder
    unused = {*STAGES} | {name for name in ("sigmoid", "head", "folds", "decoder_folds") if not getattr(recipe, name)}
    unused |= {"temperature", "projection"} if "contrast" not in recipe.objective else set()
    unused |= {"decoder_widths"} if not has_decoder else set()
    unused |= {"reader_widths"} if not recipe.reader else set()
    unused |= {"dropout"} if not recipe.hidden else set()
    unused |= {"grid"} if recipe.folds else set()
    unused |= {"depth"} if not (recipe.folds or recipe.decoder_folds) else set()
    unused |= {"together"} if recipe.together == Views() else set()
    return [name for name in vars(recipe) if name not in unused]


def model_table(networks: nn.ModuleDict) -> None:
    """Show each network's use and size."""
    uses = {
        "encoder": "image to latent h",
        "decoder": "latent to image; needed in training, and to look at latents",
        "projection": "latent to projection z; thrown away after training",
        "classifier": "latent to ten logits",
        "reader": "decoded image to ten logits",
        "head": "latent to ten logits; thrown away after training",
    }
    rows = [[name, uses[name], f"{parameter_count(network):,}"] for name, network in networks.items()]
    display.table(["network", "from what to what", "parameters"], rows, "The networks, and how many parameters each one has.")


def layer_table(encoder: nn.Module, data: Dataset) -> None:
    """Show the encoder layer by layer: the shape that comes out, and how many parameters the layer has."""
    x = to_float(data.train.images[:1])
    rows = [["image", " × ".join(map(str, x.shape[1:])), ""]]

    def note(name: str, layer: nn.Module, _, out: Tensor) -> None:
        rows.append([name, " × ".join(map(str, out.shape[1:])), f"{parameter_count(layer):,}"])

    hooks = [layer.register_forward_hook(partial(note, name)) for name, layer in _layers(encoder)]
    encoder(x)
    for hook in hooks:
        hook.remove()
    display.table(["encoder", "shape of one image", "parameters"], rows, "The encoder, layer by layer.")


_NAMES = {"whiten": "whitened patches", "pool": "pooling", "to_latent": "latent"}


def _layers(encoder: nn.Module) -> list[tuple[str, nn.Module]]:
    """The parts of an encoder with their names, its stages one by one."""
    found = []
    for name, part in encoder.named_children():
        if name == "stages":
            found += [(f"{type(layer).__name__.replace('Sequential', 'stage')} {n + 1}", layer) for n, layer in enumerate(part)]
        else:
            found.append((_NAMES.get(name, name), part))
    return found


NOTHING_TRIED = [*["–"] * (len(trials.HEADER) - 1), "nothing was tried with this recipe"]


def trials_table(name: str, group: str = "", numbers: Collection[int] | None = None) -> None:
    """Show what was tried for an experiment, on validation: all of it, or the trials of these numbers, as table `<name>-<group>`.

    Where nothing was tried the table says so: what refers to it still finds it.
    """
    chosen = [row for row in trials.rows(name) if numbers is None or int(row[0]) in numbers]
    about = f"{in_words(find_recipe(name, default_scale()).dataset)}, {tables.way(name)}{group and f', {group}'}"
    note = f"{about}: trials, by their numbers in results/trials.json, judged on validation images."
    display.table(*tables.filled(trials.HEADER, chosen or [NOTHING_TRIED]), note, f"{name}-{group or 'trials'}")


def study_trials_table() -> None:
    """Show what was tried of the controlled study, on validation, as table `study-trials`."""
    note = (
        "The controlled study: trials, judged on validation images, by their numbers in results/trials.json. Before: the same rows with "
        "the MLP at .002, statistics that move until the end and (autoencoder, views) a target that is not mirrored with its image."
    )
    display.table(*tables.filled(trials.HEADER, trials.of_study() or [NOTHING_TRIED]), note, "study-trials")


def read_table(names: Sequence[str]) -> None:
    """Show what `latent read` found in the latents of experiments, as table `read-<data set>`."""
    note = (
        "{}: the stored encoders of the full recipes, seed 0, on validation images. Decoder + CNN is trained as in the study, but for "
        "BatchNorm's moments, which move until the end, and looks at what the encoder's own decoder draws; for contrast, which has none, "
        "the study's decoder is trained on its latents first."
    )
    recipe, body = find_recipe(names[0], default_scale()), [[tables.way(name), *trials.as_read(name)] for name in names]
    display.table(["encoder", "MLP %", "decoder + CNN %"], body, note.format(in_words(recipe.dataset)), f"read-{names[0].split('-')[0]}")


LENGTHS = {  # the panels of `lengths_figure`, by name and quantity: the data set, the measure
    ("MNIST", "accuracy (%)"): ("mnist", "validation_accuracy"),
    ("MNIST", "error"): ("mnist", "validation_mae"),
    ("CIFAR-10", "accuracy (%)"): ("cifar", "validation_accuracy"),
    ("CIFAR-10", "error"): ("cifar", "validation_mae"),
}


def lengths_figure(title: str, caption: str) -> Figure:
    """What each recipe reaches on validation in fewer or more epochs (trials of one seed) and in its own number (all seeds)."""
    panels = {}
    for panel, (dataset, measure) in LENGTHS.items():
        names = [name for name in EXPERIMENTS + VARIANTS if name.startswith(dataset) and RECIPES["cpu"][name].objective not in UNTRAINED]
        panels[panel] = {tables.way(name): found for name in names if (found := _by_epochs(name, measure))}
    return comparison.lengths(panels, title, caption)


def _by_epochs(name: str, measure: str) -> dict[int, list[float]]:
    """The values of a measure by the encoder's epochs: of trials, and of the records of the recipe itself."""
    tried = {epochs: [row[measure]] for epochs, row in trials.by_epochs(name).items() if measure in row}
    shipped = [record["measures"][measure] for record in results.read(name) if measure in record["measures"]]
    return tried | ({find_recipe(name, default_scale()).encoder.epochs: shipped} if shipped else {})


def keep_sweep(found: dict) -> None:
    """Keep the figures of a sweep's account, undisplayed."""
    for name, figure in _drawn(found).items():
        display.keep(figure, name)


def _drawn(found: dict) -> dict[str, Figure]:
    """The figures of an account by their names: the importance of each searched value, and slices; none of too few trials."""
    searched = found["searched"]
    shares = {place: values["share"] for place, values in searched.items()}
    if None in shares.values():
        return {}
    shares = dict(sorted(shares.items(), key=lambda pair: -pair[1]))
    name, measure = f"{found['study']}, {found['data']}", findings.TITLES[found["measure"]]
    tried = {place: values["tried"] for place, values in searched.items()}
    log = {place for place, values in searched.items() if values["log"]}
    best = found["judged"].index(found["best"])
    return {
        f"sweep-{found['study']}-importance": figures.importance(shares, name, measure, len(found["judged"])),
        f"sweep-{found['study']}-slices": figures.slices(tried, found["judged"], best, name, measure, log),
    }


MEASURED = "Mean ± standard deviation over seeds. Train, validation and test: of the classifier; the other columns: on test images."


def measures_table(names: Sequence[str]) -> None:
    """Show what was measured of experiments, mean ± standard deviation over seeds, in words. What was never trained is trained."""
    for name in names:
        if not results.read(name):
            experiment.load_or_run(name)
    body = [tables.row(tables.way(name), results.read(name)) for name in names]
    display.table(*tables.filled(tables.SHORT, body), MEASURED, f"{names[0]}-measures")
