"""One series to all that is published of its future."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from pipeline.forecast.alarms import Odds, base_rates, odds, rings
from pipeline.forecast.backtest import (
    Choice,
    Track,
    bands,
    choose,
    coverage,
    losses,
    mase,
    skilled,
    track,
)
from pipeline.forecast.periods import Span, spans
from pipeline.forecast.rise import WEEK, rise_odds, rises
from pipeline.forecast.series import Array, Series

PUBLISHED = "published"
"""The track record's row of what was published, whichever model it came from."""


Kind = Literal["level", "rise"]
"""Of high prevalence: days above a level, or a steep climb."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What was expected of one day at the end of another; interval of 80 %."""

    scope: str
    task: str
    label: str
    origin: date
    target: date
    mean: float
    lower: float
    upper: float
    model: str
    skill: bool


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """How likely high prevalence was to come within the horizon."""

    scope: str
    task: str
    label: str
    origin: date
    kind: Kind
    threshold: float
    probability: float
    alarm: bool
    skill: bool


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A period of high prevalence, found in retrospect."""

    scope: str
    task: str
    label: str
    kind: Kind
    started: date
    peaked: date
    ended: date | None
    peak_prevalence: float


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """One model's track record on one series; None where nothing can be said."""

    scope: str
    task: str
    label: str
    model: str
    origins: int
    mase: float | None
    coverage: float | None
    alarm_precision: float | None
    alarm_recall: float | None
    brier_skill: float | None
    chosen: bool
    skill: bool


@dataclass(frozen=True)
class Forecasts:
    """All that is published of one series, each list in order of time."""

    forecasts: list[Forecast]
    alarms: list[Alarm]
    backtests: list[Backtest]
    periods: list[Period]


class _Said(NamedTuple):
    """What one model said: paths and intervals (days, horizon), chances (days,)."""

    name: str
    path: Array
    lower: Array
    upper: Array
    chances: Array


@dataclass(frozen=True, eq=False)
class _Told:
    """Everything said of one series at the origins to publish."""

    series: Series
    track: Track
    odds: Odds
    rise: Odds
    origins: range
    choices: list[Choice]
    losses: Array
    lower: Array
    upper: Array


def forecast_series(
    series: Series,
    *,
    horizon: int,
    backtest_days: int,
    progress: Callable[[float], object] = float,
) -> Forecasts:
    """Forecasts, alarms, track record and periods of one series.

    What is said of an origin depends on the days up to it alone, so it stays the same
    when the series grows.

    Args:
        series: daily counts or values, gaps NaN.
        horizon: days ahead.
        backtest_days: origins before the last day.
        progress: told what further share of the work is done.

    Raises:
        InputError: the series is too short.
    """
    told = _tell(series, horizon, backtest_days, progress)
    return Forecasts(
        forecasts=[
            row
            for origin, choice in zip(told.origins, told.choices, strict=True)
            for row in _forecasts(told, origin, choice)
        ],
        alarms=_alarms(told),
        backtests=_backtests(told),
        periods=_periods(series),
    )


def _tell(
    series: Series,
    horizon: int,
    backtest_days: int,
    progress: Callable[[float], object],
) -> _Told:
    said = track(series, horizon, progress)
    last = said.values.size - 1
    origins = range(max(said.first, last - backtest_days), last + 1)
    loss = losses(said)
    lower, upper = bands(said)
    return _Told(
        series=series,
        track=said,
        odds=odds(said),
        rise=rise_odds(said),
        origins=origins,
        choices=[choose(said, loss, origin) for origin in origins],
        losses=loss,
        lower=lower,
        upper=upper,
    )


def _forecasts(told: _Told, origin: int, choice: Choice) -> list[Forecast]:
    series, at = told.series, (choice.model, origin)
    return [
        Forecast(
            scope=series.scope,
            task=series.task,
            label=series.label,
            origin=series.day(origin),
            target=series.day(origin + ahead + 1),
            mean=float(told.track.paths[at][ahead]),
            lower=float(told.lower[at][ahead]),
            upper=float(told.upper[at][ahead]),
            model=told.track.names[choice.model],
            skill=choice.skill,
        )
        for ahead in range(told.track.horizon)
    ]


