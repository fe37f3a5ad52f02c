"""Which sequence models see the order of their input by themselves, and which need positions to be added."""

import torch
from torch import Tensor, nn

from latent.theory.fitting import fit

WORDS, LENGTH = 8, 10


def order_task(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sequences (count, LENGTH) of words; the label says whether word 0 comes before word 1. Each occurs exactly once."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(2, WORDS, (count, LENGTH), generator=generator)
    places = torch.rand(count, LENGTH, generator=generator).argsort(1)[:, :2]
    words.scatter_(1, places, torch.tensor([0, 1]).expand(count, 2))
    return words, (places[:, 0] < places[:, 1]).long()


class Reader(nn.Module):
    """Word vectors, with a learned vector per position added if `positions`; then an RNN or one self-attention layer."""

    def __init__(self, recurrent: bool, positions: bool, width: int = 32, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.word = nn.Embedding(WORDS, width)
        self.place = nn.Embedding(LENGTH, width) if positions else None
        self.body = nn.RNN(width, width, batch_first=True) if recurrent else nn.TransformerEncoderLayer(width, 2, 64, 0.0, batch_first=True)
        self.answer = nn.Linear(width, 2)

    def forward(self, words: Tensor) -> Tensor:
        x = self.word(words)  # (B, LENGTH, width)
        x = x if self.place is None else x + self.place(torch.arange(LENGTH))
        if isinstance(self.body, nn.RNN):
            return self.answer(self.body(x)[0][:, -1])  # the last state has read everything
        return self.answer(self.body(x).mean(1))


def learn_order(recurrent: bool, positions: bool, steps: int = 500) -> tuple[Reader, float]:
    """A `Reader` trained on the order task, and its accuracy on 1,000 new sequences in %."""
    reader = Reader(recurrent, positions)
    fit(lambda x, y: nn.functional.cross_entropy(reader(x), y), reader.parameters(), order_task(5000, seed=1), steps, 64, 2e-3)
    words, labels = order_task(1000, seed=2)
    with torch.no_grad():
        return reader.eval(), 100.0 * float((reader(words).argmax(1) == labels).float().mean())
