"""Attention: in the usual order and in cheaper ones, and in a translator from English to French."""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from theory.optimization import fit

# Attention in the order of Vaswani et al. (2017) and in cheaper orders, with what each costs.


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


# A small English–French translator with additive attention (Bahdanau et al. 2015), whose attention map can be read.
#
# The grammar is chosen so that we know what a word needs. A noun is translated from one English word. A determiner needs
# two: which one it is stands in the English determiner, its gender in the noun. So do adjectives, except those that have
# one form for both genders. The encoder gives each word alone with its position (no recurrence): what a French word
# needs from several English words, it has to fetch from several. In training the fetched vector is blurred by noise, so that a
# weight near zero carries nothing and the map can be taken at its word.


DETERMINERS = {"the": ("le", "la"), "a": ("un", "une"), "my": ("mon", "ma")}
NOUNS = {
    "cat": ("chat", 0), "garden": ("jardin", 0), "book": ("livre", 0),
    "house": ("maison", 1), "car": ("voiture", 1), "flower": ("fleur", 1),
}  # fmt: skip
ADJECTIVES = {"black": ("noir", "noire"), "green": ("vert", "verte"), "white": ("blanc", "blanche"), "red": ("rouge", "rouge")}
VERBS = {"sees": "voit", "likes": "aime", "wants": "veut"}

PHRASES = list(itertools.product(DETERMINERS, ["", *ADJECTIVES], NOUNS))
ENGLISH = [".", *DETERMINERS, *NOUNS, *ADJECTIVES, *VERBS]
_FORMS = itertools.chain(*DETERMINERS.values(), (word for word, _ in NOUNS.values()), *ADJECTIVES.values(), VERBS.values())
FRENCH = [".", *dict.fromkeys(_FORMS)]
LENGTH = 8  # determiner adjective noun verb determiner adjective noun and the full stop, repeated as padding


def translate_phrase(determiner: str, adjective: str, noun: str) -> list[str]:
    """The French noun phrase: the adjective goes behind the noun, determiner and adjective take its gender."""
    word, gender = NOUNS[noun]
    return [DETERMINERS[determiner][gender], word, *([ADJECTIVES[adjective][gender]] if adjective else [])]


def sentence_pair(subject: tuple, verb: str, target: tuple) -> tuple[list[str], list[str]]:
    """The English words and the French ones of "subject verb object ."."""
    english = [word for word in (*subject, verb, *target) if word]
    return [*english, "."], [*translate_phrase(*subject), VERBS[verb], *translate_phrase(*target), "."]


def corpus(seed: int = 1) -> tuple[list, list]:
    """All sentence pairs of the grammar in random order, cut into 4,000 to learn from and the rest, which stay unseen."""
    every = [sentence_pair(*parts) for parts in itertools.product(PHRASES, VERBS, PHRASES)]
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed)).tolist()
    return [every[i] for i in order[:4000]], [every[i] for i in order[4000:]]


def encode(sentences: list[list[str]], vocabulary: list[str]) -> Tensor:
    """Word numbers, shape (N, LENGTH), padded with full stops (number 0)."""
    return torch.tensor([[vocabulary.index(word) for word in words] + [0] * (LENGTH - len(words)) for words in sentences])


