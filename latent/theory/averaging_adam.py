"""Adam with a choice of averages: the exponential ones of the paper, or plain means of all gradients so far."""

import torch
from torch import Tensor


class AveragingAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba 2015); with `plain=True` both averages weigh every past gradient alike.

    A plain mean is the running average whose decay changes with the step t: m_t = (1 − 1/t) m_{t−1} + g_t / t.
    """

    def __init__(self, params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, plain: bool = False):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "plain": plain})

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter once along its averaged gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state.setdefault("step", 0)
                state["step"] += 1
                slope = self._average(state, "slope", parameter.grad, group["betas"][0], group["plain"])
                square = self._average(state, "square", parameter.grad.square(), group["betas"][1], group["plain"])
                parameter -= group["lr"] * slope / (square.sqrt() + group["eps"])

    @staticmethod
    def _average(state: dict, name: str, value: Tensor, decay: float, plain: bool) -> Tensor:
        """Update the average called `name` and return it free of the bias towards its start at zero."""
        step = state["step"]
        decay = 1 - 1 / step if plain else decay
        state[name] = decay * state.get(name, torch.zeros_like(value)) + (1 - decay) * value
        return state[name] if plain else state[name] / (1 - decay**step)


def averaged_descent(steps: int, rate: float, decay: float | None) -> Tensor:
    """Descent from x = 1 on f(x) = x²/2 along the averaged gradient: exponential with `decay`, plain where None.

    Returns the path, shape (steps + 1,), in float64.
    """
    x, average, path = 1.0, 0.0, [1.0]
    for step in range(1, steps + 1):
        kept = 1 - 1 / step if decay is None else decay
        average = kept * average + (1 - kept) * x
        x -= rate * average
        path.append(x)
    return torch.tensor(path, dtype=torch.float64)


def average_variance(steps: int, decay: float | None) -> float:
    """Variance of the average of `steps` independent gradients of variance one (exponential: free of start-up bias)."""
    if decay is None:
        return 1.0 / steps
    weights = (1 - decay) * decay ** torch.arange(steps, dtype=torch.float64)
    return float((weights / weights.sum()).square().sum())
