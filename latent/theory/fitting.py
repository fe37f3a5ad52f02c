"""The one training loop of the theory notebooks: random minibatches, a loss of a batch, an optimizer."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def fit(
    loss_of: Callable[..., Tensor],
    parameters: Iterable[nn.Parameter],
    tensors: tuple[Tensor, ...],
    steps: int,
    batch: int = 128,
    rate: float = 1e-3,
    seed: int = 0,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> list[float]:
    """Minimise `loss_of(*minibatch)` over `parameters`; the loss of every step.

    `tensors`: aligned along their first axis. The minibatches (drawn with replacement) depend on `seed` alone.
    """
    generator = torch.Generator().manual_seed(seed)
    stepper = optimizer(parameters, lr=rate)
    losses = []
    for _ in range(steps):
        chosen = torch.randint(len(tensors[0]), (batch,), generator=generator)
        loss = loss_of(*(tensor[chosen] for tensor in tensors))
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        losses.append(loss.item())
    return losses
