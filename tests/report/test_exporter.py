"""One notebook to PDF: what stands on the pages, and every cell that must stop it."""

import io
import json
import os
import re
import time
from base64 import b64encode
from bisect import bisect_left
from functools import cache
from importlib.metadata import entry_points

import pytest
from blank import shares
from nbconvert.exporters import get_exporter
from nbformat import v4
from PIL import Image
from pypdf import PdfReader
from samples import code, figure, png, shown, table

from latent.report import WARNED, ReportError, raster
from latent.report.exporter import Document, TypstPDFExporter
from latent.report.merge import merge
from latent.report.pieces import TEXT_INCHES, picture_width
from latent.report.tree import held, parse, plain, slug


def notebook(*cells):
    """A notebook of `cells`; strings become Markdown cells."""
    made = v4.new_notebook(cells=[v4.new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    for number, cell in enumerate(made.cells):
        cell["id"] = f"c{number}"
    return made


def export(*cells, folder=".") -> bytes:
    pdf, resources = TypstPDFExporter().from_notebook_node(notebook(*cells), {"metadata": {"name": "sample", "path": str(folder)}})
    assert resources["output_extension"] == ".pdf"
    return pdf


def text(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def stops(*cells, folder=".") -> str:
    with pytest.raises(ReportError) as stop:
        export(*cells, folder=folder)
    message = str(stop.value)
    assert "\n" not in message
    return message


def test_prose_headings_and_lists_reach_the_page():
    pdf = export(
        "# The Title\n\nHello *world*, @word and 5 \\$.\n- one\n- two\n\nA note[^n].\n\n[^n]: At the foot.", "## A part\n\nline<br>break"
    )
    words = text(pdf)
    for expected in ("The Title", "Hello world, @word and 5 $.", "• one", "At the foot.", "1 A part", "line\nbreak"):
        assert expected in words
    assert PdfReader(io.BytesIO(pdf)).metadata["/Title"] == "The Title"


def test_formulas_are_drawn_not_spelled():
    words = text(
        export(
            "$$\\begin{aligned} a &= \\frac{1}{2} \\\\ \\lVert x \\rVert_2^2 &\\le \\alpha\\end{aligned}$$ and $x \\in \\mathbb{R}^{128}$"
        )
    )
    assert "frac" not in words and "$" not in words and "\\" not in words
    assert "𝛼" in words and "ℝ" in words


def test_code_shows_only_where_tagged_and_what_tags_remove_is_gone():
    printed = v4.new_output("stream", name="stdout", text="50 %\rprinted \x1b[31mred\x1b[0m\n")
    bar = v4.new_output("stream", name="stderr", text="PROGRESS")
    widget = v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "WIDGET"})
    words = text(
        export(
            code("hidden()", [printed, bar, widget]),
            code("visible()", tags=["show"]),
            code("gone()", [shown("GONE")], tags=["show", "remove_cell"]),
            code("input()", [shown("KEPT")], tags=["show", "remove_input"]),
            code("alone()", [shown("OUTPUT")], tags=["show", "remove_output"]),
        )
    )
    assert "visible()" in words and "printed red" in words and "KEPT" in words and "alone()" in words
    assert not any(absent in words for absent in ("hidden", "PROGRESS", "WIDGET", "gone", "GONE", "input", "OUTPUT", "50 %", "\x1b"))


def test_a_markdown_cell_tagged_caption_numbers_the_table_before_it():
    caption = v4.new_markdown_cell("What was *tried*.")
    caption.metadata["tags"] = ["caption"]
    cells = ["words\n\n| a | b |\n|---|---|\n| x | 1.5 |", caption]
    assert "Table 1. What was tried." in text(export("# T", *cells))
    assert "a caption stands under no figure or table" in stops("words", caption)


def test_figures_and_tables_are_numbered_apart():
    table = "| a | b |\n|---|---|\n| x | 1.5 |"
    words = text(
        export(
            code("", [*figure("First *figure*."), shown(table), shown("First table.", "caption")]), table, code("", figure("Second $x$."))
        )
    )
    assert "Figure 1. First figure." in words and "Figure 2. Second" in words and "Table 1. First table." in words
    assert "Table 2" not in words and "IGNORED" not in words


def test_references_say_the_numbers_of_the_captions_forward_and_backward():
    say = "see [Figure](#curves), [Table](#rates), [Figure](#maps) and [Table](#errors)."
    first = [*figure("No name."), *figure("Curves.", name="curves"), *table("No name."), *table("Rates.", "rates")]
    second = [*figure("Maps, as [Figure](#curves) says.", name="maps"), *table("Errors.", "errors")]
    pdf = export("# T", f"Before {say}", code("", first), code("", second, ["beside"]), f"Behind {say}")
    words = " ".join(text(pdf).replace("\xa0", " ").split())
    for caption in ("Figure 2. Curves.", "Table 2. Rates.", "Figure 3. Maps, as Figure 2 says.", "Table 3. Errors."):
        assert caption in words
    for where in ("Before", "Behind"):
        assert f"{where} see Figure 2, Table 2, Figure 3 and Table 3." in words


def test_references_lead_to_what_they_name():
    reader = PdfReader(
        io.BytesIO(export("# T", "As [Table](#rates) says.", "\n\n".join(["word"] * 100), code("", table("Rates.", "rates"))))
    )
    (link,) = [note.get_object() for note in reader.pages[0]["/Annots"]]
    target = link["/Dest"] if "/Dest" in link else link["/A"]["/D"]
    place = reader.named_destinations[target].page if isinstance(target, str) else target[0]
    assert reader.get_page_number(place.get_object()) == len(reader.pages) - 1 > 0
    assert "p." not in reader.pages[0].extract_text()


def test_references_reach_from_one_notebook_to_another(tmp_path):
    first = notebook("# A", "As [Figure](#curves) shows.")
    second = notebook("# B", code("", figure("Other.")), code("", figure("Curves.", name="curves")))
    made = Document(merge({"a": first, "b": second}), "both", tmp_path)
    assert made.numbers["b-figure-curves"] == "Figure\xa02" and made.captions == {"b-figure-curves": "Curves."}
    assert "As Figure 2 shows." in text(made.compile()).replace("\xa0", " ")
    twice = notebook("# C", code("", figure("Curves.", name="curves")))
    with pytest.raises(ReportError, match=r"^notebook a, cell 2: more than one figure is named 'curves' \(notebook b, cell 3, notebook c"):
        Document(merge({"a": first, "b": second, "c": twice}), "all", tmp_path)


@pytest.mark.parametrize(("word", "name"), [("Figure", "curve"), ("Table", "curves"), ("Figure", "rates"), ("Figure", "T"), ("Table", "")])
def test_a_reference_to_no_such_name_stops_with_its_place(word, name):
    shown_both = code("", [*figure("Curves.", name="curves"), *table("Rates.", "rates")])
    assert stops("# T", shown_both, f"[{word}](#{name})") == (
        f"notebook sample, cell 3: no {word.lower()} is named '{name}'; a reference needs just one"
    )


def test_no_table_that_leaves_its_place_passes_one_that_is_too_long_to_leave_it():
    words = filled(lines_of_a_page() - 10, code("", table("FIRST.", "one", 20)), code("", table("SECOND.", "two", 60)), "[Table](#two)")
    assert "Table" not in words[0] and words[1].index("Table 1. FIRST.") < words[1].index("Table 2. SECOND.")
    assert "Table 2" in words[-1].replace("\xa0", " ").split("SECOND")[-1]


def test_number_columns_stand_to_the_right_and_words_to_the_left():
    table = "| name | value | list |\n|---|---|---|\n| x | 98.7 ± 0.1 | 1, 2 |\n| y | – | 3, 4 |"
    assert "align: (left,right,left,)" in Document(notebook(table), "n", None).markup


def test_dashes_of_unequal_length_set_the_widths():
    wide = "| a | b |\n|-|---|\n| " + "long " * 30 + "| x |"
    assert "columns: (25%, 75%)" in Document(notebook(wide), "n", None).markup
    assert "columns: 2" in Document(notebook(wide.replace("|-|", "|---|")), "n", None).markup


def test_notice_stands_on_every_page():
    pdf = export("# T", code("", [shown("> **Stand-in data.**", "notice")]), *["word " * 700] * 4)
    pages = PdfReader(io.BytesIO(pdf)).pages
    assert len(pages) >= 3
    assert all("Stand-in data." in page.extract_text() for page in pages)
    assert pages[0].extract_text().count("Stand-in data.") == 2
    assert WARNED.encode() in pdf and WARNED.encode() not in export("# T")


def test_links_carry_pages_in_either_spelling():
    far = ["word " * 700] * 2
    pdf = export("# T", "[there](#the-far-end), [also](#The-far-end), [alone](sample.ipynb#The-far-end)", *far, "## The far end")
    end = len(PdfReader(io.BytesIO(pdf)).pages)
    assert end > 1
    assert all(f"{link} (p. {end})" in text(pdf).replace("\xa0", " ") for link in ("there", "also", "alone"))


def test_a_cell_of_bare_links_lists_their_pages_in_order_and_once():
    far = "\n\n".join(["word"] * 100)
    pdf = export(
        "# T",
        "| | |\n|-|-|\n| pages | [](#end), [](#figure-a), [](#begin), [](#last) |",
        "## Begin",
        far,
        code("", figure("A.", name="a")),
        far,
        "## End",
        "## Last",
    )
    pages = PdfReader(io.BytesIO(pdf)).pages
    drawn = next(number for number, page in enumerate(pages, 1) if "Figure 1." in page.extract_text())
    assert 1 < drawn < len(pages) and f"pages 1, {drawn}, {len(pages)}\n" in pages[0].extract_text()


def tags(pdf: bytes) -> list[tuple[str, str | None]]:
    """Kind and alternative text of every element of the PDF's structure, in reading order."""
    found = []

    def visit(node) -> None:
        node = node.get_object()
        if isinstance(node, list):
            for child in node:
                visit(child)
        elif isinstance(node, dict):
            if "/S" in node:
                found.append((node["/S"], node.get("/Alt")))
            if "/K" in node:
                visit(node["/K"])

    visit(PdfReader(io.BytesIO(pdf)).trailer["/Root"]["/StructTreeRoot"])
    return found


def test_pictures_and_formulas_are_described_for_those_who_cannot_see_them(tmp_path):
    (tmp_path / "local.png").write_bytes(png(grey=3))
    titled = figure("Read, cf. Smith et al. 2014, as so. Second *sentence*.")
    titled[0].metadata["image/png"] = {"alt": "A title"}
    pdf = export(
        "# T", "![Local *picture*](local.png){width=96px}", code("", titled + figure("One $x^2$ alone")), "$$a + b$$", folder=tmp_path
    )
    found = tags(pdf)
    assert [alt for kind, alt in found if kind == "/Figure"] == [
        "Local picture",
        "A title. Read, cf. Smith et al. 2014, as so.",
        "One x^2 alone",
    ]
    assert [alt for kind, alt in found if kind == "/Formula"] == ["x^2", "a + b"]


def test_the_file_has_bookmarks_tags_a_language_and_a_title():
    table = "| a | b |\n|---|---|\n| x | 1.5 |"
    pdf = export(
        "# The Title",
        "## Part A\n\n- one",
        "### Inner $x$",
        "## Part B",
        table,
        code("f()", tags=["show"]),
        *["word " * 800] * 2,
        "## Part C",
    )
    reader = PdfReader(io.BytesIO(pdf))
    root = reader.trailer["/Root"]
    assert [entry.title for entry in bookmarks(reader.outline)] == ["1 Part A", "1.1 Inner x", "2 Part B", "3 Part C"]
    assert root["/Lang"] == "en" and root["/MarkInfo"]["/Marked"]
    assert reader.metadata["/Title"] == "The Title"
    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/LI", "/Code", "/TOC"} <= {kind for kind, _ in tags(pdf)}


def bookmarks(outline) -> list:
    """All entries of an outline, which holds lists in lists."""
    return [found for entry in outline for found in (bookmarks(entry) if isinstance(entry, list) else [entry])]


def test_but_for_packed_pictures_the_file_keeps_to_the_standard_of_accessibility(monkeypatch, tmp_path):
    """PDF/UA-1: Typst checks it, but then packs pictures itself."""
    monkeypatch.setattr(raster, "page", lambda data: None)
    made = Document(notebook("# T", *[f"## {name}\n\n$x$" for name in "ABC"], code("", figure("A picture."))), "n", tmp_path)
    pdf = made.compile(pdf_standards=["ua-1"])
    assert "pdfuaid:part" in PdfReader(io.BytesIO(pdf)).trailer["/Root"]["/Metadata"].get_object().get_data().decode()


def test_contents_list_parts_of_longer_documents_only():
    assert "Contents" in text(export("# T", *[f"## Part {name}" for name in "ABC"]))
    assert "Contents" not in text(export("# T", "## Part A"))


def test_headings_are_numbered_unless_they_count_for_themselves():
    assert "1 Part A" in text(export("# T", "## Part A"))
    words = text(export("# T", "## 1. Part A", "## 2. Part B"))
    assert "1. Part A" in words and "1 1. Part A" not in words


def test_images_come_from_files_attachments_and_vectors(tmp_path):
    (tmp_path / "local.png").write_bytes(png())
    attached = v4.new_markdown_cell("![Attached](attachment:a.png)", attachments={"a.png": {"image/png": b64encode(png(grey=10)).decode()}})
    vector = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><rect width="90" height="30" fill="red"/></svg>'
    both = v4.new_output("display_data", {"image/svg+xml": vector, "image/png": b64encode(png()).decode()})
    pdf = export("![Local](local.png)", attached, code("", [both]), folder=tmp_path)
    assert "Figure 1. Local" in text(pdf) and "Figure 2. Attached" in text(pdf)
    assert sum(len(page.images) for page in PdfReader(io.BytesIO(pdf)).pages) == 2  # the vector is no image


@pytest.mark.parametrize(
    ("width", "height", "given", "inches"),
    [(220, 110, None, 2.0), (440, 220, 220, 2.0), (5000, 10, None, TEXT_INCHES[0]), (1000, 4000, None, TEXT_INCHES[1] / 4)],
)
def test_picture_width_is_at_110_dpi_within_the_page(width, height, given, inches):
    assert picture_width(png(width, height), given) == pytest.approx(inches)


def test_pages_have_ink_inside_the_margins_only(tmp_path):
    wide = "| a | b |\n|---|---|\n| " + "long " * 60 + "| " + "words " * 60 + " |"
    long_code = "x = " + " + ".join(f"number_{i}" for i in range(60)) + "#" * 200
    formula = "$$" + " + ".join(f"x_{{{i}}}" for i in range(60)) + "$$"
    pages = Document(
        notebook("# T", wide, formula, code("", figure("Wide.", png(3000, 900))), code(long_code, tags=["show"])), "n", tmp_path
    )
    picture = Image.open(io.BytesIO(pages.compile("png", ppi=50))).convert("L")
    left, _, right, _ = picture.point(lambda grey: 255 * (grey < 200)).getbbox()
    margin = 20 / 25.4 * 50
    assert margin - 2 <= left < margin + 10 and picture.width - margin - 10 < right <= picture.width - margin + 2


def test_lines_of_code_too_wide_for_the_page_go_on_further_in():
    wide = " + ".join(f"number_{i}" for i in range(20))
    pdf = export("# T", code(f"def f():\n    return {wide}\n\nnothing()", tags=["show"]))
    words = PdfReader(io.BytesIO(pdf)).pages[0].extract_text(extraction_mode="layout").splitlines()
    lines = [line for line in words if re.search(r"def|number|nothing", line)]
    indents = [len(line) - len(line.lstrip()) for line in lines]
    assert len(lines) > 4 and indents[0] == indents[-1] < indents[1] < indents[2] and len(set(indents[2:-1])) == 1


def test_long_tables_break_and_repeat_their_head():
    rows = "\n".join(f"| row {i} | {i} |" for i in range(90))
    pages = PdfReader(io.BytesIO(export(code("", [shown(f"| name | count |\n|---|---|\n{rows}"), shown("All rows.", "caption")])))).pages
    words = [page.extract_text() for page in pages]
    assert len(pages) >= 2 and all("name count" in page for page in words)
    assert "Table 1." in words[0] and "row 0 " in words[0] and "row 89" in words[-1]


def test_equal_notebooks_give_equal_bytes():
    cells = ["# T\n\n$x^2$", code("", figure("Same."))]
    first = export(*cells)
    time.sleep(1.1)  # a clock in the file would show
    assert first == export(*cells)


def test_nothing_of_the_machine_is_in_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    assert str(tmp_path).encode() not in export("![x](a.png)", folder=tmp_path)


def test_two_hundred_cells_take_under_six_seconds_of_computing():
    cells = [f"## Part {i}\n\nText with $x_{{{i}}}$.\n\n| a | b |\n|---|---|\n| x | {i} |" for i in range(170)]
    pictures = [code("", figure(f"Number {i}.", png(700, 400, i))) for i in range(30)]
    begin = sum(os.times()[:4])  # of this process and pandoc, whatever else the machine does
    pdf = export("# T", *cells, *pictures)
    assert sum(os.times()[:4]) - begin < 6
    assert "Figure 30. Number 29." in text(pdf)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (r"$\foo{x}$", r"unknown formula \foo{x}"),
        ("$$a\n\\cfrac{1}{2}$$", r"unknown formula a \cfrac{1}{2}"),
        (r"$$x \tag{1}$$", r"\tag"),
        (r"$\left\| x \right\|_2$", r"\lVert"),
        (r"$\operatorname*{argmax}_k f$", r"\arg\max_k"),
        (r"$\begin{vmatrix}1&2\\3&4\end{vmatrix}$", "pmatrix"),
        ("costs $ x $ here", r"\$"),
        ("\\begin{align}\na\n\\end{align}", "TeX outside of dollars"),
        ("<b>bold</b>", "HTML does not reach the PDF: <b>"),
        ("<div>\nblock\n</div>", "HTML does not reach the PDF: <div>"),
        ("![x](missing.png)", "no image missing.png"),
        ("![x](attachment:missing.png)", "no image"),
        ("[x](#nowhere)", "the link #nowhere leads nowhere"),
        ("[x](missing.md)", "the link missing.md leads nowhere"),
        ("```python\nnever closed", "a code fence stays open"),
        ("A note[^1].", "[^1] has no text in its cell"),
    ],
)
def test_what_the_page_cannot_show_stops_with_notebook_and_cell(source, complaint, tmp_path):
    message = stops("# Fine\n\n$x$", source, "also fine", folder=tmp_path)
    assert message.startswith("notebook sample, cell 2: ") and complaint in message


