"""The stand-ins: made the same every time, and as hard to tell apart as they should be."""

import pytest
import torch

from latent import embedded
from latent.data import load


def test_shapes_can_be_told_apart_and_are_not_told_by_colour():
    found = load("cifar10")
    colours = found.train.images.float().mean((2, 3))
    by_class = torch.stack([colours[found.train.labels == c].mean(0) for c in range(10)])
    assert (by_class - by_class.mean(0)).abs().max() < 25  # of 255: the mean colour says little about the class
    edges = (found.train.images.float() / 255).diff(dim=2).abs().mean((1, 2, 3))
    assert edges[found.train.labels == 6].mean() > 1.2 * edges[found.train.labels == 7].mean()  # rows change downwards, columns do not


@pytest.mark.parametrize("make", [embedded.digits, embedded.shapes])
def test_a_standin_is_made_the_same_every_time(make):
    torch.rand(3)  # whatever was drawn before
    (*names, images, labels), (*names_again, images_again, labels_again) = make(), make()
    assert names == names_again and torch.equal(images, images_again) and torch.equal(labels, labels_again)
