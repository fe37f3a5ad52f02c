"""What the notebooks have in common: a run begun, and the tables that every one of them shows."""

from collections.abc import Sequence
from dataclasses import asdict

from torch import nn

from latent import display, experiment, results, tables, trials
from latent.data import uses_standin
from latent.models import parameter_count
from latent.recipes import Recipe
from latent.views import Views

NOTICE = (
    "Made on the embedded stand-in data (scikit-learn's digits and drawn shapes), not on MNIST and CIFAR-10: "
    "these numbers say that the code runs, no more."
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
    """Show the recipe: what holds for both trainings first, then each training."""
    rows = [["both", name.replace("_", " "), _value(value)] for name, value in plan.as_dict().items() if not isinstance(value, dict)]
    stages = ["encoder"] if plan.objective == "classify" else ["encoder", "classifier"]
    for stage in stages:
        for name, value in asdict(getattr(plan, stage)).items():
            shown = _views(getattr(plan, stage).views) if name == "views" else _value(value)
            if name != "copies" or stage == "classifier":
                rows.append([stage, name.replace("_", " "), shown])
    display.table(["training", "value", "set to"], rows, "The recipe: every hyper-parameter of this experiment, as it was trained.")


def _value(value) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)


def _views(views: Views) -> str:
    changed = {name: value for name, value in asdict(views).items() if value != getattr(Views(), name)}
    return ", ".join(f"{name} {value}" for name, value in changed.items()) or "the image itself"


def model_table(networks: nn.ModuleDict) -> None:
    """Show each network's size and use."""
    uses = {
        "encoder": "image to latent h",
        "decoder": "latent to image; needed in training and to look at latents",
        "projection": "latent to projection z; thrown away after training",
        "classifier": "latent to ten logits",
    }
    rows = [[name, uses[name], f"{parameter_count(network):,}"] for name, network in networks.items()]
    display.table(["network", "from what to what", "parameters"], rows, "The networks and how many numbers each one learns.")


def trials_table(name: str) -> None:
    """Show what was tried on validation, and the share of each change; the test set was not read."""
    tried = [row for row in trials.read() if row["experiment"] == name]
    if not tried:
        display.say("No trials of this experiment are stored here.")
        return
    with_error = "validation_mae" in tried[0]
    header = ["changed against the recipe", "classifier %", "kNN-5 %", *(["MAE"] if with_error else []), "seconds"]
    rows = []
    for row in tried:
        changes = ", ".join(f"{place} = {value}" for place, value in row["changes"].items()) or "nothing"
        error = [f"{row['validation_mae']:.4f}"] if with_error else []
        rows.append(
            [changes, f"{row['validation_accuracy']:.2f}", f"{row['validation_knn_accuracy']:.2f}", *error, f"{row['seconds']:.0f}"]
        )
    display.table(header, rows, "Trials, each a training of its own (one seed), judged on the validation set; the test set was not read.")


def results_table(names: Sequence[str]) -> None:
    """Show the accuracies of experiments, mean ± standard deviation over their seeds."""
    note = (
        "Accuracy of the classifier on latents in percent, of a vote of the five nearest training latents (kNN-5), and mean absolute "
        "error of reconstructions, pixels in [0, 1]; mean ± standard deviation over the seeds. Everything was chosen on the validation "
        "set; the test set was read once per trained model."
    )
    display.table(tables.HEADER, tables.rows(names), note)


def means(name: str) -> dict[str, float]:
    """Means over the seeds of everything measured in an experiment."""
    records = results.read(name)
    return {key: sum(record["measures"][key] for record in records) / len(records) for key in records[0]["measures"]}
