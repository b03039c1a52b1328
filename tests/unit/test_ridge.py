"""The regression on the last weeks, the weekday and past years."""

import numpy as np

from pipeline.forecast.ridge import Ridge
from pipeline.forecast.scale import Arcsine, Linear
from pipeline.forecast.series import Array


def path(history: Array, horizon: int = 7) -> Array:
    model = Ridge(Linear(1.0))
    model.fit(history)
    return model.forecast(horizon)


def noise(days: int) -> Array:
    return np.random.default_rng(2).normal(size=days)


def test_without_evidence_it_expects_the_mean_of_the_last_week() -> None:
    history = np.arange(14.0)
    np.testing.assert_allclose(path(history[:7]), 3.0)


def test_it_learns_a_weekly_pattern() -> None:
    week = np.array([1.0, 2, 3, 4, 3, 2, 1])
    found = path(np.tile(week, 60) + 0.05 * noise(420))
    np.testing.assert_allclose(found, week, atol=0.2)


def test_it_learns_how_fast_a_shock_fades() -> None:
    history = np.zeros(700)
    for day, shock in enumerate(noise(700)[1:], start=1):
        history[day] = 0.5 * history[day - 1] + shock
    history[-1] = 10.0
    found = path(history)
    assert 3.5 < found[0] < 6.5
    assert abs(found[6]) < 1.5


def test_it_remembers_the_same_days_of_past_years() -> None:
    year = noise(364)
    history = np.tile(year, 4) + 0.1 * np.random.default_rng(4).normal(size=4 * 364)
    found = path(history[: 3 * 364 + 100])
    np.testing.assert_allclose(found, year[100:107], atol=0.7)


def test_one_enormous_day_does_not_spoil_what_is_learnt() -> None:
    calm = np.tile([1.0, 2, 3, 4, 3, 2, 1], 60) + 0.05 * noise(420)
    shocked = calm.copy()
    shocked[100] = 1000.0
    np.testing.assert_allclose(path(shocked), path(calm), atol=1.0)


def test_a_new_day_counts_the_same_as_one_fitted_apart_from_the_coefficients() -> None:
    history = noise(300)
    model = Ridge(Linear(1.0))
    model.fit(history[:-1])
    model.update(float(history[-1]))
    np.testing.assert_allclose(model.forecast(7), path(history), atol=0.1)


def test_shares_stay_shares() -> None:
    model = Ridge(Arcsine())
    model.fit(np.linspace(0.6, 1.0, 60))
    assert model.forecast(28).max() <= 1.0
