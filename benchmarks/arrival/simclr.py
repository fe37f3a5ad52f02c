"""lightly's SimCLR on our encoder."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from benchmarks.arrival.course import epochs, loader_of
from benchmarks.arrival.race import SEED, Training
from latent.data import Dataset
from latent.errors import UserError
from latent.models import build, start_from_images
from latent.recipes import Recipe


def documented(recipe: Recipe, data: Dataset, rate: float) -> Iterable[Training]:
    """As its documentation runs it: in float32."""
    return [epochs(*parts(recipe, data, rate))]


def in_bfloat16(recipe: Recipe, data: Dataset, rate: float) -> Iterable[Training]:
    """The same with the two things that a user who knows the CPU would add: bfloat16 and channels_last."""
    networks, optimizer, loss, loader = parts(recipe, data, rate)

    def loss_in_bfloat16(*batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return loss(*batch)

    return [epochs(networks.to(memory_format=torch.channels_last), optimizer, loss_in_bfloat16, loader)]


def parts(recipe: Recipe, data: Dataset, rate: float) -> tuple[nn.ModuleDict, Optimizer, Callable, DataLoader]:
    """lightly's transform, loss and projection head, with SGD, batch and temperature of its example and the momentum of its tutorial.

    Its transform as it advises for CIFAR-10: half the colour, no blur. Digits are not mirrored, and have no colour to be jittered;
    our encoder whitens its input, so no mean is taken off before. Raises UserError where lightly is missing.
    """
    try:
        from lightly.loss import NTXentLoss
        from lightly.models.modules.heads import SimCLRProjectionHead
        from lightly.transforms import SimCLRTransform
    except ImportError as missing:
        raise UserError("lightly is missing; run `pip install --editable '.[bench]'`") from missing

    torch.manual_seed(SEED)
    encoder = build(recipe, data.channels, data.side, SEED)["encoder"].to(memory_format=torch.contiguous_format)
    networks = nn.ModuleDict({"encoder": encoder, "projection": SimCLRProjectionHead(recipe.latent, 512, 128)})
    start_from_images(networks, data.train.images)
    digits = {"hf_prob": 0.0, "cj_prob": 0.0, "random_gray_scale": 0.0} if data.channels == 1 else {}
    transform = SimCLRTransform(input_size=data.side, cj_strength=0.5, gaussian_blur=0.0, normalize=None, **digits)
    criterion = NTXentLoss()

    def loss(networks: nn.ModuleDict, pair: list[Tensor], labels: Tensor) -> Tensor:
        return criterion(*(networks["projection"](networks["encoder"](seen)) for seen in pair))

    learned = [parameter for parameter in networks.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=rate, momentum=0.9, weight_decay=5e-4)
    return networks, optimizer, loss, loader_of(data, transform, batch=256)
