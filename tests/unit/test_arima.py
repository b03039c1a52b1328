"""ARIMA finds what made a series, and goes on as its recursion says."""

import math

import numpy as np
import pytest
from statsmodels.tsa.arima.model import ARIMA

from pipeline.forecast.arima import Arima, _Shape, _State
from pipeline.forecast.scale import Linear
from pipeline.forecast.series import Array


def noise(days: int) -> Array:
    return np.random.default_rng(3).normal(size=days)


def path(history: Array, horizon: int = 7) -> Array:
    model = Arima(Linear(1.0))
    model.fit(history)
    return model.forecast(horizon)


def test_its_recursion_is_that_of_statsmodels() -> None:
    days = noise(400).cumsum()
    shape = _Shape(own=(0.5, -0.2), shocks=(-0.4, 0.1))
    exact = ARIMA(days, order=(2, 1, 2), trend="n")
    theirs = exact.smooth([0.5, -0.2, -0.4, 0.1, 1.0]).forecast(5)
    state, ours = _State.after(shape, days), []
    for _ in range(5):
        ours.append(state.expected(shape))
        state = state.and_then(shape, math.nan)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_taking_days_in_one_by_one_ends_in_the_same_state() -> None:
    days = noise(100).cumsum()
    shape = _Shape(own=(0.5, -0.2), shocks=(-0.4, 0.1))
    state = _State.after(shape, days[:60])
    for day in days[60:].tolist():
        state = state.and_then(shape, day)
    assert state.expected(shape) == pytest.approx(
        _State.after(shape, days).expected(shape)
    )


def test_changes_that_go_on_are_expected_to_go_on() -> None:
    changes = np.zeros(700)
    for day, shock in enumerate(noise(700)[1:], start=1):
        changes[day] = 0.7 * changes[day - 1] + shock
    changes[-1] = 5.0
    history = changes.cumsum()
    step = path(history)[0] - history[-1]
    assert 2.5 < step < 4.5


def test_it_repeats_the_weekly_pattern() -> None:
    week = np.array([1.0, 2, 3, 4, 3, 2, 1])
    found = path(np.tile(week, 20) + 0.05 * noise(140))
    np.testing.assert_allclose(found, week, atol=0.2)


def test_a_random_walk_stays_about_where_it_is() -> None:
    history = noise(500).cumsum()
    assert np.abs(path(history) - history[-1]).max() < 1.5


def test_a_month_is_too_short_to_choose_an_order() -> None:
    assert np.isfinite(path(noise(30))).all()
