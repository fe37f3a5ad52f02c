"""Whatever comes in, a public function gives a right answer or its own clear error: many inputs, well and badly formed."""

import contextlib
import io
import json
import math
import re

import numpy as np
import pytest
import torch
from helpers import slow_nt_xent, slow_supervised
from hypothesis import assume, event, given
from hypothesis import strategies as some

from latent import cli, data, losses, models, probe, recipes
from latent.compute import device
from latent.errors import UserError
from latent.models import Classifier, Encoder, ProjectionHead, ResidualDecoder
from latent.recipes import EXPERIMENTS, VARIANTS, Recipe, Views, change
from latent.report import ReportError
from latent.report.submission import submit
from latent.show import interpolation, tables
from latent.store import checkpoints, results
from latent.store.checkpoints import Checkpoint
from latent.views import to_float, view

SHAPES = some.lists(some.integers(0, 5), max_size=4)
SEEDS = some.integers(0, 2**31 - 1)
BROKEN = some.sampled_from([math.nan, math.inf, -math.inf])
WORDS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
VIEWS = some.builds(
    Views,
    shift=some.integers(0, 4),
    flip=some.booleans(),
    rotate=some.floats(0, 180),
    zoom=some.floats(0.05, 1),
    stretch=some.floats(0, 1),
    jitter=some.floats(0, 1),
    jittered=some.floats(0, 1),
    grey=some.floats(0, 1),
    erase=some.integers(0, 40),
)


@contextlib.contextmanager
def refused(kind, words):
    """Within, a clear error is raised; `make soak` counts these inputs."""
    with pytest.raises(kind, match=words):
        yield
    event("refused")


def noise(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(n=some.integers(1, 6), d=some.integers(1, 5), temperature=some.floats(0.05, 10), seed=SEEDS)
def test_nt_xent_is_the_slow_loop_symmetric_and_blind_to_order(n, d, temperature, seed):
    first, second = noise(2, n, d, seed=seed)
    loss = losses.nt_xent(first, second, temperature).item()
    assert loss == pytest.approx(slow_nt_xent(first.numpy(), second.numpy(), temperature), rel=1e-9, abs=1e-9)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert losses.nt_xent(second[order], first[order], temperature).item() == pytest.approx(loss, rel=1e-9, abs=1e-9)
    assert losses.nt_xent(first.float(), second.float(), temperature).item() == pytest.approx(loss, rel=1e-4, abs=1e-5)


@given(labels=some.lists(some.integers(0, 3), min_size=2, max_size=9), temperature=some.floats(0.05, 10), seed=SEEDS)
def test_supervised_contrastive_is_the_slow_loop(labels, temperature, seed):
    assume(len(set(labels)) < len(labels))
    z = noise(len(labels), 4, seed=seed)
    found = losses.supervised_contrastive(z, torch.tensor(labels), temperature).item()
    assert found == pytest.approx(slow_supervised(z.numpy(), labels, temperature), rel=1e-9, abs=1e-9)


@given(first=SHAPES, second=SHAPES, temperature=some.one_of(some.floats(max_value=0), BROKEN, some.just(0.5)))
def test_losses_refuse_what_is_no_pair_of_batches(first, second, temperature):
    good = first == second and len(first) == 2 and math.prod(first) and temperature == 0.5
    for call in (
        lambda: losses.nt_xent(torch.ones(first), torch.ones(second), temperature),
        lambda: losses.supervised_contrastive(torch.ones(first), torch.ones(second[:1]), temperature),
        lambda: losses.mean_absolute_error(torch.ones(first), torch.ones(second)),
    ):
        try:
            assert torch.isfinite(call())
        except UserError:
            event("refused")
            assert not good


def test_nt_xent_refuses_a_single_number():
    with pytest.raises(UserError, match="one shape"):
        losses.nt_xent(torch.tensor(1.0), torch.tensor(1.0), 0.5)


@given(n=some.integers(2, 6), place=some.integers(0, 5), bad=BROKEN)
def test_a_number_that_is_none_is_not_hidden_by_a_loss(n, place, bad):
    first, second = noise(2, n, 3)
    first[place % n, 0] = bad
    assert not torch.isfinite(losses.nt_xent(first, second, 0.2))
    assert not torch.isfinite(losses.supervised_contrastive(torch.cat([first, second]), torch.arange(n).repeat(2), 0.2))
    assert not torch.isfinite(losses.mean_absolute_error(first, second))


@given(views=VIEWS, count=some.integers(0, 4), channels=some.sampled_from([1, 3]), side=some.integers(4, 12), seed=SEEDS, bad=BROKEN)
def test_a_view_is_an_image_and_one_image_does_not_touch_another(views, count, channels, side, seed, bad):
    images = torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))
    seen = view(images, views, torch.Generator().manual_seed(seed))
    assert seen.shape == images.shape and torch.isfinite(seen).all() and (seen >= -1e-5).all() and (seen <= 1 + 1e-5).all()
    if count:
        images[0, 0, 0, 0] = bad
        assert torch.equal(view(images, views, torch.Generator().manual_seed(seed))[1:], seen[1:])


