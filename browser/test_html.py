"""The HTML of the report in a real browser, from a file: its maps answer without a kernel."""

import re
import subprocess
from base64 import b64encode
from html import unescape

import nbformat
import numpy as np
import pytest
from conftest import ARGUMENTS, CHROMIUM

from latent import experiment, explore, probe
from latent.data import load
from latent.models import build, freeze
from latent.recipes import find_recipe
from latent.report import html

ACT = """<script type="module">
setTimeout(() => {
  const over = document.querySelectorAll("canvas")[1], box = over.getBoundingClientRect();
  const send = (kind, x, y) => over.dispatchEvent(new PointerEvent(kind, { clientX: box.left + x, clientY: box.top + y, pointerId: 1 }));
  over.setPointerCapture = () => {};
  for (let x = 0; x < box.width; x += 3) for (let y = 0; y < box.height; y += 3) {
    if (document.querySelector(".latent-tip").style.display !== "flex") send("pointermove", x, y);
  }
  send("pointerdown", 1, 1);
  for (const [x, y] of [[1, box.height - 1], [box.width - 1, box.height - 1], [box.width - 1, 1]]) send("pointermove", x, y);
  send("pointerup", 1, 1);
}, 300);
</script></body>"""


@pytest.fixture
def made(monkeypatch, tmp_path):
    """A page with the maps of two encoders that have learned nothing, and with a formula."""
    monkeypatch.setenv("LATENT_DATA", "embedded")
    shown = []
    monkeypatch.setattr("latent.show.display.display", lambda bundle, **options: shown.append((bundle, options["metadata"])))
    monkeypatch.setattr("latent.explore.pictures.display", lambda *_, **__: None)
    data = load("mnist")
    recipes = {name: find_recipe(name, "cpu") for name in ("mnist-ae", "mnist-guided")}
    runs = {
        name: experiment.Run(name, recipe, data, freeze(build(recipe, data.channels, data.side, 0)), {}) for name, recipe in recipes.items()
    }
    points = {name: np.random.default_rng(0).normal(size=(60, 2)) for name in runs}
    explore.Maps(explore.survey(runs, probe.subset(data.test, 60), points))._ipython_display_()
    outputs = [nbformat.v4.new_output("display_data", nbformat.from_dict(_text(bundle)), metadata=metadata) for bundle, metadata in shown]
    cells = [nbformat.v4.new_markdown_cell("# Title\n\n$$\\frac{a}{b}$$"), nbformat.v4.new_code_cell("Maps()", outputs=outputs)]
    path = tmp_path / "page.html"
    path.write_text(html.page(nbformat.v4.new_notebook(cells=cells), "made", tmp_path).replace("</body>", ACT))
    return path


def _text(bundle):
    return {kind: b64encode(value).decode() if isinstance(value, bytes) else value for kind, value in bundle.items()}


@pytest.mark.skipif(not CHROMIUM, reason="no chromium: apt-get install chromium, or set LATENT_CHROMIUM to a Chromium or Chrome")
def test_maps_in_the_page_answer_to_hover_and_lasso(made):
    command = [CHROMIUM, *ARGUMENTS, "--virtual-time-budget=4000", "--window-size=1000,900", "--dump-dom", f"file://{made}"]
    page = unescape(subprocess.run(command, capture_output=True, text=True, timeout=120).stdout)
    assert page.count('class="points"') == 2
    assert "nearest in latent space" in page and "nearest in pixels" in page and page.count('class="tile"') == 13
    assert re.search(r'<div class="latent-chosen">60 selected: [^<]+</div>', page)
