"""How a signal and its gradient travel through a deep chain of linear layers and activations."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional


def chain(inputs: int, width: int, depth: int, activation: type[nn.Module], shared: bool) -> nn.Sequential:
    """Linear(inputs, width), activation, `depth` hidden pairs, Linear(width, 1).

    shared: the hidden pair is one object repeated, which is what multiplying a Python list does; otherwise `depth` objects.
    """
    pair = [nn.Linear(width, width), activation()]
    hidden = pair * depth if shared else [layer for _ in range(depth) for layer in (nn.Linear(width, width), activation())]
    return nn.Sequential(nn.Linear(inputs, width), activation(), *hidden, nn.Linear(width, 1))


def scale_weights(model: nn.Sequential, gain: float) -> nn.Sequential:
    """Redraw every weight from N(0, gain² / fan-in) and zero the biases (gain √2 suits ReLU, He et al. 2015), in place."""
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=gain / layer.in_features**0.5)
            nn.init.zeros_(layer.bias)
    return model


def travel(model: nn.Sequential, x: Tensor, y: Tensor) -> tuple[list[float], list[float]]:
    """At the output of each use of a linear layer: the spread of the signal over the batch, and the norm of ∂ loss / ∂ output.

    The loss is the mean squared error. A module that is used many times gives one entry per use. Computed on a copy in
    float64, where gradients of 1e-40 do not yet underflow.
    """
    outputs, signal = [], x.double()
    for layer in copy.deepcopy(model).double():  # one copy of the whole model keeps shared modules shared
        signal = layer(signal)
        if isinstance(layer, nn.Linear):
            outputs.append(signal)
    gradients = torch.autograd.grad(functional.mse_loss(signal, y.double()), outputs)
    return [float(out.detach().std(dim=0).mean()) for out in outputs], [float(gradient.norm()) for gradient in gradients]


def train(model: nn.Module, x: Tensor, y: Tensor, steps: int, rate: float) -> list[float]:
    """Mean squared error before each of `steps` full-batch steps of gradient descent with momentum 0.9, and after the last."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    for _ in range(steps):
        loss = functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        return [*losses, float(functional.mse_loss(model(x), y))]
