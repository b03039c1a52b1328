"""One series to all that is published of it."""

import re
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.forecast import run
from pipeline.forecast.run import Forecasts, forecast_series
from pipeline.forecast.series import Array, Series

START = date(2024, 1, 1)
NAIVE = ("last day", "last week", "7-day mean", "mean", "median", "drift")
DAYS, RAMP, PEAK = 120, 90, 100
PUBLISHED_SQL = Path(run.__file__).parents[1] / "warehouse" / "published.sql"


def frustration(seed: int, *, crisis: bool) -> Series:
    """About 165 messages a day, 4 % of them marked, and perhaps a crisis.

    It ramps up over ten days to 25 %, and takes ten to decline.
    """
    random = np.random.default_rng(seed)
    messages = random.poisson(165, DAYS)
    knots = [0, RAMP, PEAK, PEAK + 10, DAYS]
    shares = [0.04, 0.04, 0.25 if crisis else 0.04, 0.04, 0.04]
    marked = random.binomial(messages, np.interp(np.arange(DAYS), knots, shares))
    name = ("all", "basic-emotion", "frustration")
    return Series(*name, START, messages.astype(float), marked.astype(float))


def measured(values: Array) -> Series:
    return Series("all", "", "x", START, np.ones(values.size), values, False)


def found(series: Series) -> Forecasts:
    return forecast_series(series, horizon=7, backtest_days=60)


def day(index: int) -> date:
    return START + timedelta(days=index)


@pytest.fixture(scope="module")
def calm() -> Forecasts:
    return found(frustration(0, crisis=False))


@pytest.mark.parametrize("seed", range(6))
def test_a_crisis_is_a_period_and_was_warned_of_before_its_peak(seed: int) -> None:
    told = found(frustration(seed, crisis=True))
    periods = [period for period in told.periods if period.kind == "level"]
    crisis = max(periods, key=lambda period: period.peak_prevalence)
    assert abs((crisis.peaked - day(PEAK)).days) <= 3
    assert crisis.started < crisis.peaked
    assert crisis.ended is not None
    assert crisis.ended < day(PEAK + 14)
    assert crisis.peak_prevalence > 0.15
    level = [alarm for alarm in told.alarms if alarm.kind == "level"]
    assert any(a.alarm and day(RAMP) <= a.origin < day(PEAK) for a in level)


def test_a_first_crisis_after_a_calm_year_is_shown_as_unproven() -> None:
    """Mere noise proves nothing, so nothing is sent; but it is there to be seen."""
    random = np.random.default_rng(0)
    messages = random.poisson(165, 300)
    shares = [0.04, 0.04, 0.25, 0.04, 0.04]
    expected = np.interp(np.arange(300), [0, 260, 270, 280, 300], shares)
    marked = random.binomial(messages, expected).astype(float)
    told = found(Series("all", "", "x", START, messages.astype(float), marked))
    shown = [row for row in told.alarms if row.kind == "level" and row.alarm]
    assert shown
    assert all(day(260) < row.origin < day(285) for row in shown)
    assert not any(row.skill for row in shown)
    assert told.backtests[0].alarm_precision is None


def test_quiet_noise_rings_rarely_and_has_no_skill() -> None:
    rang, skilful = [], 0
    for seed in range(6):
        told = found(frustration(seed, crisis=False))
        rang += [alarm.alarm for alarm in told.alarms]
        skilful += told.forecasts[-1].skill
    assert np.mean(rang) < 0.25
    assert skilful <= 1


def test_rows_have_the_columns_of_the_published_tables(calm: Forecasts) -> None:
    ddl = PUBLISHED_SQL.read_text(encoding="utf-8")
    for table in ("forecasts", "alarms", "backtests"):
        body = re.search(rf"CREATE TABLE {table} \((.*?)\n\);", ddl, re.DOTALL)
        assert body is not None
        columns = re.findall(r"^\s+(\w+) [A-Z]", body[1], re.MULTILINE)
        assert list(msgspec.structs.asdict(getattr(calm, table)[0])) == columns


