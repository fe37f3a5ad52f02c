"""The numbers of figures and tables, and the references that say them: in the order of the text, wherever a page sets them.

Typst counts the same way; its numbers are these.
"""

from latent.report import tree

EXTRA = "extra"  # class of a figure that only a screen shows: it takes no number, so that all others have theirs from print


def number(blocks: list[dict]) -> tuple[list[dict], dict[str, str]]:
    """`blocks`, where each figure and each table with a caption has its number as an attribute, and references say it.

    Also returns what references say: identifier → such as `Figure 3`.
    """
    counts, numbers = {"Figure": 0, "Table": 0}, {}

    def visit(node: dict) -> dict:
        kind = node["t"]
        if kind in counts and node["c"][1][1] and EXTRA not in node["c"][0][1]:
            counts[kind] += 1
            label, classes, values = node["c"][0]
            node["c"][0] = [label, classes, [*values, ["number", str(counts[kind])]]]
            numbers[label] = f"{kind}\xa0{counts[kind]}"
        return node

    def say(node: dict) -> dict:
        if tree.is_reference(node):
            node["c"][1] = [{"t": "Str", "c": numbers[node["c"][2][0].removeprefix("#")]}]
        return node

    counted = tree.walk(blocks, visit)
    return tree.walk(counted, say), numbers


def of(block: dict) -> int | None:
    """The number of a figure or a table; None of other blocks, and of those without one."""
    values = dict(block["c"][0][2]) if block["t"] in ("Figure", "Table") else {}
    return int(values["number"]) if "number" in values else None
