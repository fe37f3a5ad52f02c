"""A checkpoint goes on with the training it is of, and with no other; a damaged or forged one is refused and kept."""

from dataclasses import replace

import pytest
from helpers import Trap, small, write_signed
from stopped import NAME, RECIPE, checkpoint, start, stop_after_first_epoch

from latent.data import load
from latent.errors import UserError
from latent.store import checkpoints


@pytest.mark.parametrize("other", ["experiment", "seed", "recipe", "data", "signature", "version"])
def test_a_checkpoint_of_another_training_is_refused_and_kept(monkeypatch, other):
    stop_after_first_epoch(monkeypatch)
    state = checkpoints.read(checkpoint())
    assert set(state["made_with"]) == {"experiment", "seed", "recipe", "data", "signature", "version"}
    state["made_with"][other] = "of something else"
    write_signed(checkpoint(), state)
    before = checkpoint().read_bytes()
    with pytest.raises(UserError, match=rf"{NAME}-seed0.pt was begun with another {other}; go back to that, or delete the file"):
        start()
    assert checkpoint().read_bytes() == before


def test_a_changed_recipe_does_not_go_on_from_the_old_ones_checkpoint(monkeypatch):
    stop_after_first_epoch(monkeypatch)
    with pytest.raises(UserError, match="begun with another recipe"):
        start(recipe=replace(RECIPE, temperature=0.3))
    with pytest.raises(UserError, match="begun with another data"):
        start(found=replace(small(load("cifar10")), digest="other"))
    assert len(start().record["curves"]["encoder"]) == 2


def test_a_checkpoint_that_is_cut_changed_or_a_trap_is_refused_in_one_line(monkeypatch, tmp_path):
    stop_after_first_epoch(monkeypatch)
    good = checkpoint().read_bytes()
    middle = len(good) // 2
    damaged = [b"", good[:20], good[:middle], good[:-1], good + b"x", good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]]
    for content in damaged:
        checkpoint().write_bytes(content)
        with pytest.raises(UserError, match="damaged or no checkpoint; delete it to begin anew") as caught:
            start()
        assert "\n" not in str(caught.value) and checkpoint().read_bytes() == content
    for trap in (Trap(tmp_path / "sprung"), {"curves": Trap(tmp_path / "sprung")}, [1], {"curves": []}):
        write_signed(checkpoint(), trap)
        with pytest.raises(UserError, match="damaged or no checkpoint"):
            start()
    assert not (tmp_path / "sprung").exists()