def _alarms(told: _Told) -> list[Alarm]:
    reach = min(told.track.horizon, WEEK)
    asked: list[tuple[Kind, Odds, int]] = [
        ("level", told.odds, told.track.horizon),
        ("rise", told.rise, reach),
    ]
    return [
        _alarm(told.series, kind, said, horizon, origin)
        for kind, said, horizon in asked
        for origin in told.origins
        if np.isfinite(said.levels[origin])
    ]


def _alarm(series: Series, kind: Kind, said: Odds, horizon: int, origin: int) -> Alarm:
    alarm, skill = rings(said.blended, said.outcomes, horizon, origin)
    return Alarm(
        scope=series.scope,
        task=series.task,
        label=series.label,
        origin=series.day(origin),
        kind=kind,
        threshold=float(said.levels[origin]),
        probability=float(said.blended[origin]),
        alarm=alarm,
        skill=skill,
    )


def _backtests(told: _Told) -> list[Backtest]:
    chosen = told.choices[-1]
    skills = skilled(told.track, told.losses, told.origins[-1])
    record = [
        _record(told, said, chosen=model == chosen.model, skill=skills[model])
        for model, said in enumerate(_by_model(told))
    ]
    published = _record(told, _published(told), chosen=False, skill=chosen.skill)
    return [published, *record]


def _by_model(told: _Told) -> list[_Said]:
    parts = (told.track.names, told.track.paths, told.lower, told.upper)
    return [_Said(*said) for said in zip(*parts, told.odds.by_model, strict=True)]


def _published(told: _Told) -> _Said:
    """What was said by the model chosen at each origin."""
    at = ([choice.model for choice in told.choices], list(told.origins))

    def chosen(said: Array) -> Array:
        rows = np.full(said.shape[1:], np.nan)
        rows[at[1]] = said[at]
        return rows

    return _Said(
        name=PUBLISHED,
        path=chosen(told.track.paths),
        lower=chosen(told.lower),
        upper=chosen(told.upper),
        chances=told.odds.blended,
    )


def _record(told: _Told, said: _Said, *, chosen: bool, skill: bool) -> Backtest:
    """The record over the origins whose targets all lie within the series."""
    series, track = told.series, told.track
    complete = told.origins[: max(0, len(told.origins) - track.horizon)]
    precision, recall = _hits(told, said.chances, complete)
    return Backtest(
        scope=series.scope,
        task=series.task,
        label=series.label,
        model=said.name,
        origins=len(complete),
        mase=mase(track, said.path, complete),
        coverage=coverage(track, said.lower, said.upper, complete),
        alarm_precision=precision,
        alarm_recall=recall,
        brier_skill=_brier_skill(told, said.chances, complete),
        chosen=chosen,
        skill=skill,
    )


def _hits(
    told: _Told, chances: Array, origins: Sequence[int]
) -> tuple[float | None, float | None]:
    """Precision and recall of the alarms to send; None where none rang, or was due."""
    came, horizon = told.odds.outcomes, told.track.horizon
    known = [origin for origin in origins if np.isfinite(came[origin])]
    rang = [all(rings(chances, came, horizon, origin)) for origin in known]
    due = [came[origin] == 1.0 for origin in known]
    hits = sum(a and b for a, b in zip(rang, due, strict=True))
    precision = hits / sum(rang) if any(rang) else None
    return precision, hits / sum(due) if any(due) else None


def _brier_skill(told: _Told, chances: Array, origins: Sequence[int]) -> float | None:
    """1 is perfect, 0 no better than the base rate of the year before each origin."""
    came = told.odds.outcomes[origins]
    base = base_rates(told.odds.outcomes, told.track.horizon)[origins]
    known = np.isfinite(came)
    if not known.any():
        return None
    came = came[known]
    loss = np.square(chances[origins][known] - came).mean()
    return float(1.0 - loss / np.square(base[known] - came).mean())


def _periods(series: Series) -> list[Period]:
    values = series.values
    found: list[tuple[Kind, list[Span]]] = [
        ("level", spans(values)),
        ("rise", rises(values)),
    ]
    return [
        Period(
            scope=series.scope,
            task=series.task,
            label=series.label,
            kind=kind,
            started=series.day(span.started),
            peaked=series.day(span.peaked),
            ended=None if span.ended is None else series.day(span.ended),
            peak_prevalence=float(values[span.peaked]),
        )
        for kind, several in found
        for span in several
    ]
