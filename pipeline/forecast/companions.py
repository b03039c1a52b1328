"""What rose together with a period of high prevalence: causes, themes, other labels.

Only published series go in, so nothing comes out that the privacy gate withheld.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from pipeline.forecast.scale import Arcsine
from pipeline.forecast.series import Array, Series

BEFORE_DAYS = 28
"""Days before the period that it is compared with."""

CLEAR = 3.0
"""Standard errors of a rise that is no accident, though many series are looked at."""

_FEWEST = 3
_MESSAGE_NOISE = 0.5
"""Standard deviation of the arcsine of a share's root, times the root of messages."""


class Companion(NamedTuple):
    """A series that was higher in a period than before it; shares from 0 to 1."""

    task: str
    label: str
    before: float
    during: float


def companions(series: Sequence[Series], started: date, ended: date) -> list[Companion]:
    """The series that rose with a period, the clearest first.

    A rise is clear by the scatter of the days before, and never by less than what
    drawing as many messages brings about.

    Args:
        series: published counts of one scope, by day, or by week with days between
            unknown; withheld days are unknown.
        started: first day of the period.
        ended: its last day.
    """
    found = [(_clearness(one, started, ended), one) for one in series]
    clear = [(how, one) for how, one in found if how >= CLEAR]
    clear.sort(key=lambda pair: (-pair[0], pair[1].title))
    return [_companion(one, started, ended) for _, one in clear]


def _clearness(series: Series, started: date, ended: date) -> float:
    """Standard errors that the period lies above the days before it."""
    before, during = _parts(series, started, ended)
    values = Arcsine().forward(series.values)
    old, new = values[before], values[during]
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    if old.size < _FEWEST or not new.size:
        return 0.0
    messages = np.array([_sum(series.messages[part]) for part in (before, during)])
    scatter = old.var(ddof=1) * (1 / old.size + 1 / new.size)
    drawing = _MESSAGE_NOISE**2 * (1 / messages).sum()
    return float((new.mean() - old.mean()) / np.sqrt(max(scatter, drawing)))


def _companion(series: Series, started: date, ended: date) -> Companion:
    shares = [
        _sum(series.marked[part]) / _sum(series.messages[part])
        for part in _parts(series, started, ended)
    ]
    return Companion(series.task, series.label, *shares)


def _parts(series: Series, started: date, ended: date) -> tuple[slice, slice]:
    """Positions of the days before the period and of its own."""
    first = (started - series.start).days
    last = (ended + timedelta(days=1) - series.start).days
    return slice(max(0, first - BEFORE_DAYS), max(0, first)), slice(
        max(0, first), max(0, last)
    )


def _sum(counts: Array) -> float:
    return float(np.nansum(counts))
