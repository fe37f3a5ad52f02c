"""A dataset that no memory holds is read in shards, in order, and shuffled in a buffer: how random are its batches?"""

from collections.abc import Iterator

import numpy as np


def stream(labels: np.ndarray, shards: int, opened: int, buffer: int, generator: np.random.Generator) -> Iterator[int]:
    """Labels in the order in which a loader gives them.

    The shards, cut from `labels` as they lie, come in random order; `opened` of them are read in turns, one image each; every image
    waits in a buffer from which a random one is given.
    """
    order = [iter(np.array_split(labels, shards)[n]) for n in generator.permutation(shards)]
    reading, waiting, kept = order[:opened], order[opened:], []
    while reading:
        for shard in list(reading):
            label = next(shard, None)
            if label is None:
                reading.remove(shard)
                reading += [waiting.pop(0)] if waiting else []
                continue
            kept.append(label)
            if len(kept) > buffer:
                place = generator.integers(len(kept))
                kept[place], kept[-1] = kept[-1], kept[place]
                yield kept.pop()
    generator.shuffle(kept)
    yield from kept


def imbalance(labels: np.ndarray, batch: int) -> float:
    """How far the classes of a batch are from equal shares: total variation distance, mean over the batches."""
    classes = labels.max() + 1
    whole = labels[: len(labels) // batch * batch].reshape(-1, batch)
    shares = np.stack([np.bincount(row, minlength=classes) for row in whole]) / batch
    return float(np.abs(shares - 1 / classes).sum(1).mean() / 2)
