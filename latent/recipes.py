"""All hyper-parameters of all experiments. A recipe is data: same code, other numbers.

Scales: `cpu` (two cores, the default and the one whose results are shipped), `gpu` (one card), `study` (objectives compared with
all else equal), `demo` (the stand-ins, for `make demo`), `tiny` (tests). How each value was chosen, on the validation set, stands in
results/trials.json and in the notebooks.
"""

import ast
import math
import os
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import get_args, get_origin

from latent.errors import UserError

EXPERIMENTS = ("mnist-ae", "mnist-guided", "mnist-contrastive", "cifar-ae", "cifar-guided", "cifar-contrastive")
VARIANTS = ("mnist-contrastive-labels", "cifar-contrastive-labels", "mnist-pca", "cifar-pca")  # for comparison
RECORDS_ALONE = ("mnist-contrastive-labels", "cifar-contrastive-labels")  # shipped without weights: nothing loads them
OBJECTIVES = ("reconstruct", "classify", "contrast", "contrast_labels")  # written out in latent/objectives.py
UNTRAINED = ("random", "pca")  # encoders that the study compares with: as they start, and principal components
SEEDS = {"mnist": 5, "cifar10": 3}  # how many of each experiment stand behind its ±
STUDY_SEEDS = 3
LATENT = 128  # the assignment's dimension of h


@dataclass(frozen=True)
class Views:
    """How far a view may lie from its image. Everything off is the identity.

    shift: pixels, each way. flip: mirror every second image, on average. rotate: degrees, each way. zoom: the smallest share
    of the area that a crop keeps (1: whole image). stretch: largest log aspect ratio of a crop or shape. jitter: strength
    of brightness, contrast, saturation (each factor uniform in 1 ± jitter) and, for colour, hue (± jitter / 4 of a turn).
    grey: share of images turned grey. jittered: share of images that get the jitter. erase: side in pixels of a square
    that is blanked around a pixel, so an even side counts as one less. side: of the view in pixels (0: as the image);
    smaller views cost less, and objects in crops look as large as they do in whole images (Touvron et al. 2019).
    """

    shift: float = 0
    flip: bool = False
    rotate: float = 0
    zoom: float = 1
    stretch: float = 0
    jitter: float = 0
    jittered: float = 0.8
    grey: float = 0
    erase: int = 0
    side: int = 0


@dataclass(frozen=True)
class Training:
    """How one set of weights is found.

    learning_rate: the peak, reached after the share `warmup` of all steps, then lowered linearly to zero. rest: with Muon, the
    share of that rate which AdamW has for what Muon leaves to it. beta2: of AdamW. settle: the share of the epochs after which
    BatchNorm keeps its moments as they are, so that no image depends on its batch.
    copies: how many views of each image a frozen encoder turns into latents, for its classifier (unused elsewhere).
    """

    epochs: int
    batch: int = 256
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    rest: float = 0.02
    beta2: float = 0.999
    weight_decay: float = 0.02
    warmup: float = 0.15
    settle: float = 1.0
    label_smoothing: float = 0.0
    views: Views = Views()
    copies: int = 1


