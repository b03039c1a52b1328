"""The level alarm: will any of the next days be unusually high?

High is above the mean plus one standard deviation of the 90 days up to the origin.
Each model's past errors, laid as whole paths over its present forecast, say how often
that would come true; a small regression on the past blends what the models say and
calibrates it. All of it is a function of the days up to the origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.forecast.backtest import WINDOW, Track, refit_days
from pipeline.forecast.series import MIN_KNOWN, Array, ratio
from pipeline.forecast.skill import beats

LEVEL_DAYS = 90
FOLLOWING = ("last day", "7-day mean", "ETS")
"""Models that follow the newest days; the others speak only where the past says so."""

_TOLERANCE = 1e-9
_FEWEST = 28
_FEWEST_WEEKS = 12
_YOUNG_BAR = 0.9
_YEAR = 365
_PRIOR_PRECISION = 16.0
_NEWTON_STEPS = 25


@dataclass(frozen=True, eq=False)
class Odds:
    """What was to be said of high days at the end of each day.

    Args:
        levels: what counts as high, shape (days,).
        outcomes: whether it came within the horizon, shape (days,); NaN: not known.
        by_model: each model's probability, shape (models, days).
        blended: the calibrated probability, shape (days,).
    """

    levels: Array
    outcomes: Array
    by_model: Array
    blended: Array


def odds(track: Track) -> Odds:
    """The level alarm's probabilities at every origin of a series."""
    level = levels(track.values)
    came = outcomes(track.values, level, track.horizon)
    paths, scaled = track.scale.forward(track.paths), track.scale.forward(level)
    by_model = np.array(
        [
            path_chances(error, path, scaled)
            for error, path in zip(track.errors(), paths, strict=True)
        ]
    )
    blend = blended(by_model, came, track.names, track.horizon)
    return Odds(level, came, by_model, blend)


def levels(values: Array) -> Array:
    """What counts as high at the end of each day, shape (days,).

    Mean plus one sample standard deviation of the known days among the last 90; where
    they are all equal, that value. NaN while fewer than `MIN_KNOWN` are known.
    """
    result = np.full(values.size, np.nan)
    for day in range(values.size):
        recent = values[max(0, day + 1 - LEVEL_DAYS) : day + 1]
        recent = recent[np.isfinite(recent)]
        if recent.size >= MIN_KNOWN:
            result[day] = _level(recent)
    return result


def outcomes(values: Array, levels: Array, horizon: int) -> Array:
    """Whether any of the next days was high, shape (days,): 1, 0, or NaN if unknown.

    One high day settles it; without one, every day must be known.
    """
    result = np.full(values.size, np.nan)
    for day in range(values.size - horizon):
        ahead = values[day + 1 : day + 1 + horizon]
        high = bool((ahead > levels[day]).any())
        if np.isfinite(levels[day]) and (high or np.isfinite(ahead).all()):
            result[day] = float(high)
    return result


def path_chances(errors: Array, paths: Array, levels: Array) -> Array:
    """How likely a model's paths make a high day, shape (days,).

    Args:
        errors: the model's errors by target day, shape (days, horizon).
        paths: its expected values, shape (days, horizon), on the same scale.
        levels: what counts as high, shape (days,), on the same scale.
    """
    days, horizon = paths.shape
    whole = _whole_paths(errors)
    origins = np.flatnonzero(np.isfinite(whole).all(axis=1))
    above = levels + _TOLERANCE * (1.0 + np.abs(levels))
    result = np.full(days, np.nan)
    for day in np.flatnonzero(np.isfinite(levels) & np.isfinite(paths[:, 0])):
        known = int(np.searchsorted(origins, day - horizon, side="right"))
        past = whole[origins[max(0, known - _YEAR) : known]]
        high = int((paths[day] + past > above[day]).any(axis=1).sum())
        result[day] = (high + 1) / (len(past) + 2)
    return result


def blended(
    chances: Array, outcomes: Array, names: Sequence[str], horizon: int
) -> Array:
    """One calibrated probability a day from those of all the models, shape (days,).

    A logistic regression on the models' log-odds. It starts from the plain average of
    `FOLLOWING` and moves away only as far as past outcomes demand, so that it holds
    also for what was never seen before. Outcomes of neighbouring days overlap and
    count accordingly.

    Args:
        chances: shape (models, days).
        outcomes: shape (days,).
        names: of the models.
        horizon: days ahead.
    """
    days = chances.shape[1]
    inputs = np.vstack([np.ones(days), np.log(chances / (1.0 - chances))]).T
    usable = np.isfinite(inputs).all(axis=1)
    result = np.full(days, np.nan)
    if not usable.any():
        return result
    first = int(np.argmax(usable))
    following = np.array([0.0, *(name in FOLLOWING for name in names)])
    prior = following / following.sum()
    for begin, end in pairwise([*refit_days(first, days), days]):
        past = slice(max(0, begin + 1 - horizon - WINDOW), begin + 1 - horizon)
        known = usable[past] & np.isfinite(outcomes[past])
        weights = _weights(
            inputs[past][known], outcomes[past][known], prior, 1.0 / horizon
        )
        # Not a matrix product: its last digits depend on the number of rows.
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


def proven(chances: Array, outcomes: Array, horizon: int, origin: int) -> bool:
    """Whether the probabilities known by an origin beat the base rate (Brier score)."""
    past = slice(max(0, origin + 1 - horizon - WINDOW), max(0, origin + 1 - horizon))
    base = base_rates(outcomes, horizon)[past]
    came = outcomes[past]
    advantage = (base - came) ** 2 - (chances[past] - came) ** 2
    return beats(advantage, horizon, fewest=_FEWEST_WEEKS * horizon)


def rings(
    chances: Array, outcomes: Array, horizon: int, origin: int
) -> tuple[bool, bool]:
    """Whether an alarm is raised at an origin, and whether its record is proven.

    With a proven record it is raised as soon as a high day is more likely than not.
    Without one, the probability must also be among the highest tenth of the last
    year's: the level is passed in most weeks of mere noise, and nobody listens to an
    alarm that always rings.
    """
    skill = proven(chances, outcomes, horizon, origin)
    past = chances[max(0, origin - _YEAR) : origin]
    bar = 0.5 if skill else _unproven_bar(past)
    return bool(chances[origin] >= bar), skill


def _unproven_bar(past: Array) -> float:
    past = past[np.isfinite(past)]
    if past.size < _FEWEST:
        return _YOUNG_BAR
    return max(0.5, float(np.quantile(past, 0.9)))


def _level(recent: Array) -> float:
    spread = float(recent.std(ddof=1))
    if spread <= _TOLERANCE * float(np.abs(recent).max()):
        return float(recent.max())
    return float(recent.mean()) + spread


def _whole_paths(errors: Array) -> Array:
    """Errors by origin: row t holds those of what was said at the end of day t."""
    paths = np.full(errors.shape, np.nan)
    for ahead in range(1, errors.shape[1] + 1):
        paths[:-ahead, ahead - 1] = errors[ahead:, ahead - 1]
    return paths


def _weights(inputs: Array, outcomes: Array, prior: Array, each: float) -> Array:
    """Penalised logistic regression by Newton's method, shape (1 + models,)."""
    precision = np.full(prior.size, _PRIOR_PRECISION)
    precision[0] = 1.0

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
            step = step / 2  # too far: the loss is flat where the models boast
        if np.abs(step).max() <= _TOLERANCE:
            break
        weights = weights + step
    return weights


def _logistic(log_odds: Array) -> Array:
    chance: Array = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    return chance
