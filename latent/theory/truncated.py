"""Truncated backpropagation through time on a task of memory: say the sign of the last event, however long ago it was."""

import torch
from torch import Tensor, nn
from torch.nn import functional

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


def sequences(batch: int, length: int, rate: float = 0.15) -> tuple[Tensor, Tensor]:
    """Events (B, T, 1), +1 or −1 at a share `rate` of the steps (always at the first) and 0 else; targets (B, T) in {0, 1}."""
    signs = torch.randint(0, 2, (batch, length)) * 2.0 - 1
    present = torch.rand(batch, length) < rate
    present[:, 0] = True
    latest = torch.where(present, torch.arange(length), 0).cummax(dim=1).values
    return (signs * present)[..., None], (signs.gather(1, latest) > 0).float()


def train(length: int, chunk: int, carry: bool, steps: int, seed: int) -> Latch:
    """Adam on sequences of `length`, a step of the optimiser per chunk of `chunk` steps, the graph cut between chunks.

    carry: the state enters the next chunk as a constant (truncated backpropagation); otherwise each chunk starts from zero.
    """
    torch.manual_seed(seed)
    model = Latch()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        events, targets = sequences(64, length)
        state = None
        for start in range(0, length, chunk):
            logits, state = model(events[:, start : start + chunk], state)
            optimizer.zero_grad()
            functional.binary_cross_entropy_with_logits(logits, targets[:, start : start + chunk]).backward()
            optimizer.step()
            state = state.detach() if carry else None
    return model


def accuracy_after(model: Latch, chunk: int | None, seed: int) -> list[float]:
    """Share of right answers 0, 1, …, GAP steps after the last event, over 2000 sequences.

    chunk: the state is reset after every `chunk` steps, as when the model only ever receives sequences of that length.
    """
    torch.manual_seed(seed)
    events, targets = sequences(2000, 10)
    events = torch.cat([events, torch.zeros(2000, GAP, 1)], dim=1)[:, 9:]
    events[:, 0, 0] = torch.where(events[:, 0, 0] == 0, targets[:, -1] * 2 - 1, events[:, 0, 0])
    with torch.no_grad():
        logits = torch.cat([model(piece)[0] for piece in events.split(chunk, dim=1)], dim=1) if chunk else model(events)[0]
    return [float(((logits[:, step] > 0) == (targets[:, -1] > 0)).float().mean()) for step in range(GAP + 1)]
