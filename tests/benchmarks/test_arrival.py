"""Races to a target, small: what is on the clock, when a race ends, what is kept of it, and what the table makes of that."""

import itertools
import json
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.arrival import airbench, course, records, report
from benchmarks.arrival.__main__ import main
from benchmarks.arrival.race import TARGETS, Target, accuracy, look_for, race, read_latents
from benchmarks.arrival.racers import RACERS
from benchmarks.arrival.records import Record
from latent import probe
from latent.data import load
from latent.errors import Diverged, UserError
from latent.experiment import evaluate, train_encoder
from latent.models import Classifier, build, signature, start_from_images
from latent.readers import train_classifier
from latent.recipes import find_recipe

NETWORKS = nn.ModuleDict()


def training(seconds=0.0):
    while True:
        time.sleep(seconds)
        yield NETWORKS


def looks(*values, reading=0.0):
    """Validation that finds these values, one after the other."""
    left = iter(values)
    return lambda networks: (reading, next(left))


def setting(experiment):
    """The tiny recipe, and a batch or two of stand-ins."""
    recipe = find_recipe(experiment, "tiny")
    data = load(recipe.dataset)
    return recipe, replace(data, train=probe.subset(data.train, 300))


def test_validation_is_off_the_clock():
    def look(networks):
        time.sleep(0.3)
        return 0.0, 1.0

    seconds = [standing.seconds for standing in itertools.islice(race([training(0.02)], look, Target(9), limit=60), 3)]
    assert 0.06 <= seconds[2] < 0.3 and seconds == sorted(seconds)


def test_the_classifier_of_a_look_is_on_the_clock_of_that_look_alone():
    seconds = [standing.seconds for standing in race([training()], looks(1, 2, 3, reading=100), Target(3), limit=60)]
    assert len(seconds) == 3 and all(100 <= spent < 101 for spent in seconds)


@pytest.mark.parametrize(("target", "values"), [(Target(2), (1, 2.5, 3)), (Target(2, "error"), (3, 1.5, 1)), (Target(2), (1, 2, 3))])
def test_arrival_is_noticed_at_the_first_epoch_that_reaches_the_target(target, values):
    assert [standing.value for standing in race([training()], looks(*values), target, limit=60)] == list(values[:2])


def test_a_race_ends_with_the_epoch_that_passes_the_limit():
    found = list(race([training(0.05), training()], looks(1, 2, 3, 4), Target(9), limit=0.08))
    assert [standing.value for standing in found] == [1, 2] and found[-1].seconds >= 0.08


def test_each_length_of_a_scheduled_training_has_a_clock_of_its_own():
    lengths = (itertools.islice(training(seconds), 1) for seconds in (0.2, 0.01))
    assert [standing.seconds < 0.2 for standing in race(lengths, looks(1, 2), Target(2), limit=60)] == [False, True]


def test_a_value_that_is_no_number_ends_a_race():
    with pytest.raises(Diverged, match="nan"):
        list(race([training()], looks(float("nan")), Target(2), limit=60))


def test_looking_changes_nothing_of_a_training():
    recipe, data = setting("mnist-ae")
    alone, seen = (course.trainings(recipe, data, 1e-3)[0] for _ in range(2))
    torch.manual_seed(3)
    expected = [next(alone)["encoder"].state_dict() for _ in range(2)][-1]
    torch.manual_seed(3)
    found = list(itertools.islice(race([seen], look_for(Target(101), recipe, data), Target(101), limit=600), 2))
    assert all(torch.equal(value, expected[name]) for name, value in found[-1].networks["encoder"].state_dict().items())


def test_ours_is_the_projects_own_training_in_doubled_lengths():
    recipe, data = setting("mnist-guided")
    for epochs, going in zip((1, 2, 4), RACERS["ours"].trainings(recipe, data, recipe.encoder.learning_rate)):
        (found,) = going  # yielded once, at its end
        networks = build(recipe, data.channels, data.side, 0)
        start_from_images(networks, data.train.images)
        train_encoder("x", networks, replace(recipe, encoder=replace(recipe.encoder, epochs=epochs)), data, 0, torch.device("cpu"))
        assert all(torch.equal(value, networks.state_dict()[name]) for name, value in found.state_dict().items())


