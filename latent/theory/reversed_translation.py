"""A toy translation: each source word has one target word and the order is reversed. With and without attention."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

WORDS, LENGTH = 12, 10


class Translator(nn.Module):
    """GRU encoder, GRU decoder started from the encoder's last state, and an optional context (Luong et al. 2015).

    attention: "none"; "cross" (queries from the decoder, keys and values from the encoder); "self" (queries, keys and
    values all from the encoder: the decoder receives the mean of the mixed source states, the same at every step).
    """

    def __init__(self, attention: str, width: int = 32):
        super().__init__()
        if attention not in ("none", "cross", "self"):
            raise ValueError(f"attention is {attention!r}; choose none, cross or self")
        self.attention = attention
        self.source, self.target = nn.Embedding(WORDS, width), nn.Embedding(WORDS + 1, width)
        self.encoder, self.decoder = nn.GRU(width, width, batch_first=True), nn.GRU(width, width, batch_first=True)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh(), nn.Linear(width, WORDS))

    def attend(self, queries: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled dot-product attention: (B, T, d), (B, S, d) → contexts (B, T, d), weights (B, T, S)."""
        scores = self.query(queries) @ self.key(memory).transpose(1, 2) / math.sqrt(memory.shape[-1])
        weights = scores.softmax(dim=-1)
        return weights @ self.value(memory), weights

    def states(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder states (B, S, d) and decoder states (B, T, d); the decoder reads the true previous word."""
        encoded, last = self.encoder(self.source(source))
        previous = torch.cat([torch.full_like(target[:, :1], WORDS), target[:, :-1]], dim=1)
        return encoded, self.decoder(self.target(previous), last)[0]

    def context(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """What the decoder is told about the source at each step, (B, T, d)."""
        if self.attention == "cross":
            return self.attend(decoded, encoded)[0]
        if self.attention == "self":
            return self.attend(encoded, encoded)[0].mean(dim=1, keepdim=True).expand_as(decoded)
        return torch.zeros_like(decoded)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, WORDS) of the next target word."""
        encoded, decoded = self.states(source, target)
        return self.head(torch.cat([decoded, self.context(encoded, decoded)], dim=-1))


def pairs(batch: int) -> tuple[Tensor, Tensor]:
    """Random source sentences (B, LENGTH) and their translations: word w becomes (7 w + 3) mod WORDS, last word first."""
    source = torch.randint(WORDS, (batch, LENGTH))
    return source, ((7 * source + 3) % WORDS).flip(1)


def train(attention: str, steps: int, seed: int) -> Translator:
    """Adam for `steps` batches of 128 fresh sentences."""
    torch.manual_seed(seed)
    model = Translator(attention)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    for _ in range(steps):
        source, target = pairs(128)
        optimizer.zero_grad()
        functional.cross_entropy(model(source, target).flatten(0, 1), target.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


@torch.no_grad()
def word_accuracy(model: Translator, seed: int) -> float:
    """Share of right words on 1000 fresh sentences."""
    torch.manual_seed(seed)
    source, target = pairs(1000)
    return float((model(source, target).argmax(dim=-1) == target).float().mean())


@torch.no_grad()
def readable_words(states: Tensor, words: Tensor) -> list[float]:
    """How well each word of a sentence can be read from a state by a linear least-squares probe: accuracy on held-out halves.

    states: (B, d); words: (B, S). Chance is 1 / WORDS.
    """
    half = len(states) // 2
    inputs = torch.cat([states, torch.ones(len(states), 1)], dim=1).double()
    scores = []
    for position in range(words.shape[1]):
        hot = functional.one_hot(words[:half, position], WORDS).double()
        guess = (inputs[half:] @ torch.linalg.lstsq(inputs[:half], hot).solution).argmax(dim=1)
        scores.append(float((guess == words[half:, position]).double().mean()))
    return scores
