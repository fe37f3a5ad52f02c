"""The files of races, one a race: results/benchmarks/arrival/<experiment>-<contestant>-<rate>.json."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.arrival.race import TARGETS
from benchmarks.arrival.racers import RACERS
from latent.errors import UserError
from latent.store import files, results


@dataclass(frozen=True)
class Record:
    """A race that has ended. curve: (seconds, value on validation) of each standing; accuracy: of the last, where it could be read."""

    experiment: str
    contestant: str
    rate: float
    limit: float
    curve: Sequence[tuple[float, float]]
    accuracy: float | None
    machine: str
    data: str
    signature: str  # of our recipe and networks

    @property
    def name(self) -> str:
        return f"{self.experiment}-{self.contestant}-{self.rate:g}"

    @property
    def arrived(self) -> float | None:
        """Seconds to the target; None where it was not reached."""
        return next((seconds for seconds, value in self.curve if TARGETS[self.experiment].reached(value)), None)

    @property
    def stood(self) -> float:
        """The best value on the way."""
        return TARGETS[self.experiment].best(value for _, value in self.curve)

    def answers(self, limit: float) -> bool:
        """Whether a race of `limit` seconds would say nothing more."""
        return self.arrived is not None or limit <= self.limit


def folder() -> Path:
    return results.folder() / "benchmarks" / "arrival"


def path(name: str) -> Path:
    return folder() / f"{name}.json"


def write(record: Record) -> None:
    files.write(path(record.name), (json.dumps(asdict(record), indent=1, allow_nan=False) + "\n").encode())


def read(file: Path) -> Record:
    """Raises UserError, with the file's name, where it is damaged, or ours has changed since the race."""
    try:
        record = Record(**json.loads(files.read(file)))
        numbers = [record.rate, record.limit, record.accuracy or 0, *(number for point in record.curve for number in point)]
        known = record.experiment in TARGETS and record.contestant in RACERS and record.name == file.stem
        if not (known and record.curve and all(map(math.isfinite, numbers)) and {len(point) for point in record.curve} == {2}):
            raise ValueError("not the record of a race")
        stale = record.contestant == "ours" and results.is_stale(asdict(record))
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{file} is damaged or of another version; remove it, then race again") from error
    if stale:
        raise UserError(f"{file} was raced with another recipe or model than today's; remove it, then race again")
    return record


def read_all() -> list[Record]:
    return [read(file) for file in sorted(folder().glob("*.json"))]


def raced(found: Sequence[Record], experiment: str, contestant: str) -> list[Record]:
    """The races of a contestant, one a learning rate."""
    return [record for record in found if (record.experiment, record.contestant) == (experiment, contestant)]


def best(races: Sequence[Record]) -> Record | None:
    """Of one contestant's races the one that arrived first; where none did, the one that came nearest. None where there are none."""
    if arrived := [record for record in races if record.arrived is not None]:
        return min(arrived, key=lambda record: record.arrived)
    nearest = TARGETS[races[0].experiment].best(record.stood for record in races) if races else None
    return next((record for record in races if record.stood == nearest), None)
