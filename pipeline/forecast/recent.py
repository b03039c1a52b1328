"""How the last days stand beside ninety days, in units of the spread of these."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.forecast.series import MIN_KNOWN, Array, ratio

LEVEL_DAYS: Final = 90
"""Days that the last ones are seen beside."""

NAMES: Final = ("last", "week", "month", "high", "calm")
"""The columns of `recent`."""

_YEAR = 365
_BOUND = 4.0
_TOLERANCE = 1e-9


def recent(values: Array) -> Array:
    """The last days at the end of each day, shape (days, len(NAMES)).

    Deviations from the mean of 90 days, in their standard deviations: of the last
    known day, and of the last 7 and 28 days; then the share of the 90 that lay above
    mean plus one deviation; and the logarithm of a year's deviation over that of the
    90 days. None beyond ±4; 0 where nothing is known.

    Args:
        values: shape (days,); NaN: gap.
    """
    scores = _scores(values)
    seen = np.isfinite(scores)
    last = LEVEL_DAYS - 1 - np.argmax(seen[:, ::-1], axis=1)
    columns = [
        scores[np.arange(values.size), last],
        _mean(scores[:, -7:]),
        _mean(scores[:, -28:]),
        ratio((scores > 1.0).sum(axis=1), seen.sum(axis=1)),
        _calm(values),
    ]
    told = np.column_stack(columns)
    return np.where(np.isfinite(told), np.clip(told, -_BOUND, _BOUND), 0.0)


def _scores(values: Array) -> Array:
    """The last 90 days at the end of each, standardised, shape (days, 90).

    NaN where unknown, where too few are known, and where all are alike.
    """
    days = _windows(values)
    known = np.isfinite(days)
    mean, spread = _mean(days), _spread(days)
    largest = np.where(known, np.abs(days), 0.0).max(axis=1)
    telling = (known.sum(axis=1) >= MIN_KNOWN) & (spread > _TOLERANCE * largest)
    return ratio(
        days - mean[:, np.newaxis],
        np.where(telling, spread, np.nan)[:, np.newaxis] + np.zeros(LEVEL_DAYS),
    )


def _calm(values: Array) -> Array:
    """How much less the 90 days vary than the year, as a logarithm, shape (days,)."""
    known = np.isfinite(values)
    around = np.where(known, values - values[np.argmax(known)], 0.0)
    number = _last_year(known.astype(np.float64))
    mean = ratio(_last_year(around), number)
    spread = np.sqrt(np.maximum(ratio(_last_year(around**2), number) - mean**2, 0.0))
    share = ratio(spread, _spread(_windows(values)))
    return np.log(np.where(share > 0, share, np.nan))


def _windows(values: Array) -> Array:
    before = np.full(LEVEL_DAYS - 1, np.nan)
    return sliding_window_view(np.concatenate([before, values]), LEVEL_DAYS)


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
