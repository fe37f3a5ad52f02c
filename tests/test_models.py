"""The networks: shapes, ranges, what a classifier may see, and what frozen means."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from latent.baseline import fit_pca
from latent.data import load
from latent.initialize import beside_pca, whiten
from latent.models import Classifier, Decoder, Encoder, ProjectionHead, freeze, parameter_count
from latent.objectives import build
from latent.recipes import recipe


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
@pytest.mark.parametrize("grid", [1, 3])
def test_an_encoder_gives_one_vector_of_128(channels, side, grid):
    encoder = Encoder(channels, (8, 8, 16), grid)
    assert encoder(torch.rand(2, channels, side, side)).shape == (2, 128)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_a_decoder_gives_pixels_in_range_even_for_extreme_latents(channels, side):
    decoder = Decoder(channels, (4, 8, 16), side).eval()
    x = decoder(1e4 * torch.randn(3, 128))
    assert x.shape == (3, channels, side, side) and x.min() >= 0 and x.max() <= 1 and x.dtype == torch.float32


@pytest.mark.parametrize(
    "image", [torch.rand(2, 1, 28, 28), torch.rand(2, 3, 32, 32), torch.rand(2, 784), torch.rand(2, 3072), torch.rand(128)]
)
@pytest.mark.parametrize("network", [Classifier(), Decoder(1), ProjectionHead()])
def test_nothing_behind_the_encoder_takes_an_image(network, image):
    with pytest.raises(TypeError, match="encode images first"):
        network(image)


def test_encoders_have_three_stages_and_classifiers_of_two_sections_are_alike():
    assert len(Encoder(3).stages) == 3 and len(Decoder(3).stages) == 5
    assert str(Classifier()) == str(Classifier())


def test_an_image_is_encoded_the_same_alone_and_in_a_batch():
    encoder = freeze(Encoder(3, (8, 8, 16)))
    x = torch.rand(5, 3, 32, 32)
    assert torch.allclose(encoder(x)[2:3], encoder(x[2:3]), atol=1e-5)


@pytest.mark.parametrize("name", ["mnist-ae", "mnist-contrastive", "cifar-ae"])
def test_bfloat16_moves_latents_by_less_than_three_percent(name):
    plan = recipe(name, "tiny")
    images = load(plan.dataset).train.images[:64].float() / 255
    encoder = freeze(build(plan, *images.shape[1:3], seed=0)["encoder"])
    exact = encoder(images)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder(images).float()
    assert (rounded - exact).norm() < 0.03 * exact.norm()


def test_an_autoencoder_beside_pca_starts_as_pca_and_stays_an_image_when_judged():
    plan = replace(recipe("cifar-ae", "tiny"), beside_pca=True)
    networks = build(plan, 3, 32, seed=0)
    images = load("cifar10").train.images[:600]
    pca = fit_pca(images)
    beside_pca(pca, networks)
    x = images[:8].float() / 255
    without_correction = networks["encoder"].linear(x.flatten(1))
    assert torch.allclose(without_correction, pca.encoder(x), atol=1e-3)
    linear = networks["decoder"].linear(without_correction).view_as(x)
    assert torch.allclose(linear.clamp(0, 1), pca.decoder(pca.encoder(x)), atol=1e-3)
    h = networks["encoder"](x)
    assert h.shape == (8, 128)
    judged = freeze(networks["decoder"])(50 * h)
    assert judged.min() == 0 and judged.max() == 1 and (judged - linear).abs().min() <= 1


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
