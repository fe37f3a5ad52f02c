"""What the notebooks have in common: a run begun, and the tables that every one of them shows."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from matplotlib.figure import Figure
from torch import Tensor, nn

from latent import experiment
from latent.data import Dataset, uses_standin
from latent.models import parameter_count
from latent.objectives import trained_with
from latent.recipes import STAGES, Recipe, Views
from latent.search import findings, trials
from latent.show import display, figures, tables
from latent.store import results
from latent.views import to_float

NOTICE = (
    "Made on the embedded stand-in data (scikit-learn's digits and drawn shapes), not on MNIST and CIFAR-10: "
    "these numbers say that the code runs, no more."
)

NO_TRIALS = (
    "No trials of this experiment are stored: its values are first choices, for the reasons given and after the literature cited. "
    "They were not tuned, and the test set had no part in them."
)


def begin(name: str) -> experiment.Run:
    """The stored run of an experiment, or a new one where something changed; says so where it is made on stand-in data."""
    run = experiment.load_or_run(name)
    warn()
    return run


def warn() -> None:
    """A notice where stand-in data is used, which the report repeats on every page."""
    if uses_standin():
        display.notice(NOTICE)


def recipe_table(recipe: Recipe) -> None:
    """Show the recipe: the networks' values, then its trainings side by side."""
    stages = {name: training for name in STAGES if (training := getattr(recipe, name))}
    if trained_with(recipe) == "classifier":
        del stages["classifier"]
    values = [[name.replace("_", " "), _value(getattr(recipe, name))] for name in _used(recipe)]
    display.table(["value", "set to"], values, "The recipe, first part: what holds for the whole experiment.")
    names = [name for name in vars(recipe.encoder) if name != "copies" or len(stages) > 1]
    rows = [[name.replace("_", " "), *(_value(getattr(training, name)) for training in stages.values())] for name in names]
    display.table(["training", *stages], rows, "The recipe, second part: how the weights are found.")


def _used(recipe: Recipe) -> list[str]:
    """The values of a recipe that its networks and its objective make use of."""
    has_decoder = recipe.objective == "reconstruct" or recipe.decoder
    unused = {*STAGES} | {name for name in ("beside_pca", "sigmoid", "head", "folds", "decoder_folds") if not getattr(recipe, name)}
    unused |= {"temperature", "projection"} if "contrast" not in recipe.objective else set()
    unused |= {"decoder_widths"} if not has_decoder else set()
    unused |= {"reader_widths"} if not recipe.reader else set()
    unused |= {"grid"} if recipe.folds else set()
    unused |= {"depth"} if not (recipe.folds or recipe.decoder_folds) else set()
    unused |= {"together"} if recipe.together == Views() else set()
    return [name for name in vars(recipe) if name not in unused]


def _value(value) -> str:
    if isinstance(value, Views):
        changed = {name: part for name, part in asdict(value).items() if part != getattr(Views(), name)}
        return ", ".join(f"{name} {part}" for name, part in changed.items()) or "the image itself"
    return (", ".join(str(part) for part in value) or "none") if isinstance(value, tuple) else str(value)


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


_NAMES = {"whiten": "whitened patches", "pool": "pooling", "to_latent": "latent", "linear": "linear map beside them"}


def _layers(encoder: nn.Module) -> list[tuple[str, nn.Module]]:
    """The parts of an encoder with their names: stages one by one, the networks inside another taken apart."""
    found = []
    for name, part in encoder.named_children():
        if name == "stages":
            found += [(f"{type(layer).__name__.replace('Sequential', 'stage')} {n + 1}", layer) for n, layer in enumerate(part)]
        else:
            found += _layers(part) if name == "encoder" else [(_NAMES.get(name, name), part)]
    return found


def trials_table(run: experiment.Run) -> None:
    """Show what was tried on validation; the test set was not read."""
    rows = trials.rows(run.experiment)
    if not rows:
        display.say(NO_TRIALS)
        return
    display.table(
        trials.HEADER,
        rows,
        "Trials, each a short training of one seed on so many training images, judged on the validation set; the test set was not read. "
        "Rows are numbered as in results/trials.json.",
    )


def trade_off(run: experiment.Run) -> None:
    """Show what views of the image, with the clean image to be given back, cost in reconstruction and bring in accuracy."""
    tried = {_value(Views(**row["recipe"]["encoder"]["views"])): row for row in trials.by_views(run.experiment)}
    chosen = _value(run.recipe.encoder.views)
    if len(tried) < 2 or chosen not in tried:
        return
    points = {name: (row["validation_mae"], row["validation_accuracy"]) for name, row in tried.items()}
    caption = (
        "What the encoder is shown, while the decoder always owes the clean image: error of the reconstruction of unchanged validation "
        f"images, and accuracy of the classifier on their latents. Short trainings of one seed on {tried[chosen]['images']:,} images."
    )
    display.show(figures.trade_off(points, chosen, f"{run.data.title}: the trade-off", caption), f"{run.experiment}-trade-off")
    best = max(points.keys() - {chosen}, key=lambda name: points[name][1])
    cost, gain = (there - here for there, here in zip(points[best], points[chosen]))
    display.say(
        f"Of the other views, {best} serves the classifier best: {gain:+.2f} points of accuracy, at {cost:+.4f} of error. Chosen: {chosen}."
    )


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


def results_table(names: Sequence[str]) -> None:
    """Show the accuracies of experiments, mean ± standard deviation over their seeds."""
    display.table(tables.HEADER, tables.rows(names), tables.NOTE)


def means(name: str) -> dict[str, float]:
    """Means over the seeds of everything measured in an experiment, which is trained if it has no result."""
    experiment.load_or_run(name)
    records = results.read(name)
    return {key: sum(record["measures"][key] for record in records) / len(records) for key in records[0]["measures"]}
