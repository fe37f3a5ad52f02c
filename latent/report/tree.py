"""Markdown to Typst through pandoc's document tree, where everything that would be lost or drawn badly is found.

A node is pandoc's JSON: `{"t": type, "c": contents}`.
"""

import json
import re
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import pypandoc

from latent.report import ReportError, raster
from latent.report.pieces import PICTURES, Piece, picture_width

# Notebook Markdown, cell by cell: `@word` is no citation, an image alone in its paragraph is a figure.
READER = "ipynb+footnotes+raw_tex+fancy_lists+escaped_line_breaks+smart+link_attributes+implicit_figures-superscript-raw_attribute"
API = [1, 23, 1]  # version of pandoc's tree
BREAK = "\u200b"  # a blank of no width: a line may end here
UNNUMBERED = ("front", "cover")  # the kinds of pieces before the parts, whose headings get no numbers
EMPTY = ["", [], []]  # no identifier, classes or attributes
REFERENCES = ("Figure", "Table")  # the words of a link that says the number of what it leads to
REFERENCE = "reference"  # its class
BAD_MATHS = {  # what pandoc or Typst would drop or draw wrongly without a word
    r"\\(tag|label|color)\b": "leave it out",
    r"\\operatorname\*|\\mathop\b": r"write \arg\max_k or \operatorname{name}",
    r"\\begin\{(smallmatrix|array|[vV]matrix)\}": "use pmatrix, bmatrix, cases or aligned",
    r"\\(left|right)\s*\\\||\\\|\s*[_^]": r"write a norm as \lVert x \rVert",
}
REWRITTEN = {  # else bars stand off, a hair becomes a full em, and a thick space vanishes
    r"\lvert": r"\left|",
    r"\rvert": r"\right|",
    r"\!": "",
    r"\;": r"\:",
}
HELD = re.compile(r"±\0|\0±|\d\)?\0%|§\0\d|\b(?:Figures?|Tables?|[Tt]rials?)\0\d")  # \0: a blank where no line may end
NUMBER = re.compile(r"(?!.*, )[-+−–±≈<>≤≥~]?\s*\d[\d\s.,:±×%/()+−–-]*(?:e[+−-]?\d+|[a-zA-Zµ%]{0,3})|nan|[–—-]?")


def parse(sources: Sequence[str]) -> list[list[dict]]:
    """The blocks of each Markdown source. Sources share nothing: an open fence or a footnote ends with its own."""
    cells = [{"cell_type": "markdown", "id": f"c{i}", "metadata": {}, "source": source} for i, source in enumerate(sources)]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    text, _ = _pandoc(json.dumps(notebook), "--from", READER, "--to", "json")
    return [division["c"][1] for division in json.loads(text)["blocks"]]


def write(blocks: list[dict]) -> tuple[str, str]:
    """The Typst markup of `blocks`, and pandoc's warnings (empty when all is well)."""
    document = json.dumps({"pandoc-api-version": API, "meta": {}, "blocks": described(blocks)})
    return _pandoc(document, "--from", "json", "--to", "typst", "--wrap=preserve")


def write_html(blocks: list[dict], about: dict[str, str], template: Path) -> tuple[str, str]:
    """The HTML of `blocks` in a template of pandoc's, with `about` for its values, and pandoc's warnings."""
    meta = {name: {"t": "MetaString", "c": value} for name, value in about.items()}
    options = ("--standalone", f"--template={template}", "--mathml", "--toc", "--toc-depth=2", "--number-sections", "--wrap=preserve")
    return _pandoc(json.dumps({"pandoc-api-version": API, "meta": meta, "blocks": blocks}), "--from", "json", "--to", "html5", *options)


