"""Files that were damaged, exchanged or forged: each is refused in one line that names it and stays as it is; nothing in it is run."""

import pickle
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import Trap, put_small_files, take_the_small_ones_for_right, write_signed

from latent import data, models, recipes
from latent.data import FORMS
from latent.errors import UserError
from latent.store import checkpoints, results
from latent.store.checkpoints import Checkpoint
from latent.train import make_optimizers
from soak import processes

NAME = "mnist-guided"


@dataclass
class Damaged:
    """Damages files that `read` reads, one at a time, and counts how often it was refused."""

    what: str
    read: Callable[[], object]
    refused: int = 0

    def damage(self, file: Path, chance: random.Random) -> None:
        """Damage `file` in a way drawn at random, look whether it is refused, and mend it."""
        good = file.read_bytes()
        self.refuse(file, chance.choice(WAYS)(good, chance))
        file.write_bytes(good)

    def refuse(self, file: Path, content: bytes) -> None:
        file.write_bytes(content)
        try:
            self.read()
        except UserError as error:
            assert file.name in str(error) and "\n" not in str(error), error
        else:
            raise AssertionError(f"{self.what}: {content[:99]!r} in {file.name} was taken as good")
        assert file.read_bytes() == content
        self.refused += 1


def _cut(good: bytes, chance: random.Random) -> bytes:
    return good[: chance.randrange(len(good) - 1)]


def _turned_bit(good: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(good))
    return good[:place] + bytes([good[place] ^ 1 << chance.randrange(8)]) + good[place + 1 :]


def _other_block(good: bytes, chance: random.Random) -> bytes:
    """As a disk leaves it that went down before everything was written."""
    place = chance.randrange(len(good))
    block = bytes(255 - byte for byte in good[place : place + 4096])
    return good[:place] + block + good[place + len(block) :]


def _longer(good: bytes, chance: random.Random) -> bytes:
    return good + chance.randbytes(chance.randrange(1, 99))


def _noise(good: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(len(good))


WAYS = (_cut, _turned_bit, _other_block, _longer, _noise)


def rows(folder: Path, effort: float) -> list[tuple[str, str]]:
    """Damage every kind of file 500 times at full effort, and forge some."""
    begun, chance, count = time.perf_counter(), random.Random(), round(500 * effort)
    trap = Trap(folder / "sprung")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENT_RESULTS", str(folder / "results"))
        patch.setenv("LATENT_RECIPE", "tiny")
        patch.setenv("LATENT_DATA", str(folder / "data"))
        take_the_small_ones_for_right(patch)
        kinds = [*_of_a_training(folder, chance, count), _checkpoints(folder / "a.pt", chance, count, trap)]
        kinds += [_files_of(name, folder / "data", chance, count, trap) for name in data.NAMES]
    assert not trap.path.exists()
    return [
        *((f"damaged or forged {kind.what}, refused by name and left as they were", f"{kind.refused:,}") for kind in kinds),
        ("of these taken as good, or run", "0"),
        ("seconds", f"{time.perf_counter() - begun:.0f}"),
    ]


def _of_a_training(folder: Path, chance: random.Random, count: int) -> list[Damaged]:
    process = processes.start(["train", NAME, "--recipe", "tiny", "--device", "cpu"], folder / "results", folder / "said")
    process.join()
    recipe = recipes.find_recipe(NAME, "tiny")
    networks = models.build(recipe, *FORMS[recipe.dataset], seed=0)
    weights = Damaged("weights", lambda: results.load_weights(NAME, 0, networks))
    record = Damaged("records", lambda: results.read(NAME))
    file = results.path(NAME, 0, ".json")
    good = file.read_bytes()
    for _ in range(count):
        weights.damage(results.path(NAME, 0, ".safetensors"), chance)
        record.refuse(file, _cut(good, chance))  # other numbers in a record are for `latent verify` to find
        file.write_bytes(good)
    return [weights, record]


def _checkpoints(file: Path, chance: random.Random, count: int, trap: Trap) -> Damaged:
    recipe = recipes.find_recipe(NAME, "tiny")
    networks = models.build(recipe, *FORMS[recipe.dataset], seed=0)
    Checkpoint(file, {}).save(networks, make_optimizers(networks, recipe.encoder), [])
    kind = Damaged("checkpoints", lambda: checkpoints.read(file))
    for _ in range(count):
        kind.damage(file, chance)
    write_signed(file, trap)  # its checksum is right
    kind.refuse(file, file.read_bytes())
    return kind


def _files_of(name: str, folder: Path, chance: random.Random, count: int, trap: Trap) -> Damaged:
    paths = put_small_files(name, folder)
    kind = Damaged(f"files of {name}", lambda: data.load(name))
    for _ in range(count):
        kind.damage(chance.choice(paths), chance)
    kind.refuse(chance.choice(paths), pickle.dumps(trap))
    return kind
