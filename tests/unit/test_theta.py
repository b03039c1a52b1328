"""The theta method continues as statsmodels would."""

import numpy as np
from statsmodels.tsa.forecasting.theta import ThetaModel

from pipeline.forecast.scale import Linear
from pipeline.forecast.series import Array
from pipeline.forecast.theta import Theta


def walk(days: int) -> Array:
    return np.random.default_rng(3).normal(0.1, 1.0, size=days).cumsum()


def test_it_forecasts_as_statsmodels_does() -> None:
    values = walk(27)
    model = Theta(Linear(1.0))
    model.fit(values)
    theirs = ThetaModel(values, period=7, deseasonalize=False).fit().forecast(10)
    np.testing.assert_allclose(model.forecast(10), theirs, rtol=0.02)


def test_a_rising_series_is_expected_to_rise_half_as_fast() -> None:
    model = Theta(Linear(1.0))
    model.fit(np.arange(200.0))
    steps = np.diff(model.forecast(7))
    np.testing.assert_allclose(steps, 0.5, atol=0.01)


def test_it_repeats_the_weekly_pattern() -> None:
    week = np.array([1.0, 2, 3, 4, 3, 2, 1])
    noise = 0.05 * np.random.default_rng(0).normal(size=140)
    model = Theta(Linear(1.0))
    model.fit(np.tile(week, 20) + noise)
    np.testing.assert_allclose(model.forecast(7), week, atol=0.2)