def test_broken_outputs_stop_with_notebook_and_cell():
    error = v4.new_output("error", ename="ValueError", evalue="no such thing\nsecond line", traceback=[])
    assert stops("a", code("", [error])).startswith("notebook sample, cell 2: the code stopped with ValueError: no such thing;")
    assert "cell 2: a caption stands under no figure or table" in stops("a", code("", [shown("Alone.", "caption")]))
    broken = b"\x89PNG\r\n\x1a\n" + b"broken" * 20
    assert "notebook sample, cell 3: Typst cannot set this: failed to decode image" in stops("a", "b", code("", figure("x", broken)), "c")


def test_comments_files_and_dollars_in_code_are_no_errors(tmp_path):
    (tmp_path / "data.py").write_text("")
    words = text(export("<!-- not shown -->\n\nsee [the code](data.py) `$HOME` \\$3\n\n```\n$ ls\n```", folder=tmp_path))
    assert "not shown" not in words and "see the code $HOME $3" in words and "$ ls" in words


def test_cells_share_no_footnotes_or_open_marks():
    first, second = parse(["*never closed[^1]\n\n[^1]: first", "# Next* [^1]"])
    assert plain(first).startswith("*never closed") and second[0]["t"] == "Header" and plain(second[0]["c"][2]) == "Next* [^1]"


