"""A level under the noise of counting: days of few messages say less."""

from typing import Final

import numpy as np

from pipeline.forecast.beside import Beside
from pipeline.forecast.series import Array

_WEEK = 7
_SLOW, _QUICK, _DAYS = 0, 1, 2
_STATES = _DAYS + _WEEK

_GRID: Final = np.array(
    [
        (slow, quick, extra)
        for slow in (0.01, 0.03, 0.08, 0.2)
        for quick in (0.02, 0.1, 0.3)
        for extra in (0.02, 0.1, 0.3)
    ]
)
"""Standard deviations on the logit scale: of a day's step of the lasting level, of the
passing deviation's, and of what days scatter beyond counting."""

_RETURNS = 0.7
"""What is left of the passing deviation a day later."""

_WEEKDAY = 0.2
_WEEKDAY_STEP = 0.005
_START = 0.5
_FARTHEST = 4.0
"""Standard deviations: one enormous day moves the level no further."""

_EDGE = 9.0
_MEMORY = 1.0 - 1.0 / 365.0
_AROUND = np.eye(_WEEK) - 1.0 / _WEEK


class Counts:
    """Marked messages drawn from all by a hidden share, followed by Kalman's filter.

    The share's logit is a level that lasts, a deviation that passes and the weekday.
    A day's noise is that of drawing as many messages, and a little more, so the counts
    are overdispersed. Three dozen filters differ in how much all of it moves; each
    counts by how likely it made the last year's days, so nothing is estimated anew.

    Sources: M. West and J. Harrison, "Bayesian Forecasting and Dynamic Models" (1997),
    ch. 12 and 14; A. H. Jazwinski, "Stochastic Processes and Filtering Theory" (1970),
    ch. 8, for the linearised update.
    """

    name = "counts"
    naive = False

    def __init__(self, beside: Beside) -> None:
        self.beside = beside
        self._forget()

    def _forget(self) -> None:
        """Nothing is known but that a share begins somewhere."""
        self._seen: list[float] = []
        self._begun = False
        size = len(_GRID)
        self._mean = np.zeros((size, _STATES))
        spread = np.zeros((_STATES, _STATES))
        spread[_SLOW, _SLOW] = spread[_QUICK, _QUICK] = _START**2
        spread[_DAYS:, _DAYS:] = _WEEKDAY**2 * _AROUND
        self._spread = np.tile(spread, (size, 1, 1))
        self._likely = np.zeros(size)

    def fit(self, history: Array) -> None:
        """Take in the days that were not yet seen; all, if these are other days."""
        seen = np.array(self._seen)
        if not np.array_equal(history[: seen.size], seen, equal_nan=True):
            self._forget()
        for value in history[len(self._seen) :].tolist():
            self.update(value)

    def update(self, value: float) -> None:
        """One step of every filter; over an unknown day only the doubt grows."""
        day = len(self._seen)
        self._seen.append(value)
        if not self._begun and np.isnan(value):
            return
        messages = float(self.beside.messages[day])
        if not self._begun:
            self._begin(value, messages)
        self._move()
        if np.isfinite(value) and messages > 0:
            self._learn(day % _WEEK, value, messages)

    def forecast(self, horizon: int) -> Array:
        """The expected shares, over all filters by their likelihood."""
        ahead = np.arange(1, horizon + 1)
        weekdays = _DAYS + (len(self._seen) - 1 + ahead) % _WEEK
        passing = self._mean[:, _QUICK, np.newaxis] * _RETURNS**ahead
        logit = self._mean[:, _SLOW, np.newaxis] + passing + self._mean[:, weekdays]
        weight = np.exp(self._likely - self._likely.max())
        return np.asarray(weight @ _share(logit) / weight.sum())

    def _begin(self, share: float, messages: float) -> None:
        least = min(0.5 / max(messages, 1.0), 0.5)
        share = min(max(share, least), 1.0 - least)
        self._mean[:, _SLOW] = np.log(share / (1.0 - share))
        self._begun = True

    def _move(self) -> None:
        """One day passes."""
        self._mean[:, _QUICK] *= _RETURNS
        self._spread[:, _QUICK] *= _RETURNS
        self._spread[:, :, _QUICK] *= _RETURNS
        self._spread[:, _SLOW, _SLOW] += _GRID[:, 0] ** 2
        self._spread[:, _QUICK, _QUICK] += _GRID[:, 1] ** 2
        self._spread[:, _DAYS:, _DAYS:] += _WEEKDAY_STEP**2 * _AROUND

    def _learn(self, weekday: int, share: float, messages: float) -> None:
        """The day's share corrects every filter, and says how likely each made it."""
        parts = [_SLOW, _QUICK, _DAYS + weekday]
        share_expected = _share(self._mean[:, parts].sum(axis=1))
        slope = share_expected * (1.0 - share_expected)
        with_day = self._spread[:, :, parts].sum(axis=2)
        counting = 1.0 / (messages * slope) + _GRID[:, 2] ** 2
        variance = with_day[:, parts].sum(axis=1) + counting
        miss = (share - share_expected) / slope
        far = np.abs(miss) / np.sqrt(variance)
        bounded = np.minimum(far, _FARTHEST)
        likely = np.log(slope * np.sqrt(variance)) + bounded * (far - bounded / 2.0)
        self._likely = _MEMORY * self._likely - likely
        gain = with_day / variance[:, np.newaxis]
        step = miss * np.minimum(1.0, _FARTHEST / np.maximum(far, _FARTHEST))
        self._mean += gain * step[:, np.newaxis]
        self._spread -= gain[:, :, np.newaxis] * with_day[:, np.newaxis, :]


def _share(logit: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -_EDGE, _EDGE))))
