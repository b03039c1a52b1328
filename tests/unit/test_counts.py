"""The level under the noise of counting."""

import numpy as np
import pytest

from pipeline.forecast.beside import Beside
from pipeline.forecast.counts import Counts
from pipeline.forecast.series import Array


def fitted(share: Array, messages: Array) -> Counts:
    model = Counts(Beside(messages=messages))
    model.fit(share)
    return model


def after(share: float, messages: float) -> float:
    """What is expected after a quiet month and one more day."""
    days = np.append(np.full(30, 0.05), share)
    crowd = np.append(np.full(30, 1000.0), messages)
    return float(fitted(days, crowd).forecast(1)[0])


def test_a_day_of_few_messages_says_less_than_one_of_many() -> None:
    assert 0.05 < after(0.2, 20) < 0.05 + 0.2 * (after(0.2, 20_000) - 0.05)


def test_days_without_a_marked_message_pull_down_by_how_many_there_were() -> None:
    assert after(0.0, 2000) < after(0.0, 20) < 0.05


def test_a_small_crowd_s_hidden_share_is_found_better_than_by_its_mean() -> None:
    random = np.random.default_rng(0)
    hidden = 0.06 * np.exp(0.05 * random.normal(size=400).cumsum())
    hidden = np.clip(hidden, 0.01, 0.5)
    messages = random.poisson(np.where(np.arange(400) % 2 > 0, 15.0, 300.0)) + 1.0
    share = random.binomial(messages.astype(int), hidden) / messages
    model = Counts(Beside(messages=messages))
    errors = []
    for day in range(100, 400):
        model.fit(share[:day])
        said = (model.forecast(1)[0], share[day - 7 : day].mean())
        errors.append(np.abs(np.array(said) - hidden[day]))
    ours, means = np.mean(errors, axis=0)
    assert ours < 0.7 * means


def test_the_weekday_is_learnt() -> None:
    week = np.tile([0.04, 0.04, 0.04, 0.04, 0.04, 0.08, 0.08], 20)
    path = fitted(week, np.full(140, 2000.0)).forecast(7)
    np.testing.assert_allclose(path, week[:7], rtol=0.1)


def test_one_enormous_day_moves_the_level_no_further_than_a_large_one() -> None:
    assert after(0.9, 5000) == pytest.approx(after(0.6, 5000), rel=0.35)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nobody_or_everybody_is_a_share_too(share: float) -> None:
    path = fitted(np.full(40, share), np.full(40, 50.0)).forecast(7)
    np.testing.assert_allclose(path, share, atol=0.02)


def test_days_before_the_first_known_one_are_passed_over() -> None:
    days = np.append(np.full(20, np.nan), np.full(20, 0.1))
    path = fitted(days, np.append(np.full(20, np.nan), np.full(20, 90.0))).forecast(7)
    np.testing.assert_allclose(path, 0.1, rtol=0.05)
