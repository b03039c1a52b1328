"""One series to all that is published of its future."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from pipeline.forecast import combination
from pipeline.forecast.alarms import Odds, base_rates, judged, odds, verdicts
from pipeline.forecast.backtest import (
    SHARE,
    Choice,
    Track,
    choose,
    coverage,
    known_days,
    losses,
    mase,
    mean_change,
    several_bands,
    skilled,
    track,
)
from pipeline.forecast.beside import beside
from pipeline.forecast.bootstrap import SURE, Judged
from pipeline.forecast.kept import Kept
from pipeline.forecast.periods import Span, spans
from pipeline.forecast.rise import WEEK, rise_odds, rises
from pipeline.forecast.series import Array, Series

WIDE_SHARE = 0.95
"""Of the days within the wide intervals."""

PUBLISHED = "published"
"""The track record's row of what was published, whichever model it came from."""


Kind = Literal["level", "rise"]
"""Of high prevalence: days above a level, or a steep climb."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What was expected of one day at the end of another; intervals of 80 and 95 %."""

    scope: str
    task: str
    label: str
    origin: date
    target: date
    mean: float
    lower: float
    upper: float
    lower_95: float
    upper_95: float
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


class Judgement(NamedTuple):
    """What is published of a series, and what it can be trusted by.

    Args:
        found: what is published.
        models: what every model said beside what came; the published forecast first.
        judged_days: days of known errors, up to the last origin whose days have all
            come, from which skill is told.
        judged_alarms: origins whose outcome was known by then, of the alarm's proof.
    """

    found: Forecasts
    models: list[Judged]
    judged_days: int
    judged_alarms: int


class _Said(NamedTuple):
    """What one model said: paths and intervals (days, horizon), chances (days,).

    `verdicts` of the alarm: raised, proven, shape (days, 2).
    """

    name: str
    path: Array
    lower: Array
    upper: Array
    chances: Array
    verdicts: Array


@dataclass(frozen=True, eq=False)
class _Told:
    """Everything said of one series at the origins to publish.

    `verdicts` are of each model's alarm, and of the published ones by kind.
    """

    series: Series
    track: Track
    odds: Odds
    rise: Odds
    origins: range
    choices: list[Choice]
    losses: Array
    lower: Array
    upper: Array
    lower_95: Array
    upper_95: Array
    verdicts: dict[str, Array]


def forecast_series(
    series: Series,
    *,
    horizon: int,
    backtest_days: int,
) -> Forecasts:
    """Forecasts, alarms, track record and periods of one series.

    What is said of an origin depends on the days up to it alone, so it stays the same
    when the series grows.

    Args:
        series: daily counts or values, gaps NaN.
        horizon: days ahead.
        backtest_days: origins before the last day.

    Raises:
        InputError: the series is too short.
    """
    found, _ = resume_series(
        series,
        None,
        horizon=horizon,
        backtest_days=backtest_days,
    )
    return found


def resume_series(
    series: Series,
    kept: Kept | None,
    *,
    horizon: int,
    backtest_days: int,
    related: Sequence[Series] = (),
) -> tuple[Forecasts, Kept]:
    """What `forecast_series` says, without saying again what was said before.

    Args:
        series: as for `forecast_series`.
        kept: from an earlier time; what the series no longer agree with is not used.
        related: other labels of the same scope, always in the same order.
        horizon: days ahead.
        backtest_days: origins before the last day.

    Returns:
        The same as `forecast_series`, and what to keep for the next time.

    Raises:
        InputError: the series is too short.
    """
    others = beside(series, related).labels
    seen = np.vstack([series.messages, series.marked, others])
    before = {} if kept is None else kept.holding(series.start, horizon, seen)
    told = _tell(series, horizon, backtest_days, float, before, related=related)
    return _found(told), Kept(series.start, horizon, seen, _to_keep(told))


