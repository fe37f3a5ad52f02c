"""Where `latent sweep` searches: for each objective, which values of a recipe may change, and how far."""

from dataclasses import dataclass
from operator import attrgetter

from latent.errors import UserError
from latent.recipes import Recipe


@dataclass(frozen=True)
class Range:
    """Every number from low to high, both included. log: as many below a tenth as above. step: whole numbers, so far apart."""

    low: float
    high: float
    log: bool = False
    step: int | None = None


Values = Range | tuple  # a tuple lists the choices

# The two optimizers measure a step in other units: Muon in shares of a weight's norm.
LEARNING_RATES = {"adamw": Range(3e-4, 1e-2, log=True), "muon": Range(0.03, 0.8, log=True)}

# Epochs are not searched: more are better, and what they cost is for people to say.
_BY_OBJECTIVE: dict[str, dict[str, Values]] = {
    "reconstruct": {
        "encoder.batch": (64, 128, 256),
        "encoder.weight_decay": Range(1e-3, 0.2, log=True),
    },
    "classify": {
        "encoder.batch": (128, 256, 500, 1000),
        "encoder.weight_decay": Range(1e-3, 0.2, log=True),
        "encoder.label_smoothing": Range(0, 0.3),
    },
    "contrast": {
        "encoder.batch": (128, 256, 512, 1024),
        "encoder.weight_decay": Range(1e-3, 0.2, log=True),
        "temperature": Range(0.05, 1, log=True),
    },
}
_BY_OBJECTIVE["contrast_labels"] = _BY_OBJECTIVE["contrast"]

_BY_VIEWS: dict[tuple[str, str], dict[str, Values]] = {
    ("classify", "mnist"): {
        "encoder.views.shift": Range(0, 4, step=1),
        "encoder.views.rotate": Range(0, 30),
        "encoder.views.zoom": Range(0.5, 1),
        "encoder.views.stretch": Range(0, 0.6),
        "encoder.views.erase": Range(0, 16, step=2),
    },
    ("classify", "cifar10"): {
        "encoder.views.shift": Range(0, 4, step=1),
        "encoder.views.erase": Range(0, 16, step=2),
    },
    ("contrast", "mnist"): {
        "encoder.views.shift": Range(0, 4, step=1),
        "encoder.views.rotate": Range(0, 40),
        "encoder.views.zoom": Range(0.15, 1),
        "encoder.views.stretch": Range(0, 0.8),
        "encoder.views.erase": Range(0, 16, step=2),
    },
    ("contrast", "cifar10"): {
        "encoder.views.zoom": Range(0.08, 0.8),
        "encoder.views.stretch": Range(0, 0.8),
        "encoder.views.jitter": Range(0, 0.8),
        "encoder.views.grey": Range(0, 0.5),
    },
}
_BY_VIEWS |= {("contrast_labels", dataset): _BY_VIEWS["contrast", dataset] for dataset in ("mnist", "cifar10")}


def around(recipe: Recipe) -> dict[str, Values]:
    """The values of `recipe` to search, by their places. Raises UserError where no search is planned for it."""
    if recipe.objective not in _BY_OBJECTIVE or recipe.encoder.optimizer not in LEARNING_RATES:
        known = f"{', '.join(_BY_OBJECTIVE)} with {' or '.join(LEARNING_RATES)}"
        asked = f"{recipe.objective!r} with optimizer {recipe.encoder.optimizer!r}"
        raise UserError(f"no values to search for {asked}; there are some for {known}")
    rate = {"encoder.learning_rate": LEARNING_RATES[recipe.encoder.optimizer]}
    return rate | _BY_OBJECTIVE[recipe.objective] | _BY_VIEWS.get((recipe.objective, recipe.dataset), {})


def inside(recipe: Recipe, ranges: dict[str, Values]) -> dict[str, float]:
    """The values that `recipe` itself has at the places of `ranges`, as far as they lie in it."""
    own = {place: attrgetter(place)(recipe) for place in ranges}
    return {place: value for place, value in own.items() if _holds(ranges[place], value)}


def _holds(values: Values, value: float) -> bool:
    if isinstance(values, tuple):
        return value in values
    return values.low <= value <= values.high and (values.step is None or (value - values.low) % values.step == 0)
