"""A notebook as one HTML file that needs nothing else: pictures and maps inside, formulas as MathML, code folded away."""

from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from nbformat import NotebookNode

from latent.report import ReportError, numbers, tree
from latent.report.exporter import Document

KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}


def page(notebook: NotebookNode, name: str, folder: Path) -> str:
    """The HTML of `notebook`. Raises ReportError, notebook and cell named, at whatever it cannot show."""
    document = Document(notebook, name, folder, screen=True)
    blocks = tree.walk(_numbered(document.blocks, document.numbers), lambda node: _embedded(node, document.mender.files))
    about = {"title": document.title, "subtitle": document.subtitle, "authors": " · ".join(document.authors)}
    template = files("latent.report").joinpath("template.html").read_text(encoding="utf-8")
    with TemporaryDirectory() as place:
        kept = Path(place, "template.html")
        kept.write_text(template, encoding="utf-8")
        text, warnings = tree.write_html(blocks, about, kept)
    if warnings:
        raise document.unknown_formula(warnings)
    style, maps, still = (
        files("latent.explore").joinpath(name).read_text(encoding="utf-8") for name in ("maps.css", "maps.js", "still.js")
    )
    script = maps.replace("export default { render };", "") + still
    return text.replace("/* maps.css */", style).replace("/* maps.js */", script)


def _embedded(node: dict, pictures: dict[str, bytes]) -> dict:
    """An image with its bytes for an address; formulas and notes as they are."""
    if node["t"] != "Image":
        return node
    attributes, words, (name, title) = node["c"]
    if name not in pictures:
        raise ReportError(f"the picture {name} is not at hand")
    address = f"data:{KINDS[Path(name).suffix]};base64,{b64encode(pictures[name]).decode()}"
    return {"t": "Image", "c": [attributes, words, [address, title]]}


def _numbered(blocks: list[dict], said: dict[str, str]) -> list[dict]:
    """`blocks` with numbers before captions; a link without words, which a PDF prints as its page, says what it leads to.

    `said`: identifier → number of every figure and table.
    """
    said = {**_sections(blocks), **said}

    def visit(node: dict) -> dict:
        if node["t"] == "Link" and not node["c"][1]:
            node["c"][1] = [{"t": "Str", "c": said.get(node["c"][2][0].removeprefix("#"), "there")}]
        elif (number := numbers.of(node)) is not None:
            first = node["c"][1][1][0]
            first["c"] = [{"t": "Strong", "c": [{"t": "Str", "c": f"{node['t']}\xa0{number}."}]}, {"t": "Space"}, *first["c"]]
        return node

    return tree.walk(blocks, visit)


def _sections(blocks: list[dict]) -> dict[str, str]:
    """Identifier → number of every heading, or its words where it has none."""
    said: dict[str, str] = {}
    counts = [0, 0, 0, 0, 0, 0]
    for block in blocks:
        if block["t"] == "Header":
            level, (label, classes, _), words = block["c"]
            if "unnumbered" in classes:
                said[label] = tree.plain(words)
                continue
            counts = [*counts[: level - 1], counts[level - 1] + 1, *[0] * (6 - level)]
            said[label] = "§" + ".".join(map(str, counts[:level]))
    return said
