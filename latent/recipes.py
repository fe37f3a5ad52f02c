"""All hyper-parameters of all experiments. A recipe is data: same code, other numbers.

Three scales: `cpu` (two cores, the default and the one whose results are shipped), `gpu` (one card), `tiny` (tests).
How each value was chosen, on the validation set, stands in results/trials.json and in the notebooks.
"""

from dataclasses import asdict, dataclass, replace

from latent.errors import UserError
from latent.models import LATENT
from latent.views import Views


@dataclass(frozen=True)
class Training:
    """How one set of weights is found.

    learning_rate: the peak, reached after the share `warmup` of all steps, then lowered linearly to zero.
    copies: how many views of each image a frozen encoder turns into latents, for its classifier (unused elsewhere).
    """

    epochs: int
    batch: int = 256
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: float = 0.15
    label_smoothing: float = 0.0
    views: Views = Views()
    copies: int = 1


@dataclass(frozen=True)
class Recipe:
    """One experiment: which images, what is learned from them, by which networks, in which two trainings.

    objective: reconstruct, classify, contrast or contrast_labels. widths, grid: of the encoder. decoder_widths, levels: of
    the autoencoder and its loss. beside_pca: whether the autoencoder starts from PCA and learns what that cannot do.
    together: views that an autoencoder's input and target share; `encoder.views` then touch the input alone.
    temperature, projection: of the contrastive losses. hidden, dropout: of the classifier.
    """

    dataset: str
    objective: str
    encoder: Training
    classifier: Training = Training(epochs=6, batch=1024)
    widths: tuple[int, int, int] = (32, 64, 128)
    grid: int = 1
    latent: int = LATENT
    decoder_widths: tuple[int, int, int] = (16, 64, 128)
    levels: int = 1
    beside_pca: bool = False
    together: Views = Views()
    temperature: float = 0.2
    projection: int = 128
    hidden: tuple[int, ...] = (1024, 512)
    dropout: float = 0.2

    def as_dict(self) -> dict:
        """Plain data, as JSON reads it back (tuples become lists)."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """The recipe that `as_dict` wrote. Raises UserError where it was written by another version."""
        try:
            encoder, classifier = (_training(values[stage]) for stage in ("encoder", "classifier"))
            return cls(**_tuples(values) | {"encoder": encoder, "classifier": classifier, "together": Views(**values["together"])})
        except (KeyError, TypeError) as error:
            raise UserError(f"a stored recipe is of another version ({error}); train the experiment again") from error


# Handwriting varies by slant, place and size, and a mirrored digit is no digit: no flips, no colour.
HANDWRITING = Views(shift=2, rotate=12, zoom=0.85, stretch=0.25)
# The usual crop and mirror of CIFAR-10; objects stay recognisable.
OBJECTS = Views(shift=3, flip=True)

RECIPES: dict[str, dict[str, Recipe]] = {"cpu": {}, "gpu": {}, "tiny": {}}
RECIPES["cpu"] = {
    "mnist-ae": Recipe(
        "mnist",
        "reconstruct",
        # Reconstruction wants many steps more than large batches.
        Training(epochs=6, batch=128, optimizer="muon", learning_rate=0.1, warmup=0.05),
        grid=3,  # a decoder must know where the stroke was
        classifier=Training(epochs=6, batch=1024, views=HANDWRITING, copies=4),
    ),
    "mnist-guided": Recipe(
        "mnist",
        "classify",
        Training(epochs=8, batch=500, optimizer="muon", learning_rate=0.12, warmup=0.0, label_smoothing=0.1, views=HANDWRITING),
        hidden=(),  # a classifier trained together with its encoder needs no layers of its own
    ),
    "mnist-contrastive": Recipe(
        "mnist",
        "contrast",
        Training(
            epochs=10,
            batch=512,
            optimizer="muon",
            learning_rate=0.2,
            warmup=0.05,
            views=Views(shift=2, rotate=20, zoom=0.5, stretch=0.4, erase=10),
        ),
        temperature=0.4,  # photographs want a lower one; see results/trials.json
        classifier=Training(epochs=6, batch=1024, views=HANDWRITING, copies=4),
    ),
    "cifar-ae": Recipe(
        "cifar10",
        "reconstruct",
        Training(epochs=6, batch=64),
        grid=3,
        beside_pca=True,  # colour and layout are linear: the network is free to learn the rest
        classifier=Training(epochs=6, batch=1024, views=OBJECTS, copies=4),
    ),
    "cifar-guided": Recipe(
        "cifar10",
        "classify",
        Training(
            epochs=12, batch=500, optimizer="muon", learning_rate=0.12, warmup=0.0, label_smoothing=0.2, views=Views(shift=2, flip=True)
        ),
        widths=(64, 256, 256),
        hidden=(),
    ),
    "cifar-contrastive": Recipe(
        "cifar10",
        "contrast",
        Training(
            epochs=32,
            batch=512,
            optimizer="muon",
            learning_rate=0.1,
            warmup=0.05,
            views=Views(flip=True, zoom=0.25, stretch=0.5, jitter=0.4, grey=0.2, side=24),  # more epochs in the same time
        ),
        widths=(64, 128, 256),  # in trials of as many epochs twice the width gained most
        temperature=0.1,
        classifier=Training(epochs=6, batch=1024, views=OBJECTS, copies=4),
    ),
}


# 1.2.3 once more with labels in its loss: what are they worth? They teach faster, so far fewer epochs are enough.
for _name, _epochs in (("mnist", 2), ("cifar", 12)):
    _recipe = RECIPES["cpu"][f"{_name}-contrastive"]
    RECIPES["cpu"][f"{_name}-contrastive-labels"] = replace(
        _recipe, objective="contrast_labels", encoder=replace(_recipe.encoder, epochs=_epochs)
    )

# One card does in a minute what two cores do in an hour: wider networks, more epochs.
for _name, _recipe in RECIPES["cpu"].items():
    _epochs = {"contrast": 400, "contrast_labels": 200}.get(_recipe.objective, 60)
    RECIPES["gpu"][_name] = replace(_recipe, widths=(64, 256, 256), encoder=replace(_recipe.encoder, epochs=_epochs))

# The same code in a second or two, for tests: it learns next to nothing.
for _name, _recipe in RECIPES["cpu"].items():
    RECIPES["tiny"][_name] = replace(
        _recipe,
        widths=(8, 8, 16),
        decoder_widths=(4, 8, 16),
        hidden=(32,),
        encoder=replace(_recipe.encoder, epochs=2, batch=128),
        classifier=replace(_recipe.classifier, epochs=2, batch=128, copies=1),
    )


def recipe(experiment: str, scale: str = "cpu") -> Recipe:
    """The recipe of `experiment` at `scale`. Raises UserError where a name is unknown."""
    if scale not in RECIPES:
        raise UserError(f"unknown recipe {scale!r}; choose one of: {', '.join(RECIPES)}")
    if experiment not in RECIPES[scale]:
        raise UserError(f"unknown experiment {experiment!r}; choose one of: {', '.join(RECIPES[scale])}")
    return RECIPES[scale][experiment]


def _training(values: dict) -> Training:
    return Training(**values | {"views": Views(**values["views"])})


def _tuples(values: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
