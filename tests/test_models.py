"""The networks: shapes, ranges, what a classifier may see, and what frozen means."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import torch
from helpers import same, tiny
from sklearn.decomposition import PCA as ReferencePCA
from torch import nn

from latent import models, probe
from latent.data import FORMS, load
from latent.errors import UserError
from latent.models import (
    Classifier,
    Encoder,
    ProjectionHead,
    Reader,
    ResidualDecoder,
    ResidualEncoder,
    ResidualPair,
    build,
    fit_pca,
    freeze,
    parameter_count,
    signature,
    start_from_images,
    whiten,
)
from latent.recipes import EXPERIMENTS, Training, change, find_recipe
from latent.search.trials import flat


@pytest.mark.parametrize(("channels", "side"), FORMS.values())
@pytest.mark.parametrize("grid", [1, 3])
def test_an_encoder_gives_one_vector_of_128(channels, side, grid):
    encoder = Encoder(channels, (8, 8, 16), grid)
    assert encoder(torch.rand(2, channels, side, side)).shape == (2, 128)


@pytest.mark.parametrize(("channels", "side"), FORMS.values())
@pytest.mark.parametrize("sigmoid", [True, False])
def test_a_decoder_gives_pixels_in_range_even_for_extreme_latents(channels, side, sigmoid):
    decoder = ResidualDecoder(channels, side, (2, 2), (4, 8), sigmoid=sigmoid).eval()
    x = decoder(1e4 * torch.randn(3, 128))
    assert x.shape == (3, channels, side, side) and x.min() >= 0 and x.max() <= 1 and x.dtype == torch.float32


@pytest.mark.parametrize(
    "image", [torch.rand(2, 1, 28, 28), torch.rand(2, 3, 32, 32), torch.rand(2, 784), torch.rand(2, 3072), torch.rand(128)]
)
@pytest.mark.parametrize("network", [Classifier(), ResidualDecoder(1, 28, (4,), (8,)), ProjectionHead()])
def test_nothing_behind_the_encoder_takes_an_image(network, image):
    with pytest.raises(TypeError, match="encode images first"):
        network(image)


def test_encoders_have_three_stages_that_halve_the_side_and_decoders_unfold_it():
    encoder, decoder, x = Encoder(3, (4, 6, 8)), ResidualDecoder(3, 32, (4, 2), (6, 8)), torch.rand(2, 3, 32, 32)
    sides = [(x := stage(x)).shape[1:] for stage in (encoder.whiten, *encoder.stages)]
    assert sides == [(24, 31, 31), (4, 15, 15), (6, 7, 7), (8, 3, 3)]
    x = decoder.from_latent(torch.rand(2, 128)).permute(0, 3, 1, 2)
    sides = [(x := stage(x)).shape[1:] for stage in (*decoder.stages, decoder.to_image)]
    assert sides == [(8, 4, 4), (24, 4, 4), (24, 4, 4), (6, 8, 8), (6, 8, 8), (3, 32, 32)]


def test_an_image_is_encoded_the_same_alone_and_in_a_batch():
    encoder = freeze(Encoder(3, (8, 8, 16)))
    x = torch.rand(5, 3, 32, 32)
    assert torch.allclose(encoder(x)[2:3], encoder(x[2:3]), atol=1e-5)


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-contrastive", "cifar-ae"])
def test_bfloat16_moves_latents_by_less_than_three_percent(name):
    recipe = find_recipe(name, "tiny")
    images = load(recipe.dataset).train.images[:64].float() / 255
    encoder = freeze(build(recipe, *images.shape[1:3], seed=0)["encoder"])
    exact = encoder(images)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder(images).float()
    assert (rounded - exact).norm() < 0.03 * exact.norm()


def test_frozen_means_weights_and_buffers():
    encoder = freeze(Encoder(1, (8, 8, 16)))
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    encoder(torch.rand(16, 1, 28, 28))
    assert not any(p.requires_grad for p in encoder.parameters()) and not encoder.training
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())


def test_parameters_are_counted_by_hand():
    assert parameter_count(nn.Linear(3, 4)) == 3 * 4 + 4
    stages = (4 * 8 + 8) + sum(9 * a * b + 9 * b * b + 4 * b for a, b in ((8, 8), (8, 8), (8, 16)))
    assert parameter_count(Encoder(1, (8, 8, 16), grid=3, latent=128)) == stages + 16 * 9 * 128 + 128


def test_whitened_patches_have_variance_one_and_no_correlation():
    images, encoder = load("cifar10").train.images[:400], Encoder(3, (8, 8, 16))
    whiten(encoder, images)
    with torch.no_grad():
        patches = encoder.whiten(images.float() / 255).transpose(0, 1).flatten(1)  # (24, patches)
    assert torch.allclose(patches[:12], -patches[12:], atol=1e-3)
    covariance, kept = torch.cov(patches[:12]), torch.cov(patches[:12]).diagonal() > 0.9  # the rest is below the noise
    assert kept.sum() >= 6 and torch.allclose(covariance[kept][:, kept], torch.eye(int(kept.sum())), atol=0.1)


def test_all_but_the_first_layer_is_learned():
    fixed = {name for name, p in Encoder(1).named_parameters() if not p.requires_grad}
    assert fixed == {"whiten.weight", "whiten.bias"}


def test_pca_is_scikit_learns():
    images = load("mnist").train.images[:400]
    ours, flat = fit_pca(images, 12), images.flatten(1).numpy() / 255
    reference = ReferencePCA(12, svd_solver="full").fit(flat)
    latents = ours["encoder"](images.float() / 255)
    assert np.allclose(latents.abs().numpy(), np.abs(reference.transform(flat)), atol=1e-3)
    expected = np.abs(np.clip(reference.inverse_transform(reference.transform(flat)), 0, 1) - flat).mean()
    assert probe.reconstruction_error(ours["encoder"], ours["decoder"], images) == pytest.approx(expected, rel=1e-4)


def test_principal_components_are_an_experiment_with_a_linear_decoder():
    images = load("cifar10").train.images[:400]
    networks, alone = build(tiny("cifar-pca"), 3, 32, 0), fit_pca(images)
    start_from_images(networks, images)
    assert all(same(networks[name].state_dict(), alone[name].state_dict()) for name in ("encoder", "decoder"))
    assert "projection" not in networks and networks["classifier"].latent == alone["encoder"].to_latent.out_features


def test_a_frozen_encoder_has_no_gradient_but_lets_one_through():
    encoder = freeze(build(tiny("mnist-ae"), 1, 28, 0)["encoder"])
    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    encoder(x).sum().backward()
    assert x.grad.abs().sum() > 0 and all(p.grad is None for p in encoder.parameters())


def test_the_same_seed_builds_the_same_networks_and_another_others():
    first, second, other = (build(tiny("cifar-ae"), *FORMS["cifar10"], seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["encoder.to_latent.weight"], other["encoder.to_latent.weight"])


def other_values(recipe):
    """Copies of a recipe, or of a part of it, each with one value changed."""
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if is_dataclass(value):
            changed = list(other_values(value))
        elif isinstance(value, bool):
            changed = [not value]
        elif isinstance(value, tuple):
            changed = [(*value, 7)]
        elif value is None:
            changed = [Training(epochs=1)]
        else:
            changed = [value + ("x" if isinstance(value, str) else 1)]
        yield from (replace(recipe, **{field.name: one}) for one in changed)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_signature_changes_with_any_value_of_the_recipe(name):
    recipe, networks = tiny(name), build(tiny(name), *FORMS[tiny(name).dataset], 0)
    others = [signature(other, networks) for other in other_values(recipe)]
    assert len(others) == len(flat(recipe.as_dict()))
    assert len({signature(recipe, networks), *others}) == 1 + len(others)


def test_a_signature_changes_with_the_name_and_the_shape_of_any_tensor_and_with_the_version_of_the_models(monkeypatch):
    recipe, layer = tiny("mnist-ae"), nn.Linear(2, 3)
    with_a_buffer = nn.Linear(2, 3)
    with_a_buffer.register_buffer("count", torch.zeros(1))
    found = [
        signature(recipe, nn.ModuleDict(networks))
        for networks in (
            {"encoder": layer},
            {"decoder": layer},
            {"encoder": nn.Linear(2, 4)},
            {"encoder": nn.Linear(3, 2)},
            {"encoder": nn.Linear(2, 3, bias=False)},
            {"encoder": with_a_buffer},
            {"encoder": layer, "decoder": layer},
        )
    ]
    monkeypatch.setattr(models, "MODEL_VERSION", models.MODEL_VERSION + 1)
    found.append(signature(recipe, nn.ModuleDict({"encoder": layer})))
    assert len(set(found)) == len(found)


class Renamed(nn.Linear):
    """Prints in another way, and is the same."""

    def extra_repr(self):
        return "of another name"


def test_a_signature_does_not_change_with_weights_or_with_how_a_network_prints():
    recipe, first, second = tiny("mnist-ae"), nn.ModuleDict({"layer": nn.Linear(2, 3)}), nn.ModuleDict({"layer": Renamed(2, 3)})
    assert str(first) != str(second) and not torch.equal(first["layer"].weight, second["layer"].weight)
    assert signature(recipe, first) == signature(recipe, second)


@pytest.mark.parametrize(
    ("channels", "side", "folds", "widths"), [(1, 28, (4,), (8,)), (3, 32, (4, 2), (8, 16)), (3, 32, (2, 2, 2), (4, 8, 16))]
)
def test_residual_networks_mirror_each_other_and_a_reader_reads_what_they_give_back(channels, side, folds, widths):
    form = channels, side, folds, widths, 2
    encoder, decoder, reader = ResidualEncoder(*form), ResidualDecoder(*form), Reader(channels, (4, 4, 8))
    x = torch.rand(3, channels, side, side)
    h = encoder(x)
    assert h.shape == (3, 128) and decoder(h).shape == x.shape and reader(decoder(h)).shape == (3, 10)
    judged = freeze(decoder)(1e3 * h)
    assert judged.min() == 0 and judged.max() == 1
    with pytest.raises(TypeError, match="encode images first"):
        decoder(x)


def test_a_decoder_for_black_and_white_ends_in_a_sigmoid_in_training_and_when_judged():
    decoder = ResidualDecoder(1, 28, (4,), (8,), sigmoid=True)
    for network in (decoder.train(), decoder.eval()):
        x = network(30 * torch.randn(4, 128))
        assert x.min() >= 0 and x.max() <= 1 and ((x > 0.01) & (x < 0.99)).any()


def test_a_residual_pair_starts_as_the_identity():
    x = torch.randn(4, 8, 5, 5)
    assert torch.equal(ResidualPair(8)(x), x)


def test_folding_keeps_every_pixel():
    """The encoder's first layer sees each patch whole: with a kernel that copies, the image comes back."""
    encoder = ResidualEncoder(1, 8, (2,), (4,), depth=1)
    fold, mix = encoder.stages[:2]
    nn.init.dirac_(mix.weight)
    x = torch.rand(2, 1, 8, 8)
    assert torch.allclose(nn.PixelShuffle(2)(mix(fold(x))), x, atol=1e-6)