def judge_series(
    series: Series,
    *,
    horizon: int,
    backtest_days: int,
    progress: Callable[[float], object] = float,
    also: Sequence[str] = (),
) -> Judgement:
    """What `forecast_series` says, and what every model said beside what came.

    Args:
        series: as for `forecast_series`.
        horizon: days ahead.
        backtest_days: origins before the last day.
        progress: told what further share of the work is done.
        also: extra models asked for by name.

    Raises:
        InputError: the series is too short, or an extra model is not there.
    """
    told = _tell(series, horizon, backtest_days, progress, {}, also=also)
    naive = [False, *told.track.naive]
    said = [_published(told), *_by_model(told)]
    last = told.origins[-1] - horizon
    return Judgement(
        found=_found(told),
        models=[_judged(told, *each) for each in zip(said, naive, strict=True)],
        judged_days=known_days(told.track, told.losses, last),
        judged_alarms=judged((told.odds.blended, told.odds.outcomes), horizon, last),
    )


def _found(told: _Told) -> Forecasts:
    return Forecasts(
        forecasts=[
            row
            for origin, choice in zip(told.origins, told.choices, strict=True)
            for row in _forecasts(told, origin, choice)
        ],
        alarms=_alarms(told),
        backtests=_backtests(told),
        periods=_periods(told.series),
    )


def _kept(before: Mapping[str, Array], kind: str) -> dict[str, Array]:
    """Rows of a kind, such as `path`, by the rest of their names."""
    parts = [(name.split("/", 1), rows) for name, rows in before.items()]
    return {name: rows for (of, name), rows in parts if of == kind}


def _to_keep(told: _Told) -> dict[str, Array]:
    """The rows that took time; the others are made anew as quickly."""
    models = zip(told.track.names, told.track.naive, told.track.paths, strict=True)
    chances = zip(told.track.names, told.odds.by_model, strict=True)
    return {
        **{
            f"path/{name}": path
            for name, naive, path in models
            if not naive and name != combination.NAME
        },
        **{f"chance/{name}": said for name, said in chances},
        **{f"verdict/{name}": said for name, said in told.verdicts.items()},
        "rise/bound": told.rise.levels,
        "rise/chance": told.rise.by_model[0],
    }


def _tell(  # noqa: PLR0913 - a series, what is asked of it, and who is told
    series: Series,
    horizon: int,
    backtest_days: int,
    progress: Callable[[float], object],
    before: Mapping[str, Array],
    *,
    related: Sequence[Series] = (),
    also: Sequence[str] = (),
) -> _Told:
    paths = _kept(before, "path")
    said = track(series, horizon, progress, paths, related=related, also=also)
    last = said.values.size - 1
    origins = range(max(said.first, last - backtest_days), last + 1)
    loss = losses(said)
    lower, upper = several_bands(said, [SHARE, WIDE_SHARE])
    level = odds(said, _kept(before, "chance"))
    rise = rise_odds(said, before.get("rise/bound"), before.get("rise/chance"))
    return _Told(
        series=series,
        track=said,
        odds=level,
        rise=rise,
        origins=origins,
        choices=[choose(said, loss, origin) for origin in origins],
        losses=loss,
        lower=lower[0],
        upper=upper[0],
        # Each adapts by itself: the wide one may come out the narrower for a day.
        lower_95=lower.min(axis=0),
        upper_95=upper.max(axis=0),
        verdicts=_verdicts(said, level, rise, origins, _kept(before, "verdict")),
    )


def _verdicts(
    said: Track,
    level: Odds,
    rise: Odds,
    origins: Sequence[int],
    before: Mapping[str, Array],
) -> dict[str, Array]:
    models = zip(said.names, level.by_model, strict=True)
    asked = {
        **{name: (chances, level.outcomes, said.horizon) for name, chances in models},
        "level": (level.blended, level.outcomes, said.horizon),
        "rise": (rise.blended, rise.outcomes, min(said.horizon, WEEK)),
    }
    return {
        name: verdicts((chances, came), horizon, origins, before.get(name))
        for name, (chances, came, horizon) in asked.items()
    }


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
            lower_95=float(told.lower_95[at][ahead]),
            upper_95=float(told.upper_95[at][ahead]),
            model=told.track.names[choice.model],
            skill=choice.skill,
        )
        for ahead in range(told.track.horizon)
    ]


