"""A toy of sentiment analysis: a third of the words is good, a third bad, a third neutral; their numbers say nothing about it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, LENGTH = 60, 12
WORTH = torch.zeros(VOCABULARY)
WORTH[torch.randperm(VOCABULARY, generator=torch.Generator().manual_seed(0))[:40]] = torch.tensor([1.0, -1.0]).repeat_interleave(20)


class Reader(nn.Module):
    """A GRU over a sentence with a linear verdict. tokens: "number", "one-hot" or "embedding" is what the GRU receives."""

    def __init__(self, tokens: str, width: int = 16, dimensions: int = 8):
        super().__init__()
        self.tokens = tokens
        self.embedding = nn.Embedding(VOCABULARY, dimensions) if tokens == "embedding" else None
        self.core = nn.GRU({"number": 1, "one-hot": VOCABULARY, "embedding": dimensions}[tokens], width, batch_first=True)
        self.verdict = nn.Linear(width, 1)

    def forward(self, sentences: Tensor) -> Tensor:
        """Word numbers (B, T) → logits (B,)."""
        if self.tokens == "embedding":
            words = self.embedding(sentences)
        elif self.tokens == "one-hot":
            words = functional.one_hot(sentences, VOCABULARY).float()
        else:
            words = sentences[..., None] / VOCABULARY
        return self.verdict(self.core(words)[0][:, -1])[:, 0]


def reviews(count: int) -> tuple[Tensor, Tensor]:
    """Random sentences (B, LENGTH) and 1.0 where the good words outnumber the bad ones, else 0.0; ties are drawn by lot."""
    sentences = torch.randint(VOCABULARY, (count, LENGTH))
    return sentences, (WORTH[sentences].sum(dim=1) + 0.5 * torch.rand(count).sub(0.5).sign() > 0).float()


def train(tokens: str, steps: int, seed: int) -> tuple[Reader, float]:
    """The trained reader and its accuracy on 2000 fresh sentences without ties."""
    torch.manual_seed(seed)
    model = Reader(tokens)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        sentences, verdicts = reviews(128)
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(sentences), verdicts).backward()
        optimizer.step()
    sentences, verdicts = reviews(2000)
    clear = WORTH[sentences].sum(dim=1) != 0
    with torch.no_grad():
        return model, float(((model(sentences) > 0) == (verdicts > 0.5))[clear].float().mean())
