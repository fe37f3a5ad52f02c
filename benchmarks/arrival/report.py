"""What the races say: a table, and the curves of validation against seconds."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.arrival import records
from benchmarks.arrival.race import TARGETS, Target
from benchmarks.arrival.racers import RACERS, rates_of
from benchmarks.arrival.records import Record
from latent.errors import UserError
from latent.recipes import default_scale
from latent.show import plots
from latent.show.display import DOTS_PER_INCH
from latent.show.tables import markdown
from latent.store import files

HEADER = ["experiment", "target", "ours, s", "compared with", "rate", "theirs, s", "ratio", "goal", "met", "accuracy, ours / theirs"]
CAPTION = (
    "Validation against seconds of training, for each contestant at its best learning rate, up to the target (dashed) or the end of its "
    "time. A point of ours or of airbench is a whole training of that length."
)
NOTES = """- **Seconds** are of training, up to the end of the first epoch after which validation reaches the target; validation takes none.
  Where a classifier is trained on frozen latents, the time of one such training is in each point; it is trained alike for all.
- **Target**: the best number that a public solution claims, accuracy in percent, or (cifar-ae) mean absolute error of reconstructions.
- **Ours** and airbench end with a learning rate of nought, so they train 1, 2, 4, … epochs, each time from the start, and arrive with the
  seconds of the first length that reaches the target; those of the shorter lengths do not count.
- **textbook**: three convolutions, torchvision's transforms on PIL images, a DataLoader of two workers, float32, Adam at a constant rate.
  **lightly**: its SimCLR on our encoder, with SGD as it advises; **lightly-bfloat16**: the same in bfloat16 and channels_last.
  **airbench**: airbench94 (Jordan 2024) in bfloat16 without its test-time augmentation.
- **Rate**: the best learning rate of those raced. **Ratio**: their seconds over ours; a bound where they did not arrive.
- **Accuracy**, in percent: of a classifier on the latents where each race ended, on validation.

A race that is on file is not run again: remove its file for that."""


def write() -> Path:
    """README.md and arrival.png from all files of races. Raises UserError where there is none, or one is damaged."""
    found = records.read_all()
    if not found:
        raise UserError(f"no races in {records.folder()}; run one: python -m benchmarks.arrival cifar-guided ours --limit 3000")
    figure, readme = draw(found), records.folder() / "README.md"
    figure.savefig(records.folder() / "arrival.png", dpi=DOTS_PER_INCH, metadata={"Software": None, "Description": figure.get_label()})
    machines = "; ".join(sorted({record.machine for record in found}))
    data = ", ".join(sorted({record.data for record in found}))
    before = f"# How long until it is good\n\nMade by `python -m benchmarks.arrival`. Machine: {machines}. Images: {data}."
    files.write(readme, f"{before}\n\n{markdown(HEADER, rows(found))}\n\n![{figure.get_label()}](arrival.png)\n\n{NOTES}\n".encode())
    return readme


def rows(found: Sequence[Record]) -> list[list[str]]:
    """One row for each contestant of an experiment that raced against ours."""
    pairs = [(name, rival) for name in TARGETS for rival, racer in RACERS.items() if rival != "ours" and name in racer.experiments]
    races = [(records.raced(found, name, "ours"), records.raced(found, name, rival)) for name, rival in pairs]
    return [_row(records.best(ours), records.best(theirs), len(theirs)) for ours, theirs in races if ours and theirs]


def _row(ours: Record, theirs: Record, raced: int) -> list[str]:
    target, goal = TARGETS[ours.experiment], RACERS[theirs.contestant].goal
    rates = len(rates_of(theirs.experiment, theirs.contestant, default_scale()))
    least, exact = ratio(ours, theirs)
    met = "–" if least is None else "yes" if least >= goal else "no" if exact else "open"
    return [
        ours.experiment,
        _value(target, target.value),
        _seconds(ours),
        theirs.contestant,
        f"{theirs.rate:g}, of {raced} of {rates}",
        _seconds(theirs),
        "–" if least is None else f"{'' if exact else '> '}{least:.3g}",
        f"≥ {goal:g}",
        met,
        " / ".join("–" if record.accuracy is None else f"{record.accuracy:.2f}" for record in (ours, theirs)),
    ]


def ratio(ours: Record, theirs: Record) -> tuple[float | None, bool]:
    """Their seconds over ours, and whether that is exact: where they did not arrive, it is the least that it can be. None without ours."""
    if ours.arrived is None:
        return None, False
    return (theirs.limit if theirs.arrived is None else theirs.arrived) / ours.arrived, theirs.arrived is not None


def _seconds(record: Record) -> str:
    if record.arrived is not None:
        return f"{record.arrived:,.1f}" if record.arrived < 100 else f"{record.arrived:,.0f}"
    return f"not within {record.limit:,.0f}: stood at {_value(TARGETS[record.experiment], record.stood)}"


def _value(target: Target, value: float) -> str:
    return f"{value:.4f}" if target.measure == "error" else f"{value:.2f}"


def _near(target: Target) -> tuple[float | None, float | None]:
    """Ends of an axis on which the target can be told from what is near it: up to twice the errors that it leaves."""
    return (None, 2 * target.value) if target.measure == "error" else (100 - 2 * (100 - target.value), None)


def draw(found: Sequence[Record]) -> Figure:
    """One panel a raced experiment, seconds on a logarithmic axis; each contestant has its colour in all of them."""
    raced = {name: target for name, target in TARGETS.items() if any(record.experiment == name for record in found)}
    rows = -(-len(raced) // 3)
    figure, axes = plots.canvas("How long until it is good", CAPTION, columns=3, rows=rows, size=(10.0, 0.6 + 2.7 * rows))
    handles = {}
    for panel, (experiment, target) in zip(axes.flat, raced.items()):
        for contestant, colour in zip(RACERS, plots.COLOURS):
            if record := records.best(records.raced(found, experiment, contestant)):
                seconds, values = zip(*record.curve)
                handles[contestant] = panel.plot(seconds, values, color=colour, marker="o", markersize=3)[0]
        panel.axhline(target.value, color="black", linestyle="dashed", linewidth=1)
        plots.in_doublings(panel)
        least, most = panel.get_xlim()
        panel.set_xlim(least / 1.4, most * 1.4)  # else a lone point has no tick beside it
        panel.set_ylim(_near(target))
        plots.label(panel, "seconds of training", f"validation {target.measure}{', %' * (target.measure == 'accuracy')}", experiment)
    for panel in axes.flat[len(raced) :]:
        panel.set_axis_off()
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    return figure
