"""Convolutions: as matrices, as classifiers of images, what their outputs see, and what their filters learn."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from theory.optimization import fit

# A convolution written out as the linear layer that it is: sparse, and with one set of weights used everywhere.


def tap_index(kernel: tuple[int, int], image: tuple[int, int]) -> Tensor:
    """Which kernel entry stands at each place of the matrix, −1 where none does.

    Shape (H_out·W_out, H·W) for a convolution of stride one without padding, so H_out = H − kernel height + 1.
    """
    (rows, columns), (height, width) = kernel, image
    index = torch.full(((height - rows + 1) * (width - columns + 1), height * width), -1)
    for output in range(index.shape[0]):
        top, left = divmod(output, width - columns + 1)
        for tap in range(rows * columns):
            down, right = divmod(tap, columns)
            index[output, (top + down) * width + left + right] = tap
    return index


def convolution_matrix(kernel: Tensor, image: tuple[int, int]) -> Tensor:
    """The matrix A with A · x.flatten() = conv2d(x, kernel).flatten() for one-channel images x of shape `image`."""
    index = tap_index(tuple(kernel.shape), image)
    return torch.where(index >= 0, kernel.flatten()[index.clamp(min=0)], torch.zeros(()))


def tied_gradient(dense: Tensor, kernel: tuple[int, int], image: tuple[int, int]) -> Tensor:
    """The kernel's gradient from the gradient of the unrolled matrix: the sum over all places that share a weight."""
    index = tap_index(kernel, image)
    return torch.stack([dense[index == tap].sum() for tap in range(kernel[0] * kernel[1])]).reshape(kernel)


# `Conv2d(1, 1, 32)` on a 32 × 32 image: the kernel fits in one place only, so that the layer is one inner product.


def full_image_output(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """⟨W, x⟩ + b for an image `x` and a kernel `weight` of the same (H, W): a scalar, no convolution called."""
    return (weight * x).sum() + bias


def full_image_gradients(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """∂L/∂W (H, W) and ∂L/∂b (scalar) of L = Σ_ij (ŷ − y_ij)², the scalar ŷ broadcast over the image `y`, by hand."""
    error = 2 * (y.numel() * full_image_output(x, weight, bias) - y.sum())
    return error * x, error


# Small classifiers of images, with and without knowledge of which pixels are neighbours, and changes to their images.


SIDE = 28


def mlp(hidden: int = 64, side: int = SIDE, seed: int = 0) -> nn.Sequential:
    """Two linear layers on the flattened image."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def cnn(width: int = 12, seed: int = 0, head: str = "max") -> nn.Sequential:
    """Three convolutions and one linear layer on 28 × 28 pixels.

    head: "max" keeps of each feature map its maximum over all positions, "flat" passes every position on.
    """
    torch.manual_seed(seed)
    heads = {"max": [nn.AdaptiveMaxPool2d(1), nn.Flatten()], "flat": [nn.Flatten()]}
    return nn.Sequential(
        nn.Conv2d(1, width, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.ReLU(), *heads[head],
        nn.Linear(4 * width * (1 if head == "max" else (SIDE // 4) ** 2), 10),
    )  # fmt: skip


def wrapping_cnn(width: int = 12, seed: int = 0) -> nn.Sequential:
    """A CNN for two classes that treats all positions exactly alike: circular padding, no stride, maximum over positions."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, padding_mode="circular"), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, padding_mode="circular"), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(width, 2),
    )  # fmt: skip


def parameters(network: nn.Module) -> int:
    """How many numbers `network` learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def train_classifier(
    network: nn.Module, images: Tensor, labels: Tensor, steps: int = 200, rate: float = 2e-3, batch: int = 64, seed: int = 0
) -> nn.Module:
    """Minimise the cross-entropy with Adam; the same network, trained. `images`: (N, 1, 28, 28) in [0, 1]."""
    fit(lambda x, y: nn.functional.cross_entropy(network(x), y), network.parameters(), (images, labels), steps, batch, rate, seed)
    return network


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of `images` that `network` names rightly, in %."""
    hits = [(network(part).argmax(1) == truth).sum() for part, truth in zip(images.split(500), labels.split(500), strict=True)]
    return 100.0 * float(sum(hits)) / len(labels)


def shifted(images: Tensor, right: int, down: int = 0) -> Tensor:
    """`images` (N, C, H, W) moved by whole pixels; what leaves is lost, zeros enter."""
    height, width = images.shape[-2:]
    moved = torch.zeros_like(images)
    source = images[..., max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    top, left = max(0, down), max(0, right)
    moved[..., top : top + source.shape[-2], left : left + source.shape[-1]] = source
    return moved


def scrambled(images: Tensor, seed: int = 0) -> Tensor:
    """`images` with their pixels moved to other places, the same places for all images: no information is lost."""
    order = torch.randperm(images.shape[-1] * images.shape[-2], generator=torch.Generator().manual_seed(seed))
    return images.flatten(-2)[..., order].reshape(images.shape)


def dots(side: int = 8) -> tuple[Tensor, Tensor]:
    """All images (side², 1, side, side) with one bright pixel, and whether it lies in the right half."""
    images = torch.eye(side * side).reshape(-1, 1, side, side)
    return images, (torch.arange(side * side) % side >= side // 2).long()


# Receptive fields of stacked layers: computed from kernel, stride and dilation, and measured with gradients.


WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def field_growth(model: nn.Sequential) -> list[tuple[str, int, int]]:
    """(layer name, field, jump) after each windowed layer, in input pixels along one axis; other layers change neither.

    `field` is the side of the receptive field and `jump` the distance between the fields of neighbouring outputs:
    field += (kernel − 1) · dilation · jump, then jump *= stride (Dumoulin and Visin 2016 give the same arithmetic).
    """
    field, jump, steps = 1, 1, []
    for layer in model:
        if isinstance(layer, WINDOWS):
            kernel, stride, dilation = (_side(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "dilation"))
            field += (kernel - 1) * dilation * jump
            jump *= stride
            steps.append((type(layer).__name__, field, jump))
    return steps


def all_passing(model: nn.Sequential) -> nn.Sequential:
    """A copy with the same connections that lets every gradient through: positive weights, averages for maxima, no ReLU."""
    layers = [copy.deepcopy(layer) for layer in model if not isinstance(layer, nn.ReLU)]
    layers = [nn.AvgPool2d(layer.kernel_size, layer.stride) if isinstance(layer, nn.MaxPool2d) else layer for layer in layers]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return nn.Sequential(*layers)


def central_gradient(model: nn.Module, images: Tensor) -> Tensor:
    """|∂ (central output pixel, all channels) / ∂ input pixel| summed over input channels: (B, C, H, W) → (B, H, W)."""
    images = images.clone().requires_grad_()
    out = model(images)
    out[..., out.shape[-2] // 2, out.shape[-1] // 2].sum().backward()
    return images.grad.abs().sum(dim=1)


def extent(mask: Tensor) -> tuple[int, int]:
    """Height and width of the smallest box that holds every True of `mask` (H, W)."""
    rows, columns = mask.nonzero(as_tuple=True)
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


def _side(value: int | tuple[int, int]) -> int:
    """The side of a square window; raises ValueError for windows with two different sides."""
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) > 1:
        raise ValueError(f"the window {value} is not square; give each axis its own recursion")
    return sides.pop()


# What the skip connection does to the filters that a convolutional layer learns.


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
