"""A real JupyterLab with explore.ipynb in it, and a real browser in front."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOTS = ROOT / "build/browser"
CHROMIUM = os.environ.get("LATENT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


@pytest.fixture(scope="session")
def driver():
    """Playwright, where it and a browser are installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --editable '.[browser]'")
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or set LATENT_CHROMIUM to a Chromium or Chrome")
    with playwright.sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def lab(driver, tmp_path_factory):
    """The address of a JupyterLab that serves a copy of explore.ipynb, on the stand-in data with the tiny recipe."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "explore.ipynb", home)
    (home / "settings").mkdir()
    (home / "settings/overrides.json").write_text(json.dumps(QUIET))
    places = {"JUPYTER_RUNTIME_DIR": home / "runtime", "JUPYTER_CONFIG_DIR": home / "config", "LATENT_RESULTS": SHOTS / "results"}
    choices = {"LATENT_DATA": "embedded", "LATENT_RECIPE": "tiny", "OMP_NUM_THREADS": "1"}
    environment = os.environ | {name: str(path) for name, path in places.items()} | choices
    options = ["--no-browser", "--allow-root", "--port=0", f"--ServerApp.root_dir={home}", f"--LabApp.app_settings_dir={home / 'settings'}"]
    with open(home / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log)
    try:
        yield _address(home, server)
    finally:
        server.terminate()
        server.wait(20)


def _address(home: Path, server: subprocess.Popen) -> str:
    """Where the server listens, read from the file that it writes when it does."""
    for _ in range(300):
        for file in home.glob("runtime/jpserver-*.json"):
            said = json.loads(file.read_text() or "{}")
            if said:
                return f"{said['url']}lab/tree/explore.ipynb?token={said['token']}"
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{(home / 'log').read_text()}")


@pytest.fixture(scope="session")
def page(driver, lab):
    """The notebook, run to its end, in a window of 1280 × 800. `page.heard`: errors on the console and addresses asked for."""
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.heard = {"errors": [], "addresses": []}
    page.on("pageerror", lambda error: page.heard["errors"].append(str(error)))
    page.on("request", lambda request: page.heard["addresses"].append(request.url))
    page.goto(lab)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.keyboard.press("Control+b")  # the file browser away
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.wait_for_timeout(3_000)  # the notebook hears of its kernel a moment after the status bar does
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("#jp-mainmenu-run").get_by_text("Run All Cells", exact=True).click()
    page.wait_for_selector(".latent-pad", timeout=90_000)
    page.wait_for_timeout(1_000)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.shot = lambda name: page.screenshot(path=SHOTS / f"{name}.png")
    yield page
    browser.close()