class Translator(nn.Module):
    """Embedding encoder, GRU decoder, additive attention: score(s, k) = v · tanh(W s + U k)."""

    def __init__(self, width: int = 64, noise: float = 0.5, seed: int = 0):
        super().__init__()
        self.noise = noise
        torch.manual_seed(seed)
        self.source, self.place = nn.Embedding(len(ENGLISH), width), nn.Embedding(LENGTH, width)
        self.target = nn.Embedding(len(FRENCH) + 1, width)  # the last entry opens a sentence
        self.cell, self.start = nn.GRUCell(2 * width, width), nn.Parameter(torch.zeros(width))
        self.from_state, self.from_key, self.score = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.word = nn.Sequential(nn.Linear(3 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, len(FRENCH)))

    def forward(self, english: Tensor, french: Tensor, cut: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (N, LENGTH, French words) of each French word after the true ones before it, and the attention (N, LENGTH, LENGTH).

        A row of the attention belongs to a French word, a column to an English one; rows sum to one.
        cut: a step for each sentence (N,) whose context is set to zero, so that its word is written from the decoder's state alone.
        """
        keys = torch.tanh(self.source(english) + self.place(torch.arange(LENGTH)))  # bounded: no word can outshout the noise
        scored = self.from_key(keys)
        previous = torch.cat([torch.full_like(french[:, :1], len(FRENCH)), french[:, :-1]], dim=1)
        state, context = self.start.expand(len(english), -1), torch.zeros_like(keys[:, 0])
        logits, rows = [], []
        for step in range(LENGTH):
            heard = self.target(previous[:, step])
            state = self.cell(torch.cat([heard, context], dim=1), state)
            row = torch.softmax(self.score(torch.tanh(self.from_state(state)[:, None] + scored))[..., 0], dim=1)
            context = (row[:, None] @ keys)[:, 0]
            context = context + self.noise * torch.randn_like(context) if self.training else context
            context = context if cut is None else context * (cut != step)[:, None]
            logits.append(self.word(torch.cat([state, context, heard], dim=1)))
            rows.append(row)
        return torch.stack(logits, dim=1), torch.stack(rows, dim=1)


def train_translator(pairs: list, steps: int = 500, seed: int = 0) -> Translator:
    """A `Translator` fitted to sentence `pairs` by the cross-entropy of the next French word."""
    english, french = (encode([pair[side] for pair in pairs], vocabulary) for side, vocabulary in enumerate((ENGLISH, FRENCH)))
    network = Translator(seed=seed)

    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(network(x, y)[0].flatten(0, 1), y.flatten())

    fit(loss_of, network.parameters(), (english, french), steps, 64, 1e-2)
    return network.eval()


@torch.no_grad()
def word_accuracy(network: Translator, pairs: list[tuple[list[str], list[str]]]) -> float:
    """The share of the French words of `pairs` (full stops apart) that are predicted rightly, in %."""
    french = encode([pair[1] for pair in pairs], FRENCH)
    logits, _ = network(encode([pair[0] for pair in pairs], ENGLISH), french)
    return 100.0 * float((logits.argmax(2) == french)[french > 0].float().mean())


@torch.no_grad()
def largest_weights(network: Translator, pairs: list[tuple[list[str], list[str]]], groups: Iterable[Sequence[str]]) -> list[Tensor]:
    """The largest weight of every row of `pairs` that belongs to a French word of a group, a vector for each of `groups`."""
    french = encode([pair[1] for pair in pairs], FRENCH)
    largest = network(encode([pair[0] for pair in pairs], ENGLISH), french)[1].max(2).values
    return [largest[torch.isin(french, torch.tensor([FRENCH.index(word) for word in words]))] for words in groups]


@torch.no_grad()
def stops_found(network: Translator, pairs: list[tuple[list[str], list[str]]], listen: bool) -> float:
    """How often the full stop of `pairs` is predicted, in %; without `listen` the context of that step is cut off."""
    english, french = encode([pair[0] for pair in pairs], ENGLISH), encode([pair[1] for pair in pairs], FRENCH)
    ends = torch.tensor([len(pair[1]) - 1 for pair in pairs])
    logits, _ = network(english, french, None if listen else ends)
    return 100.0 * float((logits[torch.arange(len(pairs)), ends].argmax(1) == 0).float().mean())


@torch.no_grad()
def attention_rows(network: Translator, english: list[str], french: list[str]) -> Tensor:
    """The attention while `french` is written from `english`, padding included, shape (French words, LENGTH)."""
    return network(encode([english], ENGLISH), encode([french], FRENCH))[1][0, : len(french)]


def attention_map(network: Translator, english: list[str], french: list[str]) -> Tensor:
    """The attention while `french` is written from `english`, shape (French words, English words), rows summing to one.

    Padding is cut off; the little weight it drew is given back in proportion.
    """
    rows = attention_rows(network, english, french)[:, : len(english)]
    return rows / rows.sum(1, keepdim=True)
