"""What no page break may part: a sentence and the formula, list, code or table that it leads to; and what may move instead."""

from latent.report import tree

LONG = 24  # rows of a table that may break
# behind these, as behind a paragraph, a figure may stand
WHOLE = ("BulletList", "OrderedList", "DefinitionList", "CodeBlock", "Table")


def keep(blocks: list[dict]) -> list[dict]:
    """`blocks` of a whole document, where each that must not end a page stands in the template's `lead`, and each figure, each
    table with a caption and each row of them in its `movable`; a `slot` stands behind what may be parted from what follows.

    A display formula holds to the words before it in its paragraph, and, where the sentence goes on, to those behind it;
    a paragraph that ends with a colon, or before a formula, holds to what follows.
    """
    kept: list[dict] = []
    for place, block in enumerate(blocks):
        following = next((other for other in blocks[place + 1 :] if not _is_comment(other)), None)
        if block["t"] != "Para":
            kept += _movable(block, len(kept)) if _may_move(block) else _unmoved(block, len(kept))
            if block["t"] in WHOLE and not (following and following["t"] == block["t"] == "CodeBlock"):
                kept.append(_slot(len(kept)))
            continue
        *first, last = _parts(block["c"])
        for part in first:
            kept += _lead(part)
        kept += _lead(last) if following and _leads(last, following) else [{"t": "Para", "c": last}, _slot(len(kept))]
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


def _slot(number: int) -> dict:
    """Where a figure or a table may stand that has left its place before: its number is less."""
    return tree.raw(f"#slot({number})")


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


def _unmoved(block: dict, number: int) -> list[dict]:
    """`block`, behind a bound where it is a table with a caption, whose number follows the order of the text, or begins a part."""
    captioned = block["t"] == "Table" and block["c"][1][1]
    begins = block["t"] == "Header" and block["c"][0] == 1
    return [tree.raw(f"#bound({number})"), block] if captioned or begins else [block]


def _is_formula(inline: dict) -> bool:
    return inline["t"] == "Math" and inline["c"][0]["t"] == "DisplayMath"


def _is_comment(block: dict) -> bool:
    return block["t"] == "RawBlock" and block["c"][1].startswith("//")
