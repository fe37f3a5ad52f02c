"""The nbconvert exporter `typst-pdf`: a notebook in, a PDF out."""

import re
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import typst
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from traitlets import default

from latent.report import SIGNED, WARNED, ReportError, floating, numbers, together, tree
from latent.report.pieces import HALF_INCHES, Piece, pieces

MARKDOWN = ("markdown", "front", "cover", "caption", "notice")  # the kinds of pieces that pandoc reads
NUMBERED = r"Question \d|\d+[.:)]"  # headings that count for themselves
CONTENTS_FROM = 4  # headings; a shorter document needs no table of contents


class TypstPDFExporter(Exporter):
    """`jupyter nbconvert --to typst-pdf NOTEBOOK`.

    Code is hidden but for cells tagged `show`; nbconvert's own tags `remove_cell`, `remove_input` and `remove_output` hold as
    everywhere; the figures and tables of a cell tagged `beside` stand two in a row, Markdown tagged `small` is set smaller.
    The notebook's metadata may hold `title` and, under `latent`, `subtitle`, `authors` and `keywords` (lists) and `chapters` (level-1
    headings begin parts, and are no contents).
    """

    export_from_notebook = "PDF via Typst"
    output_mimetype = "application/pdf"

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".pdf"

    def from_notebook_node(self, nb: NotebookNode, resources: dict | None = None, **options) -> tuple[bytes, dict]:
        """The PDF of `nb` and the resources. Raises ReportError, notebook and cell named, at whatever the page cannot show."""
        notebook, resources = super().from_notebook_node(nb, resources, **options)
        home = resources.get("metadata", {})
        document = Document(notebook, home.get("name") or "notebook", Path(home.get("path") or "."))
        return document.compile(), resources


