"""The comparison of speed runs to its end, small, and says what it should: all that needs no package but the project's own."""

import json

import pytest
import torch

from benchmarks import contestants, growth, kernels, layers, speed, textbook, training
from benchmarks.rows import HEADER, Row, ratio, write
from latent.compute.convolution import Conv3x3
from latent.objectives import OBJECTIVES
from latent.recipes import find_recipe


def test_a_row_knows_whether_its_goal_is_met_and_the_table_says_so(tmp_path):
    rows = [
        Row("fast", 20, 2, "images/s", 10.0, (9, 11), least=10),
        Row("slow", 3, 2, "images/s", 1.5, least=5),
        Row("small", 1, 10, "ms", 0.1, most=0.1),
        Row("plain", 7, None, "s"),
    ]
    assert [row.met for row in rows] == [True, False, True, None]
    write(rows, "before", "after", tmp_path)
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert lines[0] == "before" and lines[-1] == "after"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert (
        cells[0] == HEADER
        and [line[-1] for line in cells[2:]] == ["yes", "no", "yes", "–"]
        and {len(line) for line in cells} == {len(HEADER)}
    )
    assert [line[5] for line in cells[2:]] == ["9 to 11", "–", "–", "–"]
    assert json.loads((tmp_path / "summary.json").read_text()) == {"fast": 10, "slow": 1.5, "small": 0.1}


def test_a_ratio_is_of_medians_and_its_spread_of_turns():
    assert ratio([3, 8, 4], [1, 2, 4]) == (2, (1, 4))
    assert ratio([3, 8, 4], [1, 2, 4], times=0.5) == (1, (0.5, 2))


@pytest.mark.parametrize("experiment", ["cifar-contrastive", "cifar-ae"])
def test_a_training_is_judged_by_ratios_above_zero(experiment, monkeypatch):
    monkeypatch.setattr(training, "MATRIX", 64)
    tasks = training.prepare(experiment, "tiny", count=128)
    rows = speed.by_itself(experiment, "tiny", {name: [contestants.seconds(task)] for name, task in tasks.items()})
    assert len(rows) == 3 and all(row.ratio > 0 and row.ours > 0 and row.theirs > 0 for row in rows)


def test_operations_are_counted_forward_and_backward(monkeypatch):
    """A linear layer of a by b numbers multiplies 2ab forward, 2ab for its weights, and 2ab for its inputs where they need it."""
    monkeypatch.setattr(training, "networks_of", lambda recipe: torch.nn.ModuleDict({"layer": torch.nn.Linear(3 * 32 * 32, 10)}))
    monkeypatch.setitem(OBJECTIVES, "classify", lambda networks, _, images, *__: networks["layer"](images.flatten(1).float()).sum())
    assert training.flops_per_image(find_recipe("cifar-guided", "tiny")) == 2 * 2 * 3 * 32 * 32 * 10


def test_multiplying_margins_of_zeros_counts_as_no_operation(monkeypatch):
    """A 3×3 convolution of 3 to 5 channels on 4×4 pixels, forward and for its weights: the way it is computed must not matter."""
    monkeypatch.setattr(training, "networks_of", lambda recipe: torch.nn.ModuleDict({"layer": Conv3x3(3, 5)}))
    monkeypatch.setitem(OBJECTIVES, "classify", lambda nets, _, images, *__: nets["layer"](images[:, :, :4, :4].float()).sum())
    assert training.flops_per_image(find_recipe("cifar-guided", "tiny")) == 2 * 2 * 9 * 3 * 5 * 4 * 4


@pytest.mark.parametrize(
    ("rival", "experiment"), [("contrastive", "cifar-contrastive"), ("lightly", "cifar-contrastive"), ("guided", "cifar-guided")]
)
def test_the_usual_way_trains_and_loads(rival, experiment):
    if rival == "lightly":
        pytest.importorskip("lightly", reason="make bench installs it")
    tasks = getattr(textbook, rival)(experiment, "tiny", 128)
    found = {name: [contestants.seconds(task)] for name, task in tasks.items()}
    rows = speed.against(experiment, rival, found, found, 10)
    assert [row.ratio for row in rows] == [1, 1] and all(row.ours > 0 for row in rows) and not rows[0].met


def test_both_gradients_of_kernels_are_the_same_and_timed():
    x, gradient = torch.randn(2, 3, 4, 4), torch.randn(2, 5, 4, 4)
    assert torch.allclose(kernels.gradient_by_torch(x, gradient), kernels.weight_gradient(x, gradient), atol=1e-4)
    tasks = kernels.prepare(kernels.gradient_by_torch)
    assert len(tasks) == len(kernels.MAPS) and all(contestants.seconds(task) > 0 for task in tasks.values())


def test_the_layers_of_a_step_add_up_to_its_operations():
    """Found layer by layer and in a step as a whole, in two ways that share no code: hooks against one counter around all."""
    recipe = find_recipe("cifar-contrastive", "tiny")
    found = layers.measure("cifar-contrastive", "tiny", repeats=1)
    similarities = 3 * 2 * (2 * recipe.encoder.batch) ** 2 * recipe.projection  # of the loss: no layer's
    whole = training.flops_per_image(recipe) * recipe.encoder.batch
    assert sum(layer.operations for layer in found) == pytest.approx(whole - similarities, rel=0.01)
    assert all(layer.forward > 0 for layer in found)


def test_the_table_of_a_step_has_a_line_for_each_size_of_map_and_one_for_all_else(monkeypatch):
    monkeypatch.setattr(training, "MATRIX", 64)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in layers.table("cifar-ae", "tiny", 1).splitlines()]
    names = [line[0] for line in lines]
    assert lines[0] == layers.HEADER and {"encoder, Conv3x3, 8×8", "decoder, Conv3x3, 8×8", "decoder, Conv3x3, 4×4"} <= set(names)
    assert names[-3:] == ["all layers", "views, loss, optimizer, all else", "the whole step"] and lines[-1][3] == "100.0"


@pytest.mark.slow
def test_growth_is_measured_in_a_process_of_its_own_and_drawn():
    rows, figure = growth.measure("tiny", counts=(20, 40), widths=(8, 16), steps=1, repeats=1)
    assert len(rows) == 3 and all(row.ours > 0 and row.theirs > 0 for row in rows)
    assert len(figure.axes) == 2 and all(axes.get_xlabel() and axes.get_ylabel() and axes.lines for axes in figure.axes)
