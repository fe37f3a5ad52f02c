"""airbench94 on a CPU in bfloat16, written from its paper: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU".

Network, initialisation, augmentation, optimizer and schedule are the paper's (§3 and the hyper-parameters of its listing); float16
became bfloat16. Its test-time augmentation is left out: here every contestant is judged on the image alone.
"""

import itertools
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.arrival.race import SEED, Training
from latent.compute.device import autocast
from latent.data import Dataset
from latent.recipes import Recipe, Views
from latent.views import to_float, view

BATCH, MOMENTUM, DECAY, SMOOTHING, BIAS_RATE, WHITEN_BIAS_EPOCHS = 1024, 0.85, 0.0153, 0.2, 64, 3


def trainings(recipe: Recipe, data: Dataset, rate: float) -> Iterable[Training]:
    """Of 1, 2, 4, … epochs; the paper's own length is 9.9. rate: the paper's, for 1024 examples and decoupled from momentum."""
    return (train(data, rate, 2**doublings) for doublings in itertools.count())


class Normalize(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = x.new_tensor([[0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]]).view(2, 3, 1, 1)
        return (x - mean) / deviation


class ScaledLinear(nn.Linear):
    def forward(self, h: Tensor) -> Tensor:
        return super().forward(h) / 9  # (B, 10)


def build(images: Tensor) -> nn.ModuleDict:
    """Frozen whitened 2×2 patches, three blocks, a maximum over what is left, and a linear layer without a bias."""
    whiten = nn.Conv2d(3, 24, 2)
    patches = F.unfold(Normalize()(to_float(images[:5_000])), 2).transpose(1, 2).flatten(0, 1)  # (N · positions, 12)
    variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = directions.T / (variances + 5e-4).sqrt()[:, None]
    whiten.weight.requires_grad_(False).copy_(torch.cat([filters, -filters]).view_as(whiten.weight))
    nn.init.zeros_(whiten.bias)
    blocks = [layer for a, b in itertools.pairwise((24, 64, 256, 256)) for layer in block(a, b)]
    encoder = nn.Sequential(Normalize(), whiten, nn.GELU(), *blocks, nn.MaxPool2d(3), nn.Flatten())
    networks = nn.ModuleDict({"encoder": encoder, "classifier": ScaledLinear(256, 10, bias=False)})
    return networks.to(memory_format=torch.channels_last)


def block(inputs: int, outputs: int) -> list[nn.Module]:
    """Two convolutions that start as the identity as far as they can; BatchNorm learns its bias alone."""
    convolutions = [nn.Conv2d(channels, outputs, 3, padding=1, bias=False) for channels in (inputs, outputs)]
    norms = [nn.BatchNorm2d(outputs, eps=1e-12, momentum=0.4) for _ in range(2)]
    for convolution, norm in zip(convolutions, norms):
        nn.init.dirac_(convolution.weight.data[: convolution.in_channels])
        norm.weight.requires_grad_(False)
    return [convolutions[0], nn.MaxPool2d(2), norms[0], nn.GELU(), convolutions[1], norms[1], nn.GELU()]


def make_optimizer(networks: nn.ModuleDict, rate: float) -> torch.optim.SGD:
    """Nesterov SGD on the sum of a batch's losses; biases of BatchNorm learn 64 times as fast, and all decay alike."""
    share = BATCH * (1 + 1 / (1 - MOMENTUM))  # by which the rate is decoupled from batch and momentum
    biases = [module.bias for module in networks.modules() if isinstance(module, nn.BatchNorm2d)]
    others = [p for p in networks.parameters() if p.requires_grad and not any(p is bias for bias in biases)]
    groups = [(biases, BIAS_RATE * rate / share), (others, rate / share)]
    settings = [{"params": learned, "lr": peak, "peak": peak, "weight_decay": DECAY * BATCH / share / peak} for learned, peak in groups]
    return torch.optim.SGD(settings, momentum=MOMENTUM, nesterov=True)


def train(data: Dataset, rate: float, epochs: int) -> Training:
    torch.manual_seed(SEED)
    networks = build(data.train.images).train()
    optimizer, steps = make_optimizer(networks, rate), epochs * max(1, len(data.train) // BATCH)
    state = [tensor for tensor in networks.state_dict().values() if tensor.is_floating_point()]
    slow = [tensor.clone() for tensor in state]  # Lookahead's weights
    for step, (images, labels) in enumerate(batches(data, epochs)):
        done = step / steps
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * (0.2 + 0.8 * done / 0.23 if done < 0.23 else 1 - 0.93 * (done - 0.23) / 0.77)
        networks["encoder"][1].bias.requires_grad_(step * epochs < WHITEN_BIAS_EPOCHS * steps)
        with autocast(images.device):
            logits = networks["classifier"](networks["encoder"](images))
        F.cross_entropy(logits.float(), labels, label_smoothing=SMOOTHING, reduction="sum").backward()
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 5 == 0:
            look_ahead(slow, state, keep=0.95**5 * ((step + 1) / steps) ** 3)
    look_ahead(slow, state, keep=1)
    yield networks


@torch.no_grad()
def look_ahead(slow: list[Tensor], state: list[Tensor], keep: float) -> None:
    """Move the slow weights towards the fast ones, as far as they do not `keep` to themselves, and the fast ones onto them."""
    for behind, tensor in zip(slow, state):
        tensor.copy_(behind.lerp_(tensor, 1 - keep))


def batches(data: Dataset, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Shifted by up to two pixels; a random half is mirrored in even epochs, the other half in odd ones (§3.6)."""
    count, generator = len(data.train), torch.Generator().manual_seed(SEED)
    half = torch.rand(count, generator=generator) < 0.5
    for epoch in range(epochs):
        order = torch.randperm(count, generator=generator)
        for chosen in order[: max(BATCH, count // BATCH * BATCH)].split(BATCH):
            x = view(to_float(data.train.images[chosen]), Views(shift=2), generator)
            mirrored = half[chosen] ^ bool(epoch % 2)
            yield torch.where(mirrored[:, None, None, None], x.flip(3), x), data.train.labels[chosen]
