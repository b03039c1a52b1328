"""How the last days stand beside ninety days, and these beside the years before."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.forecast.series import MIN_KNOWN, Array, ratio

LEVEL_DAYS: Final = 90
"""Days that the last ones are seen beside."""

NAMES: Final = ("last", "calm", "skew", "age", "season")
"""The columns of `recent`."""

_WEEK = 7
_YEAR = 365
_YEARS = range(1, 6)
_BOUND = 4.0
_TOLERANCE = 1e-9


def recent(values: Array) -> Array:
    """The last days at the end of each day, shape (days, len(NAMES)).

    The score of a day is its deviation from the mean of the last 90, in their standard
    deviations. Told are the score of the last known day; how much less the 90 days
    vary than usual; the skewness of their scores, as a logarithm with its sign; how
    long ago the high ones among them were, from -0.5 to 0.5; and how much higher
    than usual the week to come stood in earlier years. None beyond ±4; 0 where nothing
    is known.

    Args:
        values: shape (days,); NaN: gap.
    """
    days = _windows(values)
    mean, spread = _mean(days), _telling_spread(days)
    scores = ratio(days - mean[:, np.newaxis], _beside(spread, LEVEL_DAYS))
    ahead = ratio(_week_after(values) - mean[:, np.newaxis], _beside(spread, _WEEK))
    last = LEVEL_DAYS - 1 - np.argmax(np.isfinite(scores)[:, ::-1], axis=1)
    columns = [
        scores[np.arange(values.size), last],
        _calm(spread),
        _skew(scores),
        _age(scores),
        _season(
            np.clip(ahead, -_BOUND, _BOUND).max(axis=1) - _mean(scores[:, -_WEEK:])
        ),
    ]
    told = np.column_stack(columns)
    return np.where(np.isfinite(told), np.clip(told, -_BOUND, _BOUND), 0.0)


def _calm(spread: Array) -> Array:
    """How much less 90 days vary than those of the year before, shape (days,).

    Args:
        spread: their standard deviation, shape (days,). Its logarithm is compared.
    """
    vary = np.log(spread)
    before = _earlier(vary, LEVEL_DAYS)
    known = np.isfinite(before)
    total = _last_year(np.where(known, before, 0.0))
    return np.asarray(ratio(total, _last_year(known.astype(np.float64))) - vary)


def _skew(scores: Array) -> Array:
    """A few days far above the others make it positive, shape (days,)."""
    third = _mean(scores**3)
    return np.asarray(np.sign(third) * np.log1p(np.abs(third)))


def _age(scores: Array) -> Array:
    """Of the days above the mean, the higher the more, in 90 days, shape (days,)."""
    weight = np.where(scores > 0, scores, 0.0) ** 3
    ages = np.arange(LEVEL_DAYS)[::-1] / LEVEL_DAYS
    return ratio((weight * ages).sum(axis=1), weight.sum(axis=1)) - 0.5


def _season(climbs: Array) -> Array:
    """How much more than usual came after the same day of earlier years, (days,).

    Few years count for less.

    Args:
        climbs: what the week after each day brought, shape (days,); NaN: unknown.
    """
    ended = _earlier(climbs, _WEEK)
    known = np.isfinite(ended)
    usual = ratio(np.cumsum(np.where(known, ended, 0.0)), np.cumsum(known))
    past = np.array([_earlier(climbs, _YEAR * year + year // 4) for year in _YEARS])
    above = past - usual
    known = np.isfinite(above)
    return np.asarray(np.where(known, above, 0.0).sum(axis=0) / (known.sum(axis=0) + 1))


def _telling_spread(days: Array) -> Array:
    """Standard deviation of the known days of each row.

    NaN where too few are known, and where all are alike.
    """
    known = np.isfinite(days)
    spread = _spread(days)
    largest = np.where(known, np.abs(days), 0.0).max(axis=1)
    telling = (known.sum(axis=1) >= MIN_KNOWN) & (spread > _TOLERANCE * largest)
    return np.where(telling, spread, np.nan)


def _beside(spread: Array, columns: int) -> Array:
    return np.asarray(spread[:, np.newaxis] + np.zeros(columns))


def _windows(values: Array) -> Array:
    before = np.full(LEVEL_DAYS - 1, np.nan)
    return sliding_window_view(np.concatenate([before, values]), LEVEL_DAYS)


def _week_after(values: Array) -> Array:
    """The next seven days of each, shape (days, 7); NaN beyond the end."""
    after = np.full(_WEEK, np.nan)
    return sliding_window_view(np.concatenate([values[1:], after]), _WEEK)


def _earlier(values: Array, days: int) -> Array:
    """What stood there some days before, shape as given; NaN before the first."""
    before = np.full(values.size, np.nan)
    before[days:] = values[: max(0, values.size - days)]
    return before


def _last_year(values: Array) -> Array:
    total = np.cumsum(values)
    before = np.zeros_like(total)
    before[_YEAR:] = total[:-_YEAR]
    return np.asarray(total - before)


def _mean(days: Array) -> Array:
    """Of the known days of each row; NaN where none is."""
    known = np.isfinite(days)
    return ratio(np.where(known, days, 0.0).sum(axis=1), known.sum(axis=1))


def _spread(days: Array) -> Array:
    """Standard deviation of the known days of each row; NaN where none is."""
    return np.sqrt(_mean((days - _mean(days)[:, np.newaxis]) ** 2))
