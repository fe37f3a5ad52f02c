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


Space = Range | tuple  # a tuple lists the choices

# The two optimizers measure a step in other units: Muon in shares of a weight's norm.
LEARNING_RATES = {"adamw": Range(3e-4, 1e-2, log=True), "muon": Range(0.03, 0.8, log=True)}

# Epochs are not searched: more are better, and what they cost is for people to say.
OBJECTIVES: dict[str, dict[str, Space]] = {
    "reconstruct": {
        "encoder.batch": (64, 128, 256),
        "encoder.weight_decay": Range(1e-3, 0.2, log=True),
        "levels": Range(1, 3, step=1),
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
OBJECTIVES["contrast_labels"] = OBJECTIVES["contrast"]

VIEWS: dict[tuple[str, str], dict[str, Space]] = {
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
VIEWS |= {("contrast_labels", dataset): VIEWS["contrast", dataset] for dataset in ("mnist", "cifar10")}


def around(plan: Recipe) -> dict[str, Space]:
    """The values of `plan` to search, by their places. Raises UserError where no search is planned for it."""
    if plan.objective not in OBJECTIVES or plan.encoder.optimizer not in LEARNING_RATES:
        known = f"{', '.join(OBJECTIVES)} with {' or '.join(LEARNING_RATES)}"
        raise UserError(f"no values to search for {plan.objective!r} with optimizer {plan.encoder.optimizer!r}; there are some for {known}")
    rate = {"encoder.learning_rate": LEARNING_RATES[plan.encoder.optimizer]}
    return rate | OBJECTIVES[plan.objective] | VIEWS.get((plan.objective, plan.dataset), {})


def inside(plan: Recipe, space: dict[str, Space]) -> dict[str, float]:
    """The values that `plan` itself has at the places of `space`, as far as they lie in it."""
    own = {place: attrgetter(place)(plan) for place in space}
    return {place: value for place, value in own.items() if _holds(space[place], value)}


def _holds(space: Space, value: float) -> bool:
    if isinstance(space, tuple):
        return value in space
    return space.low <= value <= space.high and (space.step is None or (value - space.low) % space.step == 0)
