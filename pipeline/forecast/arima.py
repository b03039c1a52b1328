"""Autoregression and moving averages of the days or their changes, by weekday."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter
from statsmodels.tsa.arima.estimators.hannan_rissanen import hannan_rissanen

from pipeline.forecast.even import WEEK, Calm
from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array

MEMORY = 730
"""Days that a fit looks back on."""

ORDERS = ((0, 1, 1), (1, 1, 1), (2, 1, 1), (1, 1, 2), (2, 1, 2))
"""Autoregressive terms, differences, moving averages, of which the best is taken."""

_FEWEST = 42
_TERMS = 2
_DIFFERENCE = 1e-9


class Arima:
    """ARIMA with a fixed effect of the weekday; the order is chosen by AICc.

    Estimated by two regressions (statsmodels), fast enough for every refit. Source:
    E. J. Hannan and J. Rissanen, "Recursive estimation of mixed autoregressive-moving
    average order", Biometrika 69 (1982).
    """

    name = "ARIMA"
    naive = False

    def __init__(self, scale: Scale) -> None:
        self._scale = scale

    def fit(self, history: Array) -> None:
        """Take the weekday off, then choose order and coefficients."""
        self._calm = Calm(self._scale, history, MEMORY)
        self._shape = _chosen(self._calm.days)
        self._state = _State.after(self._shape, self._calm.days)
        for _ in range(self._calm.silent):
            self.update(math.nan)

    def update(self, value: float) -> None:
        """Take in the next day; an unknown one came as expected."""
        self._state = self._state.and_then(self._shape, self._calm.take(value))

    def forecast(self, horizon: int) -> Array:
        """The expected path."""
        state, path = self._state, np.empty(horizon)
        for ahead in range(horizon):
            path[ahead] = state.expected(self._shape)
            state = state.and_then(self._shape, math.nan)
        return self._calm.back(path)


@dataclass(frozen=True)
class _Shape:
    """Two coefficients of the days (or changes) before, two of their shocks."""

    own: tuple[float, float] = (0.0, 0.0)
    shocks: tuple[float, float] = (-0.8, 0.0)
    differenced: bool = True
    criterion: float = math.inf


@dataclass(frozen=True)
class _State:
    """The last day, the last two values (days or changes) and the last two shocks."""

    last: float
    values: tuple[float, float]
    shocks: tuple[float, float]

    @classmethod
    def after(cls, shape: _Shape, days: Array) -> "_State":
        """The state at the end of `days`, shape (days,)."""
        shocks = [0.0, 0.0, *_shocks(shape, days).tolist()]
        values = [0.0, 0.0, *_values(shape, days).tolist()]
        return cls(
            last=float(days[-1]),
            values=(values[-1], values[-2]),
            shocks=(shocks[-1], shocks[-2]),
        )

    def expected(self, shape: _Shape) -> float:
        """The next day."""
        own = shape.own[0] * self.values[0] + shape.own[1] * self.values[1]
        new = shape.shocks[0] * self.shocks[0] + shape.shocks[1] * self.shocks[1]
        return own + new + (self.last if shape.differenced else 0.0)

    def and_then(self, shape: _Shape, day: float) -> "_State":
        """One day later; NaN: it came as expected."""
        expected = self.expected(shape)
        day = expected if math.isnan(day) else day
        return _State(
            last=day,
            values=(day - self.last if shape.differenced else day, self.values[0]),
            shocks=(day - expected, self.shocks[0]),
        )


def _chosen(days: Array) -> _Shape:
    """The best shape by AICc; plain smoothing where none can be estimated."""
    if days.size < _FEWEST or float(days.std()) < _DIFFERENCE:
        return _Shape()
    shapes = [_estimated(days, *order) for order in ORDERS]
    return min(shapes, key=lambda shape: shape.criterion)


def _estimated(days: Array, own: int, differences: int, shocks: int) -> _Shape:
    values = np.diff(days) if differences else days
    found, _ = hannan_rissanen(values, own, shocks, demean=False, unbiased=False)
    if not (found.is_stationary and found.is_invertible):
        return _Shape()
    shape = _Shape(
        own=_padded(found.ar_params),
        shocks=_padded(found.ma_params),
        differenced=bool(differences),
    )
    return replace(shape, criterion=_criterion(shape, days, own + shocks + 1))


def _criterion(shape: _Shape, days: Array, free: int) -> float:
    """AICc of the errors one day ahead, from the same day on for every shape."""
    misses = _shocks(shape, days)[WEEK - days.size :]
    variance = max(float(misses @ misses) / misses.size, 1e-12)
    small = 2.0 * free * (free + 1) / (misses.size - free - 1)
    return misses.size * math.log(variance) + 2.0 * free + small


def _values(shape: _Shape, days: Array) -> Array:
    return np.diff(days) if shape.differenced else days


def _shocks(shape: _Shape, days: Array) -> Array:
    own = [1.0, -shape.own[0], -shape.own[1]]
    return np.asarray(lfilter(own, [1.0, *shape.shocks], _values(shape, days)))


def _padded(coefficients: Array) -> tuple[float, float]:
    first, second = [*np.asarray(coefficients).tolist(), 0.0, 0.0][:_TERMS]
    return first, second
