"""What a larger batch is worth: for any gradient its noise scale, for contrast also the number of negatives."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latent import losses
from latent.objectives import OBJECTIVES
from latent.recipes import Recipe


def noise_scale(small: Tensor, count: int) -> float:
    """The batch at which a gradient's noise is as large as itself (McCandlish et al. 2018, appendix A.1).

    small: gradients (K, parameters), each the mean over `count` images; their mean is the gradient of K · count images.
    """
    big = len(small) * count
    of_small, of_big = small.square().sum(1).mean().item(), small.mean(0).square().sum().item()
    squared = (big * of_big - count * of_small) / (big - count)  # unbiased |G|²
    variance = (of_small - of_big) / (1 / count - 1 / big)  # unbiased trace of the covariance of one image's gradient
    return variance / squared if squared > 0 else float("inf")


def speed_up(noise: float, batch: int, times: int) -> float:
    """What a step of SGD gains from a batch `times` as large (McCandlish et al. 2018, equations 2.5 and 2.6)."""
    return times if math.isinf(noise) else (batch + noise) / (batch + noise / times)


def gradients(networks: nn.ModuleDict, plan: Recipe, images: Tensor, labels: Tensor, count: int) -> Tensor:
    """Gradients (K, parameters) of the objective of `plan`, one for each `count` images; BatchNorm by its running statistics."""
    learned = [p.requires_grad_() for name, p in networks.named_parameters() if not name.startswith("encoder.whiten")]
    networks.eval()  # one image's gradient must not depend on the others
    generator, found = torch.Generator().manual_seed(0), []
    for batch, answers in zip(images.split(count), labels.split(count)):
        loss = OBJECTIVES[plan.objective](networks, batch, answers, plan, generator)
        found.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, learned)]))
    return torch.stack(found)


def negatives_cosines(first: Tensor, second: Tensor, temperature: float, counts: list[int], shown: int = 64) -> dict[int, float]:
    """How near NT-Xent's gradient with few images comes to its gradient with all, by the number of images.

    first, second: projections (N, D) of two views. The gradient is that of the first `shown` pairs' projections; the cosine is
    of all their coordinates together.
    """
    whole = _gradient(first, second, temperature, shown)
    return {
        count: F.cosine_similarity(_gradient(first[:count], second[:count], temperature, shown), whole, dim=0).item() for count in counts
    }


def _gradient(first: Tensor, second: Tensor, temperature: float, shown: int) -> Tensor:
    mine = torch.cat([first[:shown], second[:shown]]).requires_grad_()
    a, b = mine.chunk(2)
    loss = losses.nt_xent(torch.cat([a, first[shown:]]), torch.cat([b, second[shown:]]), temperature)
    (found,) = torch.autograd.grad(loss, mine)
    return found.flatten()