RACES = [(experiment, contestant) for contestant, racer in RACERS.items() for experiment in racer.experiments]


@pytest.mark.parametrize(("experiment", "contestant"), RACES)
def test_every_contestant_trains_and_can_be_judged(experiment, contestant):
    if "lightly" in contestant:
        pytest.importorskip("lightly", reason="make bench installs it")
    recipe, data = setting(experiment)
    rate = (RACERS[contestant].rates or (recipe.encoder.learning_rate,))[0]
    trainings, look = RACERS[contestant].trainings(recipe, data, rate), look_for(TARGETS[experiment], recipe, data)
    standing = next(race(trainings, look, TARGETS[experiment], limit=600))
    assert standing.seconds > 0 and (0 < standing.value < 1 if experiment == "cifar-ae" else 0 < standing.value <= 100)
    assert 0 < accuracy(standing.networks, recipe, data)[1] <= 100


def test_latents_are_read_as_the_project_reads_them_on_the_clock():
    recipe, data = setting("mnist-ae")
    networks = next(course.trainings(recipe, data, 1e-3)[0])
    torch.manual_seed(5)
    expected = nn.ModuleDict({"encoder": networks["encoder"], "classifier": Classifier(recipe.latent, recipe.hidden, recipe.dropout)})
    train_classifier(expected, recipe, data, 0, torch.device("cpu"))
    torch.manual_seed(5)
    found = read_latents(networks["encoder"], recipe, data)
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in expected["classifier"].state_dict().items())
    seconds, right = accuracy(networks, recipe, data)
    assert seconds > 0.01 and accuracy(expected, recipe, data)[0] < 0.01
    assert accuracy(expected, recipe, data)[1] == evaluate(expected, recipe, data, ("validation",))["validation_accuracy"]
    assert 0 < right <= 100


def test_airbench_whitens_patches_and_lets_all_weights_decay_alike():
    data = load("cifar10")
    networks = airbench.build(data.train.images)
    normalized, whiten = networks["encoder"][0], networks["encoder"][1]
    responses = whiten(normalized(data.train.images.float() / 255)).movedim(1, -1).flatten(0, -2)  # (N · positions, 24)
    squares = responses.square().mean(0)
    assert (squares < 1.001).all() and (squares > 0.8).all()  # short of one by the noise that is added
    biases, others = airbench.make_optimizer(networks, 11.5).param_groups
    assert biases["lr"] == pytest.approx(64 * others["lr"]) == pytest.approx(64 * 1.5 / 1024)
    assert biases["lr"] * biases["weight_decay"] == pytest.approx(others["lr"] * others["weight_decay"])


def test_airbench_mirrors_an_image_in_every_second_epoch(monkeypatch):
    monkeypatch.setattr(airbench, "view", lambda x, views, generator: x)  # no shift: what is left is the mirror
    data = load("cifar10")
    whole = {image.numpy().tobytes(): number for number, image in enumerate(data.train.images)}
    seen = [(255 * x).round().to(torch.uint8) for x, _ in airbench.batches(data, epochs=2)]
    plain = [{whole[key] for image in batch if (key := image.numpy().tobytes()) in whole} for batch in seen]
    assert len(seen) == 2 and plain[0] | plain[1] == set(range(len(data.train))) and not plain[0] & plain[1]


def test_a_race_is_kept_not_run_again_and_reported_with_where_it_stood(capsys):
    assert main(["mnist-guided", "textbook", "--limit", "0.01"]) == 0
    said, file = capsys.readouterr().out, records.path("mnist-guided-textbook-0.001")
    record = records.read(file)
    assert len(record.curve) == 1 and record.arrived is None and record.accuracy == record.stood
    assert "not within 0.01 s" in said and f"stood at {record.stood:.4f}" in said
    before = file.stat().st_mtime_ns
    assert main(["mnist-guided", "textbook", "--limit", "0.005"]) == 0 and file.stat().st_mtime_ns == before
    assert main(["mnist-guided", "textbook", "--limit", "0.02"]) == 0 and file.stat().st_mtime_ns > before  # it says more
    assert main(["mnist-guided", "ours", "--limit", "0.01"]) == 0 and main([]) == 0
    readme = (records.folder() / "README.md").read_text()
    assert f"not within 0: stood at {records.read(file).stood:.2f}" in readme and (records.folder() / "arrival.png").stat().st_size > 10_000