@given(shape=SHAPES, kind=some.sampled_from([torch.uint8, torch.float32, torch.int64, torch.bool]))
def test_images_are_bytes_and_nothing_else(shape, kind):
    if kind == torch.uint8 and len(shape) == 4:
        assert to_float(torch.ones(shape, dtype=kind)).shape == torch.Size(shape)
    else:
        with refused(TypeError, "images are uint8"):
            to_float(torch.ones(shape, dtype=kind))


@given(width=some.integers(1, 4), grid=some.integers(1, 4), latent=some.integers(1, 40), count=some.integers(0, 3), shape=SHAPES)
def test_networks_fit_together_and_refuse_other_latents(width, grid, latent, count, shape):
    encoder = Encoder(1, (width, width, width), grid, latent).eval()
    behind = [
        ResidualDecoder(1, 12, (2, 3), (width, 2), latent=latent).eval(),
        Classifier(latent, (3,)).eval(),
        ProjectionHead(latent, 4, 5).eval(),
    ]
    h = encoder(torch.rand(count, 1, 12, 12))
    assert h.shape == (count, latent)
    assert [tuple(network(h).shape) for network in behind] == [(count, 1, 12, 12), (count, 10), (count, 5)]
    assume(len(shape) != 2 or shape[1] != latent)
    for network in behind:
        with refused(TypeError, "encode images first"):
            network(torch.rand(shape))


@given(count=some.integers(0, 8), labels=some.integers(0, 8), known=some.integers(0, 8), neighbours=some.integers(-1, 9), seed=SEEDS)
def test_measures_are_percentages_or_refused(count, labels, known, neighbours, seed):
    points, truth = noise(count, 4, seed=seed).float(), torch.arange(labels) % 3
    try:
        assert probe.accuracy(points, truth) == pytest.approx(100 * np.mean(points.numpy().argmax(1) == truth.numpy()), abs=1e-4)
        assert probe.knn_accuracy(points, truth, points, truth, 1) == 100  # a point is its own nearest
        assert 0 <= probe.knn_accuracy(noise(known, 4).float(), torch.arange(known) % 3, points, truth, neighbours) <= 100
    except UserError:
        event("refused")
        assert count != labels or not count or not 1 <= neighbours <= known


@given(count=some.integers(0, 4), labels=some.integers(0, 4), known=some.integers(0, 8), classes=some.integers(1, 4), seed=SEEDS)
def test_a_linear_probe_is_a_percentage_or_refused(count, labels, known, classes, seed):
    points, truth = noise(count, 4, seed=seed).float(), torch.arange(labels) % classes
    try:
        assert 0 <= probe.linear_accuracy(noise(known, 4).float(), torch.arange(known) % classes, points, truth) <= 100
    except UserError:
        event("refused")
        assert count != labels or not count or known < 2 or classes < 2


@given(ends=some.integers(0, 4), steps=some.integers(-2, 12))
def test_a_line_goes_from_end_to_end_or_is_refused(ends, steps):
    points = noise(ends, 3)
    if ends == 2 and steps >= 2:
        path = interpolation.linear(points, steps)
        assert len(path) == steps and torch.equal(path[0], points[0]) and torch.allclose(path[-1], points[1])
    else:
        with refused(ValueError, "two ends"):
            interpolation.linear(points, steps)


NAMES = ("epochs", "batch", "widths", "hidden", "zoom", "objective")
FIELDS = [group + name for group in ("", "encoder.", "classifier.views.") for name in NAMES]
LITERALS = some.integers() | some.floats() | some.booleans() | some.none() | some.lists(some.integers())
VALUES = WORDS | some.builds(repr, LITERALS)
KEYS = WORDS | some.sampled_from(["experiment", "seed", "recipe", "data", "measures"])
DATA = some.recursive(
    some.none() | some.integers() | WORDS,
    lambda inside: some.lists(inside, max_size=2) | some.dictionaries(KEYS, inside, max_size=5),
)


@given(changes=some.dictionaries(some.sampled_from(FIELDS) | WORDS, VALUES, max_size=3), name=some.sampled_from(EXPERIMENTS))
def test_a_changed_recipe_is_a_recipe_or_refused(changes, name):
    try:
        recipe = change(recipes.find_recipe(name, "tiny"), changes)
    except UserError:
        event("refused")
        return
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe
    assert recipe.encoder.epochs >= 1 and recipe.encoder.batch >= 1 and all(width >= 1 for width in recipe.widths)


@given(name=some.sampled_from(EXPERIMENTS), key=some.sampled_from(sorted(recipes.find_recipe("mnist-ae").as_dict())), value=DATA)
def test_a_stored_recipe_that_was_tampered_with_is_a_recipe_or_refused(name, key, value):
    try:
        assert isinstance(Recipe.from_dict(recipes.find_recipe(name).as_dict() | {key: value}), Recipe)
    except UserError as error:
        event("refused")
        assert "another version" in str(error)


@given(scale=WORDS, name=WORDS)
def test_unknown_names_are_refused(scale, name):
    assume(scale not in recipes.RECIPES and name not in (*recipes.RECIPES["cpu"], *data.NAMES))
    for call in (lambda: recipes.find_recipe(name), lambda: recipes.find_recipe("mnist-ae", scale), lambda: data.load(name)):
        with refused(UserError, "choose one of"):
            call()


