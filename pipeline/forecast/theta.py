"""The theta method: exponential smoothing with half of the trend line's slope."""

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.signal import lfilter

from pipeline.forecast.even import Calm
from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array

MEMORY = 730
"""Days that a fit looks back on."""

_DIFFERENCE = 1e-9
_STEP = 0.08
_RATES = np.arange(0.09, 1.0, _STEP)


class Theta:
    """Half a trend line, half a smoothed level, and the weekday.

    Sources: V. Assimakopoulos and K. Nikolopoulos, "The theta model", International
    Journal of Forecasting 16 (2000); as smoothing with drift: R. J. Hyndman and
    B. Billah, "Unmasking the theta method", ibid. 19 (2003). Slope and rate by least
    squares, as statsmodels does in thirty times the time.
    """

    name = "Theta"
    naive = False

    def __init__(self, scale: Scale) -> None:
        self._scale = scale

    def fit(self, history: Array) -> None:
        """Find the weekly pattern, then the slope and the rate of smoothing."""
        self._calm = Calm(self._scale, history, MEMORY)
        self._slope, self._rate = _estimated(self._calm.days)
        self._level = float(_smoothed(self._rate, self._calm.days)[-1])
        for _ in range(self._calm.silent):
            self.update(math.nan)

    def update(self, value: float) -> None:
        """Smooth the next day in; over an unknown one the level stays."""
        calm = self._calm.take(value)
        if not math.isnan(calm):
            self._level += self._rate * (calm - self._level)

    def forecast(self, horizon: int) -> Array:
        """The expected path."""
        behind = (1.0 - (1.0 - self._rate) ** self._calm.day) / self._rate
        line = self._slope / 2.0 * (np.arange(horizon) + behind)
        return self._calm.back(np.asarray(self._level + line))


def _estimated(calm: Array) -> tuple[float, float]:
    """Slope a day, and rate of smoothing; none and a tenth where days do not differ."""
    if np.abs(calm - calm.mean()).max() < _DIFFERENCE:
        return 0.0, 0.1
    days = np.arange(calm.size) - (calm.size - 1) / 2.0
    slope = float(days @ calm / (days @ days))
    best = min(_RATES, key=lambda rate: _misses(rate, calm))
    around = (best - _STEP, min(best + _STEP, 1.0))
    found = minimize_scalar(
        _misses, bounds=around, args=(calm,), options={"xatol": 1e-4}
    )
    return slope, float(found.x)


def _misses(rate: float, calm: Array) -> float:
    """Squared errors of smoothing at a rate, a day ahead, from the first day on."""
    miss = calm[1:] - _smoothed(rate, calm)[:-1]
    return float(miss @ miss)


def _smoothed(rate: float, calm: Array) -> Array:
    """The level at the end of each day, from the first day on."""
    start = [(1.0 - rate) * calm[0]]
    smoothed, _ = lfilter([rate], [1.0, rate - 1.0], calm, zi=start)
    return np.asarray(smoothed)
