"""A small recurrent network on the last four weeks, with the extra `deep`."""

import math
from typing import Any

import numpy as np

from pipeline.forecast.even import Calm
from pipeline.forecast.extras import needed
from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array

MEMORY = 730
"""Days that a fit looks back on."""

WINDOW = 28
"""Days that the network reads before it says the next."""

_UNITS = 16
_STEPS = 80
_BATCH = 128
_RATE = 0.02
_SEED = 20


class Gru:
    """Gated recurrent units read four weeks and say the step from their mean.

    One network a series, trained anew at each fit from the same beginning, with the
    absolute error; days further ahead are read as if they had come as expected.

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder",
    EMNLP 2014.
    """

    name = "GRU"
    naive = False

    def __init__(self, scale: Scale) -> None:
        needed("torch", model="GRU", extra="deep")
        self._scale = scale

    def fit(self, history: Array) -> None:
        """Train on the last `MEMORY` days up to a known one."""
        self._calm = Calm(self._scale, history, MEMORY)
        days = self._calm.days
        self._window = min(WINDOW, days.size // 2)
        self._network = _trained(days, self._window) if days.any() else None
        self._days = days[-self._window :]
        for _ in range(self._calm.silent):
            self.update(math.nan)

    def update(self, value: float) -> None:
        """Take in the next day; an unknown one came as expected."""
        calm = self._calm.take(value)
        calm = self._expected(self._days) if math.isnan(calm) else calm
        self._days = np.append(self._days[1:], calm)

    def forecast(self, horizon: int) -> Array:
        """The expected path."""
        days = self._days
        for _ in range(horizon):
            days = np.append(days, self._expected(days[-self._window :]))
        return self._calm.back(days[self._window :])

    def _expected(self, days: Array) -> float:
        if self._network is None:
            return float(days.mean())
        return _next_day(self._network, days)


def _trained(calm: Array, window: int) -> Any:
    """Recurrent units and what makes a step of their last state."""
    torch = needed("torch", model="GRU", extra="deep")
    chance = torch.Generator().manual_seed(_SEED)
    units = torch.nn.GRU(1, _UNITS, batch_first=True)
    step = torch.nn.Linear(_UNITS, 1)
    network = torch.nn.ModuleList([units, step])
    for weights in network.parameters():
        torch.nn.init.uniform_(weights, -0.25, 0.25, generator=chance)
    torch.nn.init.zeros_(step.weight)
    torch.nn.init.zeros_(step.bias)
    pieces = torch.tensor(calm, dtype=torch.float32).unfold(0, window + 1, 1)
    search = torch.optim.Adam(network.parameters(), lr=_RATE)
    for _ in range(_STEPS):
        some = pieces[torch.randint(len(pieces), (_BATCH,), generator=chance)]
        search.zero_grad()
        miss = _said(network, some[:, :-1]) - some[:, -1]
        miss.abs().mean().backward()
        search.step()
    return network


def _said(network: Any, days: Any) -> Any:
    """The day after each row of days."""
    units, step = network
    mean = days.mean(dim=1)
    states, _ = units((days - mean[:, None])[:, :, None])
    return mean + step(states[:, -1])[:, 0]


def _next_day(network: Any, days: Array) -> float:
    torch = needed("torch", model="GRU", extra="deep")
    with torch.inference_mode():
        return float(_said(network, torch.tensor(days[None], dtype=torch.float32))[0])
