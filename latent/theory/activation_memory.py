"""How many bytes a forward pass keeps for the backward pass."""

import torch
from torch import Tensor, nn


def saved_bytes(model: nn.Module, batch: Tensor) -> int:
    """Bytes of the distinct tensors, parameters apart, that autograd holds after `model(batch)`."""
    held, parameters = {}, {parameter.data_ptr() for parameter in model.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in parameters:
            held[tensor.data_ptr()] = tensor.nbytes  # a tensor that two operations keep is stored once
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = model(batch)
    del out
    return sum(held.values())
