"""What no page break may part: a sentence and the formula, list, code or table that it leads to; and what may move instead."""

from latent.report import tree

LONG = 24  # rows of a table that may break


def keep(blocks: list[dict]) -> list[dict]:
    """`blocks` of a whole document, where each that must not end a page stands in the template's `lead`, and each figure, each
    table with a caption and each row of them in its `movable`.

    A display formula holds to the words before it in its paragraph, and, where the sentence goes on, to those behind it;
    a paragraph that ends with a colon, or before a formula, holds to what follows.
    """
    kept: list[dict] = []
    for place, block in enumerate(blocks):
        following = next((other for other in blocks[place + 1 :] if not _is_comment(other)), None)
        if block["t"] != "Para":
            kept += _movable(block, len(kept)) if _may_move(block) else [block]
            continue
        *first, last = _parts(block["c"])
        for part in first:
            kept += _lead(part)
        kept += _lead(last) if following and _leads(last, following) else [{"t": "Para", "c": last}]
    return kept


def _parts(inlines: list[dict]) -> list[list[dict]]:
    """A paragraph cut before and behind each of its display formulas."""
    parts: list[list[dict]] = [[]]
    for inline in inlines:
        if _is_formula(inline):
            parts += [[inline], []]
        else:
            parts[-1].append(inline)
    return [part for part in map(_stripped, parts) if part] or [inlines]


def _stripped(inlines: list[dict]) -> list[dict]:
    """`inlines` without blanks at either end."""
    solid = [i for i, inline in enumerate(inlines) if inline["t"] not in ("Space", "SoftBreak")]
    return inlines[solid[0] : solid[-1] + 1] if solid else []


def _leads(inlines: list[dict], following: dict) -> bool:
    if following["t"] == "Header" or _is_formula(inlines[-1]):
        return False
    opens = following["t"] == "Para" and _is_formula(following["c"][0])
    return opens or tree.plain(inlines).rstrip().endswith(":")


def _lead(inlines: list[dict]) -> list[dict]:
    return [tree.raw("#lead["), {"t": "Para", "c": inlines}, tree.raw("]")]


def _may_move(block: dict) -> bool:
    """Whether `block` is a figure, or a table with a caption that fits on a page, or two of them."""
    first = tree.in_row(block)[0]
    return first["t"] == "Figure" or (first["t"] == "Table" and bool(first["c"][1][1]) and len(tree.rows(first)) <= LONG)


def _movable(block: dict, number: int) -> list[dict]:
    parts = tree.in_row(block)
    if len(parts) == 1:
        return [tree.raw(f"#movable({number})["), block, tree.raw("]")]
    first, second = parts
    return [tree.raw(f"#movable({number})[#beside["), first, tree.raw("]["), second, tree.raw("]]")]


def _is_formula(inline: dict) -> bool:
    return inline["t"] == "Math" and inline["c"][0]["t"] == "DisplayMath"


def _is_comment(block: dict) -> bool:
    return block["t"] == "RawBlock" and block["c"][1].startswith("//")
