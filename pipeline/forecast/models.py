"""The forecasting models, one small class each.

A model is given the days up to an origin and nothing else, so it cannot look ahead.
The card of each is in docs/forecast.md.
"""

import math
import warnings
from bisect import insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from pipeline.errors import InputError
from pipeline.forecast.arima import Arima
from pipeline.forecast.beside import Beside
from pipeline.forecast.counts import Counts
from pipeline.forecast.even import SEASONAL_FROM, WEEK, evened
from pipeline.forecast.gru import Gru
from pipeline.forecast.pooled import PooledRidge
from pipeline.forecast.prophet import Prophet
from pipeline.forecast.ridge import Ridge
from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array
from pipeline.forecast.theta import Theta
from pipeline.forecast.var import Var

MEMORY = 730
"""Days that a fit looks back on: older ones speak of another time."""

_FEWEST = 10
"""Days that statsmodels needs for a start; after years of silence there are fewer."""


class Model(Protocol):
    """What forecasts a series one day at a time; NaN is a day unknown.

    `fit` may be slow and is called now and then; `update` and `forecast` are cheap
    and called daily. A fitted model that is updated with a day must know no less than
    one that was fitted with that day, parameters aside.
    """

    @property
    def name(self) -> str:
        """What the model is called where it is published."""
        ...

    @property
    def naive(self) -> bool:
        """Whether it is one of the methods that others must beat."""
        ...

    def fit(self, history: Array) -> None:
        """Learn from all days so far, shape (days,), at least one of them known."""
        ...

    def update(self, value: float) -> None:
        """Take in the next day, without learning parameters anew."""
        ...

    def forecast(self, horizon: int) -> Array:
        """The expected values of the next days, shape (horizon,)."""
        ...


class _Naive:
    """A method without parameters: to fit it is to take in every day."""

    naive = True

    def fit(self, history: Array) -> None:
        self.forget()
        for value in history.tolist():
            self.update(value)

    def forget(self) -> None:
        raise NotImplementedError

    def update(self, value: float) -> None:
        raise NotImplementedError


class LastDay(_Naive):
    """Every day to come is like the last known one: a random walk."""

    name = "last day"

    def forget(self) -> None:
        """Start anew."""
        self._last = math.nan

    def update(self, value: float) -> None:
        """Take in the next day."""
        if not math.isnan(value):
            self._last = value

    def forecast(self, horizon: int) -> Array:
        """The last known value, over and over."""
        return np.full(horizon, self._last)


class LastWeek(_Naive):
    """Every day to come is like the same day of the last week: the seasonal naive."""

    name = "last week"

    def forget(self) -> None:
        """Start anew."""
        self._last = LastDay()
        self._last.forget()
        self._week = deque([math.nan] * WEEK, maxlen=WEEK)

    def update(self, value: float) -> None:
        """Take in the next day; an unknown one stays as it was a week before."""
        self._last.update(value)
        self._week.append(self._week[0] if math.isnan(value) else value)

    def forecast(self, horizon: int) -> Array:
        """The last known week, over and over; the last day where there is none."""
        week = np.resize(np.array(self._week), horizon)
        return np.where(np.isnan(week), self._last.forecast(horizon), week)


class WeekMean(_Naive):
    """Every day to come is like the mean of the last seven known days."""

    name = "7-day mean"

    def forget(self) -> None:
        """Start anew."""
        self._week: deque[float] = deque(maxlen=WEEK)

    def update(self, value: float) -> None:
        """Take in the next day."""
        if not math.isnan(value):
            self._week.append(value)

    def forecast(self, horizon: int) -> Array:
        """The mean, over and over."""
        return np.full(horizon, math.fsum(self._week) / len(self._week))


class Mean(_Naive):
    """Every day to come is like the mean of all days: white noise around a level."""

    name = "mean"

    def forget(self) -> None:
        """Start anew."""
        self._sum, self._known = 0.0, 0

    def update(self, value: float) -> None:
        """Take in the next day."""
        if not math.isnan(value):
            self._sum += value
            self._known += 1

    def forecast(self, horizon: int) -> Array:
        """The mean, over and over."""
        return np.full(horizon, self._sum / self._known)


class Median(_Naive):
    """Every day to come is like the median of all days: skewed noise around a level.

    Where days are skewed, no mean has as small an absolute error: without this rival
    any median of independent days would pass for skill.
    """

    name = "median"

    def forget(self) -> None:
        """Start anew."""
        self._ordered: list[float] = []

    def update(self, value: float) -> None:
        """Take in the next day."""
        if not math.isnan(value):
            insort(self._ordered, value)

    def forecast(self, horizon: int) -> Array:
        """The median, over and over."""
        days = self._ordered
        half = len(days) // 2
        return np.full(horizon, (days[half] + days[~half]) / 2)


class Drift(_Naive):
    """The line from the first known day through the last one goes on."""

    name = "drift"

    def forget(self) -> None:
        """Start anew."""
        self._day = 0
        self._first: tuple[int, float] | None = None
        self._last = (0, math.nan)

    def update(self, value: float) -> None:
        """Take in the next day."""
        self._day += 1
        if not math.isnan(value):
            self._last = (self._day, value)
            self._first = self._first or self._last

    def forecast(self, horizon: int) -> Array:
        """The line, continued from the last known day."""
        assert self._first is not None, "fit needs one known day"
        (began, first), (ended, last) = self._first, self._last
        slope = (last - first) / (ended - began) if ended > began else 0.0
        ahead = np.arange(1, horizon + 1) + (self._day - ended)
        return np.asarray(last + slope * ahead, dtype=np.float64)


