"""Each model by its own definition."""

import numpy as np
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from pipeline.forecast import models
from pipeline.forecast.models import (
    Drift,
    Ets,
    LastDay,
    LastWeek,
    Mean,
    Median,
    WeekMean,
)
from pipeline.forecast.scale import Arcsine, Linear
from pipeline.forecast.series import Array

FORTNIGHT = np.arange(14.0)


def forecast(model: models.Model, history: Array, horizon: int = 3) -> list[float]:
    model.fit(history)
    return list(model.forecast(horizon).tolist())


def series(days: int, *, seasonal: bool) -> Array:
    noise = np.random.default_rng(3).normal(size=days)
    week = np.sin(np.arange(days) * 2 * np.pi / 7) if seasonal else 0.0
    return np.cumsum(0.3 * noise) + week


def test_last_day_repeats_the_last_known_day() -> None:
    assert forecast(LastDay(), np.array([1.0, 2.0, np.nan])) == [2.0, 2.0, 2.0]


def test_last_week_repeats_each_day_of_the_week() -> None:
    assert forecast(LastWeek(), FORTNIGHT, 9) == [7, 8, 9, 10, 11, 12, 13, 7, 8]


def test_last_week_looks_further_back_over_an_unknown_day() -> None:
    history = FORTNIGHT.copy()
    history[8] = np.nan
    assert forecast(LastWeek(), history) == [7, 1, 9]


def test_last_week_takes_the_last_day_for_a_weekday_never_seen() -> None:
    assert forecast(LastWeek(), np.array([1.0, 2.0])) == [2, 2, 2]


def test_the_week_mean_is_of_the_last_seven_known_days() -> None:
    history = np.append(FORTNIGHT, np.nan)
    assert forecast(WeekMean(), history) == [10, 10, 10]


def test_the_mean_is_of_all_known_days() -> None:
    assert forecast(Mean(), np.append(FORTNIGHT, np.nan)) == [6.5, 6.5, 6.5]


def test_the_median_is_of_all_known_days() -> None:
    assert forecast(Median(), np.array([9.0, 1, np.nan, 1e6, 2, np.nan])) == [5.5] * 3
    assert forecast(Median(), np.array([9.0, 1, np.nan, 1e6])) == [9.0] * 3


def test_drift_continues_the_line_from_the_first_day_through_the_last() -> None:
    assert forecast(Drift(), np.array([np.nan, 1, 5, 3])) == [4, 5, 6]


def test_drift_goes_on_over_a_gap_at_the_end() -> None:
    assert forecast(Drift(), np.array([1, 2, np.nan])) == [4, 5, 6]


def test_drift_from_one_day_is_flat() -> None:
    assert forecast(Drift(), np.array([1.0])) == [1, 1, 1]


@pytest.mark.parametrize("trend", [False, True])
@pytest.mark.parametrize("seasonal", [False, True])
def test_smoothing_continues_as_statsmodels_would(
    *, trend: bool, seasonal: bool
) -> None:
    values = series(90, seasonal=seasonal)
    shape = {
        "trend": "add" if trend else None,
        "damped_trend": trend,
        "seasonal": "add" if seasonal else None,
        "seasonal_periods": 7 if seasonal else None,
        "initialization_method": "heuristic",
    }
    parameters = ETSModel(values[:60], **shape).fit(disp=False).params
    ours = models._fit_shape(values[:60], trend=trend, seasonal=seasonal)
    for value in values[60:]:
        ours.update(value)
    theirs = ETSModel(values, **shape).smooth(parameters).forecast(10)
    np.testing.assert_allclose(ours.forecast(10), theirs, rtol=1e-9)


def test_ets_finds_a_weekly_pattern() -> None:
    week = np.array([1.0, 2, 3, 4, 3, 2, 1])
    noise = 0.05 * np.random.default_rng(0).normal(size=70)
    path = forecast(Ets(Linear(1.0)), np.tile(week, 10) + noise, 7)
    np.testing.assert_allclose(path, week, atol=0.2)


def test_ets_on_shares_stays_a_share() -> None:
    path = forecast(Ets(Arcsine()), np.linspace(0.5, 1.0, 40), 28)
    assert max(path) <= 1.0


def test_ets_smooths_plainly_where_no_shape_can_be_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unfit = models._Smoothing(level=np.nan, criterion=np.nan)
    monkeypatch.setattr(models, "_fit_shape", lambda *_, **__: unfit)
    path = forecast(Ets(Linear(1.0)), np.append(np.zeros(20), np.ones(40)))
    np.testing.assert_allclose(path, 1.0, atol=0.01)
