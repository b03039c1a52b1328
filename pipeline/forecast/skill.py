"""Whether one forecast is better than another, or only luckier."""

import numpy as np

from pipeline.forecast.series import Array

FEWEST = 28
"""Days of comparison below which nothing is called better."""

_CRITICAL = (1.6449, 2.1859, 0.3142, -0.3427)


def beats(advantage: Array, overlap: int, fewest: int = FEWEST) -> bool:
    """Whether the mean advantage is above 0, tested one-sidedly at 5 %.

    The advantage of neighbouring days shares errors, so its variance is the long-run
    one (Bartlett's kernel), and the critical value grows with the share `overlap`
    takes of the days.

    Args:
        advantage: loss of the rival minus loss of the candidate, shape (days,);
            NaN where either is unknown.
        overlap: days over which forecasts share errors: the horizon.
        fewest: known days below which nothing is called better.

    Sources: F. X. Diebold and R. S. Mariano, "Comparing predictive accuracy", JBES 13
    (1995); N. M. Kiefer and T. J. Vogelsang, "A new asymptotic theory for
    heteroskedasticity-autocorrelation robust tests", Econometric Theory 21 (2005).
    """
    known = advantage[np.isfinite(advantage)]
    if known.size < needed(overlap, fewest) or known.mean() <= 0:
        return False
    lags = min(4 * overlap, known.size // 2)
    share = lags / known.size
    critical = float(np.polyval(_CRITICAL[::-1], share))
    error = np.sqrt(_long_run_variance(known, lags) / known.size)
    return bool(known.mean() > critical * error)


def needed(overlap: int, fewest: int = FEWEST) -> int:
    """Known days below which nothing is called better."""
    return max(fewest, 2 * overlap)


def _long_run_variance(values: Array, lags: int) -> float:
    around = values - values.mean()
    variance = around @ around
    for lag in range(1, lags):
        variance += 2 * (1 - lag / lags) * (around[lag:] @ around[:-lag])
    return max(float(variance / values.size), 0.0)
