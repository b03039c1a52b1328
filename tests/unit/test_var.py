"""The vector autoregression over related labels."""

import numpy as np
import pytest

from pipeline.forecast.beside import Beside
from pipeline.forecast.scale import Linear
from pipeline.forecast.series import Array
from pipeline.forecast.var import RELATED, Var

DAYS = 300


@pytest.fixture
def leader() -> Array:
    """A label that wanders and returns."""
    random = np.random.default_rng(5)
    values = np.zeros(DAYS)
    for day in range(1, DAYS):
        values[day] = 0.8 * values[day - 1] + random.normal()
    return values


def follower(leader: Array) -> Array:
    """A label that repeats it a day later, with a little noise."""
    noise = 0.1 * np.random.default_rng(6).normal(size=DAYS)
    return np.append(0.0, leader[:-1]) + noise


def errors(model: Var, values: Array) -> float:
    model.fit(values[:200])
    missed = []
    for day in range(200, DAYS):
        missed.append(abs(values[day] - model.forecast(1)[0]))
        model.update(values[day])
    return float(np.mean(missed))


def test_what_leads_tells_what_follows(leader: Array) -> None:
    values = follower(leader)
    related = Var(Linear(1.0), Beside(labels=leader[np.newaxis]))
    alone = Var(Linear(1.0), Beside(labels=np.empty((0, DAYS))))
    assert errors(related, values) < 0.3 * errors(alone, values)


def test_labels_that_are_seldom_known_are_passed_over(leader: Array) -> None:
    seldom = np.where(np.arange(DAYS) % 3 == 0, leader, np.nan)
    values = follower(leader)
    with_it = Var(Linear(1.0), Beside(labels=seldom[np.newaxis]))
    alone = Var(Linear(1.0), Beside(labels=np.empty((0, DAYS))))
    assert errors(with_it, values) == errors(alone, values)


def test_of_many_labels_the_nearest_are_listened_to(leader: Array) -> None:
    noise = np.random.default_rng(7).normal(size=(RELATED + 3, DAYS))
    labels = np.vstack([noise, leader])
    values = follower(leader)
    model = Var(Linear(1.0), Beside(labels=labels))
    alone = Var(Linear(1.0), Beside(labels=np.empty((0, DAYS))))
    assert errors(model, values) < 0.4 * errors(alone, values)


def test_a_label_that_repeats_another_does_no_harm(leader: Array) -> None:
    model = Var(Linear(1.0), Beside(labels=np.vstack([leader, leader])))
    model.fit(leader)
    assert np.isfinite(model.forecast(28)).all()
