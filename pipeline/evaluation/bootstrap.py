"""How far a figure would go astray on other messages of the same kind.

The bootstrap (Efron 1979): the same messages drawn again and again with replacement.
Whatever is a function of sums over messages needs no message twice: a draw is how often
each message came, and its sums are one product of matrices.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 1_000
SEED = 5
COVERED = 95.0
"""Percent that an interval holds."""

_AT_ONCE = 100


def resampled(rows: Floats, resamples: int = RESAMPLES) -> Floats:
    """Sums over messages, drawn again.

    As many messages are always drawn in the same way, so that two taggers' sums over
    the same messages are paired.

    Args:
        rows: messages x numbers to be summed.
        resamples: how often.

    Returns:
        Resamples x sums.
    """
    random, count = np.random.default_rng(SEED), len(rows)
    parts = []
    for start in range(0, resamples, _AT_ONCE):
        draws = min(_AT_ONCE, resamples - start)
        drawn = random.integers(count, size=(draws, count))
        drawn += count * np.arange(draws)[:, None]
        came = np.bincount(drawn.ravel(), minlength=draws * count)
        parts.append(came.reshape(draws, count) @ rows)
    return np.concatenate(parts)


def interval(values: Floats) -> tuple[float, float]:
    """Between which values the middle 95 % lie, NaN left out; NaN if all are."""
    known = values[~np.isnan(values)]
    if not known.size:
        return (np.nan, np.nan)
    tail = (100.0 - COVERED) / 2
    low, high = np.percentile(known, [tail, 100.0 - tail])
    return (float(low), float(high))