@pytest.mark.parametrize(
    "source",
    [
        "98.7_±_0.1_% of",
        "**98.7_±_0.1_%** of",
        "**98.7**_±_0.1 of",
        "$x$_±_$y$ and",
        "(98.7_±_0.1)_% of",
        "(Figure_3, so)",
        "Tables_3 and 4",
        "in trial_42 and",
        "by §_4.2 of",
        "the % of 3 trials, a Figure of a table 3",
    ],
)
def test_a_number_stays_with_what_belongs_to_it(source):
    for blank in (" ", "\n"):
        (block,) = parse([source.replace("_", blank)])
        assert plain(held(block)) == source.replace("_", "\xa0").replace("*", "").replace("$", "")


def test_numbers_of_captions_and_headings_stay_whole(tmp_path):
    made = Document(notebook("# T", "## At 60 % of Table 3", code("", figure("Right for 60 % of all."))), "n", tmp_path)
    assert "60~% of all" in made.markup and "60~% of Table~3" in made.markup and list(made.labels) == ["n-t", "n-at-60--of-table-3"]


def test_slug_follows_the_planned_identifiers():
    assert slug("Choices, tuned on validation") == "choices-tuned-on-validation"
    assert slug("t-SNE, latent and image domain") == "t-sne-latent-and-image-domain"
    assert slug("Did the structured latent space help?") == "did-the-structured-latent-space-help"


