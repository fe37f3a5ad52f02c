"""Which figures and tables leave their place in the text for the top of the next page, so that no page ends half empty."""

import json
from pathlib import Path

import typst

NEAR = 45  # points: what begins no further below the top of the text, be it behind a heading, did not fit on the page before
NEXT = 20  # points: nor what begins so near below what floats there


def settle(main: Path) -> dict[str, str]:
    """The inputs with which the Typst document `main` is to be compiled: nothing, where Typst cannot set it.

    All begin in their places. Those that first fell to a new page, and left a gap on the one before, float, until there are none.
    """
    floating: list[int] = []
    while True:
        inputs = {"floating": json.dumps(floating)}
        try:
            found = typst.query(main, "<movable>", field="value", root=main.parent, ignore_system_fonts=True, sys_inputs=inputs)
        except RuntimeError:
            return {}
        fallen = [(page, number) for page, number in _fallen(json.loads(found)) if number not in floating]
        if not fallen:
            return inputs
        floating += [number for page, number in fallen if page == fallen[0][0]]


def _fallen(ends: list[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """Page and number of those at the top of a page, or before an earlier one.

    `ends`: number, page and points below the top of the text, of the upper and the lower end of each.
    """
    latest, edges, fallen = 0, {}, []
    for (number, page, upper), (_, _, lower) in zip(ends[::2], ends[1::2]):
        if page < latest or upper < NEAR or upper - edges.get(page, 0) < NEXT:
            fallen.append((page, number))
            edges[page] = lower
        latest = max(latest, page)
    return fallen
