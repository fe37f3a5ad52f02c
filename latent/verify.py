"""Does what is shipped give what is claimed? The weights of seed 0 are judged again and compared with their records."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from latent import experiment
from latent.compute.device import keep_memory
from latent.data import load
from latent.errors import UserError
from latent.models import build, freeze
from latent.recipes import Recipe
from latent.store import results

SPLITS = ("train", "validation", "test")
TOLERANCE = 0.1  # percentage points, and the same in hundredths of a pixel's range for MAE
OF_VIEWS = 0.2  # percentage points: the six views are encoded in bfloat16, which machines round in their own ways


@dataclass(frozen=True)
class Check:
    """One number, as stored and as found."""

    experiment: str
    measure: str
    stored: float
    found: float

    @property
    def agrees(self) -> bool:
        tolerance = TOLERANCE / 100 if self.measure.endswith("mae") else OF_VIEWS if "views" in self.measure else TOLERANCE
        return abs(self.stored - self.found) <= tolerance


def verify(name: str, device: torch.device, splits: Sequence[str] = ("test",)) -> list[Check]:
    """Judge the stored weights of seed 0 of an experiment on the images of `splits`; all three give every measure of the record.

    A vote of neighbours needs the training images too. A measure that the record lacks is compared with nan, and so differs.
    Raises UserError where nothing is stored, or where the data at hand is not the data of the record.
    """
    keep_memory()
    record = next((record for record in results.read(name) if record["seed"] == 0), None)
    if record is None:
        raise UserError(f"no result of {name} in {results.folder()}; {results.remedy(name, 0)}")
    recipe = Recipe.from_dict(record["recipe"])
    data = load(recipe.dataset)
    if data.digest != record["data"]["digest"]:
        raise UserError(
            f"{name} was trained on {record['data'].get('title')} ({record['data']['digest']}), not on {data.title} ({data.digest})"
        )
    networks = freeze(results.load_weights(name, 0, build(recipe, data.channels, data.side, 0)).to(device))
    found = experiment.evaluate(networks, recipe, data, tuple(split for split in SPLITS if split in splits))
    return [Check(name, measure, record["measures"].get(measure, math.nan), value) for measure, value in found.items()]
