"""Which figures and tables leave their place in the text for one behind a later paragraph, so that no page ends half empty."""

import json
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import NamedTuple

import typst

SMALL = 40  # points that may stay empty at the end of a page
ROOM = 12  # points between a figure and the text above
LAST = 10**6  # the slot at the end of the document


class Mark(NamedTuple):
    """Where something stands: the `upper` or `lower` end of a figure or table, a `slot` for one, or a `bound` that none passes."""

    kind: str
    number: int
    page: int
    left: float  # points from there to the end of the page's text


def settle(main: Path) -> dict[str, str]:
    """The inputs with which the Typst document `main` is to be compiled: nothing, where Typst cannot set it.

    All begin in their places. Those that fell to a new page, and left a gap on the one before, move one after the other.
    """
    moved: dict[int, int] = {}  # number → slot
    seen: set[tuple[int, int]] = set()  # page and number of what has found its place
    try:
        marks = _marks(main, moved)
        while fallen := _fallen(marks, seen):
            seen.add(fallen)
            better = _moved(main, moved, marks, *fallen)
            if better != moved:
                moved, marks = better, _marks(main, better)
    except RuntimeError:
        return {}
    return _inputs(moved)


def _inputs(moved: dict[int, int]) -> dict[str, str]:
    return {"moved": json.dumps({str(number): moved[number] for number in sorted(moved)})}


def _marks(main: Path, moved: dict[int, int]) -> list[Mark]:
    """All marks of the document, in the order of its text."""
    found = typst.query(main, "<mark>", field="value", root=main.parent, ignore_system_fonts=True, sys_inputs=_inputs(moved))
    return [Mark(*mark) for mark in json.loads(found)]


def _fallen(marks: list[Mark], seen: set[tuple[int, int]]) -> tuple[int, int] | None:
    """The first page that ends with a gap before a figure or table, and the number of that."""
    for before, mark in zip(marks, marks[1:]):
        gap = mark.kind == "upper" and mark.page > before.page and before.left > SMALL
        if gap and (before.page, mark.number) not in seen:
            return before.page, mark.number
    return None


def _moved(main: Path, moved: dict[int, int], marks: list[Mark], page: int, number: int) -> dict[int, int]:
    """`moved`, where `number` stands behind the paragraph that ends on the next page, or before it where that leaves hardly a gap.

    What follows it on this page moves along: figures and tables keep their order, and pass no bound.
    """
    behind = list(dropwhile(lambda mark: (mark.kind, mark.number) != ("upper", number), marks))
    height = behind[0].left - behind[1].left
    along: list[int] = []
    best: list[Mark] = []
    while behind[0].kind == "upper":
        row = list(takewhile(lambda mark: mark.kind in ("upper", "lower"), behind))
        if not _is_free(behind[len(row)]):
            break
        along += [mark.number for mark in row[::2]]
        trial = _marks(main, moved | dict.fromkeys(along, LAST))
        behind = list(dropwhile(lambda mark: mark.number <= moved.get(number, number), trial))
        slots = list(takewhile(_is_free, behind))
        behind = behind[len(slots) :]
        here, there = [slot for slot in slots if slot.page <= page], [slot for slot in slots if slot.page > page]
        best = here[-1:]
        if best and best[0].left <= SMALL:
            break
        if there:
            best = there[:1] if ROOM + height <= there[0].left else best
            break
    return moved | {other: slot.number for slot in best for other in along if other < slot.number}


def _is_free(mark: Mark) -> bool:
    """Whether a figure or table may come to stand there."""
    return mark.kind == "slot" and mark.number != LAST
