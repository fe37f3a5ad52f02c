"""Sequence models on toy tasks: order, reversal, sentiment, and memory under truncated backpropagation."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from theory.optimization import fit

# Which sequence models see the order of their input by themselves, and which need positions to be added.


ORDER_WORDS, ORDER_LENGTH = 8, 10


def order_task(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sequences (count, ORDER_LENGTH) of words; the label says whether word 0 comes before word 1. Each occurs exactly once."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(2, ORDER_WORDS, (count, ORDER_LENGTH), generator=generator)
    places = torch.rand(count, ORDER_LENGTH, generator=generator).argsort(1)[:, :2]
    words.scatter_(1, places, torch.tensor([0, 1]).expand(count, 2))
    return words, (places[:, 0] < places[:, 1]).long()


class OrderReader(nn.Module):
    """Word vectors, with a learned vector per position added if `positions`; then an RNN or one self-attention layer."""

    def __init__(self, recurrent: bool, positions: bool, width: int = 32, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.word = nn.Embedding(ORDER_WORDS, width)
        self.place = nn.Embedding(ORDER_LENGTH, width) if positions else None
        self.body = nn.RNN(width, width, batch_first=True) if recurrent else nn.TransformerEncoderLayer(width, 2, 64, 0.0, batch_first=True)
        self.answer = nn.Linear(width, 2)

    def forward(self, words: Tensor) -> Tensor:
        x = self.word(words)  # (B, ORDER_LENGTH, width)
        x = x if self.place is None else x + self.place(torch.arange(ORDER_LENGTH))
        if isinstance(self.body, nn.RNN):
            return self.answer(self.body(x)[0][:, -1])  # the last state has read everything
        return self.answer(self.body(x).mean(1))


def learn_order(recurrent: bool, positions: bool, steps: int = 500) -> tuple[OrderReader, float]:
    """A `OrderReader` trained on the order task, and its accuracy on 1,000 new sequences in %."""
    reader = OrderReader(recurrent, positions)
    fit(lambda x, y: nn.functional.cross_entropy(reader(x), y), reader.parameters(), order_task(5000, seed=1), steps, 64, 2e-3)
    words, labels = order_task(1000, seed=2)
    with torch.no_grad():
        return reader.eval(), 100.0 * float((reader(words).argmax(1) == labels).float().mean())


# A toy translation: each source word has one target word and the order is reversed. With and without attention.


REVERSED_WORDS, REVERSED_LENGTH = 12, 10


class Reverser(nn.Module):
    """GRU encoder, GRU decoder started from the encoder's last state, and an optional context (Luong et al. 2015).

    attention: "none"; "cross" (queries from the decoder, keys and values from the encoder); "self" (queries, keys and
    values all from the encoder: the decoder receives the mean of the mixed source states, the same at every step).
    """

    def __init__(self, attention: str, width: int = 32):
        super().__init__()
        if attention not in ("none", "cross", "self"):
            raise ValueError(f"attention is {attention!r}; choose none, cross or self")
        self.attention = attention
        self.source, self.target = nn.Embedding(REVERSED_WORDS, width), nn.Embedding(REVERSED_WORDS + 1, width)
        self.encoder, self.decoder = nn.GRU(width, width, batch_first=True), nn.GRU(width, width, batch_first=True)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh(), nn.Linear(width, REVERSED_WORDS))

    def attend(self, queries: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled dot-product attention: (B, T, d), (B, S, d) → contexts (B, T, d), weights (B, T, S)."""
        scores = self.query(queries) @ self.key(memory).transpose(1, 2) / math.sqrt(memory.shape[-1])
        weights = scores.softmax(dim=-1)
        return weights @ self.value(memory), weights

    def states(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder states (B, S, d) and decoder states (B, T, d); the decoder reads the true previous word."""
        encoded, last = self.encoder(self.source(source))
        previous = torch.cat([torch.full_like(target[:, :1], REVERSED_WORDS), target[:, :-1]], dim=1)
        return encoded, self.decoder(self.target(previous), last)[0]

    def context(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """What the decoder is told about the source at each step, (B, T, d)."""
        if self.attention == "cross":
            return self.attend(decoded, encoded)[0]
        if self.attention == "self":
            return self.attend(encoded, encoded)[0].mean(dim=1, keepdim=True).expand_as(decoded)
        return torch.zeros_like(decoded)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, REVERSED_WORDS) of the next target word."""
        encoded, decoded = self.states(source, target)
        return self.head(torch.cat([decoded, self.context(encoded, decoded)], dim=-1))


def reversed_pairs(batch: int) -> tuple[Tensor, Tensor]:
    """Random source sentences (B, REVERSED_LENGTH) and their translations: word w becomes (7 w + 3) mod REVERSED_WORDS, last word first."""
    source = torch.randint(REVERSED_WORDS, (batch, REVERSED_LENGTH))
    return source, ((7 * source + 3) % REVERSED_WORDS).flip(1)


def train_reverser(attention: str, steps: int, seed: int) -> Reverser:
    """Adam for `steps` batches of 128 fresh sentences."""
    torch.manual_seed(seed)
    model = Reverser(attention)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    for _ in range(steps):
        source, target = reversed_pairs(128)
        optimizer.zero_grad()
        functional.cross_entropy(model(source, target).flatten(0, 1), target.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


@torch.no_grad()
def word_accuracy(model: Reverser, seed: int) -> float:
    """Share of right words on 1000 fresh sentences."""
    torch.manual_seed(seed)
    source, target = reversed_pairs(1000)
    return float((model(source, target).argmax(dim=-1) == target).float().mean())


@torch.no_grad()
def readable_words(states: Tensor, words: Tensor) -> list[float]:
    """How well each word of a sentence can be read from a state by a linear least-squares probe: accuracy on held-out halves.

    states: (B, d); words: (B, S). Chance is 1 / REVERSED_WORDS.
    """
    half = len(states) // 2
    inputs = torch.cat([states, torch.ones(len(states), 1)], dim=1).double()
    scores = []
    for position in range(words.shape[1]):
        hot = functional.one_hot(words[:half, position], REVERSED_WORDS).double()
        guess = (inputs[half:] @ torch.linalg.lstsq(inputs[:half], hot).solution).argmax(dim=1)
        scores.append(float((guess == words[half:, position]).double().mean()))
    return scores


# A toy of sentiment analysis: a third of the words is good, a third bad, a third neutral; their numbers say nothing about it.


VOCABULARY, REVIEW_LENGTH = 60, 12
WORTH = torch.zeros(VOCABULARY)
WORTH[torch.randperm(VOCABULARY, generator=torch.Generator().manual_seed(0))[:40]] = torch.tensor([1.0, -1.0]).repeat_interleave(20)


class ReviewReader(nn.Module):
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
    """Random sentences (B, REVIEW_LENGTH) and 1.0 where the good words outnumber the bad ones, else 0.0; ties are drawn by lot."""
    sentences = torch.randint(VOCABULARY, (count, REVIEW_LENGTH))
    return sentences, (WORTH[sentences].sum(dim=1) + 0.5 * torch.rand(count).sub(0.5).sign() > 0).float()


def train_reader(tokens: str, steps: int, seed: int) -> tuple[ReviewReader, float]:
    """The trained reader and its accuracy on 2000 fresh sentences without ties."""
    torch.manual_seed(seed)
    model = ReviewReader(tokens)
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


# Truncated backpropagation through time on a task of memory: say the sign of the last event, however long ago it was.


GAP = 30  # steps of silence after the last event in the examination


class Latch(nn.Module):
    """A GRU of sixteen units with a linear readout: (B, T, 1) and a state → logits (B, T) and the state after them."""

    def __init__(self) -> None:
        super().__init__()
        self.core = nn.GRU(1, 16, batch_first=True)
        self.readout = nn.Linear(16, 1)

    def forward(self, events: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        states, state = self.core(events, state)
        return self.readout(states)[..., 0], state


def event_sequences(batch: int, length: int, rate: float = 0.15) -> tuple[Tensor, Tensor]:
    """Events (B, T, 1), +1 or −1 at a share `rate` of the steps (always at the first) and 0 else; targets (B, T) in {0, 1}."""
    signs = torch.randint(0, 2, (batch, length)) * 2.0 - 1
    present = torch.rand(batch, length) < rate
    present[:, 0] = True
    latest = torch.where(present, torch.arange(length), 0).cummax(dim=1).values
    return (signs * present)[..., None], (signs.gather(1, latest) > 0).float()


def train_latch(length: int, chunk: int, carry: bool, steps: int, seed: int) -> Latch:
    """Adam on sequences of `length`, a step of the optimiser per chunk of `chunk` steps, the graph cut between chunks.

    carry: the state enters the next chunk as a constant (truncated backpropagation); otherwise each chunk starts from zero.
    """
    torch.manual_seed(seed)
    model = Latch()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        events, targets = event_sequences(64, length)
        state = None
        for start in range(0, length, chunk):
            logits, state = model(events[:, start : start + chunk], state)
            optimizer.zero_grad()
            functional.binary_cross_entropy_with_logits(logits, targets[:, start : start + chunk]).backward()
            optimizer.step()
            state = state.detach() if carry else None
    return model


def recalled(chunk: int, delay: int, carry: bool, seed: int, steps: int = 60, length: int = 12) -> float:
    """Share of right answers to "which sign came `delay` steps ago?" on 1,000 new sequences of independent signs, state carried.

    An RNN of 64 units whose recurrent matrix starts orthogonal is trained in pieces of `chunk` steps, the graph cut between them,
    the state carried as a constant or (without `carry`) set to zero.
    """
    torch.manual_seed(seed)
    core, readout = nn.RNN(1, 64, batch_first=True), nn.Linear(64, 1)
    nn.init.orthogonal_(core.weight_hh_l0)
    nn.init.normal_(core.weight_ih_l0, std=0.1)
    optimizer = torch.optim.Adam([*core.parameters(), *readout.parameters()], lr=3e-3)

    def signs(batch: int) -> tuple[Tensor, Tensor]:
        events = torch.randint(0, 2, (batch, length)) * 2.0 - 1
        return events[..., None], events.roll(delay, 1).relu()  # the first `delay` answers mean nothing

    for _ in range(steps):
        events, targets = signs(64)
        state = None
        for start in range(0, length, chunk):
            states, state = core(events[:, start : start + chunk], state)
            state = state.detach() if carry else None
            asked = slice(max(delay - start, 0), None)
            logits, truth = readout(states)[:, asked, 0], targets[:, start : start + chunk][:, asked]
            if truth.numel():
                optimizer.zero_grad()
                functional.binary_cross_entropy_with_logits(logits, truth).backward()
                optimizer.step()
    events, targets = signs(1000)
    with torch.no_grad():
        return float(((readout(core(events)[0])[:, delay:, 0] > 0) == (targets[:, delay:] > 0)).float().mean())


def accuracy_after(model: Latch, chunk: int | None, seed: int) -> list[float]:
    """Share of right answers 0, 1, …, GAP steps after the last event, over 2000 sequences.

    chunk: the state is reset after every `chunk` steps, as when the model only ever receives sequences of that length.
    """
    torch.manual_seed(seed)
    events, targets = event_sequences(2000, 10)
    events = torch.cat([events, torch.zeros(2000, GAP, 1)], dim=1)[:, 9:]
    events[:, 0, 0] = torch.where(events[:, 0, 0] == 0, targets[:, -1] * 2 - 1, events[:, 0, 0])
    with torch.no_grad():
        logits = torch.cat([model(piece)[0] for piece in events.split(chunk, dim=1)], dim=1) if chunk else model(events)[0]
    return [float(((logits[:, step] > 0) == (targets[:, -1] > 0)).float().mean()) for step in range(GAP + 1)]