@dataclass(frozen=True)
class Recipe:
    """One experiment: which images, what is learned from them, by which networks, in which trainings.

    `encoder` trains the encoder with the network that its objective needs: decoder, classifier or projection head. The other
    trainings follow on its frozen latents; None: there is no such training.
    """

    dataset: str
    objective: str  # one of OBJECTIVES, or of UNTRAINED
    encoder: Training
    classifier: Training = Training(epochs=6, batch=1024)
    decoder: Training | None = None  # a new one on frozen latents
    reader: Training | None = None  # reads what the decoder makes of the latents
    widths: tuple[int, ...] = (32, 64, 128)  # channels of the encoder's stages
    folds: tuple[int, ...] = ()  # of a residual encoder; without them, it is one of whitened patches and three stages
    depth: int = 1  # pairs in each stage of residual networks
    grid: int = 1  # side of the last map of an encoder that is not residual
    latent: int = LATENT
    decoder_folds: tuple[int, ...] = ()  # of the decoder's stages
    decoder_widths: tuple[int, ...] = (16, 64, 128)
    sigmoid: bool = False  # whether the decoder ends in one
    together: Views = Views()  # views that an autoencoder's input and target share; `encoder.views` then touch the input alone
    reader_widths: tuple[int, ...] = (64, 128, 256)
    temperature: float = 0.2  # of the contrastive losses
    projection: int = 128
    hidden: tuple[int, ...] = (1024, 512)  # of the classifier
    dropout: float = 0.2
    head: bool = False  # whether labels are learned through a linear head, thrown away, so that the classifier follows on frozen latents

    def as_dict(self) -> dict:
        """Plain data, as JSON reads it back (tuples become lists)."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """The recipe that `as_dict` wrote. Raises UserError where it was written by another version."""
        try:
            trainings = {stage: _training(values[stage]) for stage in STAGES}
            return cls(**_tuples(values) | trainings | {"together": Views(**values["together"])})
        except (KeyError, TypeError) as error:
            raise UserError(f"a stored recipe is of another version ({error}); train the experiment again") from error


STAGES = ("encoder", "classifier", "decoder", "reader")  # the trainings of a recipe, in their order


def _training(values: dict | None) -> Training | None:
    return values and Training(**values | {"views": Views(**values["views"])})


def _tuples(values: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


# Handwriting varies by slant, place and size, and a mirrored digit is no digit: no flips, no colour.
HANDWRITING = Views(shift=2, rotate=12, zoom=0.85, stretch=0.25)
# The usual crop and mirror of CIFAR-10; objects stay recognisable.
OBJECTS = Views(shift=3, flip=True)

RECIPES: dict[str, dict[str, Recipe]] = {"cpu": {}, "gpu": {}, "study": {}, "demo": {}, "tiny": {}}
RECIPES["cpu"] = {
    "mnist-ae": Recipe(
        "mnist",
        "reconstruct",
        # A larger `rest` kills the sigmoid: pixels that it holds at nought get no gradient any more.
        Training(epochs=16, batch=64, optimizer="muon", learning_rate=0.1, rest=0.02, beta2=0.99, warmup=0.05, settle=0.5),
        folds=(4,),  # 7×7: a decoder must know where the stroke was
        widths=(96,),
        decoder_folds=(4,),
        decoder_widths=(96,),
        sigmoid=True,
        classifier=Training(epochs=6, batch=1024, learning_rate=8e-3, views=HANDWRITING, copies=4),
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
        # Many steps want small batches; near the end an image no longer depends on its batch, as when it is judged.
        Training(epochs=16, batch=64, optimizer="muon", learning_rate=0.1, rest=0.05, beta2=0.99, warmup=0.05, settle=0.75),
        folds=(4, 2),  # 8×8, then 4×4: nothing is pooled away
        widths=(96, 144),
        decoder_folds=(4, 2),
        decoder_widths=(96, 144),
        depth=2,
        together=Views(flip=True),
        classifier=Training(epochs=6, batch=1024, learning_rate=8e-3, views=OBJECTS, copies=4),
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


# As many principal components, under the autoencoder's own classifier: what needs no training of an encoder.
for _name in ("mnist", "cifar"):
    _recipe = RECIPES["cpu"][f"{_name}-ae"]
    RECIPES["cpu"][f"{_name}-pca"] = Recipe(_recipe.dataset, "pca", _recipe.encoder, _recipe.classifier)

# One card does in a minute what two cores do in an hour: wider networks, more epochs, and every reader.
_LATENTS_OUT = Training(epochs=10, batch=256, optimizer="muon", learning_rate=0.1, beta2=0.99, warmup=0.05)
for _name, _recipe in RECIPES["cpu"].items():
    _small = _recipe.dataset == "mnist"
    _epochs = {"contrast": 400, "reconstruct": 100, "classify": 60, "pca": 1}[_recipe.objective]
    RECIPES["gpu"][_name] = replace(
        _recipe,
        widths=(64, 256, 256),
        encoder=replace(_recipe.encoder, epochs=_epochs),
        decoder=_LATENTS_OUT,
        reader=replace(_LATENTS_OUT, label_smoothing=0.2, views=HANDWRITING if _small else OBJECTS),
        decoder_folds=(4,) if _small else (4, 2),
        decoder_widths=(128,) if _small else (128, 256),
        sigmoid=_small,
    )
    if _recipe.objective == "reconstruct":
        _form = {name: getattr(RECIPES["gpu"][_name], f"decoder_{name}") for name in ("folds", "widths")}
        RECIPES["gpu"][_name] = replace(RECIPES["gpu"][_name], **_form, decoder=None)

# Objectives compared with all else equal: one encoder, one optimizer and schedule, one number of epochs, the same readers.
STUDY = (
    "random",  # the encoder as it starts
    "pca",  # 128 principal components
    "ae",
    "ae-views",  # shown the contrastive views, owes the clean image
    "contrastive-weak",  # with the views of the guided training
    "contrastive",
    "guided",
    "guided-views",  # with the contrastive views
    "contrastive-labels",
)


def _study(dataset: str, row: str) -> Recipe:
    """The recipe of a row of the study: only the objective and what it needs differ."""
    name = {"mnist": "mnist", "cifar10": "cifar"}[dataset]
    contrastive = RECIPES["cpu"][f"{name}-contrastive"]
    strong, weak = replace(contrastive.encoder.views, side=0), RECIPES["cpu"][f"{name}-guided"].encoder.views
    in_place = replace(strong, flip=False)  # a decoder cannot know whether its image was mirrored: input and target are, alike
    objective, views = {
        "random": ("random", Views()),
        "pca": ("pca", Views()),
        "ae": ("reconstruct", Views()),
        "ae-views": ("reconstruct", in_place),
        "contrastive-weak": ("contrast", weak),
        "contrastive": ("contrast", strong),
        "guided": ("classify", weak),
        "guided-views": ("classify", strong),
        "contrastive-labels": ("contrast_labels", strong),
    }[row]
    photographs = dataset == "cifar10"
    # Latents have outliers: moments that follow them until the end do not fit what is judged, a decoder's least of all.
    muon = Training(epochs=5, batch=256, optimizer="muon", learning_rate=0.1, beta2=0.99, warmup=0.05, settle=0.6)
    return Recipe(
        dataset,
        objective,
        encoder=replace(muon, views=views),
        classifier=replace(contrastive.classifier, learning_rate=8e-3, copies=2),
        decoder=replace(muon, epochs=3, batch=128, settle=0.3),
        reader=replace(muon, epochs=4, label_smoothing=0.1, views=weak),
        grid=3,
        decoder_folds=(4, 2) if photographs else (4,),
        decoder_widths=(64, 128) if photographs else (64,),
        sigmoid=not photographs,
        together=Views(flip=strong.flip and row == "ae-views"),
        reader_widths=(32, 64, 128),
        temperature=contrastive.temperature,
        head=objective == "classify",
    )


RECIPES["study"] = {f"{name}-{row}": _study(dataset, row) for name, dataset in (("mnist", "mnist"), ("cifar", "cifar10")) for row in STUDY}

# The same code in a second or two, for tests: it learns next to nothing.
for _name, _recipe in RECIPES["cpu"].items():
    RECIPES["tiny"][_name] = replace(
        _recipe,
        widths=(8, 16)[: len(_recipe.folds)] if _recipe.folds else (8, 8, 16),
        decoder_widths=(8, 16)[: len(_recipe.decoder_folds)] if _recipe.decoder_folds else (4, 8, 16),
        reader_widths=(8, 8, 16),
        hidden=(32,),
        encoder=replace(_recipe.encoder, epochs=2, batch=128),
        classifier=replace(_recipe.classifier, epochs=2, batch=128, copies=1),
        reader=_recipe.reader and replace(_recipe.reader, epochs=1, batch=128),
    )

# The networks of cpu in seconds, for the embedded stand-ins of a thousand images: steps enough to see what each way of learning does.
for _name, _recipe in RECIPES["cpu"].items():
    _epochs = {"contrast": 8, "reconstruct": 6, "classify": 6, "pca": 1}[_recipe.objective]
    _brief = {stage: replace(training, epochs=6, batch=128) for stage in STAGES if (training := getattr(_recipe, stage))}
    RECIPES["demo"][_name] = replace(_recipe, **_brief | {"encoder": replace(_recipe.encoder, epochs=_epochs, batch=128)})

# 1.2.3 once more with labels in its loss and all else equal: what are they worth?
for _scale in ("cpu", "gpu", "demo", "tiny"):
    for _name in ("mnist", "cifar"):
        RECIPES[_scale][f"{_name}-contrastive-labels"] = replace(RECIPES[_scale][f"{_name}-contrastive"], objective="contrast_labels")


def default_scale() -> str:
    """The scale that is meant where none is named: LATENT_RECIPE, else cpu."""
    return os.environ.get("LATENT_RECIPE") or "cpu"


def find_recipe(experiment: str, scale: str = "cpu") -> Recipe:
    """The recipe of `experiment` at `scale`. Raises UserError where a name is unknown."""
    if scale not in RECIPES:
        raise UserError(f"unknown recipe {scale!r}; choose one of: {', '.join(RECIPES)}")
    if experiment not in RECIPES[scale]:
        raise UserError(f"unknown experiment {experiment!r}; choose one of: {', '.join(RECIPES[scale])}")
    return RECIPES[scale][experiment]


_COUNTS = {"epochs", "batch", "copies", "widths", "folds", "depth", "grid", "latent", "projection", "hidden"}
_COUNTS |= {"decoder_folds", "decoder_widths", "reader_widths"}
_SHARES = {"dropout", "label_smoothing", "warmup", "jittered", "grey", "zoom", "settle"}


def change(recipe, changes: dict[str, str]):
    """A recipe with values replaced: {"encoder.epochs": "3", "depth": "2"}; values are Python literals, anything else a word.

    Raises UserError where a field does not exist or cannot take the value.
    """
    for place, text in changes.items():
        name, _, rest = place.partition(".")
        if name not in {field.name for field in fields(recipe)} or (rest and not is_dataclass(getattr(recipe, name))):
            raise UserError(f"no value {place!r} in {type(recipe).__name__}; choose one of: {', '.join(f.name for f in fields(recipe))}")
        value = change(getattr(recipe, name), {rest: text}) if rest else _literal(text)
        if is_dataclass(getattr(recipe, name)) and not is_dataclass(value):
            raise UserError(f"{place!r} is a group of values; set one of: {', '.join(f.name for f in fields(getattr(recipe, name)))}")
        recipe = replace(recipe, **{name: value if rest else _fitting(recipe, name, value)})
    return recipe


def _fitting(recipe, name: str, value):
    """`value` if the field `name` can take it."""
    kind = next(field.type for field in fields(recipe) if field.name == name)
    if not _is_a(kind, value):
        raise UserError(f"{name} cannot be {value!r}: write it as {getattr(recipe, name)!r} is written")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, (int, float)):
            low = 1 if name in _COUNTS else 0
            high = 1 if name in _SHARES else 0.9999 if name == "beta2" else math.inf
            if not (low <= number <= high and math.isfinite(number)):
                raise UserError(f"{name} cannot be {number}: give {f'{low} to {high}' if high < math.inf else f'{low} or more'}")
    if name == "objective" and value not in OBJECTIVES:
        raise UserError(f"unknown objective {value!r}; choose one of: {', '.join(OBJECTIVES)}")
    return value


def _is_a(kind, value) -> bool:
    """Whether `value` is of the type that a recipe declares; whole numbers are numbers, truth values are not."""
    if get_origin(kind) is tuple:
        inside, length = get_args(kind)[0], None if get_args(kind)[-1] is ... else len(get_args(kind))
        return isinstance(value, tuple) and len(value) == (length or len(value)) and all(_is_a(inside, part) for part in value)
    if kind == Training | None:
        return value is None
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(kind, type) or isinstance(value, kind) or is_dataclass(kind)


def _literal(text: str):
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # the last two: brackets in brackets without end
        return text