class Document:
    """A notebook as Typst markup with its images.

    `labels`: identifier → text of every heading, as links name them; `captions`: the same of every named figure and table;
    `numbers`: what references to these say; `markup` is the whole of main.typ; for a `screen`, `latent.report.html` takes the
    `blocks` instead.
    """

    def __init__(self, notebook: NotebookNode, name: str, folder: Path, screen: bool = False):
        kept = notebook.metadata.get("latent", {})
        self.chapters = bool(kept.get("chapters"))
        self.mender = tree.Mender(folder, pack=not screen)
        self.labels = self.mender.labels
        found = pieces(notebook, name, screen)
        title, blocks = _lift_title(self._blocks(found))
        self.blocks, self.numbers = numbers.number(blocks)
        self.captions = _captions(self.blocks)
        self.title = notebook.metadata.get("title") or title or name
        self.subtitle, self.authors = kept.get("subtitle", ""), kept.get("authors", [])
        self.markup = "" if screen else self._write(found, kept.get("keywords", []))

    def _write(self, found: list[Piece], keywords: list[str]) -> str:
        body, warnings = tree.write([*together.keep(self.blocks), tree.raw(f"#slot({floating.LAST})")])
        if warnings:
            raise self.unknown_formula(warnings)
        marks = {WARNED: any(piece.kind == "notice" for piece in found), SIGNED: bool(self.authors)}
        settings = {
            "title": self.title,
            "subtitle": self.subtitle,
            "chapters": self.chapters,
            "numbered": not any(re.match(NUMBERED, text) for text in self.labels.values()),
            "authors": self.authors,
            "keywords": ", ".join([*keywords, *(mark for mark, holds in marks.items() if holds)]),
        }
        given = ", ".join(f"{key}: {tree.typst(value)}" for key, value in settings.items())
        return f'#import "template.typ": *\n#show: report.with({given})\n{body}'

    def compile(self, form: str = "pdf", **options) -> bytes:
        """The finished file; equal documents give equal bytes. `form` and `options` as for `typst.compile`."""
        template = files("latent.report").joinpath("template.typ").read_bytes()
        sources = {"main.typ": self.markup.encode(), "template.typ": template, **self.mender.files}
        with TemporaryDirectory() as folder:
            for name, data in sources.items():
                Path(folder, name).write_bytes(data)
            try:
                inputs = floating.settle(Path(folder, "main.typ"))
                return typst.compile(
                    Path(folder, "main.typ"), root=folder, ignore_system_fonts=True, sys_inputs=inputs, format=form, **options
                )
            except typst.TypstError as error:
                raise ReportError(f"{self._place(error.diagnostic)}: Typst cannot set this: {error.message}") from error

    def _blocks(self, found: list[Piece]) -> list[dict]:
        """The whole document as one list of pandoc blocks, a comment before each piece naming its place."""
        readable = [piece for piece in found if piece.kind in MARKDOWN]
        parsed = dict(zip(map(id, readable), tree.parse([piece.text for piece in readable]), strict=True))
        parsed = {key: self.mender.name_headings(piece, parsed[key]) for piece in readable if (key := id(piece))}
        self.mender.named = [piece for piece in found if piece.name]
        blocks: list[dict] = []
        if len(self.labels) >= CONTENTS_FROM and not self.chapters:
            blocks.append(tree.raw("#contents()"))
        for piece in found:
            mended = self.mender.mend(piece, parsed[id(piece)]) if piece.kind in MARKDOWN else []
            if piece.kind == "caption":
                self._attach(piece, mended, blocks)
                continue
            blocks += [tree.raw(f"// {piece.place}"), *self._shown(piece, mended)]
        return blocks

    def _shown(self, piece: Piece, mended: list[dict]) -> list[dict]:
        if piece.kind == "picture":
            width = min(piece.width, HALF_INCHES) if piece.width and piece.beside else piece.width
            return [tree.picture(self.mender.add_file(piece.picture, piece.suffix), width, piece.alt, piece.label)]
        if piece.kind == "maps":
            state = piece.text.replace("<", "\\u003c")
            return [tree.raw(f'<script type="application/json" data-maps>{state}</script>', "html")]
        if piece.kind == "folded":
            block = {"t": "CodeBlock", "c": [["", ["python"], []], piece.text]}
            return [tree.raw("<details><summary>code</summary>", "html"), block, tree.raw("</details>", "html")]
        if piece.kind == "notice":
            inside = mended[0]["c"] if mended and mended[0]["t"] == "BlockQuote" else mended
            return [tree.raw("#notice["), {"t": "Div", "c": [["", ["notice"], []], inside]}, tree.raw("]")]
        if piece.kind in ("code", "output"):
            return [tree.code(piece.text, "python" if piece.kind == "code" else "output")]
        if piece.name and mended and mended[-1]["t"] == "Table":
            mended[-1]["c"][0][0] = piece.label
        return [tree.raw("#small["), *mended, tree.raw("]")] if piece.small else mended

    def _attach(self, piece: Piece, caption: list[dict], blocks: list[dict]) -> None:
        """Make a numbered figure or table of the block just before and its caption, whose first sentence also describes the picture."""
        last = blocks[-1] if blocks else tree.raw("")
        if last["t"] == "Para" and last["c"][0]["t"] == "Image":
            said = [tree.plain(last["c"][0]["c"][1]), tree.first_sentence(caption)]
            last["c"][0]["c"][1] = [{"t": "Str", "c": ". ".join(filter(None, said))}]
            label, last["c"][0]["c"][0][0] = last["c"][0]["c"][0][0], ""  # the figure's from now on
            classes = [numbers.EXTRA] if piece.extra else []
            blocks[-1] = {"t": "Figure", "c": [[label, classes, []], [None, caption], [{"t": "Plain", "c": last["c"]}]]}
        elif last["t"] == "Table":
            blocks[-1] = {"t": "Table", "c": [[last["c"][0][0], [], []], [None, caption], *last["c"][2:]]}
        else:
            raise ReportError(f"{piece.place}: a caption stands under no figure or table; display it right after one")
        if piece.beside and blocks[-4:-3] == blocks[-2:-1] and blocks[-3]["t"] in ("Figure", "Table"):  # each behind the same place
            blocks[-3:] = [tree.row(blocks[-3], blocks[-1])]

    def unknown_formula(self, warnings: str) -> ReportError:
        """The error for pandoc's warnings, which quote the formula but not its place."""
        said = " ".join(warnings.split())
        for tex, place in self.mender.formulas:
            if f"Could not convert TeX math {' '.join(tex.split())}, " in said:
                return ReportError(f"{place}: unknown formula {' '.join(tex.split())}; use TeX that pandoc can turn into Typst")
        return ReportError(f"pandoc warns: {said}")

    def _place(self, diagnostic: str) -> str:
        """Where the line of main.typ that Typst complains about comes from."""
        line = re.search(r"main\.typ:(\d+)", diagnostic)
        before = self.markup.splitlines()[: int(line[1])] if line else []
        return next((text[3:] for text in reversed(before) if text.startswith("// notebook ")), "the report's template")


def _captions(blocks: list[dict]) -> dict[str, str]:
    """Identifier → caption of every named figure and table."""
    shown = [part for block in blocks for part in tree.in_row(block) if part["t"] in ("Figure", "Table")]
    return {part["c"][0][0]: tree.plain(part["c"][1]) for part in shown if part["c"][0][0]}


def _lift_title(blocks: list[dict]) -> tuple[str, list[dict]]:
    """The document's only level-1 heading becomes its title, and every other heading moves up one level."""
    headings = [block for block in blocks if block["t"] == "Header"]
    first = [block for block in headings if block["c"][0] == 1]
    if len(first) != 1 or headings[0] is not first[0]:
        return "", blocks
    for heading in headings[1:]:
        heading["c"][0] -= 1
    place = blocks.index(first[0])
    blocks[place] = tree.raw(f"#metadata(none) <{first[0]['c'][1][0]}>")  # links to the title still arrive
    return tree.plain(first[0]["c"][2]), blocks
