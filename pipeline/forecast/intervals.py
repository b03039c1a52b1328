"""Conformal prediction intervals: how wrong the model was tells how wrong it will be.

Source: V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World"
(2005), ch. 2; for series, with a rolling window: C. Xu and Y. Xie, "Conformal
prediction interval for dynamic time-series", ICML 2021.
"""

from statistics import NormalDist

import numpy as np

from pipeline.forecast.series import Array

WINDOW = 90
"""Days of errors looked back on: few enough to follow a drift."""

TAIL = 0.1
"""Share of the days that may lie beyond each end."""

FEWEST = 20
"""Errors below which their quantiles say too little."""


def offsets(errors: Array, scaled: Array, origin: int) -> Array:
    """How far below and above the expected path the days ahead may lie, at 80 %.

    Args:
        errors: one model's errors by target day, shape (days, horizon).
        scaled: the series on the same scale, shape (days,).
        origin: the last day known.

    Returns:
        Lower (at most 0) and upper (at least 0) offsets, shape (2, horizon).
    """
    known = np.sort(errors[max(0, origin + 1 - WINDOW) : origin + 1], axis=0)
    number = np.isfinite(known).sum(axis=0)
    tail = np.floor((number + 1) * TAIL).astype(np.int64)
    columns = np.arange(known.shape[1])
    low = known[np.maximum(tail - 1, 0), columns]
    high = known[np.maximum(number - tail, 0), columns]
    wide = _unproven(scaled[: origin + 1])
    few = number < FEWEST
    lower = np.where(few, -wide, np.minimum(low, 0.0))
    upper = np.where(few, wide, np.maximum(high, 0.0))
    return np.array([lower, upper])


def _unproven(history: Array) -> float:
    """Half the width while errors are few: as if days were draws from a normal."""
    recent = history[np.isfinite(history)][-WINDOW:]
    return NormalDist().inv_cdf(1 - TAIL) * float(recent.std(ddof=1))
