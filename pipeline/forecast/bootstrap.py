"""How far a track record can be trusted: its figures, with bootstrap intervals.

Neighbouring days share their future, so they are drawn in blocks of four weeks.

Source: D. N. Politis and J. P. Romano, "A circular block-resampling procedure for
stationary data", in "Exploring the Limits of Bootstrap" (1992).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from pipeline.forecast.series import Array, ratio

BLOCK = 28
"""Origins drawn together."""

DRAWS = 400

SURE = 1e-3
"""Brier score below which the base rate was never wrong, and skill is no number."""

SHARE = 0.9
"""Of the draws that lie within an interval."""

_SEED = 6

Drawn = NDArray[np.intp]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its 90 % interval; None where nothing can be said."""

    value: float | None
    low: float | None
    high: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One model's track record.

    Errors, pinball loss (mean over both ends of the interval) and width are in units of
    the mean day-to-day change up to each origin. `lead_days`: from an alarm that came
    true, raised on a day that was not high, to the first high day.
    """

    model: str
    naive: bool
    mase: Figure
    pinball: Figure
    coverage: Figure
    width: Figure
    alarm_precision: Figure
    alarm_recall: Figure
    alarm_f1: Figure
    brier_skill: Figure
    auc: Figure
    lead_days: Figure


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model said from each origin, beside what came; NaN where unknown.

    Args:
        model: its name.
        naive: whether it is one of the methods that others must beat.
        truth: of the days ahead, shape (origins, horizon).
        path: the expected values, likewise.
        lower: lower ends of the intervals, likewise.
        upper: upper ends, likewise.
        change: the mean day-to-day change up to each origin, shape (origins,).
        chance: of a high day, shape (origins,).
        rang: whether an alarm was to be sent: 1 or 0, shape (origins,).
        came: whether a high day came: 1 or 0, shape (origins,).
        base: how often one came in the year before, shape (origins,).
        lead: days to the first high day, shape (origins,); NaN where none came, and
            where the origin was itself high.
    """

    model: str
    naive: bool
    truth: Array
    path: Array
    lower: Array
    upper: Array
    change: Array
    chance: Array
    rang: Array
    came: Array
    base: Array
    lead: Array


def figures(judged: Judged, share: float) -> Figures:
    """All figures of a model.

    Args:
        judged: what it said.
        share: of the days that the intervals were to hold.
    """
    origins = judged.came.size
    drawn = np.vstack([np.arange(origins), _blocks(origins)])
    statistics = {**_of_values(judged, share), **_of_alarms(judged)}
    found = {name: _figure(said(drawn)) for name, said in statistics.items()}
    return Figures(model=judged.model, naive=judged.naive, **found)


Statistic = Callable[[Drawn], Array]
"""From positions drawn, shape (draws, origins), to the figure of each draw."""


def _of_values(judged: Judged, share: float) -> Mapping[str, Statistic]:
    tail = (1.0 - share) / 2.0
    unit = np.where(judged.change > 0, judged.change, np.nan)[:, np.newaxis]
    truth, lower, upper = judged.truth, judged.lower, judged.upper
    below, above = truth - lower, truth - upper
    missed = _quantile_loss(below, tail) + _quantile_loss(above, 1.0 - tail)
    inside = np.where(np.isnan(truth), np.nan, (below >= 0) & (above <= 0))
    return {
        "mase": _mean(np.abs(truth - judged.path) / unit),
        "pinball": _mean(missed / 2.0 / unit),
        "coverage": _mean(inside),
        "width": _mean((upper - lower) / unit),
    }


def _of_alarms(judged: Judged) -> Mapping[str, Statistic]:
    came, rang, chance = judged.came, judged.rang, judged.chance
    known = np.isfinite(came)
    hits = np.where(known, rang * came, 0.0)
    rung, due = np.where(known, rang, 0.0), np.where(known, came, 0.0)
    loss, naive_loss = (chance - came) ** 2, (judged.base - came) ** 2

    def skill(drawn: Drawn) -> Array:
        naive = _mean(naive_loss)(drawn)
        return 1.0 - ratio(_mean(loss)(drawn), np.where(naive < SURE, 0.0, naive))

    return {
        "alarm_precision": _share(hits, rung),
        "alarm_recall": _share(hits, due),
        "alarm_f1": _share(2.0 * hits, rung + due),
        "brier_skill": skill,
        "auc": lambda drawn: _auc(chance[drawn], came[drawn]),
        "lead_days": _mean(np.where(hits > 0, judged.lead, np.nan)),
    }


def _quantile_loss(miss: Array, level: float) -> Array:
    return np.maximum(level * miss, (level - 1.0) * miss)


def _mean(values: Array) -> Statistic:
    """Of the known values, (origins,) or (origins, horizon)."""
    rows = values if values.ndim > 1 else values[:, np.newaxis]
    known = np.isfinite(rows)
    return _share(np.where(known, rows, 0.0).sum(axis=1), known.sum(axis=1) + 0.0)


def _share(parts: Array, wholes: Array) -> Statistic:
    return lambda drawn: ratio(parts[drawn].sum(axis=1), wholes[drawn].sum(axis=1))


def _auc(chance: Array, came: Array) -> Array:
    """How often a high day's probability was above another's, by Mann and Whitney."""
    known = np.isfinite(chance) & np.isfinite(came)
    ranks = rankdata(np.where(known, chance, np.inf), axis=1)
    highs = (known & (came == 1.0)).sum(axis=1)
    lows = known.sum(axis=1) - highs
    above = np.where(known & (came == 1.0), ranks, 0.0).sum(axis=1)
    return ratio(above - highs * (highs + 1) / 2, 1.0 * highs * lows)


def _blocks(origins: int) -> Drawn:
    """Positions drawn in runs that go round, shape (`DRAWS`, origins)."""
    length = max(1, min(BLOCK, origins // 2))
    number = -(-origins // length)
    random = np.random.default_rng(_SEED)
    starts = random.integers(max(origins, 1), size=(DRAWS, number))
    runs = starts[:, :, np.newaxis] + np.arange(length)
    return np.asarray(runs.reshape(DRAWS, -1)[:, :origins] % max(origins, 1))


def _figure(found: Array) -> Figure:
    """The first is of the origins themselves, the others are of the draws."""
    value, draws = found[0], found[1:]
    known: Final = draws[np.isfinite(draws)]
    if not np.isfinite(value):
        return Figure(value=None, low=None, high=None)
    tails = [(1.0 - SHARE) / 2.0, (1.0 + SHARE) / 2.0]
    low, high = np.quantile(known, tails) if known.size else (value, value)
    return Figure(value=float(value), low=float(low), high=float(high))
