"""The commands as people type them: real processes, exit codes, one-line errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import ROOT
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from latent import cli


def process(*words, cwd=ROOT, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, cwd=cwd, timeout=120)


def test_train_table_and_verify_work_together(capsys):
    assert cli.main(["train", "mnist-guided", "--recipe", "tiny", "--device", "cpu"]) == 0
    assert "stand-in" in capsys.readouterr().out
    assert cli.main(["table", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    wanted = {"experiment", "seeds", "train_accuracy", "validation_accuracy", "test_accuracy", "test_accuracy_std", "test_mae"}
    assert wanted <= row.keys() and row["experiment"] == "mnist-guided" and 0 <= row["test_accuracy"] <= 100
    assert cli.main(["table"]) == 0
    assert "| mnist-guided | 1 |" in capsys.readouterr().out


def test_data_names_what_it_found(capsys):
    assert cli.main(["data"]) == 0
    assert capsys.readouterr().out.count("stand-in") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "mnist-gan"], "unknown experiment 'mnist-gan'; choose one of: mnist-ae"),
        (["train", "mnist-ae", "--recipe", "huge"], "unknown recipe 'huge'; choose one of: cpu, gpu, study, demo, tiny"),
        (["train", "mnist-ae", "--device", "tpu"], "device 'tpu' is not on this machine; choose one of: "),
        (["trial", "mnist-ae", "epochs"], "'epochs' changes nothing; write NAME=VALUE"),
        (["verify"], "no result of mnist-ae"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(words, told, capsys):
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert told in error and error.startswith("latent: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["train"], ["train", "mnist-ae", "--seed", "-1"], ["train", "mnist-ae", "--seed", "1.5"], ["tab"]]
)
def test_a_line_that_cannot_be_read_is_one_line_and_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2 and capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full: a file without room needs Linux")
@pytest.mark.parametrize("words", [["train", "nothing"], ["train", "mnist-guided", "--device", "cpu"]], ids=["complaint", "progress bar"])
def test_output_that_has_no_room_is_exit_code_2(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "latent", *words], stdout=subprocess.DEVNULL, stderr=full)
    assert done.returncode == 2


def test_missing_data_leaves_nothing_behind(tmp_path):
    done = process("-m", "latent", "train", "mnist-ae", LATENT_DATA=str(tmp_path / "nowhere"), LATENT_RESULTS=str(tmp_path / "results"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "nowhere" in done.stderr and not (tmp_path / "results").exists()


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["train", "mnist-ae", "--seed", "x"]])
def test_help_and_typing_errors_are_answered_without_waiting_for_torch(words):
    asked = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); from latent.cli import main; sys.exit(main())"
    done = process("-c", asked, *words)
    assert done.returncode == (0 if "--help" in words else 2) and done.stdout.splitlines()[-1] == "False"


def test_the_courses_main_trains_and_reports(tmp_path):
    words = ["main.py", "--mnist", "--self-supervised", "--data-path", "embedded", "--batch-size", "64", "--epochs", "1"]
    done = process(*words, LATENT_RESULTS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "test accuracy: " in done.stdout and "test mae: " in done.stdout


@pytest.mark.parametrize(
    "words", [["--batch-size", "0"], ["--latent-dim", "-3"], ["--self"], ["--data-path", "nowhere"], ["--seed", "x"], ["--seed", "-1"]]
)
def test_the_courses_main_refuses_bad_input_in_one_line(words, monkeypatch, capsys):
    import main

    monkeypatch.setattr(sys, "argv", ["main.py", *words])
    try:
        code = main.main()
    except SystemExit as stopped:  # as argparse ends a process
        code = stopped.code
    assert code == 2 and capsys.readouterr().err.strip().splitlines()[-1].startswith("main.py: ")


def test_the_courses_flags_and_defaults_are_kept():
    import main

    args = vars(main.get_args([]))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert {key: args[key] for key in ("seed", "data_path", "batch_size", "latent_dim", "device", "mnist", "self_supervised")} == {
        "seed": 0,
        "data_path": "/datasets/cv_datasets/data",
        "batch_size": 8,
        "latent_dim": 128,
        "device": device,
        "mnist": False,
        "self_supervised": False,
    }
    assert main.NUM_CLASSES == 10


def test_freeze_seeds_makes_all_generators_repeat():
    import random

    import numpy as np

    import main

    def draws():
        main.freeze_seeds(4)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draws() == draws()


def test_plot_tsne_takes_anybodys_encoder_and_loader(tmp_path, monkeypatch):
    from latent.show import tsne
    from utils import plot_tsne

    monkeypatch.chdir(tmp_path)
    images, labels = torch.rand(60, 3, 8, 8), torch.arange(60) % 3
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Dropout(0.5))
    maps = plot_tsne(encoder, DataLoader(TensorDataset(images, labels), batch_size=16), "cpu")
    assert np.array_equal(maps["image"], tsne.embed(images)) and np.array_equal(maps["latent"], tsne.embed(encoder(images)))
    assert (tmp_path / "latent_tsne.png").stat().st_size > 5_000 and (tmp_path / "image_tsne.png").stat().st_size > 5_000
