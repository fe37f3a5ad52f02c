"""Muon against the singular value decomposition."""

import pytest
import torch

from latent.compute.device import has_bfloat16
from latent.compute.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8)])
def test_the_update_keeps_singular_directions_and_levels_singular_values(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    made = orthogonal(matrix, steps=5)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ made @ v.T
    rounding = 0.03 if has_bfloat16(matrix.device) else 1e-3
    assert torch.allclose(inside, torch.diag(inside.diagonal()), atol=rounding)
    assert inside.diagonal().min() > 0.5 and inside.diagonal().max() < 1.3


def test_a_step_follows_the_gradient_and_keeps_the_norm():
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)))
    optimizer, wanted = Muon([weight], lr=0.1), torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    before = torch.nn.functional.cosine_similarity(weight.flatten(), wanted.flatten(), dim=0).item()
    for _ in range(20):
        optimizer.zero_grad()
        (-torch.nn.functional.cosine_similarity(weight.flatten(), wanted.flatten(), dim=0)).backward()
        optimizer.step()
    after = torch.nn.functional.cosine_similarity(weight.flatten(), wanted.flatten(), dim=0).item()
    assert after > before + 0.3 and weight.norm().item() == pytest.approx(2, rel=0.2)


def test_a_weight_without_a_gradient_stays():
    weight = torch.nn.Parameter(torch.randn(2, 2))
    before = weight.detach().clone()
    Muon([weight], lr=1.0).step()
    assert torch.equal(weight, before)
