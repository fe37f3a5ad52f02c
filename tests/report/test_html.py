"""The report as one HTML file: nothing comes from elsewhere, and maps have what their script needs."""

import json
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser

import pytest
from helpers import ROOT
from nbformat import v4
from samples import AUTHORS, code, edit, figure, png, shown, table
from test_exporter import notebook

from latent import cli
from latent.explore.maps import STATE
from latent.report import ReportError, build, html
from latent.show import MAPS

STATE_OF_MAPS = {"names": ["a", "b"], "classes": ["</script>", "1"], "labels": b64encode(b"\0\1").decode()}


class Read(HTMLParser):
    """Every element's tag and attributes, in order; the text of scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.scripts: list[tuple[dict, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script" and data.strip():
            self.scripts.append((self.elements[-1][1], data))

    def all(self, tag):
        return [attributes for found, attributes in self.elements if found == tag]


def page(*cells) -> str:
    return html.page(notebook(*cells), "sample", ROOT)


def maps(tags=()):
    picture, caption = figure("Maps.")
    picture.data[MAPS] = STATE_OF_MAPS
    return code("explore.Maps(atlas)", [picture, caption], tags)


def test_the_wet_part_is_one_file_that_needs_nothing_else(root):
    edit(root / "notebooks/07_interpolation_tsne.ipynb", lambda made: made.cells.append(maps(["remove_cell"])))
    edit(root / "notebooks/01_mnist_ae.ipynb", lambda made: made.cells.append(code("draw()", figure("Drawn."))))
    path = build.build_html(root / "notebooks", root, AUTHORS)
    read = Read(path.read_text())
    assert path.name == "wet.html" and "Ada Lovelace · Łukasz Żółć" in path.read_text()
    for _, attributes in read.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    assert not re.search(r"@import|url\((?!\$\{atlas)|\bimport\b.*from|fetch\(|XMLHttpRequest", path.read_text())
    pictures = [b64decode(image["src"].split(",")[1]) for image in read.all("img")]
    assert pictures == [png()] * 9 and all(image["alt"] for image in read.all("img"))
    labels = {attributes["id"] for _, attributes in read.elements if "id" in attributes}
    assert {link["href"].removeprefix("#") for link in read.all("a") if link.get("href")} <= labels
    assert path.read_text().count(">§") > 20  # where the PDF prints a page


def test_the_command_makes_it_beside_the_pdfs(root, capsys, monkeypatch):
    monkeypatch.chdir(root)
    assert cli.main(["report", "--html", "--out", "build", "--author", "Ada Lovelace"]) == 0
    assert capsys.readouterr().out.split() == ["build/wet.pdf", "build/dry.pdf", "build/wet.html"]
    assert cli.main(["report", "--author", ""]) == 2


def test_code_is_folded_away_and_formulas_are_mathml():
    text = page("# T", "$x^2$ and\n$$\\frac{a}{b}$$", code("hidden()", [shown("| a |\n|---|\n| 1 |"), shown("A table.", "caption")]))
    folded = re.search(r"<details><summary>code</summary>(.*?)</details>", text, re.DOTALL)[1]
    assert "hidden" in folded and text.count("<math") == 2 and "<mfrac>" in text and "A table." in text
    shown_code = page("# T", code("visible()", tags=["show"]), code("gone()", tags=["remove_cell"]), code("input()", tags=["remove_input"]))
    assert "visible" in shown_code and not any(word in shown_code for word in ("<summary>code", "gone", "input()"))


def test_maps_come_with_their_state_and_their_script_once():
    read = Read(page("# T", maps(), maps(["remove_cell"])))
    states = [json.loads(text) for attributes, text in read.scripts if "data-maps" in attributes]
    assert states == [STATE_OF_MAPS, STATE_OF_MAPS]
    (script,) = [text for attributes, text in read.scripts if attributes.get("type") == "module"]
    assert "function render({ model, el })" in script and "export" not in script
    order = [tag for tag, attributes in read.elements if tag == "figure" or "data-maps" in attributes]
    assert order == ["script", "figure"] * 2


def test_what_maps_read_of_their_model_is_kept():
    asked = set(re.findall(r'(?:model\.get\(|numbers\(model, )"(\w+)"', (ROOT / "latent/explore/maps.js").read_text()))
    assert asked == set(STATE)


def test_figures_in_a_row_and_headings_before_the_parts_are_counted_as_in_print():
    row = code("", [output for name in "ab" for output in figure(f"Number {name}.", name=name)], ["beside"])
    links = "[](#figure-a) [](#figure-b) [](#part) [](#before)"
    said = ["Figure\xa01", "Figure\xa02", "§1.1", "Before"]
    before = v4.new_markdown_cell("## Before", metadata={"latent": {"role": "front"}})
    text = page(before, f"# One\n\n{links}\n\n## Part", row, "# Two")
    assert [link.strip() for link in re.findall(r'<a href="#sample-[^>]*>([^<]*)</a>', text)][-4:] == said
    assert text.count('<div class="beside">') == 1


def test_captions_and_references_say_the_numbers_of_print():
    """Also behind a figure that a PDF leaves out, which has none."""
    both = code("", [*figure("Drawn *so*.", name="drawn"), *table("Told.", "told")], ["beside"])
    text = page("# T", maps(["remove_cell"]), "As [Figure](#drawn) and [Table](#told) say.", both)
    assert re.findall(r'<a href="#sample-([a-z-]*)"[^>]*>([^<]*)</a>', text)[-2:] == [
        ("figure-drawn", "Figure\xa01"),
        ("table-told", "Table\xa01"),
    ]
    captions = re.findall(r"<(?:fig)?caption[^>]*>\s*<p>(.*?)</p>", text.replace("\n", " "))
    assert captions == ["Maps.", "<strong>Figure\xa01.</strong> Drawn <em>so</em>.", "<strong>Table\xa01.</strong> Told."]


def test_notices_stand_in_the_page_and_what_cannot_be_shown_stops_it():
    assert 'class="notice"' in page("# T", code("", [shown("> **Stand-in data.**", "notice")]))
    with pytest.raises(ReportError, match=r"notebook sample, cell 2: unknown formula \\foo"):
        page("# T", "$\\foo$")
