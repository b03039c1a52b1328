"""The ridge that is drawn to what served many series."""

import numpy as np
import pytest

from pipeline.forecast.pooled import COEFFICIENTS, PooledRidge
from pipeline.forecast.ridge import Ridge
from pipeline.forecast.scale import Linear
from pipeline.forecast.series import Array


def walk(days: int, seed: int = 1) -> Array:
    """A level that wanders and returns, under noise."""
    random = np.random.default_rng(seed)
    level = np.zeros(days)
    for day in range(1, days):
        level[day] = 0.9 * level[day - 1] + random.normal()
    return 100 + level + random.normal(size=days)


def error(model: Ridge, values: Array) -> float:
    missed = []
    for day in range(28, values.size - 7):
        model.fit(values[: day + 1])
        missed.append(np.abs(values[day + 1 : day + 8] - model.forecast(7)).mean())
    return float(np.mean(missed))


def test_a_young_series_is_forecast_better_than_by_its_own_days_alone() -> None:
    errors = [
        (error(PooledRidge(Linear(1.0)), days), error(Ridge(Linear(1.0)), days))
        for days in (walk(70, seed) for seed in range(6))
    ]
    drawn, alone = np.mean(errors, axis=0)
    assert drawn < 0.9 * alone


def test_without_days_of_its_own_it_says_what_is_usual() -> None:
    model = PooledRidge(Linear(1.0))
    model.fit(np.arange(8.0))
    usual, _ = model.usual(1)
    assert usual[: COEFFICIENTS.shape[1]].tolist() == COEFFICIENTS[0].tolist()
    assert np.isfinite(model.forecast(28)).all()


@pytest.mark.parametrize(("ahead", "like"), [(14, 14), (15, 8), (21, 14), (28, 14)])
def test_far_ahead_the_same_weekday_is_usual(ahead: int, like: int) -> None:
    model = PooledRidge(Linear(1.0))
    assert model.usual(ahead)[0].tolist() == model.usual(like)[0].tolist()


def test_a_week_of_its_own_is_learnt_in_half_a_year() -> None:
    week = np.array([1.0, 2, 3, 4, 3, 2, 1])
    noise = 0.05 * np.random.default_rng(0).normal(size=210)
    model = PooledRidge(Linear(1.0))
    model.fit(np.tile(week, 30) + noise)
    np.testing.assert_allclose(model.forecast(7), week, atol=0.8)
