"""What `latent.explore` computes, and that its widgets answer in time; how they look is for `make browser`."""

import io
import json
import re
import statistics
import time
from base64 import b64decode, b64encode

import nbformat
import numpy as np
import pytest
import torch
from helpers import ROOT
from PIL import Image

from latent import experiment, explore, probe
from latent.data import load
from latent.errors import UserError
from latent.explore import atlas, drawing, maps, pad, pictures, walk
from latent.models import build, freeze
from latent.recipes import find_recipe
from latent.report.merge import digest_of_code
from latent.report.pieces import pieces


def untrained(name):
    """A run of full size that has learned nothing: as slow as the real one, and made at once."""
    recipe = find_recipe(name, "cpu")
    data = load(recipe.dataset)
    return experiment.Run(name, recipe, data, freeze(build(recipe, data.channels, data.side, 0)), {})


@pytest.fixture(scope="module")
def surveyed():
    """Atlases of MNIST's and CIFAR-10's stand-ins, with maps that are made up: t-SNE has its own tests."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LATENT_DATA", "embedded")
    made = []
    for dataset in ("mnist", "cifar"):
        runs = {name: untrained(name) for name in (f"{dataset}-ae", f"{dataset}-guided", f"{dataset}-contrastive")}
        sample = probe.subset(load(runs[f"{dataset}-ae"].recipe.dataset).test, 120)
        points = {name: np.random.default_rng(n).normal(size=(120, 2)) for n, name in enumerate(runs)}
        made.append(explore.survey(runs, sample, points))
    yield made
    patch.undo()


def milliseconds(act, steps):
    """Of all cores together, so that other work on the machine does not count; `make browser` looks at the clock on the wall."""
    spent = []
    for step in steps:
        start = time.process_time()
        act(step)
        spent.append(1000 * (time.process_time() - start))
    return statistics.median(spent)


def test_an_atlas_is_of_one_dataset_and_its_maps_have_a_point_for_each_image():
    runs = {name: untrained(name) for name in ("mnist-ae", "cifar-ae")}
    with pytest.raises(ValueError, match="one dataset, got cifar10, mnist"):
        explore.survey(runs)
    sample = probe.subset(load("mnist").test, 9)
    with pytest.raises(ValueError, match="a point for each image"):
        explore.survey({"mnist-ae": runs["mnist-ae"]}, sample, {"mnist-ae": np.zeros((8, 2))})


def test_shares_add_up_and_come_in_order():
    rows = atlas.shares(torch.tensor([2, 2, 0, 2]), ["a", "b", "c"])
    assert rows == [(2, "c", 75.0), (0, "a", 25.0)]


def test_an_image_of_the_sample_is_its_own_nearest_neighbour_and_lies_there(surveyed):
    for found in surveyed:
        for name, verdict in drawing.judge(found.sample.images[7:8], found).items():
            assert verdict.neighbours[0] == 7
            assert (verdict.reconstruction is not None) == name.endswith("-ae")
            near = found.spaces[name].points[verdict.neighbours.numpy()]
            assert (near.min(0) <= verdict.place).all() and (verdict.place <= near.max(0)).all()


def test_a_walk_begins_and_ends_at_the_reconstructions(surveyed):
    found = surveyed[0]
    _, space = walk.autoencoder(found)
    pair = found.sample.images[[3, 4]]
    expected = space.networks["decoder"](probe.encode(space.networks["encoder"], pair))
    around = walk.surroundings(space, found.data.train)
    for path in walk.PATHS:
        way = walk.between(space, pair, path)
        ends = walk.look(space, around, way.latents[[0, -1]])
        torch.testing.assert_close(torch.stack([frame.decoded for frame in ends]), expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(way.blends[-1], pair[1] / 255)
        torch.testing.assert_close(way.beliefs[[0, -1]], torch.stack([frame.belief for frame in ends]))


def test_areas_are_as_high_as_the_probabilities_and_fill_the_picture():
    drawn = pictures.areas(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), width=10, height=8)
    first, second = re.findall(r'points="([^"]+)"', drawn)
    assert first == "0.0,0.0 10.0,6.0 10.0,8.0 0.0,8.0"  # y grows downwards: all of the height on the left, a quarter on the right
    assert second == "0.0,0.0 10.0,0.0 10.0,6.0 0.0,0.0"


def test_a_training_latent_has_the_distance_zero_and_a_random_one_has_not(surveyed):
    _, space = walk.autoencoder(surveyed[0])
    around = walk.surroundings(space, surveyed[0].data.train)
    random = walk.random_latent(around, torch.Generator().manual_seed(0))
    seen, made = walk.look(space, around, torch.stack([around.known[5], random]))
    assert seen.distance == 0 and made.distance > 0
    torch.testing.assert_close(seen.belief.sum(), torch.tensor(1.0))


def test_a_player_needs_a_decoder(surveyed):
    spaces = {name: space for name, space in surveyed[0].spaces.items() if not name.endswith("-ae")}
    with pytest.raises(UserError, match="needs an autoencoder"):
        explore.Player(explore.Atlas(surveyed[0].data, surveyed[0].sample, surveyed[0].neighbours, spaces))


def test_the_sheet_holds_every_image_in_its_place(surveyed):
    sample = surveyed[0].sample.images
    encoded, columns = pictures.sheet(sample)
    sheet = np.asarray(Image.open(io.BytesIO(encoded)).convert("L"), dtype=float)
    top, left = 28 * (17 // columns), 28 * (17 % columns)
    assert np.abs(sheet[top : top + 28, left : left + 28] - sample[17, 0].numpy()).mean() < 4  # WebP is not exact


def test_the_maps_send_what_the_browser_unpacks(surveyed):
    for found in surveyed:
        panels = maps.Panels(found)
        points = np.frombuffer(panels.points, "<f4").reshape(3, 120, 2)
        near = np.frombuffer(panels.neighbours, "<u2").reshape(4, 120, atlas.NEIGHBOURS)
        assert points.min() == 0 and points.max() == 1
        assert (near[3] == found.neighbours.numpy()).all() and (near[1] == list(found.spaces.values())[1].neighbours.numpy()).all()


def test_maps_tell_a_website_all_that_they_show_and_a_map_alone_nothing(surveyed):
    view = explore.Maps(*surveyed)
    for panels, state in zip(view.panels, view.states()):
        assert json.loads(json.dumps(state)) == state and state["names"] == panels.names and not state["selected"]
        assert all(b64decode(state[name]) == getattr(panels, name) for name in ("labels", "points", "neighbours", "sheet"))
    (name, space), *_ = surveyed[0].spaces.items()
    assert explore.Maps(atlas.Atlas(surveyed[0].data, surveyed[0].sample, surveyed[0].neighbours, {name: space})).states() == [{}]


def test_a_selection_on_one_dataset_shows_its_images_and_leaves_the_other_alone(surveyed):
    view = explore.Maps(*surveyed)
    view.panels[0].selected = [1, 2, 3]
    assert "3 selected" in view.grids[0].value and view.grids[0].value.count("<img") == 3 and not view.grids[1].value
    view.panels[0].selected = list(range(120))
    assert f"{view.grids[0].value.count('<img')} of them shown" in view.grids[0].value
    view.panels[0].selected = []
    assert not view.grids[0].value


def test_the_player_answers_to_each_of_its_controls(surveyed):
    player = explore.Player(surveyed[0])
    start = player.frame.latent
    player.weight.value = 25
    halfway = player.frame.latent
    assert not torch.equal(halfway, start)
    player.path.value = "spherical"
    assert not torch.allclose(player.frame.latent, halfway)
    player.path.value = "linear"
    player.dimension.value, player.by.value = 7, 2.0
    moved = (player.frame.latent - halfway) / player.around.spread
    torch.testing.assert_close(moved, 2.0 * torch.nn.functional.one_hot(torch.tensor(7), 128), atol=1e-3, rtol=0)
    player.dimension.value = 8
    assert player.by.value == 0 and not torch.equal(player.frame.latent, halfway)  # the nudge of dimension 7 stays
    player.reset.click()
    torch.testing.assert_close(player.frame.latent, halfway)
    player.random.click()
    assert "random latent" in player.stage.value and player.drawn is not None
    assert player.strip.value.count("<img") == 9 and player.strip.value.count("<polygon") == 10
    player.weight.value = 26
    assert "random latent" not in player.stage.value


def test_the_pad_says_what_all_six_make_of_a_drawing_and_forgets_it(surveyed):
    view = explore.Pad(*surveyed)
    grey = np.zeros((pad.SIDE, pad.SIDE), np.uint8)
    grey[20:90, 50:60] = 255
    view.paper.picture = grey.tobytes()
    assert all(f">{name}<" in view.said.value for found in surveyed for name in found.spaces)
    assert all(len(panels.marks) == 3 for panels in view.maps.panels)
    view.paper.picture = bytes(pad.SIDE**2)
    assert view.said.value == pad.EMPTY and not any(panels.marks for panels in view.maps.panels)


def test_a_file_is_judged_each_time_it_is_dropped(surveyed):
    view, buffer = explore.Pad(*surveyed), io.BytesIO()
    Image.new("RGB", (50, 40), "red").save(buffer, "PNG")
    for _ in range(2):
        view.said.value = ""
        view.paper.file = buffer.getvalue()
        assert "cifar-guided" in view.said.value
    view.paper.file = b"no picture"
    assert "use a PNG" in view.said.value


def test_a_frame_takes_less_than_a_tenth_of_a_second(surveyed):
    player, view, shown = explore.Player(surveyed[1]), explore.Pad(*surveyed), explore.Maps(*surveyed)
    grey = np.zeros((pad.SIDE, pad.SIDE), np.uint8)

    def draw(step):
        grey[20 : 40 + step, 50:60] = 255
        view.paper.picture = grey.tobytes()

    assert milliseconds(lambda step: setattr(player.weight, "value", step), range(1, 11)) < 100
    assert milliseconds(lambda step: setattr(player.first, "value", step), range(1, 11)) < 100
    assert milliseconds(lambda step: setattr(player.by, "value", step / 10), range(1, 11)) < 100
    assert milliseconds(draw, range(10)) < 100
    assert milliseconds(lambda step: setattr(shown.panels[0], "selected", list(range(step + 80))), range(10)) < 100


@pytest.mark.parametrize("widget", [explore.Maps, explore.Player, explore.Pad])
def test_where_no_widget_runs_there_is_a_figure_with_its_caption(surveyed, widget, monkeypatch):
    outputs = []

    def keep(bundle, raw, metadata=None):
        data = {mime: b64encode(said).decode() if isinstance(said, bytes) else said for mime, said in bundle.items()}
        outputs.append(nbformat.v4.new_output("display_data", data, metadata=metadata or {}))

    monkeypatch.setattr("latent.show.display.display", keep)
    monkeypatch.setattr("latent.explore.pictures.display", keep)
    widget(surveyed[0])._ipython_display_()
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    assert [piece.kind for piece in pieces(nbformat.v4.new_notebook(cells=[cell]), "n")] == ["picture", "caption"]
    assert outputs[-1].data["text/plain"].endswith("JupyterLab.")


def test_explore_ipynb_shows_a_picture_with_its_caption_in_place_of_every_widget():
    notebook = nbformat.read(ROOT / "explore.ipynb", as_version=4)
    assert notebook.metadata["latent"]["ran"] == digest_of_code(notebook)  # the outputs are those of the code above them
    shown = [
        [piece.kind for piece in pieces(nbformat.v4.new_notebook(cells=[cell]), "n") if piece.kind != "code"] for cell in notebook.cells
    ]
    widgets = [kinds for cell, kinds in zip(notebook.cells, shown) if cell.source.startswith("explore.")]
    assert widgets == [["picture", "caption"] * count for count in (2, 1, 1, 2)]  # maps, two players, paper
