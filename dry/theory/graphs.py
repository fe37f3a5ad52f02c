"""Small graphs: Laplacian, distances in hops, and the field of a node measured with gradients."""

from collections.abc import Callable

import torch
from torch import Tensor


def laplacian(edges: list[tuple[int, int]], nodes: int) -> Tensor:
    """Degree matrix minus adjacency matrix of an undirected graph, (nodes, nodes), float64."""
    adjacency = torch.zeros(nodes, nodes, dtype=torch.float64)
    for i, j in edges:
        adjacency[i, j] = adjacency[j, i] = 1
    return adjacency.sum(dim=1).diag() - adjacency


def hops(edges: list[tuple[int, int]], nodes: int) -> Tensor:
    """Length of the shortest path between every two nodes, (nodes, nodes); `nodes` where there is none. Floyd–Warshall."""
    distance = torch.full((nodes, nodes), nodes)
    distance.fill_diagonal_(0)
    for i, j in edges:
        distance[i, j] = distance[j, i] = 1
    for middle in range(nodes):
        distance = torch.minimum(distance, distance[:, middle, None] + distance[None, middle])
    return distance


def influence(model: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """Which input node reaches which output node: the boolean (nodes, nodes) pattern of non-zero derivatives.

    features: (nodes, M). Entry (i, j): some output of node i depends on some feature of node j.
    """
    jacobian = torch.autograd.functional.jacobian(model, features)  # (N, outputs, N, M)
    return jacobian.abs().sum(dim=(1, 3)) > 0