@given(name=WORDS | some.builds("{}:{}".format, some.sampled_from(["cpu", "cuda", "mps", "meta", ""]), WORDS | some.integers(-2, 300)))
def test_a_device_is_there_or_refused(name):
    try:
        assert device.choose_device(name).type in name
    except UserError as error:
        event("refused")
        assert "is not on this machine" in str(error)


@given(first=WORDS | some.from_regex(r"\d{8,10}"), second=WORDS | some.from_regex(r"[0-9]{9}", fullmatch=True))
def test_an_identity_number_has_nine_digits(tmp_path_factory, first, second):
    good = all(re.fullmatch("[0-9]{9}", number) for number in (first, second)) and first != second
    with refused(ReportError, r"wet\.pdf is missing" if good else "identity number"):
        submit(first, second, tmp_path_factory.getbasetemp(), tmp_path_factory.getbasetemp())


COMMANDS = ("train", "trial", "read", "sweep", "table", "verify", "report", "submit", "data")
OPTIONS = ("--seed", "--recipe", "--device", "--json", "--into", "--splits", "--notebooks", "--dry", "--out", "--trials")
OPTIONS += ("0", "tiny", "tpu", "mnist-ae", "test", "encoder.epochs=1", "--", "-h")
TRAIN = {"train", "trial", "read", "sweep"}


@given(command=some.sampled_from(COMMANDS) | WORDS, words=some.lists(some.sampled_from(OPTIONS) | WORDS, max_size=5))
def test_any_command_line_is_obeyed_or_refused_in_one_line(tmp_path_factory, command, words):
    assume(not (TRAIN & {command, *words} and {*EXPERIMENTS, *VARIANTS} & {*words}) or "tpu" in words)
    assume("data" not in (command, *words[:1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        said = run_command([command, *words])
    if said[0] != 0:
        event("refused")
        assert said[0] == 2 and said[1].count("\n") == 1 and said[1].startswith("latent")


def run_command(words):
    """Exit code and what was written to stderr."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = cli.main(words)
        except SystemExit as stop:
            code = stop.code
    return code, error.getvalue()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A small checkpoint, written by the project, with its networks and optimizer."""
    networks = torch.nn.ModuleDict({"layer": torch.nn.Linear(2, 2)})
    optimizers = [torch.optim.AdamW(networks.parameters())]
    made = Checkpoint(tmp_path_factory.mktemp("checkpoint") / "a.pt", {"seed": 0})
    made.save(networks, optimizers, [{"epoch": 1}])
    return made.path.read_bytes()


@given(place=some.integers(0, 2**20), change=some.integers(1, 255), cut=some.booleans())
def test_no_byte_of_a_checkpoint_can_change_unnoticed(tmp_path_factory, checkpoint, place, change, cut):
    place %= len(checkpoint)
    path = tmp_path_factory.getbasetemp() / "changed.pt"
    path.write_bytes(checkpoint[:place] if cut else checkpoint[:place] + bytes([checkpoint[place] ^ change]) + checkpoint[place + 1 :])
    with refused(UserError, "damaged or no checkpoint"):
        checkpoints.read(path)


@given(content=some.binary(max_size=60) | some.builds(lambda value: json.dumps(value).encode(), DATA))
def test_whatever_lies_where_a_record_should_is_refused_by_name(tmp_path_factory, content):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENT_RESULTS", str(tmp_path_factory.getbasetemp() / "records"))
        file = results.path("mnist-ae", 0, ".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        with refused(UserError, r"mnist-ae/seed0\.json is"):
            results.read("mnist-ae")


def record():
    """A record as a tiny run leaves it, but for its curves."""
    recipe = recipes.find_recipe("mnist-ae", "tiny")
    signature = models.signature(recipe, models.build(recipe, *data.FORMS[recipe.dataset], 0))
    described = {"experiment": "mnist-ae", "seed": 0, "recipe": recipe.as_dict(), "data": {"title": "", "digest": ""}}
    return described | {"signature": signature} | {"measures": {"train_accuracy": 91.0, "test_accuracy": 90.0, "test_mae": 0.1}}


PLACES = [(name,) for name in record()] + [(group, name) for group in ("recipe", "data", "measures") for name in record()[group]]


@given(place=some.sampled_from(PLACES), value=DATA | LITERALS | some.just("1"), gone=some.booleans())
def test_a_record_that_was_tampered_with_is_read_or_refused_by_name(tmp_path_factory, place, value, gone):
    changed = record()
    *groups, name = place
    inside = changed[groups[0]] if groups else changed
    inside[name] = value
    if gone:
        del inside[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENT_RESULTS", str(tmp_path_factory.getbasetemp() / "tampered"))
        file = results.path("mnist-ae", 0, ".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(changed))
        try:
            assert tables.rows(["mnist-ae"])[0][0] == "mnist-ae" and results.summary("mnist-ae")
        except UserError as error:
            event("refused")
            assert "mnist-ae/seed0.json is" in str(error)
