"""One line of the comparison, and the table and the file that the lines make."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from latent.show.tables import markdown

HEADER = ["question", "ours", "compared with", "unit", "ratio", "lowest to highest", "goal", "met"]


@dataclass(frozen=True)
class Row:
    """Ours and theirs in `unit`, the ratio that is judged and its spread. A goal bounds the ratio: `least` or `most` (or neither)."""

    name: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.least is None and self.most is None:
            return None
        return self.ratio >= self.least if self.most is None else self.ratio <= self.most

    def cells(self) -> list[str]:
        goal = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}" if self.most is not None else "–"
        spread = " to ".join(map(_number, self.spread)) if self.spread else "–"
        figures = [_number(self.ours), _number(self.theirs), self.unit, _number(self.ratio), spread]
        return [self.name, *figures, goal, {True: "yes", False: "no", None: "–"}[self.met]]


def ratio(over: Sequence[float], under: Sequence[float], times: float = 1) -> tuple[float, tuple[float, float]]:
    """`times` over / under: of the medians, and (lowest, highest) of the ratios turn by turn."""
    turns = [times * one / other for one, other in zip(over, under, strict=True)]
    return times * median(over) / median(under), (min(turns), max(turns))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    return markdown(HEADER, [row.cells() for row in rows])


def write(rows: Sequence[Row], before: str, after: str, folder: Path) -> None:
    """`folder`/README.md with the table between two texts, and `folder`/summary.json: name → ratio."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(f"{before}\n\n{table(rows)}\n\n{after}\n")
    ratios = {row.name: float(f"{row.ratio:.4g}") for row in rows if row.ratio is not None}
    (folder / "summary.json").write_text(json.dumps(ratios, indent=1, ensure_ascii=False) + "\n")
