"""Gradients: checked by finite differences, what they cost in memory, how large they are after a long way back."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

# Derivatives from finite differences: the independent check of every gradient derived by hand.


def numerical_gradient(function: Callable[[], Tensor], tensor: Tensor, step: float = 1e-6, central: bool = True) -> Tensor:
    """The gradient of the scalar `function()` with respect to `tensor`, which is moved in place one entry at a time.

    central: (f(x + ε) − f(x − ε)) / 2ε, error O(ε²), two calls per entry; otherwise (f(x + ε) − f(x)) / ε, error O(ε).
    `tensor` must be contiguous and is left as it was. Raises ValueError where it is not contiguous.
    """
    if not tensor.is_contiguous():
        raise ValueError("the tensor is not contiguous; pass tensor.contiguous()")
    flat, gradient = tensor.detach().view(-1), torch.zeros_like(tensor).detach()
    with torch.no_grad():
        for index, value in enumerate(flat.tolist()):
            flat[index] = value + step
            above = function()
            flat[index] = value - step if central else value
            gradient.view(-1)[index] = (above - function()) / (2 * step if central else step)
            flat[index] = value
    return gradient


def relative_error(found: Tensor, expected: Tensor) -> float:
    """‖found − expected‖ / ‖expected‖."""
    return float((found - expected).norm() / expected.norm())


# How many bytes a forward pass keeps for the backward pass.


def saved_bytes(model: nn.Module, batch: Tensor) -> int:
    """Bytes of the distinct tensors, parameters apart, that autograd holds after `model(batch)`."""
    held, parameters = {}, {parameter.data_ptr() for parameter in model.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in parameters:
            held[tensor.data_ptr()] = tensor.nbytes  # a tensor that two operations keep is stored once
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = model(batch)
    del out
    return sum(held.values())


# How a signal and its gradient travel through a deep chain of linear layers and activations.


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


def train_chain(model: nn.Module, x: Tensor, y: Tensor, steps: int, rate: float) -> list[float]:
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


# What moves a unit that is inactive on all inputs.


def largest_preactivations(
    activation: nn.Module, optimizer: Callable, x: Tensor, y: Tensor, bias: float, steps: int, kicked_at: int | None = None
) -> list[float]:
    """The largest of w x + b over the inputs x (N,) after 0 … `steps` steps, for one unit fitted to y by least squares from w = 1.

    optimizer: called with the parameters. kicked_at: before this step b is thrown so far down that the largest is −0.1.
    """
    w, b = nn.Parameter(torch.ones(())), nn.Parameter(torch.tensor(bias))
    stepper, largest = optimizer([w, b]), []
    for step in range(steps + 1):
        if step == kicked_at:
            b.data -= (w * x + b).max().detach() + 0.1
        inner = w * x + b
        largest.append(float(inner.detach().max()))
        stepper.zero_grad()
        functional.mse_loss(activation(inner), y).backward()
        stepper.step()
    return largest


# How large gradients are after a long way back: through the layers of deep networks, through the steps of recurrent ones.


def chain_gradient(weight: float, activation: nn.Module, depth: int, start: float = 0.5) -> list[float]:
    """|∂output/∂a_k| for k = depth … 0 in the chain a_{k+1} = activation(weight · a_k), one unit per layer, in float64."""
    values = [torch.tensor(start, dtype=torch.float64, requires_grad=True)]
    for _ in range(depth):
        values.append(activation(weight * values[-1]))
    return [float(gradient.abs()) for gradient in torch.autograd.grad(values[-1], values[::-1])]


def deep_mlp(depth: int, activation: nn.Module, gain: float, width: int = 64, seed: int = 0) -> nn.Sequential:
    """`depth` layers of `width` units, weights drawn with variance gain² / width, no bias."""
    torch.manual_seed(seed)
    layers = []
    for _ in range(depth):
        linear = nn.Linear(width, width, bias=False)
        nn.init.normal_(linear.weight, std=gain / width**0.5)
        layers.append(nn.Sequential(linear, activation))
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """x + branch(x): whatever the branch does, the gradient has a way around it (He et al. 2016)."""

    def __init__(self, branch: nn.Module):
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def deep_cnn(depth: int, residual: bool, channels: int = 8, seed: int = 0) -> nn.Sequential:
    """`depth` blocks convolution → tanh with PyTorch's own initial weights, each with a way around it if `residual`."""
    torch.manual_seed(seed)
    blocks = [nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.Tanh()) for _ in range(depth)]
    return nn.Sequential(*(Residual(block) if residual else block for block in blocks))


def layer_gradients(network: nn.Sequential, x: Tensor) -> list[float]:
    """Norm of ∂loss/∂(input of layer k) for k = 0 … depth, the loss being the mean square of the output."""
    values = [x.requires_grad_()]
    for layer in network:
        values.append(layer(values[-1]))
    return [float(gradient.norm()) for gradient in torch.autograd.grad(values[-1].square().mean(), values)]


def memory_gradients(cell: str, steps: int = 60, width: int = 32, forget_bias: float = 3.0, seed: int = 0) -> list[float]:
    """Norm of ∂(last state)/∂(input at step t), t = 1 … steps, for an untrained "RNN" or "LSTM".

    `forget_bias` is added to the small random bias of the LSTM's forget gates: 0 leaves PyTorch's start, a positive one opens them
    (Gers et al. 2000 added the gate; Jozefowicz et al. 2015 recommend 1).
    """
    torch.manual_seed(seed)
    network = {"RNN": nn.RNN, "LSTM": nn.LSTM}[cell](1, width, batch_first=True)
    if cell == "LSTM":
        network.bias_hh_l0.data[width : 2 * width] += forget_bias
    x = torch.randn(16, steps, 1, requires_grad=True)
    states = network(x)[0][:, -1]
    directions = torch.randn(8, width)
    gradients = [torch.autograd.grad((states * direction).sum(), x, retain_graph=True)[0] for direction in directions]
    return torch.stack(gradients).square().mean(0).mean(0)[:, 0].sqrt().tolist()
