"""The command `latent`."""

import argparse
import contextlib
import errno
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from latent.errors import Terminated, UserError
from latent.recipes import EXPERIMENTS, RECIPES, RECORDS_ALONE, VARIANTS, default_scale, find_recipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    The exit code is 0, 1 where `verify` found a difference, 2 where the input was wrong, 3 where `train-all` has to go on, 130 or
    143 where it was stopped.
    """
    signal.signal(signal.SIGTERM, _terminate)
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except UserError as error:
        _complain(_one_line(error))
        return 2
    except KeyboardInterrupt as stop:
        _complain(stop or "stopped")
        return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
    except OSError as error:  # the progress bar's, where a log has no room: files of ours raise UserError
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        _complain(f"the output cannot be written ({error.strerror}); make room, then type the same again")
        return 2


def _complain(message: object) -> None:
    """Say on stderr what went wrong; where that has no room either, the exit code says it alone."""
    with contextlib.suppress(OSError):
        print(f"latent: {message}", file=sys.stderr)


def _terminate(*_) -> None:
    raise Terminated


def _one_line(message: object) -> str:
    """A name that was typed or found may hold line breaks: its message has none."""
    return " ".join(str(message).split())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog}: {_one_line(message)}; see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="latent", description="Six small image encoders: train them, check them, report on them.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    data = _command(commands, "data", _data, "check that the data is there and undamaged")
    data.add_argument("--download", action="store_true", help="fetch what is missing")
    train = _command(commands, "train", _train, "train an experiment, or go on with an interrupted one")
    _add_experiment(train)
    _add_training(train)
    everything = _command(commands, "train-all", _train_all, "train all experiments of a recipe with all their seeds, piece by piece")
    everything.add_argument("--recipe", default=default_scale(), choices=tuple(RECIPES), help="default: %(default)s")
    everything.add_argument("--device", help="cuda, mps or cpu; the best one by default")
    everything.add_argument("--minutes", type=_minutes, default=float("inf"), help="then stop; the same command goes on (default: never)")
    trial = _command(commands, "trial", _trial, "train with a few values changed, judge on validation, and log the row")
    _add_experiment(trial)
    _add_training(trial)
    trial.add_argument("--images", type=_count, help="how many training images to use, for a quick look (default: all)")
    trial.add_argument("changes", nargs="*", metavar="VALUE", help="for example encoder.epochs=3; right after the experiment")
    read = _command(commands, "read", _read, "read a stored encoder's latents by decoder + CNN, judge on validation, and log the row")
    read.add_argument("experiment", help=f"one of {', '.join(EXPERIMENTS + VARIANTS)}")
    read.add_argument("--device", help="cuda, mps or cpu; the best one by default")
    decide = _command(commands, "decide", _decide, "say what was decided after a trial, and why")
    decide.add_argument("row", type=int, help="its number, as `latent trial` printed it")
    decide.add_argument("decision", choices=("kept", "dropped", "open"))
    decide.add_argument("reason", help="a sentence")
    sweep = _command(commands, "sweep", _sweep, "search a recipe's values with Optuna, judged on validation")
    _add_experiment(sweep)
    _add_training(sweep)
    sweep.add_argument("--trials", type=_count, default=20, help="until the study has finished so many (default: %(default)s)")
    sweep.add_argument("--images", type=_count, help="how many training images to use, for a quick look (default: all)")
    sweep.add_argument("--study", help="name of the study (default: the experiment's)")
    sweep.add_argument("--storage", metavar="URL", help="a database that many machines share (default: a journal beside the results)")
    sweep.add_argument(
        "changes", nargs="*", metavar="VALUE", help="what is not searched, for example encoder.epochs=3; right after the experiment"
    )
    table = _command(commands, "table", _table, "print the results")
    table.add_argument("--json", action="store_true", help="as a list of objects, accuracies in percent")
    table.add_argument("--into", type=Path, metavar="FILE", help="put the table between the marks of a Markdown file")
    verify = _command(commands, "verify", _verify, "judge the shipped weights again and compare with the results")
    verify.add_argument("--device", help="cuda, mps or cpu; the best one by default")
    splits = ("train", "validation", "test")
    verify.add_argument("--splits", nargs="+", choices=splits, default=["test"], help="images to judge on; all three give every measure")
    report = _command(commands, "report", _report, "make wet.pdf and dry.pdf from the executed notebooks")
    report.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="folder of the seven notebooks (default: %(default)s)")
    report.add_argument("--dry", type=Path, default=Path("dry"), help="folder of the dry notebooks (default: %(default)s)")
    report.add_argument("--out", type=Path, default=Path(), help="folder for the PDFs (default: the current one)")
    report.add_argument("--author", action="append", default=[], metavar="NAME", help="a name for the first pages; once for each author")
    report.add_argument("--html", action="store_true", help="also make wet.html: one file for a browser, with maps to play with")
    submit = _command(commands, "submit", _submit, "make the zip to hand in")
    submit.add_argument("ids", nargs=2, metavar="ID", help="nine digits")
    submit.add_argument("--anonymous", action="store_true", help="also where the reports name no authors")
    submit.add_argument("--out", type=Path, default=Path(), help="folder for the zip (default: the current one)")
    return parser


def _command(commands, name: str, run, purpose: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".", allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", help=f"one of {', '.join(EXPERIMENTS + VARIANTS)}; others at --recipe study")


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=_seed, default=0, help="default: %(default)s")
    parser.add_argument("--recipe", default=default_scale(), help=f"one of {', '.join(RECIPES)} (default: %(default)s)")
    parser.add_argument("--device", help="cuda, mps or cpu; the best one by default")


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to {2**31 - 1}, not {text!r}")
    return int(text)


def _minutes(text: str) -> float:
    if not (number := float(text)) >= 0:
        raise argparse.ArgumentTypeError(f"minutes are a number from 0 up, not {text!r}")
    return number


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of them is whole and above 0, not {text!r}")
    return int(text)


# Torch takes seconds to import: each command imports what it needs once its words are known to be right.


def _data(options: argparse.Namespace) -> None:
    from latent import data

    for name in data.NAMES:
        found = data.load(name, options.download)
        where = "made in memory" if found.standin else f"in {data.root()}"
        print(
            f"{found.title}: {len(found.train):,} + {len(found.validation):,} + {len(found.test):,} images {where}, digest {found.digest}"
        )


def _train(options: argparse.Namespace) -> None:
    recipe = find_recipe(options.experiment, options.recipe)
    from latent import experiment
    from latent.compute import processes
    from latent.compute.device import choose_device
    from latent.data import load

    device = processes.begin(choose_device(options.device))
    run = experiment.run_and_store(options.experiment, recipe, load(recipe.dataset), options.seed, device, options.recipe)
    measures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in run.record["measures"].items())
    if processes.rank() == 0:
        print(f"{options.experiment}, seed {options.seed}, {run.data.title}: {measures}")
    processes.end()


def _train_all(options: argparse.Namespace) -> int:
    from latent import campaign
    from latent.compute.device import choose_device

    left = campaign.go_on(options.recipe, choose_device(options.device), 60 * options.minutes)
    print(f"{len(campaign.jobs(options.recipe)) - len(left)} of {len(campaign.jobs(options.recipe))} trainings are done")
    return 3 if left else 0


def _trial(options: argparse.Namespace) -> None:
    recipe, changes = find_recipe(options.experiment, options.recipe), _changes(options)
    from latent.compute.device import choose_device
    from latent.search import trials

    device = choose_device(options.device)
    _say_row(*trials.run(options.experiment, recipe, changes, device, options.seed, options.images, options.recipe))


def _read(options: argparse.Namespace) -> None:
    find_recipe(options.experiment)
    from latent.compute.device import choose_device
    from latent.search import trials

    _say_row(*trials.read_stored(options.experiment, choose_device(options.device)))


def _say_row(number: int, row: dict) -> None:
    print(json.dumps({"row": number} | {key: value for key, value in row.items() if key not in ("recipe", "decision", "reason")}))
    print(f"when you have decided: latent decide {number} kept|dropped 'why'")


def _decide(options: argparse.Namespace) -> None:
    from latent.search import trials

    row = trials.decide(options.row, options.decision, options.reason)
    print(f"row {options.row}, {row['experiment']}: {row['decision']}, {row['reason']}")


def _changes(options: argparse.Namespace) -> dict[str, str]:
    if wrong := [text for text in options.changes if "=" not in text]:
        raise UserError(f"{wrong[0]!r} changes nothing; write NAME=VALUE, for example encoder.epochs=3")
    return dict(text.split("=", 1) for text in options.changes)


def _sweep(options: argparse.Namespace) -> None:
    recipe, changes = find_recipe(options.experiment, options.recipe), _changes(options)
    from latent.compute.device import choose_device
    from latent.search import findings, sweep
    from latent.show import notebook

    prepared = sweep.prepare(options.experiment, recipe, changes, options.seed, options.images)
    name = options.study or options.experiment
    study = sweep.run(prepared, name, options.storage, options.trials, choose_device(options.device))
    found = findings.account(prepared, study)
    findings.store(found)
    notebook.keep_sweep(found)
    print(findings.words(found, options.recipe))


def _table(options: argparse.Namespace) -> None:
    from latent.show import tables
    from latent.store import results

    if options.into:
        tables.write_into(options.into)
    elif options.json:
        found = [results.summary(name) for name in EXPERIMENTS + VARIANTS]
        print(json.dumps([row for row in found if row], indent=1))
    else:
        print(tables.markdown(tables.HEADER, tables.rows()))


def _verify(options: argparse.Namespace) -> int:
    from latent.compute.device import choose_device
    from latent.store import results
    from latent.verify import verify

    device = choose_device(options.device)
    without = [name for name in RECORDS_ALONE if not results.path(name, 0, ".safetensors").exists()]
    stored = [name for name in EXPERIMENTS + VARIANTS if name in EXPERIMENTS or (results.read(name) and name not in without)]
    checks = [check for name in stored for check in verify(name, device, options.splits)]
    for check in checks:
        verdict = "ok" if check.agrees else "DIFFERS"
        print(f"{verdict:8}{check.experiment:26}{check.measure:26} stored {check.stored:9.4f}   found {check.found:9.4f}")
    return 0 if all(check.agrees for check in checks) else 1


def _report(options: argparse.Namespace) -> None:
    from latent.report import build

    print(build.build_wet(options.notebooks, options.out, options.author))
    print(build.build_dry(options.dry, options.out, options.author))
    if options.html:
        print(build.build_html(options.notebooks, options.out, options.author))


def _submit(options: argparse.Namespace) -> None:
    from latent.report import submission

    print(submission.submit(*options.ids, Path(), options.out, options.anonymous))