def test_nbconvert_finds_the_exporter_by_its_name():
    if "typst-pdf" not in entry_points(group="nbconvert.exporters").names:
        pytest.skip("the package is not installed")
    assert get_exporter("typst-pdf") is TypstPDFExporter


def test_the_exporter_writes_a_file_from_a_file(tmp_path):
    path = tmp_path / "made.ipynb"
    path.write_text(json.dumps(notebook("# From a file")))
    pdf, _ = TypstPDFExporter().from_filename(str(path))
    assert pdf.startswith(b"%PDF-") and "From a file" in text(pdf)


def filled(lines: int, *cells) -> list[str]:
    """The words of each page, where `cells` begin after so many lines of text."""
    pages = PdfReader(io.BytesIO(export("# T", "\n\n".join(["word"] * lines), *cells))).pages
    return [page.extract_text() for page in pages]


@cache
def lines_of_a_page() -> int:
    return bisect_left(range(100), 2, key=lambda lines: len(filled(lines)))


def together(first: str, second: str, *cells) -> bool:
    """Whether both words stand on one page, wherever the page break falls."""
    full = lines_of_a_page()
    found = [[first in page and second in page for page in filled(lines, *cells)] for lines in range(full - 14, full + 1)]
    assert len(found[0]) == 1 < len(found[-1])
    return all(any(pages) for pages in found)


