"""What every forecasting model must do."""

import pickle

import numpy as np
import pytest

from pipeline.forecast.beside import Beside
from pipeline.forecast.models import EXTRAS, Model, all_models
from pipeline.forecast.scale import Linear
from pipeline.forecast.series import Array

DAYS = 2000


def beside() -> Beside:
    """A few hundred messages a day, and two labels that go along, with a gap."""
    random = np.random.default_rng(2)
    labels = 0.2 + 0.02 * random.normal(size=(2, DAYS)).cumsum(axis=1).clip(-5, 5)
    labels[0, 50] = np.nan
    return Beside(messages=random.poisson(300.0, DAYS) + 1.0, labels=labels)


NAMES = [model.name for model in all_models(Linear(1.0), beside())]


@pytest.fixture(params=[*NAMES, *EXTRAS])
def model(request: pytest.FixtureRequest) -> Model:
    if request.param not in EXTRAS:
        return all_models(Linear(1.0), beside())[NAMES.index(request.param)]
    pytest.importorskip({"gru": "torch"}.get(request.param, request.param))
    return all_models(Linear(1.0), also=[request.param])[-1]


@pytest.fixture
def history() -> Array:
    """Ten weeks of shares: a level, a weekly pattern, noise."""
    noise = np.random.default_rng(1).normal(size=70)
    return (10 + np.tile([0, 1, 2, 3, 2, 1, 0], 10) + 0.3 * noise) / 100


@pytest.mark.parametrize("horizon", [1, 7, 28])
def test_it_forecasts_as_many_days_as_asked(
    model: Model, history: Array, horizon: int
) -> None:
    model.fit(history)
    path = model.forecast(horizon)
    assert path.shape == (horizon,)
    assert np.isfinite(path).all()


def test_to_forecast_changes_nothing(model: Model, history: Array) -> None:
    model.fit(history)
    assert model.forecast(7).tolist() == model.forecast(7).tolist()


def test_to_fit_again_leaves_no_trace_of_the_first_time(
    model: Model, history: Array
) -> None:
    model.fit(history)
    once = model.forecast(7)
    model.fit(history[::-1] * 3)
    model.fit(history)
    assert model.forecast(7).tolist() == once.tolist()


def test_a_constant_series_stays_constant(model: Model) -> None:
    model.fit(np.full(40, 0.3))
    model.update(0.3)
    np.testing.assert_allclose(model.forecast(7), 0.3, rtol=1e-12)


def test_a_new_day_is_taken_in(model: Model, history: Array) -> None:
    model.fit(history)
    before = model.forecast(7)
    model.update(0.9)
    assert (model.forecast(7) != before).any()


def test_unknown_days_leave_it_finite(model: Model, history: Array) -> None:
    history[[0, 20, 21, 33, 69]] = np.nan
    model.fit(history)
    for _ in range(10):
        model.update(np.nan)
    assert np.isfinite(model.forecast(7)).all()


def test_a_gap_at_the_end_means_the_same_fitted_or_updated(
    model: Model, history: Array
) -> None:
    model.fit(history[:60])
    for _ in range(10):
        model.update(np.nan)
    updated = model.forecast(7)
    model.fit(np.concatenate([history[:60], np.full(10, np.nan)]))
    np.testing.assert_allclose(model.forecast(7), updated)


def test_two_weeks_are_enough(model: Model, history: Array) -> None:
    model.fit(history[:14])
    assert np.isfinite(model.forecast(7)).all()


def test_years_of_silence_are_survived(model: Model, history: Array) -> None:
    model.fit(np.concatenate([history, np.full(1000, np.nan)]))
    assert np.isfinite(model.forecast(7)).all()


def test_it_survives_being_laid_aside(model: Model, history: Array) -> None:
    model.fit(history)
    model.update(0.12)
    again = pickle.loads(pickle.dumps(model))
    model.update(0.11)
    again.update(0.11)
    assert again.forecast(7).tolist() == model.forecast(7).tolist()


def test_what_is_beside_the_days_to_come_is_not_seen(history: Array) -> None:
    now, later = beside(), beside()
    later.messages[71:] = 1e6
    later.labels[:, 71:] = 0.9
    for one, other in zip(
        all_models(Linear(1.0), now), all_models(Linear(1.0), later), strict=True
    ):
        for model in (one, other):
            model.fit(history)
            model.update(0.12)
        assert one.forecast(7).tolist() == other.forecast(7).tolist()