def kept(experiment, contestant, rate, curve, limit=3000.0, accuracy=50.0):
    recipe = find_recipe(experiment, "tiny")
    known = signature(recipe, build(recipe, *{"mnist": (1, 28), "cifar10": (3, 32)}[recipe.dataset], 0))
    record = Record(experiment, contestant, rate, limit, curve, accuracy, "a machine", "images", known)
    records.write(record)
    return record


def test_the_table_divides_the_seconds_on_file_and_takes_the_best_rate():
    kept("cifar-guided", "ours", 0.12, [(20, 70), (50, 88.66)])
    kept("cifar-guided", "textbook", 0.001, [(100, 60), (400, 90)])
    kept("cifar-guided", "textbook", 0.003, [(100, 60), (200, 90)])
    kept("cifar-guided", "airbench", 11.5, [(10, 60), (40, 90)])
    kept("cifar-ae", "ours", 0.1, [(100, 0.05), (150, 0.046)], accuracy=61.5)
    kept("cifar-ae", "textbook", 0.001, [(100, 0.08), (3000, 0.0512)], accuracy=45.25)
    kept("cifar-ae", "textbook", 0.003, [(100, 0.07), (3000, 0.0505)], accuracy=46)
    found = {(row[0], row[3]): row[1:3] + row[4:] for row in report.rows(records.read_all())}
    assert found == {
        ("cifar-guided", "textbook"): ["88.66", "50.0", "0.003, of 2 of 3", "200", "4", "≥ 10", "no", "50.00 / 50.00"],
        ("cifar-guided", "airbench"): ["88.66", "50.0", "11.5, of 1 of 3", "40.0", "0.8", "≥ 1", "no", "50.00 / 50.00"],
        ("cifar-ae", "textbook"): [
            *("0.0470", "150", "0.003, of 2 of 3", "not within 3,000: stood at 0.0505"),
            *("> 20", "≥ 10", "yes", "61.50 / 46.00"),
        ],
    }


def test_without_our_arrival_there_is_no_ratio_and_a_short_limit_leaves_it_open():
    kept("mnist-guided", "ours", 0.12, [(20, 98)])
    kept("mnist-ae", "ours", 0.1, [(500, 99)])
    kept("mnist-ae", "textbook", 0.001, [(3000, 98)])
    kept("mnist-guided", "textbook", 0.001, [(100, 99.5)])
    assert [row[6:9] for row in report.rows(records.read_all())] == [["> 6", "≥ 10", "open"], ["–", "≥ 10", "–"]]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("88.0", "NaN"),
        lambda text: text.replace('"limit": 3000.0', '"limit": "long"'),
        lambda text: text.replace("cifar-guided", "mnist-guided"),
        lambda text: json.dumps(json.loads(text) | {"curve": []}),
        lambda text: "[]",
    ],
)
def test_a_damaged_file_is_refused_by_name(damage, capsys):
    file = records.path(kept("cifar-guided", "textbook", 0.001, [(20, 88.0)]).name)
    file.write_text(damage(file.read_text()))
    assert main([]) == 2
    said = capsys.readouterr().err
    assert str(file) in said and "damaged" in said and said.count("\n") == 1


def test_ours_of_another_recipe_is_refused_by_name():
    record = kept("cifar-guided", "ours", 0.12, [(20, 88.0)])
    records.write(replace(record, signature="0" * 16))
    with pytest.raises(UserError, match=r"cifar-guided-ours-0\.12\.json was raced with another recipe"):
        records.read_all()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "no races"),
        (["cifar"], "unknown experiment"),
        (["cifar-guided"], "no contestant"),
        (["mnist-guided", "airbench"], "no contestant"),
        (["cifar-guided", "textbook", "--rate", "7"], "0.0003"),
        (["cifar-guided", "textbook", "--rate", "fast"], "fast"),
        (["cifar-guided", "textbook", "--limit", "0"], "limit"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments, word, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert word in said and said.count("\n") == 1
