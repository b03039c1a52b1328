"""A regression on the last four weeks, the weekday and the same days of past years."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.signal import lfilter

from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array

Positions = NDArray[np.int64]

MEMORY = 10 * 365
"""Days that coefficients are learnt from: what follows what changes slowly."""

_WEEK = 7
_LAGS = 28
_RATES = np.array([0.1, 0.03, 0.01])
"""Of the smoothed levels that the series may return to."""

_YEARS = np.arange(1, 8)
_AROUND = (364.0, 365.25, 357.0, 371.0)
"""Days in a year: of whole weeks, of the calendar, and for what moves by a week."""

_PAST = np.rint(np.outer(_AROUND, _YEARS)).astype(np.int64)[:, :, np.newaxis]
"""Days that lie so many such years back, lengths x years x 1."""

_PENALTY = 10.0
_WEEKDAYS = 0.3 * (np.eye(_WEEK) - 1.0 / _WEEK)
COLUMNS = _LAGS + _RATES.size + len(_AROUND) + 1 + _WEEK

_FARTHEST = 8.0
"""Units: one enormous day would decide all coefficients."""

_HUBER = 2.0 * 1.4826
_STEPS = 5
_TOLERANCE = 1e-9


class Ridge:
    """What followed days like these: linear, penalised, one regression a day ahead.

    All is told relative to the mean of the last seven days, so without evidence that
    mean is the forecast. Shocks count no more than in Huber's loss.

    Sources: A. E. Hoerl and R. W. Kennard, "Ridge regression", Technometrics 12
    (1970); P. J. Huber, "Robust Statistics" (1981), ch. 7.8.
    """

    name = "ridge"
    naive = False

    def __init__(self, scale: Scale) -> None:
        self._scale = scale

    def fit(self, history: Array) -> None:
        """Lay the days out; regressions follow once it is known how far ahead."""
        known = np.flatnonzero(np.isfinite(history))
        span = history[known[0] : known[-1] + 1]
        self._known = np.isfinite(span)
        self._fitted = self._days = _laid_out(self._scale.forward(span))
        self._unit = _spread(self._days.values - self._days.base)
        self._origins = np.arange(_WEEK - 1, span.size)[-MEMORY:]
        self._recent = self._bounded(self._days.recent(self._origins))
        self._coefficients: list[Array] = []
        for _ in range(known[-1] + 1, history.size):
            self.update(math.nan)

    def update(self, value: float) -> None:
        """Take in the next day, with the coefficients of the last fit."""
        self._days = self._days.and_then(float(self._scale.forward(np.array(value))))

    def forecast(self, horizon: int) -> Array:
        """The expected path, back from the scale (so a median rather than a mean)."""
        for ahead in range(len(self._coefficients) + 1, horizon + 1):
            self._coefficients.append(learnt(*self.examples(ahead), *self.usual(ahead)))
        days = self._days
        newest = np.array([days.values.size - 1])
        recent = np.repeat(days.recent(newest), horizon, axis=0)
        years = days.past_years(newest, np.arange(1, horizon + 1))
        rows = self._bounded(np.hstack([recent, years]))
        rows = np.hstack([rows, np.repeat(_fixed(newest), horizon, axis=0)])
        step = (rows * np.array(self._coefficients[:horizon])).sum(axis=1)
        return self._scale.back(days.base[-1] + self._unit * step)

    def _bounded(self, above: Array) -> Array:
        """To units; what lies further off says nothing more."""
        return np.clip(above / self._unit, -_FARTHEST, _FARTHEST)

    def examples(self, ahead: int) -> tuple[Array, Array]:
        """What was known, and how far above its base the day `ahead` then came.

        Shapes (origins, 43) and (origins,), of the origins whose target is known, in
        units of the usual deviation from the base.
        """
        days, size = self._fitted, self._fitted.values.size
        usable = self._origins + ahead < size
        usable &= self._known[np.minimum(self._origins + ahead, size - 1)]
        at = self._origins[usable]
        years = self._bounded(days.past_years(at, np.array(ahead)))
        rows = np.hstack([self._recent[usable], years, _fixed(at)])
        return rows, (days.values[at + ahead] - days.base[at]) / self._unit

    def usual(self, ahead: int) -> tuple[Array, Array]:  # noqa: ARG002 - always 0
        """What coefficients are drawn to, and how many days that weighs, (43,) each."""
        return np.zeros(COLUMNS), np.full(COLUMNS, _PENALTY)


@dataclass(frozen=True, eq=False)
class _Days:
    """What is known at the end of each day, gaps filled from the days before.

    Args:
        values: shape (days,).
        base: the mean of the last seven days, shape (days,).
        smoothed: levels at `_RATES` before they are put to scale, shape (days, 3).
    """

    values: Array
    base: Array
    smoothed: Array

    def and_then(self, value: float) -> "_Days":
        """One day more; NaN: like the mean of the last seven."""
        value = float(self.base[-1]) if math.isnan(value) else value
        values = np.append(self.values, value)
        smoothed = self.smoothed[-1] + _RATES * (value - self.smoothed[-1])
        return _Days(
            values=values,
            base=np.append(self.base, values[-_WEEK:].mean()),
            smoothed=np.vstack([self.smoothed, smoothed]),
        )

    def recent(self, origins: Positions) -> Array:
        """The last days and the levels, above the base, shape (origins, 31).

        Days before the first count as the base.
        """
        base = self.base[origins, np.newaxis]
        at = origins[:, np.newaxis] - np.arange(_LAGS)
        last = np.where(at >= 0, self.values[np.maximum(at, 0)], base)
        begun = 1.0 - np.power(1.0 - _RATES, origins[:, np.newaxis] + 1.0)
        return np.hstack([last, self.smoothed[origins] / begun]) - base

    def past_years(self, origins: Positions, ahead: Positions) -> Array:
        """How far past years' same days lay above the week before their origin.

        Shrunk means over the years there are, shape (origins or ahead, 4).
        """
        then = origins - _PAST
        known = then >= _WEEK - 1
        target = np.clip(then + ahead, 0, self.values.size - 1)
        above = self.values[target] - self.base[np.maximum(then, 0)]
        above = np.where(known, above, 0.0).sum(axis=1)
        return np.asarray((above / (known.sum(axis=1) + 1)).T)


def _laid_out(values: Array) -> _Days:
    values = values.copy()
    for gap in np.flatnonzero(np.isnan(values)):
        values[gap] = values[max(0, gap - _WEEK) : gap].mean()
    week, ones = np.full(_WEEK, 1.0 / _WEEK), np.ones(values.size)
    smoothed = [lfilter([rate], [1.0, rate - 1.0], values) for rate in _RATES]
    base = lfilter(week, 1.0, values) / lfilter(week, 1.0, ones)
    return _Days(values, base, np.stack(smoothed, axis=-1))


def _fixed(origins: Positions) -> Array:
    """A constant and the weekday, shape (origins, 8)."""
    return np.hstack([np.ones((origins.size, 1)), _WEEKDAYS[origins % _WEEK]])


def learnt(rows: Array, targets: Array, usual: Array, penalty: Array) -> Array:
    """Coefficients near `usual` under Huber's loss, by his modified residuals.

    Args:
        rows: shape (examples, columns).
        targets: shape (examples,).
        usual: shape (columns,).
        penalty: how many days it weighs, shape (columns,).
    """
    solver = cho_factor(rows.T @ rows + np.diag(penalty))
    beyond = targets - rows @ usual
    found = cho_solve(solver, rows.T @ beyond)
    for _ in range(_STEPS):
        said = rows @ found
        misses = beyond - said
        far = _HUBER * float(np.median(np.abs(misses))) if misses.size else 0.0
        if far <= _TOLERANCE:
            break
        found = cho_solve(solver, rows.T @ (said + np.clip(misses, -far, far)))
    return np.asarray(usual + found)


def _spread(values: Array) -> float:
    """A standard deviation that a few enormous days do not move."""
    middle = 1.4826 * float(np.median(np.abs(values)))
    spread = middle if middle > _TOLERANCE else float(values.std())
    return spread if spread > _TOLERANCE else 1.0
