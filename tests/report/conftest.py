"""A small project with its reports made."""

import nbformat
import pytest
from samples import AUTHORS, notebook, report

from latent.report.build import build_dry, build_wet
from latent.report.index import NOTEBOOKS


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A small project with its reports made; tests copy it."""
    root = tmp_path_factory.mktemp("finished")
    for folder in ("notebooks", "dry", "latent/weights", "latent/__pycache__", "data"):
        (root / folder).mkdir(parents=True)
    for name in NOTEBOOKS:
        nbformat.write(report(name), root / f"notebooks/{name}.ipynb")
    nbformat.write(notebook("Dry part", "1. Dimension|2. Depth|3. Convolution"), root / "dry/dry.ipynb")
    for name in ("main.py", "utils.py", "README.md", "latent/models.py"):
        (root / name).write_text(f"# {name}\n")
    for name in ("latent/weights/a.py", "latent/a.safetensors", "latent/a.pt", "latent/__pycache__/a.py", "data/a.py", "latent/.secret.py"):
        (root / name).write_text("left out")
    build_wet(root / "notebooks", root, AUTHORS)
    build_dry(root / "dry", root, AUTHORS)
    return root


@pytest.fixture
def root(finished, tmp_path):
    """A copy of the project with its reports."""
    for path in finished.rglob("*"):
        target = tmp_path / "project" / path.relative_to(finished)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(exist_ok=True) if path.is_dir() else target.write_bytes(path.read_bytes())
    return tmp_path / "project"
