"""What `theory.graphs` computes, against closed forms and slow or independent versions."""

import numpy as np
import torch

from theory import graphs


def test_laplacian_of_a_path_by_hand():
    expected = torch.tensor([[1, -1, 0], [-1, 2, -1], [0, -1, 1]]).double()
    assert torch.equal(graphs.laplacian([(0, 1), (1, 2)], 3), expected)


def test_hops_match_powers_of_the_adjacency_matrix():
    edges, nodes = [(0, 1), (1, 2), (2, 3), (1, 3), (4, 5)], 6
    adjacency = (graphs.laplacian(edges, nodes) < 0).double() + torch.eye(nodes).double()
    distance = graphs.hops(edges, nodes)
    for steps in range(nodes):
        assert torch.equal(distance <= steps, torch.linalg.matrix_power(adjacency, steps) > 0)
    assert distance[0, 5] == nodes  # no path


def test_influence_finds_the_pattern_of_a_matrix():
    matrix = torch.tensor(np.array([[1.0, 0, 2], [0, 0, 3], [4, 0, 0]]))
    assert torch.equal(graphs.influence(lambda x: matrix @ x, torch.randn(3, 2).double()), matrix != 0)
