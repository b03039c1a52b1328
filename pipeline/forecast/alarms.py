"""The level alarm: will any of the next days be unusually high?

High is above the mean plus one standard deviation of the 90 days up to the origin.
Each model's past errors, laid as whole paths over its present forecast, say how often
that would come true. What the combination says is weighed with how the last days stand,
as learnt from many series (`benchmarks/alarms.py`), and calibrated on the series' own
past. All of it is a function of the days up to the origin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.forecast import combination
from pipeline.forecast.backtest import WINDOW, Track, refit_days
from pipeline.forecast.recent import LEVEL_DAYS, recent
from pipeline.forecast.series import MIN_KNOWN, Array, continued, ratio
from pipeline.forecast.skill import beats

WEIGHTS = (0.18, 0.67, 0.08, 0.92, -0.33, 0.52, 0.18)
"""Of 1, the combination's log-odds and the columns of `recent`; learnt from the daily
shares of emotional tweets of 16 countries and regions by `benchmarks/alarms.py`."""

PROOF_WEEKS = 12
"""Horizons that must have been judged before an alarm is proven."""

_TOLERANCE = 1e-9
_NO_SKILL = 0.02
"""Brier skill that mere noise has: in it, too, the level stands now low, now high."""
_UNPROVEN_BAR = 0.9
_RARELY = 0.05
"""Share of the year's days whose probability may equal an unproven alarm's."""
_LATELY = 28
"""Days that are not asked for it: those of a crisis are alike."""

_YEAR = 365
_MEMORY = 2 * _YEAR
"""Past paths of errors that are laid over a forecast."""
_CALIBRATION_PRECISION = (16.0, 64.0)
_NEWTON_STEPS = 25


@dataclass(frozen=True, eq=False)
class Odds:
    """What was to be said of high days at the end of each day.

    Args:
        levels: what counts as high, shape (days,).
        outcomes: whether it came within the horizon, shape (days,); NaN: not judged.
        by_model: each model's probability, shape (models, days).
        blended: the calibrated probability, shape (days,).
    """

    levels: Array
    outcomes: Array
    by_model: Array
    blended: Array


def odds(track: Track, before: Mapping[str, Array] | None = None) -> Odds:
    """The level alarm's probabilities at every origin of a series.

    Args:
        track: of the series.
        before: by model, `by_model` of an earlier track, as far as it holds.
    """
    kept = before or {}
    level = levels(track.values)
    came = outcomes(track.values, level, track.horizon)
    paths, scaled = track.scale.forward(track.paths), track.scale.forward(level)
    by_model = np.array(
        [
            path_chances(error, path, scaled, kept.get(name))
            for name, error, path in zip(
                track.names, track.errors(), paths, strict=True
            )
        ]
    )
    said = by_model[track.names.index(combination.NAME)]
    chances = calibrated(weighed(said, recent(track.values)), came, track.horizon)
    return Odds(level, came, by_model, chances)


def levels(values: Array) -> Array:
    """What counts as high at the end of each day, shape (days,).

    Mean plus one sample standard deviation of the known days among the last 90; where
    they are all equal, that value. NaN while fewer than `MIN_KNOWN` are known.
    """
    before = np.full(LEVEL_DAYS - 1, np.nan)
    days = sliding_window_view(np.concatenate([before, values]), LEVEL_DAYS)
    known = np.isfinite(days)
    number = known.sum(axis=1)
    mean = ratio(np.where(known, days, 0.0).sum(axis=1), number)
    around = np.where(known, days - mean[:, np.newaxis], 0.0)
    spread = np.sqrt(ratio((around**2).sum(axis=1), number - 1.0))
    highest = np.where(known, days, -np.inf).max(axis=1)
    alike = spread <= _TOLERANCE * np.where(known, np.abs(days), 0.0).max(axis=1)
    level = np.where(alike, highest, mean + spread)
    return np.where(number >= MIN_KNOWN, level, np.nan)


def outcomes(values: Array, levels: Array, horizon: int) -> Array:
    """Whether any known one of the next days was high, shape (days,): 1, 0 or NaN.

    NaN: not judged, as too few of them are known (`enough`), or no level is.
    """
    result = np.full(values.size, np.nan)
    for day in range(values.size - horizon):
        ahead = values[day + 1 : day + 1 + horizon]
        if np.isfinite(levels[day]) and enough(ahead):
            result[day] = float((ahead > levels[day]).any())
    return result


def enough(ahead: Array) -> NDArray[np.bool_]:
    """Whether at least half of the days ahead are known, shape (...,).

    Whatever they show: if a high day were enough by itself, only weeks with one would
    be judged where a day of the week is never known. Half leaves a working week with
    a holiday.

    Args:
        ahead: shape (..., horizon).
    """
    known = np.isfinite(ahead).sum(axis=-1)
    return np.asarray(2 * known >= ahead.shape[-1])


def path_chances(
    errors: Array, paths: Array, levels: Array, before: Array | None = None
) -> Array:
    """How likely a model's paths make a high day, shape (days,).

    Args:
        errors: the model's errors by target day, shape (days, horizon); paths of
            them of which `enough` is known are laid, and unknown days are not high.
        paths: its expected values, shape (days, horizon), on the same scale.
        levels: what counts as high, on the same scale, shape (days,) or, for each day
            ahead its own, (days, horizon); NaN: never high.
        before: those of the first days, taken over from an earlier time.
    """
    days, horizon = paths.shape
    levels = levels.reshape(days, -1, 1)
    whole = _whole_paths(errors)
    origins = np.flatnonzero(enough(whole))
    # Days ahead come first: they are far fewer, and what is summed up lies together.
    past = np.ascontiguousarray(whole[origins].T)
    above = levels + _TOLERANCE * (1.0 + np.abs(levels))
    result, kept = continued(before, (days,))
    asked = np.isfinite(levels).any(axis=(1, 2)) & np.isfinite(paths[:, 0])
    for day in kept + np.flatnonzero(asked[kept:]):
        known = int(np.searchsorted(origins, day - horizon, side="right"))
        laid = past[:, max(0, known - _MEMORY) : known] + paths[day, :, np.newaxis]
        high = int(np.count_nonzero((laid > above[day]).any(axis=0)))
        result[day] = (high + 1) / (laid.shape[1] + 2)
    return result


def weighed(chances: Array, recent: Array) -> Array:
    """Probabilities that also know how the last days stand, shape (days,).

    Args:
        chances: of the combination, shape (days,).
        recent: shape (days, columns of `recent`).
    """
    inputs = np.column_stack([np.ones(chances.size), _log_odds(chances), recent])
    # Not a matrix product: its last digits depend on the number of rows.
    return _logistic((inputs * WEIGHTS).sum(axis=1))


def calibrated(chances: Array, outcomes: Array, horizon: int) -> Array:
    """Probabilities as often true as they say, shape (days,).

    Logistic calibration: an offset and a slope of the log-odds, moved only as far as
    past outcomes demand. Those of neighbouring days overlap and count accordingly.

    Args:
        chances: shape (days,).
        outcomes: shape (days,).
        horizon: days ahead.

    Source: J. C. Platt, "Probabilistic outputs for support vector machines" (1999).
    """
    days = chances.size
    inputs = np.column_stack([np.ones(days), _log_odds(chances)])
    usable = np.isfinite(chances)
    result = np.full(days, np.nan)
    if not usable.any():
        return result
    first = int(np.argmax(usable))
    for begin, end in pairwise([*refit_days(first, days), days]):
        ended = _ended(begin, horizon)
        past = slice(max(0, ended - WINDOW), ended)
        known = usable[past] & np.isfinite(outcomes[past])
        weights = _weights(inputs[past][known], outcomes[past][known], 1.0 / horizon)
        result[begin:end] = _logistic((inputs[begin:end] * weights).sum(axis=1))
    return result


def base_rates(outcomes: Array, horizon: int) -> Array:
    """How often it came true in the year before each day, shape (days,)."""
    known = np.isfinite(outcomes)
    came = np.concatenate([[0.0], np.cumsum(np.where(known, outcomes, 0.0))])
    number = np.concatenate([[0], np.cumsum(known)])
    end = np.maximum(np.arange(outcomes.size) + 1 - horizon, 0)
    begin = np.maximum(end - _YEAR, 0)
    return ratio(came[end] - came[begin] + 1.0, number[end] - number[begin] + 2.0)


def verdicts(
    odds: tuple[Array, Array],
    horizon: int,
    origins: Sequence[int],
    before: Array | None = None,
) -> Array:
    """Whether an alarm is raised at some origins, and whether its record is proven.

    It is where the probabilities known by then beat the base rate (Brier score), by
    more than they would in mere noise (`benchmarks/noise.py`). With a proven record an
    alarm is raised from that probability on that would have served best. Without, it is
    no skill: to be shown, never to be sent. It is then raised when a high day is almost
    sure, and, unless the record is too short to prove anything, as sure as hardly ever
    in the year before the last weeks.

    Args:
        odds: chances and outcomes, each (days,).
        horizon: days ahead.
        origins: those asked for.
        before: those of the first days, taken over from an earlier time.

    Returns:
        1 or 0 for both, shape (days, 2); NaN on other days.
    """
    chances, outcomes = odds
    base = (base_rates(outcomes, horizon) - outcomes) ** 2
    advantage = (1.0 - _NO_SKILL) * base - (chances - outcomes) ** 2
    result, _ = continued(before, (chances.size, 2))
    for origin in origins:
        if np.isnan(result[origin, 0]):
            past = advantage[: _ended(origin, horizon)]
            skill = beats(past, horizon, fewest=PROOF_WEEKS * horizon)
            rung = _rings(chances, outcomes, horizon, origin, skill=skill)
            result[origin] = rung, skill
    return result


def judged(odds: tuple[Array, Array], horizon: int, origin: int) -> int:
    """From how many days a proof at an origin can be drawn: what was said has ended.

    Args:
        odds: chances and outcomes, each (days,).
        horizon: days ahead.
        origin: the day of the proof.
    """
    known = np.isfinite(odds[0]) & np.isfinite(odds[1])
    return int(known[: _ended(origin, horizon)].sum())


def _rings(
    chances: Array, outcomes: Array, horizon: int, origin: int, *, skill: bool
) -> bool:
    past = slice(0, _ended(origin, horizon))
    known = np.isfinite(chances[past]) & np.isfinite(outcomes[past])
    if skill:
        bar = best_bar(chances[past][known], outcomes[past][known])
        return bool(chances[origin] >= bar)
    young = int(known.sum()) < PROOF_WEEKS * horizon
    sure = chances[origin] >= _UNPROVEN_BAR
    return bool(sure and (young or _among_the_highest(chances, origin)))


def best_bar(chances: Array, outcomes: Array) -> float:
    """The probability from which an alarm pays: half the best F1 there could be.

    Args:
        chances: known ones, shape (days,).
        outcomes: of the same days.

    Source: Z. C. Lipton, C. Elkan, B. Naryanaswamy, "Optimal thresholding of
    classifiers to maximize F1 measure", ECML PKDD 2014.
    """
    falling = np.argsort(-chances, kind="stable")
    hits = np.cumsum(outcomes[falling])
    f1 = 2 * hits / (np.arange(1, hits.size + 1) + max(1.0, hits[-1]))
    return float(f1.max()) / 2


def _ended(origin: int, horizon: int) -> int:
    """How many days there are whose horizon lies before the end of the origin."""
    return max(0, origin + 1 - horizon)


def _among_the_highest(chances: Array, origin: int) -> bool:
    year = chances[max(0, origin + 1 - _YEAR) : max(0, origin + 1 - _LATELY)]
    known = year[~np.isnan(year)]
    if not known.size:
        return True
    return bool(chances[origin] >= np.quantile(known, 1.0 - _RARELY))


def _whole_paths(errors: Array) -> Array:
    """Errors by origin: row t holds those of what was said at the end of day t."""
    paths = np.full(errors.shape, np.nan)
    for ahead in range(1, errors.shape[1] + 1):
        paths[:-ahead, ahead - 1] = errors[ahead:, ahead - 1]
    return paths


def _weights(inputs: Array, outcomes: Array, each: float) -> Array:
    """Penalised logistic regression by Newton's method: offset and slope."""
    prior, precision = np.array([0.0, 1.0]), np.array(_CALIBRATION_PRECISION)

    def loss(weights: Array) -> float:
        log_odds = inputs @ weights
        misfit = np.logaddexp(0.0, log_odds) - outcomes * log_odds
        return float(each * misfit.sum() + precision @ (weights - prior) ** 2 / 2)

    weights = prior
    for _ in range(_NEWTON_STEPS):
        chance = _logistic(inputs @ weights)
        slope = each * inputs.T @ (outcomes - chance) - precision * (weights - prior)
        curvature = each * (inputs.T * (chance * (1 - chance))) @ inputs
        step = np.linalg.solve(curvature + np.diag(precision), slope)
        while np.abs(step).max() > _TOLERANCE and loss(weights + step) > loss(weights):
            step = step / 2  # too far: the loss is flat where much is almost sure
        if np.abs(step).max() <= _TOLERANCE:
            break
        weights = weights + step
    return weights


def _log_odds(chances: Array) -> Array:
    return np.asarray(np.log(chances / (1.0 - chances)))


def _logistic(log_odds: Array) -> Array:
    chance: Array = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    return chance
