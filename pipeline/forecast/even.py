"""The days before a fit, made even: gaps filled, centred, in units of their spread."""

from dataclasses import dataclass

import numpy as np

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
    known = np.flatnonzero(np.isfinite(recent))
    filled = np.interp(np.arange(known[0], recent.size), known, recent[known])
    centre, unit = float(filled.mean()), _spread(filled)
    return Even((filled - centre) / unit, centre, unit, scaled.size - newest - 1)


def _spread(values: Array) -> float:
    spread = float(values.std())
    return spread if spread > 1e-9 * (1.0 + float(np.abs(values).max())) else 1.0
