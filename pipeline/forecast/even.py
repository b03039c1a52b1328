"""The days before a fit, made even: gaps filled, centred, in units of their spread."""

from dataclasses import dataclass

import numpy as np

from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array

WEEK = 7

SEASONAL_FROM = 4 * WEEK
"""Days from which on a weekly pattern is looked for."""


@dataclass(frozen=True, eq=False)
class Even:
    """What a model is fitted on.

    Args:
        values: from the first to the last known day, shape (days,).
        centre: the mean taken from the days.
        unit: the spread that they were divided by.
        silent: unknown days after the last known one.
    """

    values: Array
    centre: float
    unit: float
    silent: int

    def week(self) -> Array:
        """What each weekday lies above the week around it, shape (7,), by position.

        Shrunk by as much of it as chance would make; 0 where there are too few days.
        """
        if self.values.size < SEASONAL_FROM:
            return np.zeros(WEEK)
        half = WEEK // 2
        middle = np.convolve(self.values, np.full(WEEK, 1.0 / WEEK), mode="valid")
        above = self.values[half:-half] - middle
        place = (np.arange(above.size) + half) % WEEK
        means = np.array([above[place == day].mean() for day in range(WEEK)])
        chance = float(above.var()) * WEEK / above.size
        found = float(means.var())
        kept = max(0.0, 1.0 - chance / found) if found > 0 else 0.0
        return np.asarray(kept * (means - means.mean()))


def evened(scaled: Array, memory: int) -> Even:
    """The last `memory` days up to a known one; between known days a line.

    Args:
        scaled: all days, on a scale of even noise, at least one of them known.
        memory: days.
    """
    newest = int(np.flatnonzero(np.isfinite(scaled))[-1])
    recent = scaled[: newest + 1][-memory:]
    first = int(np.flatnonzero(np.isfinite(recent))[0])
    return filled(recent[first:], scaled.size - newest - 1)


def filled(days: Array, silent: int = 0) -> Even:
    """All of these days, between known ones a line, at the ends their value.

    Args:
        days: on a scale of even noise, at least one of them known.
        silent: unknown days after them.
    """
    known = np.flatnonzero(np.isfinite(days))
    values = np.interp(np.arange(days.size), known, days[known])
    centre, unit = float(values.mean()), _spread(values)
    return Even((values - centre) / unit, centre, unit, silent)


class Calm:
    """Days without their mean and weekday, in units of their spread, as they go on.

    Args:
        scale: of even noise.
        history: all days, at least one of them known.
        memory: how many to look back on.
    """

    def __init__(self, scale: Scale, history: Array, memory: int) -> None:
        even = evened(scale.forward(history), memory)
        self._scale, self._week = scale, even.week()
        self._centre, self._unit = even.centre, even.unit
        self.day = even.values.size
        self.days = even.values - np.resize(self._week, self.day)
        """Those up to the last known one; `silent` unknown days follow."""
        self.silent = even.silent

    def take(self, value: float) -> float:
        """The next day; NaN if it is unknown."""
        scaled = float(self._scale.forward(np.array(value)) - self._centre)
        weekday = float(self._week[self.day % WEEK])
        self.day += 1
        return scaled / self._unit - weekday

    def back(self, path: Array) -> Array:
        """The values of the next days, shape (days,).

        Back from the scale, so a median rather than a mean.
        """
        week = self._week[(self.day + np.arange(path.size)) % WEEK]
        return self._scale.back(self._centre + self._unit * (path + week))


def _spread(values: Array) -> float:
    spread = float(values.std())
    return spread if spread > 1e-9 * (1.0 + float(np.abs(values).max())) else 1.0