def _alarms(told: _Told) -> list[Alarm]:
    asked: list[tuple[Kind, Odds]] = [("level", told.odds), ("rise", told.rise)]
    return [
        _alarm(told, kind, said, origin)
        for kind, said in asked
        for origin in told.origins
        if np.isfinite(said.levels[origin])
    ]


def _alarm(told: _Told, kind: Kind, said: Odds, origin: int) -> Alarm:
    series = told.series
    alarm, skill = told.verdicts[kind][origin]
    return Alarm(
        scope=series.scope,
        task=series.task,
        label=series.label,
        origin=series.day(origin),
        kind=kind,
        threshold=float(said.levels[origin]),
        probability=float(said.blended[origin]),
        alarm=bool(alarm),
        skill=bool(skill),
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
    said = zip(*parts, told.odds.by_model, strict=True)
    return [_Said(*one, told.verdicts[one[0]]) for one in said]


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
        verdicts=told.verdicts["level"],
    )


def _record(told: _Told, said: _Said, *, chosen: bool, skill: bool) -> Backtest:
    """The record over the origins whose targets all lie within the series."""
    series, track, complete = told.series, told.track, _complete(told)
    precision, recall = _hits(told, said.verdicts, complete)
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


def _complete(told: _Told) -> range:
    """The origins whose targets all lie within the series."""
    return told.origins[: max(0, len(told.origins) - told.track.horizon)]


def _judged(told: _Told, said: _Said, naive: bool) -> Judged:  # noqa: FBT001
    at, odds, values = (
        np.array(_complete(told), dtype=int),
        told.odds,
        told.track.values,
    )
    ahead = at[:, np.newaxis] + np.arange(1, told.track.horizon + 1)
    level = odds.levels[at]
    high = values[ahead] > level[:, np.newaxis]
    fresh = high.any(axis=1) & ~(values[at] > level)
    return Judged(
        model=said.name,
        naive=naive,
        truth=values[ahead],
        path=said.path[at],
        lower=said.lower[at],
        upper=said.upper[at],
        change=mean_change(values)[at],
        chance=said.chances[at],
        rang=(said.verdicts[at] == 1.0).all(axis=1) + 0.0,
        came=odds.outcomes[at],
        base=base_rates(odds.outcomes, told.track.horizon)[at],
        lead=np.where(fresh, high.argmax(axis=1) + 1.0, np.nan),
    )


def _hits(
    told: _Told, verdicts: Array, origins: Sequence[int]
) -> tuple[float | None, float | None]:
    """Precision and recall of the alarms to send; None where none rang, or was due."""
    came = told.odds.outcomes
    known = [origin for origin in origins if np.isfinite(came[origin])]
    rang = [bool(verdicts[origin].all()) for origin in known]
    due = [bool(came[origin] == 1.0) for origin in known]
    hits = sum(a and b for a, b in zip(rang, due, strict=True))
    precision = hits / sum(rang) if any(rang) else None
    return precision, hits / sum(due) if any(due) else None


def _brier_skill(told: _Told, chances: Array, origins: Sequence[int]) -> float | None:
    """1 is perfect, 0 no better than the base rate of the year before each origin.

    None where nothing is known, and where the base rate was never wrong.
    """
    came = told.odds.outcomes[origins]
    base = base_rates(told.odds.outcomes, told.track.horizon)[origins]
    known = np.isfinite(came)
    if not known.any():
        return None
    came = came[known]
    loss = np.square(chances[origins][known] - came).mean()
    naive = np.square(base[known] - came).mean()
    return None if naive < SURE else float(1.0 - loss / naive)


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
