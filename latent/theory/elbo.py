"""The evidence lower bound on Markov chains so small that every path can be listed.

`forward[t − 1][i, j]` is q(x_t = j | x_{t−1} = i), `backward[t − 1][i, j]` is p(x_{t−1} = j | x_t = i), for t = 1 … T;
`start` is p(x_T). Everything is in nats.
"""

import numpy as np


def random_chain(states: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`forward` (T, K, K), `backward` (T, K, K) and `start` (K,), drawn uniformly from all distributions."""
    draw = np.random.default_rng(seed).dirichlet
    tables = draw(np.ones(states), size=(2, steps, states))
    return tables[0], tables[1], draw(np.ones(states))


def log_evidence(backward: np.ndarray, start: np.ndarray, x0: int) -> float:
    """log p(x_0) by pushing the marginal down the chain: no path is listed."""
    marginal = start
    for table in backward[::-1]:
        marginal = marginal @ table
    return float(np.log(marginal[x0]))


def exact_forward(backward: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The forward tables (T, K, K) that make q(x_{1:T} | x_0) the exact posterior: Bayes' rule on p's own marginals."""
    marginal, tables = start, []
    for table in backward[::-1]:
        joint = marginal[:, None] * table  # p(x_t, x_{t−1})
        marginal = joint.sum(axis=0)
        tables.append((joint / marginal).T)
    return np.stack(tables[::-1])


def path_probabilities(forward: np.ndarray, backward: np.ndarray, start: np.ndarray, x0: int) -> tuple[np.ndarray, np.ndarray]:
    """q(x_{1:T} | x_0) and p(x_{0:T}) of each of the K^T paths that begin in `x0`, two arrays of shape (K^T,)."""
    steps, states = len(forward), len(start)
    paths = np.stack(np.meshgrid(*[np.arange(states)] * steps, indexing="ij"), axis=-1).reshape(-1, steps)
    paths = np.concatenate([np.full((len(paths), 1), x0), paths], axis=1)
    q, p = np.ones(len(paths)), start[paths[:, -1]].copy()
    for t in range(1, steps + 1):
        q *= forward[t - 1][paths[:, t - 1], paths[:, t]]
        p *= backward[t - 1][paths[:, t], paths[:, t - 1]]
    return q, p


def divergence(q: np.ndarray, p: np.ndarray) -> float:
    """D_KL(q ‖ p) of two distributions on the same list."""
    return float(np.sum(q * np.log(q / p)))


def elbo(q: np.ndarray, p: np.ndarray) -> float:
    """E_q[log p(x_{0:T}) / q(x_{1:T} | x_0)] from the two arrays of `path_probabilities`."""
    return -divergence(q, p)


def elbo_terms(forward: np.ndarray, backward: np.ndarray, start: np.ndarray, x0: int) -> tuple[float, list[float], float]:
    """The ELBO in the form that is trained: prior term, the T − 1 denoising terms, reconstruction term.

    Found from the marginals q(x_t | x_0) and Bayes' rule for q(x_{t−1} | x_t, x_0); their sum is the ELBO.
    """
    marginals = [np.eye(len(start))[x0]]
    for table in forward:
        marginals.append(marginals[-1] @ table)
    denoising = []
    for t in range(2, len(forward) + 1):
        joint = marginals[t - 1][:, None] * forward[t - 1]  # q(x_{t−1}, x_t | x_0), shape (K, K)
        posterior = (joint / marginals[t]).T  # q(x_{t−1} | x_t, x_0), a row per x_t
        denoising.append(-sum(weight * divergence(*rows) for weight, *rows in zip(marginals[t], posterior, backward[t - 1], strict=True)))
    return -divergence(marginals[-1], start), denoising, float(marginals[1] @ np.log(backward[0][:, x0]))
