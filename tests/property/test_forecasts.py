"""Whatever the days hold, what is said of the next ones is sound."""

from datetime import date

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.forecast.beside import Beside
from pipeline.forecast.models import all_models
from pipeline.forecast.run import Forecasts, forecast_series
from pipeline.forecast.scale import Arcsine, Linear, Logarithmic, Scale
from pipeline.forecast.series import MIN_KNOWN, Array, Series

START = date(2024, 1, 1)
NAME = ("all", "", "x")

measurements = st.lists(
    st.one_of(
        st.floats(-1e15, 1e15),
        st.floats(-1.0, 1.0),
        st.sampled_from([0.0, 1.0, 1e-300, -1e-15, 100.0]),
        st.just(float("nan")),
    ),
    min_size=MIN_KNOWN,
    max_size=70,
).filter(lambda values: np.isfinite(values).sum() >= MIN_KNOWN)

counts = st.lists(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=MIN_KNOWN,
    max_size=70,
)


def said_of(series: Series, horizon: int) -> Forecasts:
    return forecast_series(series, horizon=horizon, backtest_days=30)


def measured(values: list[float]) -> Series:
    return Series(*NAME, START, np.ones(len(values)), np.array(values), False)


def assert_sound(said: Forecasts) -> None:
    for row in said.forecasts:
        assert np.isfinite([row.lower, row.mean, row.upper]).all()
        assert row.lower <= row.mean <= row.upper
    for alarm in said.alarms:
        assert 0.0 <= alarm.probability <= 1.0
        assert np.isfinite(alarm.threshold)
    for record in said.backtests:
        assert record.coverage is None or 0.0 <= record.coverage <= 1.0
        assert record.mase is None or record.mase >= 0.0


@settings(max_examples=25, deadline=None)
@given(measurements, st.sampled_from([1, 7, 28]))
def test_any_measurements_give_finite_ordered_forecasts(
    values: list[float], horizon: int
) -> None:
    assert_sound(said_of(measured(values), horizon))


@settings(max_examples=25, deadline=None)
@given(counts)
def test_any_counts_give_forecasts_that_are_shares(days: list[tuple[int, int]]) -> None:
    messages, marked = np.array(days, dtype=float).T
    said = said_of(Series(*NAME, START, messages, marked), 7)
    assert_sound(said)
    for row in said.forecasts:
        assert 0.0 <= row.lower <= row.upper <= 1.0


@settings(max_examples=15, deadline=None)
@given(measurements, st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_the_future_changes_nothing_that_was_said(
    past: list[float], future: list[float]
) -> None:
    eve = measured(past).day(len(past) - 1)
    before = said_of(measured(past), 7)
    after = forecast_series(measured([*past, *future]), horizon=7, backtest_days=200)
    assert [r for r in after.forecasts if r.origin == eve] == [
        r for r in before.forecasts if r.origin == eve
    ]
    assert [r for r in after.alarms if r.origin == eve] == [
        r for r in before.alarms if r.origin == eve
    ]


def broken(stretches: list[tuple[int, int]]) -> Array:
    """Known days and unknown ones in turn."""
    random = np.random.default_rng(0)
    known = [random.random(days) for days, _ in stretches]
    gaps = [np.full(days, np.nan) for _, days in stretches]
    pairs = zip(known, gaps, strict=True)
    return np.concatenate([part for pair in pairs for part in pair])


# A line over the silence: ARIMA passes such a shape over.
@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 45), st.sampled_from([0, 1, 30, 700, 725, 729, 1500])),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([Linear(1.0), Arcsine(), Logarithmic(0.1)]),
)
@example([(40, 725), (5, 0)], Linear(1.0))
def test_every_model_goes_on_after_years_of_silence(
    stretches: list[tuple[int, int]], scale: Scale
) -> None:
    history = broken([(MIN_KNOWN, 0), *stretches])
    random = np.random.default_rng(1)
    messages = random.poisson(100.0, history.size + 1).astype(np.float64)
    labels = random.random((2, history.size + 1))
    labels[0, : history.size][np.isnan(history)] = np.nan
    for model in all_models(scale, Beside(messages, labels)):
        model.fit(history)
        assert np.isfinite(model.forecast(7)).all(), model.name
        model.update(0.5)
        assert np.isfinite(model.forecast(7)).all(), model.name


def test_a_series_resumed_after_two_years_is_forecast() -> None:
    """Models are fitted anew on its day 869, the fifth after the silence."""
    days = broken([(100, 765), (30, 0)])
    said = forecast_series(measured(days.tolist()), horizon=7, backtest_days=25)
    assert_sound(said)
    assert len(said.forecasts) == 26 * 7
