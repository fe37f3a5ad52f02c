"""The same networks trained the usual way: PIL images, torchvision's (or lightly's) transforms, a DataLoader, float32."""

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.contestants import Tasks
from benchmarks.images import images
from benchmarks.training import networks_of
from latent.data import Split
from latent.losses import nt_xent
from latent.recipes import Recipe, find_recipe

WORKERS = 2
AHEAD = 2 * WORKERS  # batches that a DataLoader prepares ahead
LEAD_IN = 2  # batches


class Pictures(Dataset):
    """Images one at a time, as PIL images through `transform`: what torchvision's own datasets do."""

    def __init__(self, split: Split, transform: Callable):
        self.arrays = split.images.permute(0, 2, 3, 1).contiguous().squeeze(3).numpy()  # PIL takes no third axis of one channel
        self.labels, self.transform = split.labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


class Pair:
    """Two independent draws of one transform: the two views of SimCLR."""

    def __init__(self, transform: Callable):
        self.transform = transform

    def __call__(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        return self.transform(image), self.transform(image)


def one_view(recipe: Recipe) -> Callable:
    """The recipe's views in torchvision's words."""
    views = recipe.encoder.views
    if recipe.objective == "classify":
        steps = [transforms.RandomCrop(32, padding=int(views.shift), padding_mode="reflect")]
        steps += [transforms.Resize(views.side)] if views.side else []
    else:
        ratio = (math.exp(-views.stretch), math.exp(views.stretch))
        jitter = transforms.ColorJitter(views.jitter, views.jitter, views.jitter, views.jitter / 4)
        steps = [
            transforms.RandomResizedCrop(views.side or 32, scale=(views.zoom, 1), ratio=ratio),
            transforms.RandomApply([jitter], p=views.jittered),
            transforms.RandomGrayscale(views.grey),
        ]
    return transforms.Compose([*steps, transforms.RandomHorizontalFlip(), transforms.ToTensor()])


def guided(experiment: str, scale: str, count: int) -> Tasks:
    """Encoder and classifier on labels."""
    recipe = find_recipe(experiment, scale)

    def loss(networks, seen: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(networks["classifier"](networks["encoder"](seen)), labels, label_smoothing=recipe.encoder.label_smoothing)

    return _tasks(recipe, one_view(recipe), loss, count, views=1)


def contrastive(experiment: str, scale: str, count: int) -> Tasks:
    """SimCLR in torch and torchvision alone."""
    recipe = find_recipe(experiment, scale)

    def loss(networks, pair: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        return nt_xent(*networks["projection"](networks["encoder"](torch.cat(tuple(pair)))).chunk(2), recipe.temperature)

    return _tasks(recipe, Pair(one_view(recipe)), loss, count, views=2)


def lightly(experiment: str, scale: str, count: int) -> Tasks:
    """SimCLR by lightly: its transform as it advises for CIFAR-10 (half the colour, no blur), and its loss."""
    from lightly.loss import NTXentLoss  # make bench installs it; nothing else needs it
    from lightly.transforms import SimCLRTransform

    recipe = find_recipe(experiment, scale)
    transform = SimCLRTransform(input_size=recipe.encoder.views.side or 32, cj_strength=0.5, gaussian_blur=0.0)
    criterion = NTXentLoss(temperature=recipe.temperature)

    def loss(networks, pair: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        return criterion(*(networks["projection"](networks["encoder"](seen)) for seen in pair))

    return _tasks(recipe, transform, loss, count, views=2)


def _tasks(recipe: Recipe, transform: Callable, loss: Callable, count: int, views: int) -> Tasks:
    """Train on about `count` images, and load as many without training. The clock starts when the workers are at full pace.

    loss: (networks, what the loader gives for the images, labels) → scalar.
    """
    batch, steps = recipe.encoder.batch, max(1, count // recipe.encoder.batch)
    _, split = images((LEAD_IN + steps + AHEAD) * batch)  # the workers have work to the end
    networks = networks_of(recipe).to(memory_format=torch.contiguous_format).train()
    optimizer = torch.optim.AdamW(networks.parameters(), lr=1e-3)
    loader = DataLoader(Pictures(split, transform), batch, shuffle=True, num_workers=WORKERS, drop_last=True)

    def step(seen, labels: Tensor) -> None:
        value = loss(networks, seen, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        value.item()

    def go(use: Callable, done: float) -> Iterator:
        batches = iter(loader)
        for seen, labels in itertools.islice(batches, LEAD_IN):
            use(seen, labels)
        yield
        for seen, labels in itertools.islice(batches, steps):
            use(seen, labels)
        yield done

    return {"train": lambda: go(step, steps * batch), "views": lambda: go(lambda *_: None, steps * batch * views)}
