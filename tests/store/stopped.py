"""Trainings that stop at a file they write."""

import os

import pytest
from helpers import CPU, small, tiny

from latent import experiment
from latent.data import load
from latent.store import results

NAME = "cifar-contrastive"
RECIPE = tiny(NAME)


def start(seed=0, recipe=RECIPE, name=NAME, found=None):
    return experiment.run_and_store(name, recipe, found or small(load(recipe.dataset)), seed, CPU)


def checkpoint(name=NAME, seed=0):
    return results.folder() / f"checkpoints/{name}-seed{seed}.pt"


class Stop:
    """Stands before `os.replace` and interrupts the process just before or just after the call of a given number.

    A run makes five: who holds its lock, two checkpoints, the weights, the record.
    """

    def __init__(self, monkeypatch, number, after):
        self.left, self.after, self.replace = number, after, os.replace
        monkeypatch.setattr(os, "replace", self)

    def __call__(self, *paths):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise KeyboardInterrupt
        self.replace(*paths)
        if self.left == 0:
            raise KeyboardInterrupt


def stop_after_first_epoch(monkeypatch, **changes):
    with monkeypatch.context() as patch:
        Stop(patch, 2, after=True)
        with pytest.raises(KeyboardInterrupt):
            start(**changes)