@pytest.mark.parametrize(
    "cells",
    [
        ("## FIRST\n\n> asked\n\n**SECOND.** answered",),
        ("The FIRST words\n\n$$x = \\text{SECOND}$$",),
        ("The FIRST words\n$$x = \\text{SECOND}$$\nof a sentence.",),
        ("The words\n$$x = \\text{FIRST}$$\nof a SECOND sentence.",),
        ("They are FIRST:\n\n- SECOND\n- third",),
        ("It says FIRST:", code("SECOND()", tags=["show"])),
        (code("FIRST()\n" + "line()\n" * 12 + "SECOND()", tags=["show"]),),
        (code("", [shown("| FIRST |\n|---|\n| x |"), shown("SECOND.", "caption")]),),
        (code("", figure("FIRST " + "word " * 40 + "SECOND.")),),
    ],
    ids=["question", "formula", "formula inside", "words after a formula", "list", "code", "lines of code", "table", "figure"],
)
def test_no_page_break_parts_what_belongs_together(cells):
    assert together("FIRST", "SECOND", *cells)


def test_a_figure_that_does_not_fit_leaves_its_place_to_the_text_behind_it():
    lines, tall = lines_of_a_page() - 12, png(700, 600)
    found = filled(
        lines, code("", figure("FIRST.", tall)), "BEHIND it.", code("", figure("SECOND.", png())), "word", "\n\n".join(["word"] * 30)
    )
    assert "BEHIND" in found[0] and "Figure" not in found[0]
    assert found[1].index("Figure 1. FIRST.") < found[1].index("Figure 2. SECOND.") < found[1].index("word")
    fits = filled(lines - 30, code("", figure("FIRST.", tall)), "BEHIND it.")
    assert len(fits) == 1 and fits[0].index("FIRST.") < fits[0].index("BEHIND")


