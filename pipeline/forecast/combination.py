"""One forecast from those of all the models, weighted by how wrong each was lately.

Source: J. M. Bates and C. W. J. Granger, "The combination of forecasts", Operational
Research Quarterly 20 (1969); here with absolute errors and a steeper power, because
the errors of these models go together.
"""

import numpy as np

from pipeline.forecast.series import Array

NAME = "combination"

WINDOW = 365
"""Days of errors looked back on."""

_POWER = 32.0
"""A model 2 % worse than another counts for half as much."""

_PRIOR_DAYS = 28.0
"""Days of errors that all models are taken to have had alike before their first."""

_TINY = 1e-12


def combined(paths: Array, losses: Array) -> Array:
    """The weighted mean of the models' paths, shape (days, horizon).

    Args:
        paths: on the scale of even noise, shape (models, days, horizon).
        losses: of what was said of each day, on that scale, shape (models, days);
            NaN: unknown.
    """
    return np.asarray((weights(losses)[:, :, np.newaxis] * paths).sum(axis=0))


def weights(losses: Array) -> Array:
    """Each model's weight at the end of each day, shape (models, days); sum 1."""
    known = np.isfinite(losses)
    number = _rolling(known.astype(np.float64))
    total = _rolling(np.where(known, losses, 0.0))
    everyone = total.mean(axis=0) / np.maximum(number.mean(axis=0), 1.0)
    loss = (total + _PRIOR_DAYS * everyone) / (number + _PRIOR_DAYS) + _TINY
    weight = np.power(loss.min(axis=0) / loss, _POWER)
    return np.asarray(weight / weight.sum(axis=0))


def _rolling(values: Array) -> Array:
    """Sums over the last `WINDOW` days, along the last axis."""
    total = np.cumsum(values, axis=-1)
    before = np.zeros_like(total)
    before[..., WINDOW:] = total[..., :-WINDOW]
    return total - before