@dataclass
class _Smoothing:
    """Exponential smoothing with additive errors: its parameters and its state."""

    level: float
    alpha: float = 0.2
    beta: float = 0.0
    gamma: float = 0.0
    damping: float = 0.0
    trend: float = 0.0
    week: deque[float] = field(default_factory=lambda: deque([0.0] * WEEK, WEEK))
    criterion: float = math.inf

    def update(self, value: float) -> None:
        """One step of the recursion; over an unknown day it moves without an error."""
        before = self.level + self.damping * self.trend
        season = self.week[0]
        error = 0.0 if math.isnan(value) else value - before - season
        self.level = before + self.alpha * error
        self.trend = self.damping * self.trend + self.beta * error
        self.week.append(season + self.gamma * error)

    def forecast(self, horizon: int) -> Array:
        """The expected path from the present state."""
        growth = np.cumsum(np.power(self.damping, np.arange(1, horizon + 1)))
        week: Array = np.resize(np.array(self.week), horizon)
        return week + (self.level + self.trend * growth)


class Ets:
    """Exponential smoothing: level, damped trend or none, weekly pattern or none.

    At each fit the shape is chosen by AICc among four with additive errors, on the
    series' own scale. Source: Hyndman et al., "Forecasting with Exponential
    Smoothing" (2008), ch. 2.5 and 5; statsmodels estimates it.
    """

    name = "ETS"
    naive = False

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._state = _Smoothing(level=0.0)
        self._centre, self._unit = 0.0, 1.0

    def fit(self, history: Array) -> None:
        """Choose shape and parameters on the last `MEMORY` days up to a known one."""
        even = evened(self._scale.forward(history), MEMORY)
        self._centre, self._unit = even.centre, even.unit
        self._state = _estimated(even.values)
        for _ in range(even.silent):
            self._state.update(math.nan)

    def update(self, value: float) -> None:
        """Move the state on by one day, with the parameters of the last fit."""
        scaled = float(self._scale.forward(np.array(value)))
        self._state.update((scaled - self._centre) / self._unit)

    def forecast(self, horizon: int) -> Array:
        """The expected path, back from the scale (so a median rather than a mean)."""
        path = self._state.forecast(horizon)
        return self._scale.back(self._centre + self._unit * path)


NOTHING: Final = Beside()

EXTRAS: Final[Mapping[str, Callable[[Scale], Model]]] = {"gru": Gru, "prophet": Prophet}
"""Models that only those have who install and ask for them, by their extra's name."""


def all_models(
    scale: Scale, beside: Beside = NOTHING, also: Sequence[str] = ()
) -> Sequence[Model]:
    """Every model that competes for a series on `scale`.

    Args:
        scale: the series' own.
        beside: what else is known of its days; what a model would need and is not
            there leaves the model out.
        also: names among `EXTRAS`.

    Raises:
        InputError: no model has that name, or its package is not installed.
    """
    naive = (LastDay(), LastWeek(), WeekMean(), Mean(), Median(), Drift())
    smooth = (Ets(scale), Theta(scale), Arima(scale))
    alone = (*smooth, Ridge(scale), PooledRidge(scale))
    counts = (Counts(beside),) if beside.messages.size else ()
    related = (Var(scale, beside),) if beside.labels.size else ()
    return (*naive, *alone, *counts, *related, *(extra(name)(scale) for name in also))


def extra(name: str) -> Callable[[Scale], Model]:
    """A model among `EXTRAS`.

    Raises:
        InputError: no model has that name.
    """
    if name not in EXTRAS:
        raise InputError(
            f"no extra model is called {name}: ask for {' or '.join(EXTRAS)}"
        )
    return EXTRAS[name]


def _estimated(values: Array) -> _Smoothing:
    """The best of the shapes by AICc, or plain smoothing where none can be fitted."""
    plain = _Smoothing(level=float(values[0]))
    for value in values.tolist():
        plain.update(value)
    if values.size < _FEWEST or not values.any():
        return plain
    seasons = (False, True) if values.size >= SEASONAL_FROM else (False,)
    fits = [
        _fit_shape(values, trend=trend, seasonal=seasonal)
        for seasonal in seasons
        for trend in (False, True)
    ]
    sound = [fit for fit in fits if math.isfinite(fit.criterion)]
    return min([*sound, plain], key=lambda fit: fit.criterion)


def _fit_shape(values: Array, *, trend: bool, seasonal: bool) -> _Smoothing:
    model = ETSModel(
        values,
        trend="add" if trend else None,
        damped_trend=trend,
        seasonal="add" if seasonal else None,
        seasonal_periods=WEEK if seasonal else None,
        initialization_method="heuristic",
    )
    with warnings.catch_warnings():
        # A search that ends early still leaves parameters, and AICc judges them.
        warnings.simplefilter("ignore")
        fitted = model.fit(disp=False)
    named = dict(zip(model.param_names, fitted.params, strict=True))
    states = np.asarray(fitted.states).reshape(values.size, -1)
    season = states[-WEEK:, -1].tolist() if seasonal else [0.0] * WEEK
    return _Smoothing(
        level=float(states[-1, 0]),
        alpha=float(named["smoothing_level"]),
        beta=float(named.get("smoothing_trend", 0.0)),
        gamma=float(named.get("smoothing_seasonal", 0.0)),
        damping=float(named.get("damping_trend", 0.0)),
        trend=float(states[-1, 1]) if trend else 0.0,
        week=deque(season, WEEK),
        criterion=float(fitted.aicc),
    )
