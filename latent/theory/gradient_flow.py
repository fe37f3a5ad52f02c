"""How large gradients are after a long way back: through the layers of deep networks, through the steps of recurrent ones."""

import torch
from torch import Tensor, nn


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

    The LSTM's forget gates start open: their bias is `forget_bias` (Gers et al. 2000 added the gate; Jozefowicz et al.
    2015 recommend the positive bias).
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