@pytest.mark.parametrize("between", ["## A heading", "Some words."])
def test_figures_take_no_heading_and_no_gap_with_them(between):
    """The figure right below a heading, and the second of two that are not one picture's height apart."""
    first = [code("", figure("FIRST.", png(700, 600)))] if between != "## A heading" else []
    lines = lines_of_a_page() - 12
    found = filled(lines, *first, between, code("", figure("SECOND.", png(700, 250 if first else 600))), "\n\n".join(["behind"] * 30))
    assert between.strip("# ") in found[0] and found[0].count("behind") > 4
    assert "SECOND." in found[1] and found[1].index("SECOND.") < found[1].index("behind")


def test_a_figure_that_leaves_its_place_cuts_no_paragraph_and_stands_below_its_heading():
    cut, lines = "cut " * 400, lines_of_a_page() - 12
    found = filled(lines, "## SECTION", code("", figure("MOVED.", png(700, 500))), cut, "\n\n".join(["behind"] * 10))
    assert "SECTION" in found[0] and found[0].count("cut") > 50 and "MOVED" not in found[0]
    assert 0 < found[1].rindex("cut") < found[1].index("Figure 1. MOVED.") < found[1].index("behind")


def test_figures_leave_no_gaps(tmp_path):
    cells = [part for i in range(12) for part in ("word " * (90 + 37 * i), code("", figure(f"Number {i}.", png(700, 200 + 71 * i % 400))))]
    made = Document(notebook("# T", *cells), "n", tmp_path)
    gaps = shares(made)
    assert len(gaps) > 3 and max(gaps[:-1]) < 0.2
    words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(made.compile())).pages)
    assert [int(number) for number in re.findall(r"Figure (\d+)\.", words)] == list(range(1, 13))