def _pandoc(text: str, *options: str) -> tuple[str, str]:
    done = subprocess.run([pypandoc.get_pandoc_path(), *options], input=text, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise ReportError(f"pandoc cannot read the report: {done.stderr.strip()}")
    return done.stdout, done.stderr


def raw(markup: str, form: str = "typst") -> dict:
    """A block of Typst markup, or of another form, as it stands; writers of other forms leave it out."""
    return {"t": "RawBlock", "c": [form, markup]}


def typst(value: str | bool | Sequence[str]) -> str:
    """`value` as Typst writes it."""
    if isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    return f"({''.join(f'{typst(part)}, ' for part in value)})"


def code(text: str, language: str) -> dict:
    """A block of code or output; words wider than the page may break."""
    return {"t": "CodeBlock", "c": [["", [language], []], re.sub(r"\S{85}", rf"\g<0>{BREAK}", text)]}


def picture(name: str, width: float | None, alt: str = "", label: str = "") -> dict:
    """The image file `name`, described by `alt`, found by `label`."""
    size = [["width", f"{width:.3f}in"]] if width else []
    return {"t": "Para", "c": [{"t": "Image", "c": [[label, [], size], [{"t": "Str", "c": alt}] if alt else [], [name, ""]]}]}


def row(*blocks: dict) -> dict:
    """`blocks` beside each other."""
    return {"t": "Div", "c": [["", ["beside"], []], list(blocks)]}


def in_row(block: dict) -> list[dict]:
    """The blocks that `row` has put beside each other; a block alone."""
    return block["c"][1] if block["t"] == "Div" and "beside" in block["c"][0][1] else [block]


def is_reference(node: dict) -> bool:
    """Whether `node` says the number of the figure or table that it leads to."""
    return node["t"] == "Link" and REFERENCE in node["c"][0][1]


def rows(table: dict) -> list[list]:
    """The rows of a table's bodies."""
    return [row[1] for body in table["c"][4] for row in body[3]]


def described(blocks: list[dict]) -> list[dict]:
    """`blocks` with what pandoc leaves out: as alternative text an image's own words, a formula's TeX; a list of pages for bare links."""

    def visit(node: dict) -> dict:
        if node["t"] == "Image":
            (label, _, sizes), words, (name, _) = node["c"]
            sizes = "".join(f", {side}: {_length(length)}" for side, length in sizes if side in ("width", "height"))
            anchor = f" <{label}>" if label else ""
            return _inline(f"#box(image({typst(name)}{sizes}, alt: {typst(plain(words) or 'picture')})){anchor}")
        if is_reference(node):
            return _inline(f"#ref(label({typst(node['c'][2][0].removeprefix('#'))}))")
        if node["t"] == "Math":
            opening = _inline(f"#[#set math.equation(alt: {typst(node['c'][1].strip())});")
            return {"t": "Span", "c": [EMPTY, [opening, node, _inline("]")]]}
        if node["t"] == "Plain" and len(node["c"]) > 1 and set(plain(node["c"])) <= set(", "):
            places = "".join(f"<{link['c'][2][0].removeprefix('#')}>, " for link in node["c"] if link["t"] == "Link")
            return {"t": "Plain", "c": [_inline(f"#pages({places})")]}
        return node

    return walk(blocks, visit)


def _inline(markup: str) -> dict:
    return {"t": "RawInline", "c": ["typst", markup]}


def _length(text: str) -> str:
    """A length of Markdown (`{width=300px}`) for Typst, which knows no pixels: 96 are an inch, as in a browser."""
    return f"{float(text[:-2]) / 96:.3f}in" if text.endswith("px") else text


def first_sentence(blocks: list[dict]) -> str:
    """The text of `blocks` to the end of their first sentence: a point before a capital, not one of an abbreviation or a number."""
    text = " ".join(plain(blocks).split())
    return re.split(r"(?<=[^\s.]{2}[.?!])(?<!\bcf\.)(?<!\bal\.)(?<!\bvs\.)\s+(?=[A-ZÀ-Þ])", text)[0]


def leaves(node) -> Iterator[tuple[str, str]]:
    """Type and text of every element below `node` that holds text."""
    if isinstance(node, list):
        for child in node:
            yield from leaves(child)
    elif isinstance(node, dict):
        kind, inside = node.get("t"), node.get("c")
        if kind in ("Space", "SoftBreak", "LineBreak"):
            yield kind, " "
        elif kind in ("Code", "Math"):
            yield kind, inside[1]
        elif kind == "Str":
            yield kind, inside
        else:
            yield from leaves(inside)


def plain(node) -> str:
    """The text of `node`, without its marks."""
    return "".join(text for _, text in leaves(node))


def held(node):
    """`node`, where no line ends between a number and what belongs to it: per cent, ± and the number behind, or `Figure` before."""
    if isinstance(node, dict):
        return {key: held(value) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    parts = [held(part) for part in node]
    for i, (before, blank, after) in enumerate(zip(parts, parts[1:], parts[2:]), 1):
        is_blank = isinstance(blank, dict) and blank["t"] in ("Space", "SoftBreak")
        if is_blank and HELD.search(f"{plain(before)}\0{plain(after)}"):
            parts[i] = {"t": "Str", "c": "\xa0"}
    return parts


def slug(text: str) -> str:
    """The identifier of a heading: lower case, blanks to dashes, no punctuation (as GitHub does it)."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.strip().lower()))


def walk(node, visit: Callable[[dict], dict]):
    """`node` with `visit` applied to every element, the innermost first."""
    if isinstance(node, list):
        return [walk(child, visit) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: walk(value, visit) for key, value in node.items()}
    return visit(node) if "t" in node else node


class Mender:
    """Checks the blocks of one document and makes them fit for Typst.

    `files` collects the images, `labels` the headings' identifiers (`<notebook>-<slug>`), `formulas` each formula with its place;
    `named` are the document's named figures and tables (`<notebook>-figure-<name>`, `<notebook>-table-<name>`).
    """

    def __init__(self, folder: Path, pack: bool = True):
        self.folder = folder
        self.pack = pack  # pictures, for a PDF
        self.files: dict[str, bytes] = {}
        self.labels: dict[str, str] = {}  # identifier → text of the heading
        self.lifted: set[str] = set()  # identifiers of headings before the parts
        self.named: list[Piece] = []
        self.formulas: list[tuple[str, str]] = []
        self.piece = Piece("", 0, "")

    def name_headings(self, piece: Piece, blocks: list[dict]) -> list[dict]:
        """`blocks` with every heading's identifier made unique in the document. Comes before `mend`: links point forward too."""

        def visit(node: dict) -> dict:
            if node["t"] == "Header":
                text = plain(node["c"][2])
                base = label = f"{slug(piece.notebook)}-{slug(text)}"
                number = 0
                while label in self.labels:
                    number += 1
                    label = f"{base}-{number}"
                self.labels[label] = text
                if piece.kind in UNNUMBERED:
                    self.lifted.add(label)
                node["c"][1] = [label, ["unnumbered"] if label in self.lifted else [], []]
            return node

        return walk(blocks, visit)

    def mend(self, piece: Piece, blocks: list[dict]) -> list[dict]:
        """`blocks` of `piece`, checked. Raises ReportError at a formula, image, link or HTML that the page cannot show."""
        self.piece = piece
        dollars = sum(text.count("$") for kind, text in leaves(blocks) if kind == "Str")
        if dollars > piece.text.count(r"\$"):
            raise self.error(r"a dollar sign encloses no formula; write \$ for the sign, and no blank just inside $…$")
        return walk(held(blocks), lambda node: getattr(self, f"_{node['t'].lower()}", lambda same: same)(node))

    def error(self, message: str) -> ReportError:
        return ReportError(f"{self.piece.place}: {message}")

    def add_file(self, data: bytes, suffix: str) -> str:
        """Keep an image's bytes for the compiler, a PNG packed as it is; returns the name to call it by."""
        if self.pack and suffix == ".png" and (packed := raster.page(data)):
            data, suffix = packed, ".pdf"
        name = next((name for name, kept in self.files.items() if kept == data), f"image-{len(self.files) + 1}{suffix}")
        self.files[name] = data
        return name

    def _math(self, node: dict) -> dict:
        kind, tex = node["c"]
        for pattern, remedy in BAD_MATHS.items():
            if match := re.search(pattern, tex):
                raise self.error(f"the formula holds {match[0]}, which the PDF cannot draw; {remedy}")
        for written, fit in REWRITTEN.items():
            tex = tex.replace(written, fit)
        tex = re.sub(r"(?s)\\begin\{cases\}.*?\\end\{cases\}", lambda cases: re.sub(r"(?<!\\)&", r"&\\quad ", cases[0]), tex)
        tex = re.sub(r"(?s)(?<=\\begin\{aligned\}).*?(?=\\end\{aligned\})", lambda rows: _spread(rows[0]), tex)
        self.formulas.append((tex, self.piece.place))
        return {"t": "Math", "c": [kind, tex]}

    def _code(self, node: dict) -> dict:
        attributes, text = node["c"]
        return {"t": "Code", "c": [attributes, re.sub(r"([._/,(=-])(?=\w)", rf"\1{BREAK}", text) if len(text) > 24 else text]}

    def _codeblock(self, node: dict) -> dict:
        (_, classes, _), text = node["c"]
        return code(text, (classes or ["text"])[0])

    def _rawinline(self, node: dict) -> dict:
        form, text = node["c"]
        if re.fullmatch(r"(?i)<br\s*/?>", text):
            return {"t": "LineBreak"}
        if text.startswith("<!--"):
            return {"t": "Str", "c": ""}
        if form == "tex":
            raise self.error(f"TeX outside of dollars: {_short(text)}; write $$\\begin{{aligned}} … \\end{{aligned}}$$")
        raise self.error(f"HTML does not reach the PDF: {_short(text)}; write Markdown")

    def _rawblock(self, node: dict) -> dict:
        self._rawinline(node)  # raises at all but a comment or a break, which a block does not need
        return raw("")

    def _str(self, node: dict) -> dict:
        if note := re.search(r"\[\^[^]]+\]", node["c"]):
            raise self.error(f"the footnote {note[0]} has no text in its cell; put it there")
        if "```" in node["c"]:
            raise self.error("a code fence stays open; close it with ```")
        return node

    def _image(self, node: dict) -> dict:
        attributes, words, (target, title) = node["c"]
        data, suffix = self._load(target)
        if not attributes[2] and (width := picture_width(data)):
            attributes = [*attributes[:2], [["width", f"{width:.3f}in"]]]
        return {"t": "Image", "c": [attributes, words, [self.add_file(data, suffix), title]]}

    def _load(self, target: str) -> tuple[bytes, str]:
        """The bytes and the suffix of an attachment or of a file beside the notebook."""
        for name, forms in self.piece.attachments.items():
            if target == f"attachment:{name}" or target.endswith(f"-{name}"):
                mime = next((mime for mime in PICTURES if mime in forms), None)
                if mime:
                    return b64decode(forms[mime]), PICTURES[mime]
        file = self.folder / unquote(target)
        if not file.resolve().is_relative_to(self.folder.resolve()):
            raise self.error(
                f"the image {target} lies outside of the notebook's folder; put it beside the notebook, or attach it to the cell"
            )
        if not file.is_file() or file.suffix not in (*PICTURES.values(), ".jpeg"):
            raise self.error(f"no image {target}; it must be a PNG, JPEG or SVG file beside the notebook, or an attachment of the cell")
        return file.read_bytes(), file.suffix

    def _link(self, node: dict) -> dict:
        _, words, (target, _) = node["c"]
        if re.match(r"(https?|mailto):", target):
            return node
        file, _, fragment = unquote(target).partition("#")
        if plain(words) in REFERENCES and not file:
            return {"t": "Link", "c": [["", [REFERENCE], []], words, [f"#{self._refer(plain(words), fragment)}", ""]]}
        notebook = Path(file).stem if file.endswith(".ipynb") else "" if file else self.piece.notebook
        label = self._find(slug(notebook), slug(fragment))
        if label:
            return {"t": "Link", "c": [EMPTY, words, [f"#{label}", ""]]}
        if file and (self.folder / file).exists():
            return {"t": "Span", "c": [EMPTY, words]}  # a file beside the notebook: no address in a PDF
        raise self.error(
            f"the link {target} leads nowhere; write #heading-in-dashes, notebook.ipynb#heading-in-dashes or a file that exists"
        )

    def _find(self, notebook: str, fragment: str) -> str | None:
        if not fragment:
            begins = (label for label in self.labels if notebook and label.startswith(f"{notebook}-"))
            return next((label for label in begins if label not in self.lifted), None)
        there = {*self.labels, *(piece.label for piece in self.named)}
        return next((label for label in (f"{notebook}-{fragment}", fragment) if label in there), None)

    def _refer(self, word: str, name: str) -> str:
        """The identifier of the one figure or table of that name in the document."""
        found = [piece for piece in self.named if piece.name == name and (piece.kind == "picture") == (word == "Figure")]
        if len(found) != 1:
            where = f" ({', '.join(piece.place for piece in found)})" if found else ""
            raise self.error(f"{'more than one' if found else 'no'} {word.lower()} is named {name!r}{where}; a reference needs just one")
        return found[0].label

    def _table(self, node: dict) -> dict:
        """Columns as wide as their contents, unless the dashes under the head say otherwise; numbers unbroken, by their points.

        A table without a caption takes no number (`Document` gives it one with its caption).
        """
        _, caption, columns, head, bodies, foot = node["c"]
        found = rows(node)
        alike = len({str(width) for _, width in columns}) == 1
        for i, column in enumerate(columns):
            if column[0]["t"] in ("AlignDefault", "AlignRight"):
                numbers = found and all(NUMBER.fullmatch(plain(row[i][4]).strip()) for row in found)
                if column[0]["t"] == "AlignDefault":
                    column[0] = {"t": "AlignRight" if numbers else "AlignLeft"}
                if numbers:
                    _align_points([row[i][4] for row in found])
                    for row in found:
                        row[i][4] = walk(row[i][4], lambda inside: {"t": "Str", "c": "\xa0"} if inside["t"] == "Space" else inside)
            if alike:
                column[1] = {"t": "ColWidthDefault"}
        return {"t": "Table", "c": [["", ["typst:no-figure"], []], caption, columns, head, bodies, foot]}


def _spread(rows: str) -> str:
    """The rows of an `aligned` with room before every second `&`: it parts two equations, and Typst would set them side by side."""
    lines = []
    for line in rows.split(r"\\"):
        first, *others = re.split(r"(?<!\\)&", line)
        lines.append(first + "".join((r"\qquad &" if i % 2 else "&") + part for i, part in enumerate(others)))
    return r"\\".join(lines)


def _align_points(cells: list[list[dict]]) -> None:
    """Give the numbers of a column, which stand to the right, equally long ends behind their integer part, in place."""
    ends = [re.sub(r"^\D{0,2}[\d,\s]*\d", "", plain(cell).strip()) if re.search(r"\d", plain(cell)) else None for cell in cells]
    longest = max((end for end in ends if end is not None), key=len, default="")
    for cell, end in zip(cells, ends):
        if end is not None and len(end) < len(longest) and cell:
            missing = re.sub(r"([#$*_\\\[\]<>@~`])", r"\\\1", longest[len(end) :])
            missing = re.sub(r"\s", "~", missing)
            cell[-1]["c"].append({"t": "RawInline", "c": ["typst", f"#hide[{missing}]"]})


def _short(text: str) -> str:
    return text.strip().split("\n")[0][:60]