def test_every_origin_up_to_the_last_day_is_forecast_and_judged(
    calm: Forecasts,
) -> None:
    origins = [day(DAYS - 61 + index) for index in range(61)]
    for kind in ("level", "rise"):
        said = [alarm.origin for alarm in calm.alarms if alarm.kind == kind]
        assert said == origins
    by_origin = groupby(calm.forecasts, key=lambda row: row.origin)
    for (origin, rows), expected in zip(by_origin, origins, strict=True):
        assert origin == expected
        targets = [row.target for row in rows]
        assert targets == [origin + timedelta(days=ahead) for ahead in range(1, 8)]


def test_the_record_has_a_row_for_what_was_published_and_one_a_model(
    calm: Forecasts,
) -> None:
    names = [row.model for row in calm.backtests]
    assert names == [
        "published",
        *NAIVE,
        "ETS",
        "Theta",
        "ARIMA",
        "ridge",
        "pooled ridge",
        "counts",
        "combination",
    ]
    assert [row.model for row in calm.backtests if row.chosen] == [
        calm.forecasts[-1].model
    ]
    assert {row.origins for row in calm.backtests} == {54}


def test_without_skill_a_naive_forecast_is_published(calm: Forecasts) -> None:
    assert not calm.forecasts[-1].skill
    assert calm.forecasts[-1].model in NAIVE


def test_the_wide_interval_holds_the_narrow_one(calm: Forecasts) -> None:
    for row in calm.forecasts:
        assert row.lower_95 <= row.lower <= row.mean <= row.upper <= row.upper_95
    assert any(row.lower_95 < row.lower for row in calm.forecasts)


def test_the_same_series_gives_the_same_answer(calm: Forecasts) -> None:
    assert found(frustration(0, crisis=False)) == calm


def test_a_later_crisis_does_not_change_what_was_said_before() -> None:
    with_crisis = found(frustration(3, crisis=True))
    without = found(frustration(3, crisis=False))
    eve = day(RAMP)
    for table in ("forecasts", "alarms"):
        said = [row for row in getattr(with_crisis, table) if row.origin <= eve]
        assert said == [row for row in getattr(without, table) if row.origin <= eve]
        assert said


def test_what_is_said_of_a_day_stays_when_days_are_added() -> None:
    values = 20 + np.random.default_rng(5).normal(size=150)
    last_night = found(measured(values[:110]))
    later = forecast_series(measured(values), horizon=7, backtest_days=100)
    assert set(last_night.forecasts) <= set(later.forecasts)
    assert set(last_night.alarms) <= set(later.alarms)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_equal_days_are_forecast_to_stay_equal(value: float) -> None:
    told = found(measured(np.full(80, value)))
    for row in told.forecasts:
        assert (row.mean, row.lower, row.upper) == pytest.approx((value,) * 3)
    assert not any(alarm.alarm for alarm in told.alarms)
    assert told.periods == []
    assert all(row.mase is None for row in told.backtests)


def test_all_days_without_a_mark_are_forecast_to_stay_so() -> None:
    told = found(Series("all", "", "x", START, np.full(40, 9.0), np.zeros(40)))
    assert {row.mean for row in told.forecasts} == {0.0}


def test_two_weeks_are_forecast_but_have_no_record() -> None:
    told = found(measured(np.random.default_rng(1).random(14)))
    assert len(told.forecasts) == 7
    assert len(told.alarms) == 1
    assert {row.origins for row in told.backtests} == {0}
    assert {row.coverage for row in told.backtests} == {None}
    assert {row.brier_skill for row in told.backtests} == {None}


def test_a_long_silence_is_forecast_over_but_not_judged() -> None:
    values = np.random.default_rng(1).random(200)
    values[60:170] = np.nan
    told = forecast_series(measured(values), horizon=7, backtest_days=60)
    judged = {alarm.origin for alarm in told.alarms}
    assert day(160) not in judged
    assert day(190) in judged
    assert len(told.forecasts) == 61 * 7


def test_a_series_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="13 known days"):
        found(measured(np.zeros(13)))
