"""A small English–French translator with additive attention (Bahdanau et al. 2015), whose attention map can be read.

The grammar is chosen so that we know what a word needs. A noun is translated from one English word. A determiner needs
two: which one it is stands in the English determiner, its gender in the noun. So do adjectives, except those that have
one form for both genders. The encoder gives each word alone with its position (no recurrence): what a French word
needs from several English words, it has to fetch from several. In training the fetched vector is blurred by noise, so that a
weight near zero carries nothing and the map can be taken at its word.
"""

import itertools

import torch
from torch import Tensor, nn

from latent.theory.fitting import fit

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

    def __init__(self, width: int = 32, noise: float = 0.5, seed: int = 0):
        super().__init__()
        self.noise = noise
        torch.manual_seed(seed)
        self.source, self.place = nn.Embedding(len(ENGLISH), width), nn.Embedding(LENGTH, width)
        self.target = nn.Embedding(len(FRENCH) + 1, width)  # the last entry opens a sentence
        self.cell, self.start = nn.GRUCell(2 * width, width), nn.Parameter(torch.zeros(width))
        self.from_state, self.from_key, self.score = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.word = nn.Sequential(nn.Linear(3 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, len(FRENCH)))

    def forward(self, english: Tensor, french: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, LENGTH, French words) of each French word after the true ones before it, and the attention (N, LENGTH, LENGTH).

        A row of the attention belongs to a French word, a column to an English one; rows sum to one.
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
def attention_rows(network: Translator, english: list[str], french: list[str]) -> Tensor:
    """The attention while `french` is written from `english`, padding included, shape (French words, LENGTH)."""
    return network(encode([english], ENGLISH), encode([french], FRENCH))[1][0, : len(french)]


def attention_map(network: Translator, english: list[str], french: list[str]) -> Tensor:
    """The attention while `french` is written from `english`, shape (French words, English words), rows summing to one.

    Padding is cut off; the little weight it drew is given back in proportion.
    """
    rows = attention_rows(network, english, french)[:, : len(english)]
    return rows / rows.sum(1, keepdim=True)
