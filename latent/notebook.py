"""What the notebooks have in common: a run begun, and the tables that every one of them shows."""

from collections.abc import Sequence
from dataclasses import asdict

from torch import nn

from latent import display, experiment, figures, results, studies, tables, trials
from latent.data import Dataset, uses_standin
from latent.models import EncoderBesidePCA, parameter_count
from latent.recipes import Recipe
from latent.views import Views, to_float

NOTICE = (
    "Made on the embedded stand-in data (scikit-learn's digits and drawn shapes), not on MNIST and CIFAR-10: "
    "these numbers say that the code runs, no more."
)

NO_TRIALS = (
    "No trials of this experiment are stored: its values are first choices, for the reasons given and after the literature cited. "
    "They were not tuned, and the test set had no part in them."
)


OF_STUDIES = (
    "Read with care: short trainings on few images reward what learns fast, above all small batches, which mean more steps; and the best "
    "of several trials owes something to luck. A study shows which values matter, and where a full training is worth its time."
)


def begin(name: str) -> experiment.Run:
    """The stored run of an experiment, or a new one where something changed; says so where it is made on stand-in data."""
    run = experiment.load_or_train(name)
    warn()
    return run


def warn() -> None:
    """A notice where stand-in data is used, which the report repeats on every page."""
    if uses_standin():
        display.notice(NOTICE)


def recipe_table(plan: Recipe) -> None:
    """Show the recipe: the networks' values, then the two trainings side by side."""
    used = ["dataset", "objective", "widths", "grid", "latent", "hidden", "dropout", *_OWN_VALUES[plan.objective]]
    display.table(
        ["value", "set to"],
        [[name.replace("_", " "), _value(getattr(plan, name))] for name in used],
        "The recipe, first part: what holds for the whole experiment.",
    )
    stages = {"encoder": plan.encoder} if plan.objective == "classify" else {"encoder": plan.encoder, "classifier": plan.classifier}
    names = [name for name in asdict(plan.encoder) if name != "copies" or len(stages) > 1]
    rows = [[name.replace("_", " "), *(_value(getattr(training, name)) for training in stages.values())] for name in names]
    display.table(["training", *stages], rows, "The recipe, second part: how the weights are found.")


_OWN_VALUES = {
    "reconstruct": ["decoder_widths", "levels", "beside_pca", "together"],
    "classify": [],
    "contrast": ["temperature", "projection"],
    "contrast_labels": ["temperature", "projection"],
}


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
    }
    rows = [[name, uses[name], f"{parameter_count(network):,}"] for name, network in networks.items()]
    display.table(["network", "from what to what", "parameters"], rows, "The networks, and how many parameters each one has.")


def layer_table(encoder: nn.Module, data: Dataset) -> None:
    """Show the encoder stage by stage: the shape that comes out, and how many parameters the stage has."""
    x = to_float(data.train.images[:1])
    rows = [["image", " × ".join(map(str, x.shape[1:])), ""]]
    beside = isinstance(encoder, EncoderBesidePCA)
    stages = encoder.encoder if beside else encoder
    layers = {"whitened patches": nn.Sequential(stages.whiten, nn.ReLU())}
    layers |= {f"stage {n + 1}": stage for n, stage in enumerate(stages.stages)}
    layers |= {"pooling": stages.pool, "latent": stages.to_latent}
    for name, layer in layers.items():
        x = layer(x.flatten(1) if name == "latent" else x)
        rows.append([name, " × ".join(map(str, x.shape[1:])), f"{parameter_count(layer):,}"])
    if beside:
        rows.append(["linear map beside them", str(encoder.linear.out_features), f"{parameter_count(encoder.linear):,}"])
    display.table(["encoder", "shape of one image", "parameters"], rows, "The encoder, stage by stage.")


def trials_table(run: experiment.Run) -> None:
    """Show what was tried on validation; the test set was not read."""
    rows = trials.rows(run.experiment, run.recipe)
    if not rows:
        if not studies.read(run.experiment):
            display.say(NO_TRIALS)
        return
    display.table(
        trials.HEADER,
        rows,
        "Trials, each a short training of one seed on so many training images, judged on the validation set; the test set was not read.",
    )


def trade_off(run: experiment.Run) -> None:
    """Show what views of the image, with the clean image to be given back, cost in reconstruction and bring in accuracy."""
    tried = {_value(Recipe.from_dict(row["recipe"]).encoder.views): row for row in trials.by_views(run.experiment)}
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


def show_studies(run: experiment.Run) -> None:
    """Show what `latent sweep` has found for an experiment on validation; nothing where it was never run."""
    for found in studies.read(run.experiment):
        display.say(studies.sentence(found))
        for name, figure in studies.drawn(found).items():
            display.show(figure, name)
        display.say(OF_STUDIES)


def results_table(names: Sequence[str]) -> None:
    """Show the accuracies of experiments, mean ± standard deviation over their seeds."""
    note = (
        "Accuracy in percent: of the classifier on latents; of the same with beliefs averaged over six views (the image and its mirror, "
        "each in place and shifted by a pixel two ways); of a linear probe (logistic regression on training latents); of a vote of the "
        "five nearest training latents (kNN-5). Mean absolute error of "
        "reconstructions, pixels in [0, 1]. Mean ± standard deviation over the seeds. What was chosen was chosen on the "
        "validation set; the test set was read once per trained model."
    )
    display.table(tables.HEADER, tables.rows(names), note)


def means(name: str) -> dict[str, float]:
    """Means over the seeds of everything measured in an experiment, which is trained if it has no result."""
    experiment.load_or_train(name)
    records = results.read(name)
    return {key: sum(record["measures"][key] for record in records) / len(records) for key in records[0]["measures"]}
