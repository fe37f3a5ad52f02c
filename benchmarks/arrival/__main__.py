"""`python -m benchmarks.arrival EXPERIMENT CONTESTANT --rate R --limit S` runs one race, on a machine with nothing else to do, and keeps
it as a file; without arguments, all files become results/benchmarks/arrival/README.md and its figure.
"""

import argparse
import math
import sys
from collections.abc import Sequence

import torch

from benchmarks.arrival import records, report
from benchmarks.arrival.race import SEED, TARGETS, accuracy, look_for, race
from benchmarks.arrival.racers import RACERS, rates_of
from benchmarks.arrival.records import Record
from latent.compute.device import describe
from latent.data import load
from latent.errors import Diverged, UserError
from latent.models import build, signature
from latent.recipes import default_scale, find_recipe

LIMIT = 3_000.0  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 0, or 2 where the input was wrong, which one line then says."""
    try:
        options = _parser().parse_args(arguments)
        if options.experiment is None:
            print(report.write())
        else:
            print(said(run(*_checked(options))))
    except UserError as error:
        print(f"benchmarks.arrival: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise UserError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m benchmarks.arrival", description="Seconds of training until validation reaches a target.")
    parser.add_argument("experiment", nargs="?", help=", ".join(TARGETS))
    parser.add_argument("contestant", nargs="?", help=", ".join(RACERS))
    parser.add_argument("--rate", type=float, help="learning rate: one of the contestant's three (default: its usual one)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of training after which it ends (default: %(default)s)")
    return parser


def _checked(options: argparse.Namespace) -> tuple[str, str, float, float]:
    """Experiment, contestant, learning rate and limit. Raises UserError where there is no such race."""
    experiment, contestant, limit = options.experiment, options.contestant, options.limit
    if experiment not in TARGETS:
        raise UserError(f"unknown experiment {experiment!r}; choose one of: {', '.join(TARGETS)}")
    able = [name for name, racer in RACERS.items() if experiment in racer.experiments]
    if contestant not in able:
        raise UserError(f"no contestant {contestant!r} for {experiment}; choose one of: {', '.join(able)}")
    rates = rates_of(experiment, contestant, default_scale())
    rate = rates[0] if options.rate is None else options.rate
    if rate not in rates:
        raise UserError(f"{contestant} does not race at the rate {rate:g}; choose one of: {', '.join(f'{one:g}' for one in rates)}")
    if not 0 < limit < math.inf:
        raise UserError(f"the limit cannot be {limit:g} seconds; give a number above 0")
    return experiment, contestant, rate, limit


def run(experiment: str, contestant: str, rate: float, limit: float) -> Record:
    """The race on file, where it says all that one of `limit` seconds would; else a new one, which is kept."""
    file = records.path(f"{experiment}-{contestant}-{rate:g}")
    if file.exists() and (record := records.read(file)).answers(limit):
        return record
    recipe, target = find_recipe(experiment, default_scale()), TARGETS[experiment]
    data = load(recipe.dataset)
    curve, known = [], None
    try:
        for standing in race(RACERS[contestant].trainings(recipe, data, rate), look_for(target, recipe, data), target, limit):
            curve.append((round(standing.seconds, 3), standing.value))
            print(f"{file.stem}: {standing.seconds:8.1f} s {standing.value:9.4f}", file=sys.stderr, flush=True)
        known = standing.value if target.measure == "accuracy" else accuracy(standing.networks, recipe, data)[1]
    except Diverged:  # it will not arrive any more: that, too, is how a race can end
        if not curve:
            raise
    machine = f"{describe(torch.device('cpu'))}; torch {torch.__version__.split('+')[0]}"
    today = signature(recipe, build(recipe, data.channels, data.side, SEED))
    record = Record(experiment, contestant, rate, limit, curve, known, machine, data.title, today)
    records.write(record)
    return record


def said(record: Record) -> str:
    """How a race ended, in a line."""
    if record.arrived is None:
        return f"{record.name}: not within {record.limit:g} s: stood at {record.stood:.4f}; {records.path(record.name)}"
    return f"{record.name}: arrived after {record.arrived:.1f} s; {records.path(record.name)}"


if __name__ == "__main__":
    sys.exit(main())
