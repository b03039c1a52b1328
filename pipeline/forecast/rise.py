"""The rise alarm and rises in retrospect: when prevalence climbs steeply.

The climb of a day is the change of the 7-day mean from the day before. Steep is above
the 80th percentile of the climbs: of the 90 days up to an origin for the alarm, of all
days in retrospect.

Source of the definition: A. Tommasel, A. Diaz-Pace, J. M. Rodriguez, D. Godoy,
"Forecasting mental health and emotions based on social media expressions during the
COVID-19 pandemic", Information Discovery and Delivery 49 (2021): peaks of the mean
gradient of 7-day means, as prominent as its 80th percentile.
"""

from itertools import zip_longest

import numpy as np
from scipy.signal import find_peaks

from pipeline.forecast import combination
from pipeline.forecast.alarms import Odds, calibrated, enough, path_chances
from pipeline.forecast.backtest import Track
from pipeline.forecast.periods import SHORTEST, Span
from pipeline.forecast.series import MIN_KNOWN, Array, continued, ratio

WEEK = 7
STEEP = 0.8
"""Share of the climbs that are not steep."""

_DAYS = 90
_TOLERANCE = 1e-9


def climbs(values: Array) -> Array:
    """Change of the 7-day mean from the day before, shape (days,).

    NaN where the day, or the one that leaves the mean, is unknown.
    """
    change = np.full(values.size, np.nan)
    change[WEEK:] = (values[WEEK:] - values[:-WEEK]) / WEEK
    return change


def bounds(values: Array, before: Array | None = None) -> Array:
    """What counts as steep at the end of each day, shape (days,).

    Never below 0: the least fall of a decline is no rise. NaN while fewer than
    `MIN_KNOWN` climbs are known. Those of the first days are taken over from `before`.
    """
    change = climbs(values)
    result, kept = continued(before, values.shape)
    for day in range(kept, values.size):
        recent = change[max(0, day + 1 - _DAYS) : day + 1]
        recent = recent[np.isfinite(recent)]
        if recent.size >= MIN_KNOWN:
            result[day] = max(0.0, float(np.quantile(recent, STEEP)))
    return result


def to_exceed(values: Array, bounds: Array, reach: int) -> Array:
    """What each of the next days must exceed to be a steep climb, shape (days, reach).

    The day that leaves the mean is known as long as `reach` is at most a week.
    """
    leaving = np.full((values.size, reach), np.nan)
    for ahead in range(1, reach + 1):
        leaving[WEEK - ahead :, ahead - 1] = values[: values.size - WEEK + ahead]
    return leaving + WEEK * bounds[:, np.newaxis]


def outcomes(values: Array, exceed: Array) -> Array:
    """Whether any known one of the next days climbed steeply, (days,): 1, 0 or NaN.

    NaN: not judged, as of too few of them the climb is known.

    Args:
        values: shape (days,).
        exceed: from `to_exceed`, shape (days, reach).
    """
    reach = exceed.shape[1]
    result = np.full(values.size, np.nan)
    for day in range(values.size - reach):
        ahead = values[day + 1 : day + 1 + reach]
        beyond = ahead - _above(exceed[day])
        if enough(beyond):
            result[day] = float((beyond > 0).any())
    return result


def rise_odds(
    track: Track,
    bounds_before: Array | None = None,
    chances_before: Array | None = None,
) -> Odds:
    """The rise alarm's probabilities at every origin, for the next week at most.

    `levels` of the result are the climbs that count as steep.

    Args:
        track: of the series.
        bounds_before: `levels` of an earlier track, as far as they hold.
        chances_before: its `by_model`, shape (days,).
    """
    reach = min(track.horizon, WEEK)
    bound = bounds(track.values, bounds_before)
    exceed = to_exceed(track.values, bound, reach)
    came = outcomes(track.values, exceed)
    model = track.names.index(combination.NAME)
    chances = path_chances(
        track.errors()[model][:, :reach],
        track.scale.forward(track.paths[model][:, :reach]),
        track.scale.forward(exceed),
        chances_before,
    )
    bound[np.isnan(chances)] = np.nan
    said = calibrated(chances, came, reach)
    return Odds(bound, came, chances[np.newaxis], said)


def rises(values: Array) -> list[Span]:
    """The steep rises, each from its foot over its peak to the loss of half its height.

    Climbs of fewer than `SHORTEST` days are left out. A rise also ends where the next
    one begins.

    Args:
        values: shape (days,); NaN: gap.
    """
    change = climbs(values)
    known = change[np.isfinite(change)]
    if known.size < MIN_KNOWN:
        return []
    least = _TOLERANCE * float(np.nanmax(np.abs(values)))
    steep = max(least, float(np.quantile(known, STEEP)))
    days = np.arange(change.size)
    change = np.interp(days, days[np.isfinite(change)], known)
    ascents = _ascents(change, steep)
    ends = [foot - 1 for foot, _ in ascents[1:]]
    return [
        _span(values, foot, top, end) for (foot, top), end in zip_longest(ascents, ends)
    ]


def _ascents(change: Array, steep: float) -> list[tuple[int, int]]:
    """First and last day of each climb with a peak as prominent as `steep`."""
    # The day after the last is taken to be flat, or the last could be no peak.
    peaks, _ = find_peaks(np.append(change, 0.0), prominence=steep)
    around = {
        (_while_climbing(change, day, -1), _while_climbing(change, day, 1))
        for day in map(int, peaks[change[peaks] > 0])
    }
    return sorted((foot, top) for foot, top in around if top - foot + 1 >= SHORTEST)


def _while_climbing(change: Array, day: int, step: int) -> int:
    while 0 <= day + step < change.size and change[day + step] > 0:
        day += step
    return day


def _span(values: Array, foot: int, top: int, latest: int | None) -> Span:
    climbed = np.where(np.isfinite(values), values, -np.inf)[foot : top + 1]
    mean = _week_mean(values)
    half = (mean[max(0, foot - 1)] + mean[top]) / 2
    fallen = np.flatnonzero(mean[top:] <= half)
    ended = top + int(fallen[0]) if fallen.size else None
    if latest is not None:
        ended = latest if ended is None else min(ended, latest)
    return Span(foot, foot + int(np.argmax(climbed)), ended)


def _week_mean(values: Array) -> Array:
    """Mean of the known ones of the last 7 days, shape (days,)."""
    known = np.isfinite(values)
    total = np.convolve(np.where(known, values, 0.0), np.ones(WEEK))[: values.size]
    return ratio(total, np.convolve(known, np.ones(WEEK))[: values.size])


def _above(levels: Array) -> Array:
    return np.asarray(levels + _TOLERANCE * (1.0 + np.abs(levels)))
