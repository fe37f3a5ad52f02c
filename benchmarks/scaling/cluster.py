"""The time of a contrastive training step on P GPUs, on paper.

Arithmetic over its rate, bytes over their bandwidth, messages times their latency.
"""

import math
from dataclasses import dataclass

FLOAT, DOUBLE = 4, 8  # bytes; what travels is float32 but for BatchNorm's moments


@dataclass(frozen=True)
class Cluster:
    """Assumed hardware. rate: FLOP/s that one GPU reaches; inside, outside: bytes/s that one GPU sends within and between nodes.

    latency: seconds of one message, inside a node and between nodes.
    """

    rate: float = 0.3 * 989e12
    node: int = 8
    inside: float = 450e9
    outside: float = 50e9
    latency: tuple[float, float] = (5e-6, 10e-6)

    def bandwidth(self, gpus: int) -> float:
        """Of the slowest link of a ring through `gpus` GPUs."""
        return self.inside if gpus <= self.node else self.outside

    def delay(self, gpus: int) -> float:
        """Latency of one message up a tree of `gpus` GPUs; a depth of log2, the levels within a node being faster."""
        depth, within = math.log2(gpus), math.log2(min(gpus, self.node))
        return within * self.latency[0] + (depth - within) * self.latency[1]


@dataclass(frozen=True)
class Work:
    """What one step has to do, by image and by whole. parameters, norms: numbers of learned parameters and of BatchNorm layers.

    channels: of all BatchNorm layers together; projection: numbers in one projection; flops: of an image, with its two views.
    """

    parameters: int
    norms: int
    channels: int
    projection: int
    flops: float


def gradient_bytes(work: Work, gpus: int) -> float:
    """Bytes that each GPU sends for the mean gradient: a ring all-reduce sends each part 2 (P - 1) times (Patarasuk and Yuan 2009)."""
    return 2 * (gpus - 1) / gpus * FLOAT * work.parameters


def projection_bytes(work: Work, gpus: int, batch: int) -> float:
    """Bytes that each GPU sends so that all have all projections, and as many for their gradients on the way back."""
    return 2 * (gpus - 1) / gpus * FLOAT * 2 * batch * work.projection


def statistics_bytes(work: Work, gpus: int) -> float:
    """Bytes that each GPU sends for two moments of each channel forward, in double precision, and for two sums backward."""
    return 2 * (gpus - 1) / gpus * (2 * DOUBLE + 2 * FLOAT) * work.channels


def loss_flops(work: Work, batch: int) -> float:
    """Of NT-Xent on `batch` images: one product of the 2B projections forward, two backward."""
    return 3 * 2 * (2 * batch) ** 2 * work.projection


def similarity_bytes(batch: int) -> float:
    """Memory of the 2B × 2B similarities."""
    return FLOAT * (2 * batch) ** 2


@dataclass(frozen=True)
class Step:
    """Seconds of one step, by what they are spent on. Nothing is assumed to overlap, so that the efficiency is a lower bound."""

    encoder: float
    loss: float
    gradient: float
    projections: float
    statistics: float

    @property
    def total(self) -> float:
        return self.encoder + self.loss + self.gradient + self.projections + self.statistics


def step(work: Work, cluster: Cluster, gpus: int, batch: int, rows_apart: bool = False) -> Step:
    """A step on `batch` images in all. rows_apart: each GPU takes its own rows of the similarities, not all of them as our code does."""
    speed, delay = cluster.bandwidth(gpus), cluster.delay(gpus)
    return Step(
        encoder=work.flops * batch / gpus / cluster.rate,
        loss=loss_flops(work, batch) / (gpus if rows_apart else 1) / cluster.rate,
        gradient=gradient_bytes(work, gpus) / speed + 2 * delay,
        projections=projection_bytes(work, gpus, batch) / speed + 2 * delay,
        statistics=statistics_bytes(work, gpus) / speed + 2 * work.norms * 2 * delay,
    )
