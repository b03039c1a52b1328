"""Conformal prediction intervals: how wrong a model was tells how wrong it will be.

Errors count in units of their usual size at the time, so a calm year does not speak
for a stormy week, and each end moves out or in as often as days lie beyond it.

Sources: V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World"
(2005), ch. 2; I. Gibbs and E. Candès, "Adaptive conformal inference under distribution
shift", NeurIPS 2021, here with steps in proportion to the width.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from pipeline.forecast.series import Array, ratio

Known = NDArray[np.bool_]

WINDOW = 365
"""Days of errors whose quantiles are taken."""

FEWEST = 20
"""Errors below which their quantiles say too little."""

_LATELY, _LONG = 0.06, 0.0075
"""Rates at which the usual size of errors forgets: over all distances, of each."""

_STEP = 0.05
"""How far, as a share of itself, an end moves when a day lies beyond it."""

_FARTHEST = np.log(4.0)
_BEYOND = 1.25
"""Ends lie no farther out than so many times the worst error at their distance."""

_SMALLEST = 1e-12
_REFRESH = 7
_YOUNG_DAYS = 90


def offsets(errors: Array, scaled: Array, tail: float) -> tuple[Array, Array]:
    """How far below and above the expected paths the days ahead may lie.

    Row t is a function of the errors known at the end of day t.

    Args:
        errors: by target day, shape (models, days, horizon); NaN: unknown.
        scaled: the series on the same scale, shape (days,).
        tail: share of the days that may lie beyond each end.

    Returns:
        Lower (at most 0) and upper (at least 0) offsets, shapes as `errors`; NaN while
        nothing is known.
    """
    lower, upper = several_offsets(errors, scaled, [tail])
    return lower[0], upper[0]


def several_offsets(
    errors: Array, scaled: Array, tails: Sequence[float]
) -> tuple[Array, Array]:
    """`offsets` of several tails in one pass, each (tails, models, days, horizon)."""
    sizes = _usual_sizes(errors)
    relative = _relative(errors, sizes)
    known = np.isfinite(relative).cumsum(axis=1) >= FEWEST
    ends = _Ends(errors, tails)
    for day in range(scaled.size):
        if day % _REFRESH == 0:
            recent = np.sort(relative[:, max(0, day + 1 - WINDOW) : day + 1], axis=1)
            both = np.array([_quantiles(recent, tail) for tail in tails])
            usual = np.stack([-both[:, 0], both[:, 1]])
        young = None if known[:, day].all() else _unproven(scaled[: day + 1], tails)
        ends.settle(day)
        ends.say(day, usual * sizes[:, day], known[:, day], young)
    return -ends.offsets[0], ends.offsets[1]


class _Ends:
    """The ends of the intervals of all models at all distances, day by day.

    Below and above, of each tail: arrays of shape (2, tails, models, days, horizon).

    Args:
        errors: as for `offsets`.
        tails: shares of the days that may lie beyond an end.
    """

    def __init__(self, errors: Array, tails: Sequence[float]) -> None:
        models, _, horizon = errors.shape
        self.offsets = np.full((2, len(tails), *errors.shape), np.nan)
        self._errors = np.stack([-errors, errors])[:, np.newaxis]
        sizes = np.where(np.isnan(errors), 0.0, np.abs(errors))
        self._farthest = _BEYOND * np.maximum.accumulate(sizes, axis=1)
        self._tails = np.array(tails)[:, np.newaxis, np.newaxis]
        self._moved = np.zeros((2, len(tails), models, horizon))

    def settle(self, day: int) -> None:
        """Move by whether the day lay beyond what was said of it before."""
        ahead = np.arange(min(day, self._errors.shape[-1]))
        said = self.offsets[..., day - 1 - ahead, ahead]
        came = self._errors[..., day, ahead]
        judged = np.isfinite(said) & np.isfinite(came)
        step = np.where(judged, _STEP * ((came > said) - self._tails), 0.0)
        moved = self._moved[..., ahead] + step
        self._moved[..., ahead] = np.clip(moved, -_FARTHEST, _FARTHEST)

    def say(self, day: int, usual: Array, known: Known, young: Array | None) -> None:
        """Where the ends lie: `usual`, moved, or `young` where little is known yet.

        After a crisis, what was unusual before times what is usual now would be more
        than anything that ever came.
        """
        proven = np.minimum(usual * np.exp(self._moved), self._farthest[:, day])
        if young is not None:
            proven = np.where(known, proven, young)
        self.offsets[..., day, :] = np.maximum(proven, 0.0)


def _usual_sizes(errors: Array) -> Array:
    """The usual size of errors at the end of each day, shape as `errors`.

    Each distance by its own long memory, all together by what was lately.
    """
    sizes, known = np.abs(errors), np.isfinite(errors)
    sizes = np.where(known, sizes, 0.0)

    def smoothed(rate: float) -> Array:
        decay = ([1.0], [1.0, rate - 1.0])
        weight = lfilter(*decay, known.astype(np.float64), axis=1)
        return ratio(lfilter(*decay, sizes, axis=1), weight)

    lately, long = smoothed(_LATELY), smoothed(_LONG)
    together = np.stack([lately, long])
    together = np.where(np.isfinite(together), together, 0.0).sum(
        axis=-1, keepdims=True
    )
    return np.asarray(long * ratio(together[0], together[1]))


def _relative(errors: Array, sizes: Array) -> Array:
    """Errors in units of what was usual when the forecast was made, by target day."""
    result = np.full(errors.shape, np.nan)
    for ahead in range(1, errors.shape[2] + 1):
        usual = sizes[:, :-ahead, ahead - 1]
        usual = np.where(usual > _SMALLEST, usual, np.nan)
        result[:, ahead:, ahead - 1] = ratio(errors[:, ahead:, ahead - 1], usual)
    return result


def _quantiles(ordered: Array, tail: float) -> tuple[Array, Array]:
    """The lower and upper quantile along the days, each (models, horizon).

    Args:
        ordered: shape (models, days, horizon), NaN last.
        tail: share beyond each.
    """
    number = np.isfinite(ordered).sum(axis=1)
    rank = np.maximum(tail * (number + 1) - 1, 0.0)
    whole = rank.astype(np.int64)
    part = rank - whole

    def at(place: NDArray[np.int64]) -> Array:
        place = np.clip(place, 0, ordered.shape[1] - 1)
        return np.take_along_axis(ordered, place[:, np.newaxis], axis=1)[:, 0]

    low = (1 - part) * at(whole) + part * at(whole + 1)
    last = number - 1
    high = (1 - part) * at(last - whole) + part * at(last - whole - 1)
    return low, high


def _unproven(history: Array, tails: Sequence[float]) -> Array:
    """Half the widths while errors are few: as if days were draws from a normal.

    Shape (tails, 1, 1).
    """
    recent = history[np.isfinite(history)][-_YOUNG_DAYS:]
    spread = float(recent.std()) if recent.size else np.nan
    widths = np.array([NormalDist().inv_cdf(1 - tail) * spread for tail in tails])
    return widths[:, np.newaxis, np.newaxis]
