"""What the dimension of a latent changes: autoencoders trained alike but for it, and classifiers on what they keep."""

import torch
from torch import Tensor, nn

from latent.models import Decoder, Encoder
from latent.theory.fitting import fit


def autoencode(images: Tensor, latent: int, steps: int = 260, widths: tuple[int, int, int] = (8, 8, 32)) -> tuple[Encoder, Decoder]:
    """The project's encoder and decoder, narrow, trained on `images` (N, 1, 28, 28) for the mean squared error."""
    torch.manual_seed(0)
    encoder, decoder = _encoder(latent, widths), Decoder(1, widths, side=28, latent=latent)
    for network in (encoder, decoder):
        network.to(memory_format=torch.channels_last)  # a fifth faster here
    parameters = [*encoder.parameters(), *decoder.parameters()]
    fit(lambda x: (decoder(encoder(x)) - x).square().mean(), parameters, (images.to(memory_format=torch.channels_last),), steps, 64, 4e-3)
    return encoder.eval(), decoder.eval()


def guide(images: Tensor, labels: Tensor, latent: int, steps: int = 260, widths: tuple[int, int, int] = (8, 8, 32)) -> Encoder:
    """The same encoder trained jointly with a linear classifier on its latent, for the cross-entropy: no reconstruction."""
    torch.manual_seed(0)
    network = nn.Sequential(_encoder(latent, widths), nn.Linear(latent, 10)).to(memory_format=torch.channels_last)
    fit(lambda x, y: nn.functional.cross_entropy(network(x), y), network.parameters(), (images, labels), steps, 64, 4e-3)
    return network[0].eval()


def _encoder(latent: int, widths: tuple[int, int, int]) -> Encoder:
    encoder = Encoder(1, widths, grid=3, latent=latent)
    encoder.whiten.bias.requires_grad_()  # its kernels are random here, not whitening ones: where they fire has to be learned
    return encoder


@torch.no_grad()
def latents(encoder: nn.Module, images: Tensor) -> Tensor:
    """h of every image, shape (N, latent), by the frozen `encoder`."""
    return torch.cat([encoder(part) for part in images.split(500)])


def classify(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], hidden: int = 128, steps: int = 400) -> tuple[float, float]:
    """Accuracy in % on `train` and `test`, each (latents, labels), of an MLP learned on the standardised training latents."""
    (x, y), (x_test, y_test) = standardised(train, test)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 10))
    fit(lambda a, b: nn.functional.cross_entropy(network(a), b), network.parameters(), (x, y), steps, 128, 2e-3)
    return _percent(network, x, y), _percent(network, x_test, y_test)


def least_squares(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], decay: float = 0.0) -> float:
    """Test accuracy in % of the linear classifier with the least squared error, `decay` · ‖W‖² added.

    Without decay, and with more dimensions than samples, it is the interpolating solution of least norm.
    """
    (x, y), (x_test, y_test) = standardised(train, test)
    x, x_test = (torch.cat([part, torch.ones(len(part), 1)], dim=1).double() for part in (x, x_test))
    targets = nn.functional.one_hot(y, 10).double() - 0.1
    values, vectors = torch.linalg.eigh(x @ x.T if len(x) < x.shape[1] else x.T @ x)
    inverse = torch.where(values > 1e-10 * values[-1], 1 / (values + decay), 0.0)
    solve = (vectors * inverse) @ vectors.T
    weights = x.T @ (solve @ targets) if len(x) < x.shape[1] else solve @ (x.T @ targets)
    return 100.0 * float(((x_test @ weights).argmax(1) == y_test).float().mean())


def standardised(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Both sets with the training latents' mean and deviation taken out, dimension by dimension."""
    mean, deviation = train[0].mean(0), train[0].std(0).clamp(min=1e-6)
    return ((train[0] - mean) / deviation, train[1]), ((test[0] - mean) / deviation, test[1])


@torch.no_grad()
def _percent(network: nn.Module, x: Tensor, y: Tensor) -> float:
    return 100.0 * float((network(x).argmax(1) == y).float().mean())
