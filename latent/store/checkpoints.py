"""Checkpoints: where an interrupted training goes on, if it is the same training."""

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from latent import __version__
from latent.errors import UserError
from latent.store import files

DIGEST = hashlib.sha256().digest_size
VERSION = f"latent {__version__}, torch {torch.__version__}"  # others may go on with other numbers


@dataclass(frozen=True)
class Checkpoint:
    """The state of one training after its last finished epoch, in one file: a SHA-256, then what torch saves.

    made_with: what the training depends on (experiment, seed, recipe, data, model); a file made with anything else, or by
    another version of this package or of torch, is refused.
    No state of a random generator is kept: every epoch seeds its own by (seed, epoch), and the learning rate is a function
    of the share of the training done, so the number of finished epochs stands for both.
    """

    path: Path
    made_with: dict

    def save(self, networks: nn.ModuleDict, optimizers: list[Optimizer], curves: list[dict]) -> None:
        """Replace the file, whole or not at all. Raises UserError where it cannot be written; the old one is then kept."""
        state = {
            "networks": networks.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "curves": curves,
            "made_with": self.made_with | {"version": VERSION},
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        files.write(self.path, hashlib.sha256(content).digest() + content)

    def restore(self, networks: nn.ModuleDict, optimizers: list[Optimizer]) -> list[dict]:
        """Fill networks and optimizers from the file, if there is one; return the curves so far.

        Raises UserError where the file is damaged or made with something else.
        """
        if not self.path.exists():
            return []
        state = read(self.path)
        wanted = self.made_with | {"version": VERSION}
        other = [name for name, value in wanted.items() if state["made_with"].get(name) != value]
        if other:
            raise UserError(f"{self.path} was begun with another {' and '.join(other)}; go back to that, or delete the file to begin anew")
        networks.load_state_dict(state["networks"])
        for optimizer, stored in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(stored)
        return state["curves"]


def read(path: Path) -> dict:
    """What a checkpoint holds, tensors on the CPU. Nothing in it is run. Raises UserError where it is damaged or cannot be read."""
    content = files.read(path)
    try:
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            raise ValueError("its checksum is wrong")
        state = torch.load(io.BytesIO(content[DIGEST:]), map_location="cpu", weights_only=True)
        if not {"networks", "optimizers", "curves", "made_with"} <= state.keys():
            raise ValueError("something is missing in it")
    except (ValueError, RuntimeError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} is damaged or no checkpoint; delete it to begin anew") from error
    return state


def finished_epochs(path: Path) -> int:
    """How many epochs the checkpoint at `path` holds; 0 where there is none."""
    return len(read(path)["curves"]) if path.exists() else 0