UNFIT = [
    ("cifar-ae", {"widths": "(8,)"}, r"folds=\(4, 2\) and widths=\(8,\) do not fit .* one value for each stage"),
    ("cifar-ae", {"decoder_widths": "(8, 8, 8)"}, "decoder_widths"),
    ("cifar-ae", {"decoder_folds": "()", "decoder_widths": "()"}, "decoder_folds"),
    ("cifar-ae", {"folds": "(4, 3)"}, "must divide 32"),
    ("cifar-ae", {"decoder_folds": "(5, 2)"}, "must divide 32"),
    ("cifar-ae", {"encoder.views.side": "24"}, "views of side 24"),
    ("cifar-ae", {"classifier.views.side": "24"}, "views of side 24"),
    ("cifar-ae", {"together.side": "24"}, "views of side 24"),
    ("mnist-ae", {"folds": "(8,)"}, "must divide 28"),
    ("mnist-guided", {"objective": "reconstruct"}, "decoder_folds"),
    ("cifar-contrastive", {"widths": "()"}, "give one to 4"),
    ("cifar-contrastive", {"widths": "(8, 8, 8, 8, 8)"}, "give one to 4"),
    ("cifar-contrastive", {"encoder.views.side": "4"}, "images of side 4: give one to 1"),
]


@pytest.mark.parametrize(("name", "changes", "told"), UNFIT)
def test_widths_folds_and_sides_that_make_no_network_are_refused_in_one_line(name, changes, told):
    recipe = change(find_recipe(name, "tiny"), changes)
    with pytest.raises(UserError, match=told) as caught:
        build(recipe, *FORMS[recipe.dataset], 0)
    assert "\n" not in str(caught.value)


def test_a_reader_that_takes_no_image_is_refused():
    recipe = replace(find_recipe("mnist-guided", "gpu"), reader_widths=(4,) * 5)
    with pytest.raises(UserError, match="reader_widths"):
        build(recipe, *FORMS["mnist"], 0)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_an_encoder_of_any_number_of_stages_that_is_not_refused_takes_images(count):
    recipe = replace(find_recipe("cifar-contrastive", "tiny"), widths=(4,) * count)
    networks = build(recipe, *FORMS["cifar10"], 0)
    assert all(networks["encoder"](torch.rand(2, 3, side, side)).shape == (2, 128) for side in (24, 32))
