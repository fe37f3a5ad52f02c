"""What the skip connection does to the filters that a convolutional layer learns."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from latent.theory.fitting import fit


def identity_filter(channels: int, size: int) -> Tensor:
    """The kernel (channels, channels, size, size) whose 'same' convolution returns its input: a one in each centre."""
    kernel = torch.zeros(channels, channels, size, size, dtype=torch.float64)
    kernel[range(channels), range(channels), size // 2, size // 2] = 1
    return kernel


def least_squares_filter(x: Tensor, y: Tensor, size: int, ridge: float = 0.0) -> Tensor:
    """The kernel that minimises mean ‖conv(x) − y‖² + ridge · ‖kernel‖², in closed form.

    x and y are (B, C, H, W); the convolution is 'same', without bias. Returns (C, C, size, size).
    """
    patches = functional.unfold(x, size, padding=size // 2).transpose(1, 2).flatten(0, 1)  # (B·H·W, C·size²)
    targets = y.flatten(2).transpose(1, 2).flatten(0, 1)  # (B·H·W, C)
    normal = patches.T @ patches / len(patches) + ridge * torch.eye(patches.shape[1], dtype=x.dtype)
    return torch.linalg.solve(normal, patches.T @ targets / len(patches)).T.reshape(y.shape[1], x.shape[1], size, size)


class Filters(nn.Module):
    """Convolutions of eight channels on 8 × 8 digits, plain or residual, each followed by ReLU, then a linear classifier."""

    def __init__(self, residual: bool, depth: int = 3, channels: int = 8):
        super().__init__()
        self.residual = residual
        self.lift = nn.Conv2d(1, channels, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.head = nn.Linear(channels * 64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 8, 8) → logits (B, 10)."""
        x = functional.relu(self.lift(images))
        for layer in self.layers:
            x = functional.relu(layer(x) + x if self.residual else layer(x))
        return self.head(x.flatten(1))


def trained_filters(images: Tensor, labels: Tensor, residual: bool, seed: int, steps: int = 150) -> tuple[Tensor, float]:
    """The learned kernels as rows (depth, entries) and the training accuracy after `steps` Adam steps from seed `seed`."""
    torch.manual_seed(seed)
    model = Filters(residual)
    fit(lambda x, y: functional.cross_entropy(model(x), y), model.parameters(), (images, labels), steps, rate=1e-2, seed=seed)
    with torch.no_grad():
        accuracy = float((model(images).argmax(dim=1) == labels).float().mean())
    return torch.stack([layer.weight.detach().flatten() for layer in model.layers]), accuracy
