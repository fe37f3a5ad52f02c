"""The project as a whole: its two lists of dependencies, its notebooks, its results and its words agree."""

import json
import re
import subprocess
import tomllib

import nbformat
import pytest
from helpers import ROOT

from latent.data import FORMS, load
from latent.models import build, signature
from latent.recipes import EXPERIMENTS, RECORDS_ALONE, VARIANTS, find_recipe
from latent.report.merge import digest_of_code
from latent.show import tables

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb")) + sorted(ROOT.glob("dry/*.ipynb"))
SHIPPED = [name for name in EXPERIMENTS + VARIANTS if (ROOT / "results" / name / "seed0.json").exists()]


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def dependencies(text):
    """{requirement: comment} of lines such as `"torch>=2.11",  # models`."""
    return {name: why for name, why in re.findall(r'^\s*(?:- )?"?([A-Za-z][\w.<>=\[\]-]*)"?,?\s+# (.+)$', text, re.MULTILINE)}


def test_environment_and_pyproject_list_the_same_packages_each_with_a_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted, apart = [*project["dependencies"], *extras["test"], *extras["browser"]], extras["bench"]
    by_conda = dependencies((ROOT / "environment.yml").read_text())
    by_pip = dependencies((ROOT / "pyproject.toml").read_text().partition("[project.scripts]")[0])
    assert sorted(by_pip) == sorted(wanted + apart)
    assert by_conda == {name: why for name, why in by_pip.items() if name not in apart}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_was_run_in_order_and_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert not any("execution" in cell.metadata for cell in notebook.cells)
    assert not re.search(r"/(home|root|tmp|Users|work)/", path.read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_holds_the_code_that_was_run(path):
    notebook = nbformat.read(path, as_version=4)
    ran = notebook.metadata.get("latent", {}).get("ran")
    if ran is None:
        pytest.skip("run before the digest of its code was kept: `make report` puts it in")
    assert ran == digest_of_code(notebook)


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_stays_thin(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert not any(re.search(r"^\s*class ", source, re.MULTILINE) for source in code)
    assert sum(source.count("def ") for source in code) <= 1 and max(len(source.splitlines()) for source in code) <= 12


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_results_belong_to_todays_recipe_and_model(name):
    recipe = find_recipe(name)
    record = json.loads((ROOT / "results" / name / "seed0.json").read_text())
    assert record["recipe"] == recipe.as_dict() and not record["data"]["standin"]
    assert record["signature"] == signature(recipe, build(recipe, *FORMS[recipe.dataset], 0))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_results_belong_to_the_data_at_hand(name, real_data):
    record = json.loads((ROOT / "results" / name / "seed0.json").read_text())
    assert record["data"]["digest"] == load(find_recipe(name).dataset).digest


def test_weights_are_shipped_of_everything_but_contrast_with_labels():
    assert tuple(name for name in SHIPPED if not (ROOT / "results" / name / "seed0.safetensors").exists()) == RECORDS_ALONE


def test_the_readme_shows_the_stored_results(monkeypatch):
    monkeypatch.setenv("LATENT_RESULTS", str(ROOT / "results"))
    monkeypatch.setenv("LATENT_RECIPE", "cpu")
    assert tables.markdown(tables.HEADER, tables.rows()) in (ROOT / "README.md").read_text()


def test_each_number_of_the_readme_on_speed_was_measured():
    section = (ROOT / "README.md").read_text().split("## How fast")[1].split("\n## ")[0]
    measured = "".join((ROOT / f"results/benchmarks/{folder}README.md").read_text() for folder in ("float32/", "bfloat16/", "arrival/"))
    said, known = (set(re.findall(r"(?<![\w.-])\d[\d.,]*\d", text)) for text in (section, measured))
    assert said <= known and len(said) > 15


def test_no_tracked_file_is_large_or_speaks_of_a_machine():
    for path in tracked():
        assert path.stat().st_size < 8 * 2**20, path
        if path.suffix in {".py", ".md", ".toml", ".yml", ".ipynb", ".json", ".typ", ""}:
            text = path.read_text(errors="ignore")
            assert not re.search(r"(?<![\w.])/(work|root|home/\w+)/", text), path
