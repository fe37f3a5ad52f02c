"""What a reader follows from `latent train cifar-contrastive` to `loss.backward()`: nine files, entered in order, and none from below."""

import sys
from pathlib import Path

import pytest
import torch

import latent
from latent import cli, data, objectives

PACKAGE = Path(latent.__file__).parent
ORDER = ("cli", "recipes", "data", "experiment", "models", "train", "objectives", "views", "losses")
LEAVES = ("compute", "store")  # folders: they serve all of these and call none


class Reached(Exception):
    """The first `loss.backward()`."""


def file_of(code):
    """The science file, or the folder, that code of ours lies in; None for code of others. The stand-ins are part of the data."""
    path = Path(code.co_filename)
    if not path.is_relative_to(PACKAGE):
        return None
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "data" if name == "embedded" else name


def files_on_the_stack(frame):
    """The files of ours that are being run, innermost first."""
    while frame:
        if file := file_of(frame.f_code):
            yield file
        frame = frame.f_back


def follow(monkeypatch):
    """Run a tiny training to its first backward pass. Returns its calls, as pairs of files, and the stack at its end, outermost first.

    A call is one of a function of ours, wherever decorators and context managers stand between it and the code of ours that asked for
    it. Methods do not count: what a recipe or a dataset says of itself, and the forward pass of a network, belong to a value that was
    handed down, and nobody has to turn to another file to follow them.
    """
    calls, stack = [], []

    def watch(frame, event, _):
        name = frame.f_code.co_qualname
        if event == "call" and not {".", "<"} & set(name) and (callee := file_of(frame.f_code)):
            caller = next(files_on_the_stack(frame.f_back), callee)
            calls.append((caller, callee))

    def backward(*_):
        stack.extend(files_on_the_stack(sys._getframe(1)))
        raise Reached

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        with pytest.raises(Reached):
            cli.main(["train", "cifar-contrastive", "--recipe", "tiny", "--device", "cpu"])
    finally:
        sys.setprofile(before)
    return calls, stack[::-1]


def climbing(calls):
    """The calls from a file into one that comes before it, or from a leaf into any file."""
    return {(a, b) for a, b in calls if b not in LEAVES and (a in LEAVES or ORDER.index(b) < ORDER.index(a))}


def test_from_the_command_to_the_gradient_nine_files_are_entered_in_order_and_none_from_below(monkeypatch):
    calls, stack = follow(monkeypatch)
    assert {file for call in calls for file in call} - {*LEAVES} == {*ORDER} and len(ORDER) <= 9
    assert not climbing(calls)
    assert stack[0] == "cli" and stack[-1] == "train" and stack == sorted(stack, key=ORDER.index)


def test_a_call_from_below_is_noticed(monkeypatch):
    """However it is made: here from a view, by way of a function that is not ours."""
    to_float = objectives.to_float
    monkeypatch.setattr(objectives, "to_float", lambda images: data.uses_standin() and to_float(images))
    assert climbing(follow(monkeypatch)[0]) == {("objectives", "data")}
    assert climbing([("store", "recipes"), ("experiment", "store"), ("train", "losses")]) == {("store", "recipes")}
