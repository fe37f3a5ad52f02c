"""Attention in the order of Vaswani et al. (2017) and in cheaper orders, with what each costs."""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q Kᵀ / √d) V with all three of shape (n, d)."""
    return torch.softmax(query @ key.T / query.shape[1] ** 0.5, dim=1) @ value


def early_softmax(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q / √d) (Kᵀ V): the softmax runs over the d features of a query, no longer over the n tokens."""
    return torch.softmax(query / query.shape[1] ** 0.5, dim=1) @ (key.T @ value)


def efficient_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax over features of Q times softmax over tokens of K (Shen et al. 2021): linear in n, weights that sum to one."""
    return torch.softmax(query, dim=1) @ (torch.softmax(key, dim=0).T @ value)


def implied_weights(function: Callable[..., Tensor], query: Tensor, key: Tensor) -> Tensor:
    """The (n, n) matrix A with function(Q, K, V) = A V for every V: what the function makes of the unit vectors."""
    return function(query, key, torch.eye(len(key), dtype=key.dtype))


def random_input(n: int, d: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Q, K, V of shape (n, d), standard normal."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(n, d, generator=generator) for _ in range(3))


def multiplications(function: Callable[..., Tensor], n: int, d: int) -> int:
    """Scalar multiplications inside the matrix products of `function`, counted by PyTorch as it runs."""
    with FlopCounterMode(display=False) as counter:
        function(*random_input(n, d))
    return counter.get_total_flops() // 2  # PyTorch counts a multiplication and its addition as two


def seconds(function: Callable[..., Tensor], n: int, d: int, repeats: int = 3) -> float:
    """Wall time of one call, the best of `repeats`."""
    inputs, times = random_input(n, d), []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*inputs)
        times.append(time.perf_counter() - start)
    return min(times)
