"""The nbconvert exporter `typst-pdf`: a notebook in, a PDF out."""

import json
import re
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import typst
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from traitlets import default

from latent.report import WARNED, ReportError, tree
from latent.report.pieces import Piece, pieces

MARKDOWN = ("markdown", "cover", "caption", "notice")  # the kinds of pieces that pandoc reads
NUMBERED = r"Question \d|\d+[.:)]"  # headings that count for themselves
CONTENTS_FROM = 4  # headings; a shorter document needs no table of contents


class TypstPDFExporter(Exporter):
    """`jupyter nbconvert --to typst-pdf NOTEBOOK`.

    Code is hidden but for cells tagged `show`; cells tagged `skip` are left out. The notebook's metadata may hold
    `title` and, under `latent`, `subtitle`, `keywords` (a list) and `chapters` (each level-1 heading on a new page).
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

    `labels`: identifier → text of every heading, as links name them; `markup` is the whole of main.typ.
    """

    def __init__(self, notebook: NotebookNode, name: str, folder: Path):
        self.mender = tree.Mender(folder)
        self.labels = self.mender.labels
        found = pieces(notebook, name)
        title, blocks = _lift_title(self._blocks(found))
        body, warnings = tree.write(blocks)
        if warnings:
            raise self._unknown_formula(warnings)
        kept = notebook.metadata.get("latent", {})
        keywords = [*kept.get("keywords", []), *([WARNED] if any(piece.kind == "notice" for piece in found) else [])]
        settings = {
            "title": notebook.metadata.get("title") or title or name,
            "subtitle": kept.get("subtitle", ""),
            "chapters": bool(kept.get("chapters")),
            "numbered": not any(re.match(NUMBERED, text) for text in self.labels.values()),
            "keywords": ", ".join(keywords),
        }
        given = ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
        self.markup = f'#import "template.typ": *\n#show: report.with({given})\n{body}'

    def compile(self, form: str = "pdf", **options) -> bytes:
        """The finished file; equal documents give equal bytes. `form` and `options` as for `typst.compile`."""
        template = files("latent.report").joinpath("template.typ").read_bytes()
        sources = {"main.typ": self.markup.encode(), "template.typ": template, **self.mender.files}
        with TemporaryDirectory() as folder:
            for name, data in sources.items():
                Path(folder, name).write_bytes(data)
            try:
                return typst.compile(Path(folder, "main.typ"), root=folder, ignore_system_fonts=True, format=form, **options)
            except typst.TypstError as error:
                raise ReportError(f"{self._place(error.diagnostic)}: Typst cannot set this: {error.message}") from error

    def _blocks(self, found: list[Piece]) -> list[dict]:
        """The whole document as one list of pandoc blocks, a comment before each piece naming its place."""
        readable = [piece for piece in found if piece.kind in MARKDOWN]
        parsed = dict(zip(map(id, readable), tree.parse([piece.text for piece in readable]), strict=True))
        parsed = {key: self.mender.name_headings(piece, parsed[key]) for piece in readable if (key := id(piece))}
        blocks: list[dict] = []
        contents = [tree.raw("#contents")] if len(self.labels) >= CONTENTS_FROM else []
        for piece in found:
            if contents and piece.kind != "cover":
                blocks.append(contents.pop())
            mended = self.mender.mend(piece, parsed[id(piece)]) if piece.kind in MARKDOWN else []
            if piece.kind == "caption":
                self._attach(piece, mended, blocks)
                continue
            blocks += [tree.raw(f"// {piece.place}"), *self._shown(piece, mended)]
        return blocks

    def _shown(self, piece: Piece, mended: list[dict]) -> list[dict]:
        if piece.kind == "picture":
            return [tree.picture(self.mender.add_file(piece.picture, piece.suffix), piece.width)]
        if piece.kind == "notice":
            inside = mended[0]["c"] if mended and mended[0]["t"] == "BlockQuote" else mended
            return [tree.raw("#notice["), *inside, tree.raw("]")]
        if piece.kind in ("code", "output"):
            return [tree.code(piece.text, "python" if piece.kind == "code" else "output")]
        return mended

    def _attach(self, piece: Piece, caption: list[dict], blocks: list[dict]) -> None:
        """Make a numbered figure or table of the block just before and its caption."""
        last = blocks[-1] if blocks else tree.raw("")
        if last["t"] == "Para" and last["c"][0]["t"] == "Image":
            blocks[-1] = {"t": "Figure", "c": [tree.EMPTY, [None, caption], [{"t": "Plain", "c": last["c"]}]]}
        elif last["t"] == "Table":
            blocks[-1] = {"t": "Table", "c": [tree.EMPTY, [None, caption], *last["c"][2:]]}
        else:
            raise ReportError(f"{piece.place}: a caption stands under no figure or table; display it right after one")

    def _unknown_formula(self, warnings: str) -> ReportError:
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
