"""Periods of high prevalence, found in retrospect."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.forecast.alarms import levels
from pipeline.forecast.series import Array

SHORTEST = 3
"""High days of a period: one or two are what noise brings in most weeks."""

_LONGEST_GAP = 1


@dataclass(frozen=True)
class Span:
    """A run of high days, as positions in the series.

    `ended` is None while the run reaches the last day.
    """

    started: int
    peaked: int
    ended: int | None


def spans(values: Array) -> list[Span]:
    """The runs of days above the level of the 90 days before each of them.

    Runs one day apart are one; runs of fewer than `SHORTEST` high days are left out.

    Args:
        values: shape (days,); NaN: gap.
    """
    before = np.concatenate([[np.nan], levels(values)[:-1]])
    high = np.flatnonzero(values > before)
    return [_span(values, run) for run in _runs(high) if run.size >= SHORTEST]


def _runs(high: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    if not high.size:
        return []
    return np.split(high, np.flatnonzero(np.diff(high) > 1 + _LONGEST_GAP) + 1)


def _span(values: Array, run: NDArray[np.intp]) -> Span:
    started, last = int(run[0]), int(run[-1])
    return Span(
        started=started,
        peaked=int(run[np.argmax(values[run])]),
        ended=last if last < values.size - 1 else None,
    )
