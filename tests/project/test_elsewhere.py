"""The project on other people's machines: GitHub's, a SLURM cluster's, Colab's and Kaggle's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from helpers import ROOT
from nbclient import NotebookClient

BATCH = ROOT / "slurm/report.sbatch"


def test_the_workflow_runs_what_ci_runs_and_ends():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    assert workflow[True].keys() == {"push", "pull_request"}  # YAML 1.1 reads the word `on` so
    assert workflow["concurrency"]["cancel-in-progress"] is True and workflow["permissions"] == {"contents": "read"}
    [job] = workflow["jobs"].values()
    assert 0 < job["timeout-minutes"] <= 60
    checkout, python, run = job["steps"]
    assert checkout["uses"].startswith("actions/checkout@") and python["uses"].startswith("actions/setup-python@")
    assert python["with"]["python-version"] == "3.11" and python["with"]["cache"] == "pip"
    assert (ROOT / python["with"]["cache-dependency-path"]).is_file() and os.access(ROOT / run["run"], os.X_OK)


@pytest.mark.parametrize("script", [BATCH, ROOT / ".ci/run"], ids=lambda path: path.name)
def test_a_script_is_one_that_bash_reads(script):
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_the_batch_job_asks_for_one_gpu_and_names_its_log():
    first, *lines = BATCH.read_text().splitlines()
    asked = dict(line.removeprefix("#SBATCH --").split("=", 1) for line in lines if line.startswith("#SBATCH"))
    assert first == "#!/bin/bash" and asked["gres"] == "gpu:1" and asked["output"] == "slurm-%j.out"
    begun = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[begun:])  # SLURM reads no further


@pytest.mark.slow
def test_the_batch_job_checks_the_data_and_does_what_make_report_does(tmp_path):
    """make only says what it would do: the report itself takes long and writes into the project."""
    programs = str(Path(sys.executable).parent)
    there = {"SLURM_SUBMIT_DIR": str(ROOT), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    copy = tmp_path / "slurm_script"
    copy.write_bytes(BATCH.read_bytes())
    done = subprocess.run(["bash", copy], capture_output=True, text=True, cwd=tmp_path, env=os.environ | there | {"MAKEFLAGS": "n"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("images made in memory") == 2  # latent data, on the stand-ins that tests use
    rule = re.search(r"^report: .*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    wanted = [line.replace("$(BIN)", programs).split()[0] for line in rule.strip().splitlines()]
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith(programs)] == wanted

    missing = subprocess.run(["bash", copy], capture_output=True, text=True, env=os.environ | there | {"LATENT_DATA": str(tmp_path)})
    assert missing.returncode == 2 and missing.stderr.startswith("latent: mnist is missing") and programs not in missing.stdout


def test_the_cell_for_colab_and_kaggle_installs_what_they_lack():
    """What they have: googlecolab/backend-info, pip-freeze.txt, and Kaggle/docker-python, kaggle_requirements.txt."""
    there = {
        "torch",
        "filelock",
        "torchvision",
        "numpy",
        "matplotlib",
        "sklearn",
        "scipy",
        "tqdm",
        "IPython",
        "ipywidgets",
        "traitlets",
        "PIL",
        "sqlalchemy",
    }
    installed = set(re.search(r"^%pip install --quiet (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)[1].split())
    needed = [path for path in (ROOT / "latent").rglob("*.py") if "report" not in path.parts]  # no PDF is made there
    sources = [path.read_text() for path in needed]
    imported = {name for source in sources for name in re.findall(r"^\s*(?:from|import) (\w+)", source, re.MULTILINE)}
    assert imported - set(sys.stdlib_module_names) - {"latent"} - there == installed


@pytest.mark.slow
def test_a_notebook_runs_after_the_cell_that_the_readme_gives(tmp_path, monkeypatch):
    cell = re.search(r"```\n(!git clone .+?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert cell.count("https://github.com/OWNER/REPOSITORY ") == 1
    if subprocess.run(["git", "-C", ROOT, "rev-parse"], capture_output=True).returncode:
        pytest.skip("not a git checkout: there is nothing to clone")
    notebook = nbformat.read(ROOT / "notebooks/01_mnist_ae.ipynb", as_version=4)
    ends = [cell.replace("https://github.com/OWNER/REPOSITORY", ROOT.as_uri()), "import latent; print(latent.__file__)"]
    first, last = (nbformat.v4.new_code_cell(source) for source in ends)
    notebook.cells = [first, *notebook.cells, last]
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert notebook.cells[-1].outputs[0].text.strip() == str(tmp_path / "latent-encoders/latent/__init__.py")
