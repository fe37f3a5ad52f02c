"""Trains and judges one autoencoder or classifier, with the course's flags.

    python main.py --mnist --self-supervised --data-path data --batch-size 8

The six experiments of the report, 1.2.3 among them, are run by `latent train EXPERIMENT` with their own recipes.
"""

import argparse
import os
import random
import sys
from dataclasses import replace

import numpy as np
import torch

NUM_CLASSES = 10


def freeze_seeds(seed: int = 0) -> None:
    """Seed every generator that Python, numpy and torch draw from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)


def get_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """The course's flags with the course's defaults, and --epochs, which shortens the recipe's training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--seed", default=0, type=int, help="seed of every random number, 0 or more")
    parser.add_argument("--data-path", default="/datasets/cv_datasets/data", type=str, help="folder of the data, in torchvision's layout")
    parser.add_argument("--batch-size", default=8, type=int, help="images in one step")
    parser.add_argument("--latent-dim", default=128, type=int, help="dimension of the latent vector")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", type=str, help="cuda, mps or cpu")
    parser.add_argument("--mnist", action="store_true", help="MNIST; CIFAR-10 if not given")
    parser.add_argument("--self-supervised", action="store_true", help="reconstruction (1.2.1); joint classification (1.2.2) if not given")
    parser.add_argument("--epochs", type=int, help="epochs of the encoder; the recipe's if not given")
    args = parser.parse_args(arguments)
    for name in ("batch_size", "latent_dim", "epochs"):
        if (value := getattr(args, name)) is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    if not 0 <= args.seed < 2**31:
        parser.error(f"--seed must be from 0 to {2**31 - 1}, got {args.seed}")
    return args


def main(arguments: list[str] | None = None) -> int:
    """Train with the recipe of 1.2.1 or 1.2.2, the flags put in place of its values, and print what was measured."""
    args = get_args(arguments)
    os.environ["LATENT_DATA"] = args.data_path
    from latent import data, experiment, recipes
    from latent.compute import device
    from latent.errors import UserError

    freeze_seeds(args.seed)
    name = f"{'mnist' if args.mnist else 'cifar'}-{'ae' if args.self_supervised else 'guided'}"
    try:
        recipe = replace(recipes.find_recipe(name), latent=args.latent_dim)
        # The recipe's rate belongs to its batch; AdamW's grows with the square root of the batch (Malladi et al. 2022), and so does
        # Muon's, whose step keeps its length however noisy the gradient: with the recipe's rate, batches of 8 reconstruct worse.
        rate = recipe.encoder.learning_rate * (args.batch_size / recipe.encoder.batch) ** 0.5
        epochs = args.epochs or recipe.encoder.epochs
        recipe = replace(recipe, encoder=replace(recipe.encoder, batch=args.batch_size, learning_rate=rate, epochs=epochs))
        run = experiment.run(name, recipe, data.load(recipe.dataset), args.seed, device.choose_device(args.device))
    except UserError as error:
        print(f"main.py: {error}", file=sys.stderr)
        return 2
    for measure, value in run.record["measures"].items():
        print(f"{measure.replace('_', ' ')}: {value:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
