"""The store: results/<experiment>/seed<n>.json with everything measured, and seed<n>.safetensors with the weights."""

import hashlib
import json
import os
import statistics
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from latent.data import Dataset, uses_standin
from latent.errors import UserError
from latent.recipes import Recipe

PROJECT = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Where results lie: LATENT_RESULTS, else results/ for real data and build/embedded/results/ for the stand-ins."""
    if os.environ.get("LATENT_RESULTS"):
        return Path(os.environ["LATENT_RESULTS"]).resolve()
    return PROJECT / ("build/embedded/results" if uses_standin() else "results")


def path(experiment: str, seed: int, suffix: str) -> Path:
    return folder() / experiment / f"seed{seed}{suffix}"


def signature(networks: nn.ModuleDict) -> str:
    """Identifies an architecture: every module, and the name and shape of every tensor."""
    shapes = [(name, tuple(tensor.shape)) for name, tensor in networks.state_dict().items()]
    return hashlib.sha256(f"{networks}{shapes}".encode()).hexdigest()[:16]


def is_current(record: dict, recipe: Recipe, data: Dataset, networks: nn.ModuleDict) -> bool:
    """Whether `record` was made by this recipe, on this data, with these networks."""
    return _made_with(record) == (recipe.as_dict(), data.digest, signature(networks))


def write(experiment: str, seed: int, record: dict, networks: nn.ModuleDict | None) -> None:
    """Store a record and, if given, the weights: each file whole or not at all."""
    target = path(experiment, seed, ".json")
    target.parent.mkdir(parents=True, exist_ok=True)
    if networks is not None:
        _replace(path(experiment, seed, ".safetensors"), lambda file: save_file(pack(networks), file))
    _replace(target, lambda file: file.write_text(json.dumps(record, indent=1) + "\n"))


def _replace(target: Path, write_file) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    write_file(temporary)
    temporary.replace(target)


def read(experiment: str) -> list[dict]:
    """The records of an experiment, by seed. Seeds of another recipe, model or data than the first one's are left out."""
    files = sorted((folder() / experiment).glob("seed*.json"), key=lambda file: int(file.stem.removeprefix("seed")))
    records = [json.loads(file.read_text()) for file in files]
    return [record for record in records if _made_with(record) == _made_with(records[0])]


def _made_with(record: dict) -> tuple:
    return record["recipe"], record["data"]["digest"], record["signature"]


def load_weights(experiment: str, seed: int, networks: nn.ModuleDict) -> nn.ModuleDict:
    """Fill `networks` with stored weights. Raises UserError if there are none or they do not fit."""
    file = path(experiment, seed, ".safetensors")
    if not file.exists():
        raise UserError(f"no weights of {experiment}, seed {seed}, in {folder()}; run `latent train {experiment} --seed {seed}`")
    try:
        networks.load_state_dict(unpack(load_file(file)))
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{file.name} of {experiment} does not fit its recipe; run `latent train {experiment} --seed {seed}`") from error
    return networks


def round_weights(networks: nn.ModuleDict) -> None:
    """Round parameters to float16 in place. They are stored so (half the size), and what is stored is what is judged."""
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter.copy_(parameter.half().float())


def pack(networks: nn.ModuleDict) -> dict[str, torch.Tensor]:
    """State as it is stored: parameters in float16, buffers (BatchNorm's statistics) as they are."""
    learned = {name for name, _ in networks.named_parameters()}
    state = networks.state_dict()
    return {name: (tensor.half() if name in learned else tensor).contiguous() for name, tensor in state.items()}


def unpack(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in state.items()}


def summary(experiment: str) -> dict | None:
    """Means and standard deviations over the seeds of an experiment, accuracies in percent; None without results."""
    records = read(experiment)
    if not records:
        return None
    row: dict = {"experiment": experiment, "seeds": len(records)}
    for key in ("train_accuracy", "validation_accuracy", "test_accuracy", "test_mae"):
        values = [record["measures"].get(key) for record in records]
        known = None not in values
        row[key] = statistics.fmean(values) if known else None
        row[f"{key}_std"] = statistics.stdev(values) if known and len(values) > 1 else None
    return row