@pytest.mark.parametrize("left", [0.2, 0.6])
def test_a_part_begins_on_a_new_page_where_less_than_a_third_is_left(left, tmp_path):
    lines = round((1 - left) * lines_of_a_page())
    made = notebook("# First\n\n" + "\n\n".join(["word"] * (lines - 3)), "# Second\n\nPart.")
    made.metadata["latent"] = {"chapters": True}
    pages = PdfReader(io.BytesIO(Document(made, "n", tmp_path).compile())).pages
    assert len(pages) == (2 if left < 1 / 3 else 1) and "2 Second" in pages[-1].extract_text()


def test_figures_of_a_cell_tagged_beside_stand_two_in_a_row(tmp_path):
    three = code("", [output for name in ("LEFT", "RIGHT", "BELOW") for output in figure(f"{name}.", png(900, 300))], ["beside"])
    made = Document(notebook("# T", code("", figure("ABOVE.")), three), "n", tmp_path)
    lines = PdfReader(io.BytesIO(made.compile())).pages[0].extract_text(extraction_mode="layout").splitlines()
    rows = [" ".join(line.split()) for line in lines if "Figure" in line]
    assert rows == ["Figure 1. ABOVE.", "Figure 2. LEFT. Figure 3. RIGHT.", "Figure 4. BELOW."]
    table = [shown("| a | b |\n|---|---|\n| x | 1.5 |"), shown("The table.", "caption")]
    assert Document(notebook(code("", figure("A.") + table, ["beside"])), "n", tmp_path).markup.count("#beside[") == 1
    assert "beside[" not in Document(notebook(code("", figure("A.") + table)), "n", tmp_path).markup


def test_a_paragraph_alone_may_end_a_page():
    assert not together("FIRST", "SECOND", "The FIRST words.", "And SECOND ones.")


def test_numbers_of_a_column_align_by_the_point(tmp_path):
    markup = Document(
        notebook("| value | power |\n|---|---|\n| 98.67 ± 0.04 | 5e-3 |\n| 1,234 | 1.2e-6 |\n| – | 7 |\n| nan | 2e+16 |"), "n", tmp_path
    ).markup
    assert "1,234#hide[.67~±~0.04]" in markup and "98.67~±~0.04" in markup and "5e-3#hide[-6]" in markup and "7#hide[.2e-6]" in markup
    told = Document(notebook("| value |\n|--:|\n| 98.67 ± 0.04 |\n| 98.7 |"), "n", tmp_path).markup  # as `display.table` writes it
    assert "98.67~±~0.04" in told and "98.7#hide[7~±~0.04]" in told
    assert "–#hide" not in markup and "nan#hide" not in markup and "align: (right,right,)" in markup and "0.04#hide" not in markup


def test_formulas_keep_their_spaces_and_their_columns_apart(tmp_path):
    markup = Document(
        notebook("$W\\;(N)$ $\\text{a\\,b}$\n\n$$\\begin{aligned} a &= b & c &= d \\\\ e &= f & g &= h\\end{aligned}$$"), "n", tmp_path
    ).markup
    assert "#h(0em)" not in markup and "W med" in markup and 'upright("a") thin upright("b")' in markup
    assert markup.count("#h(2em) &") == 2 and "a & = b" in markup


def test_contents_of_one_notebook_list_its_first_level_only():
    cells = [f"## Question {n}: asked\n\n### Part {n}" for n in range(1, 4)]
    first = PdfReader(io.BytesIO(export("# T", *cells))).pages[0].extract_text()
    assert first.count("Question 2: asked") == 2 and first.count("Part 2") == 1
