"""The level alarm: what is high, how likely it comes, when the alarm rings."""

import numpy as np
import pytest

from pipeline.forecast.alarms import (
    base_rates,
    blended,
    levels,
    outcomes,
    path_chances,
    proven,
    rings,
)
from pipeline.forecast.series import Array

NAMES = ("last day", "7-day mean", "ETS")
HORIZON = 7


def random(days: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(days)


def test_high_is_above_mean_plus_one_deviation_of_ninety_days() -> None:
    values = random(120)
    window = values[30:120]
    assert levels(values)[119] == pytest.approx(window.mean() + window.std(ddof=1))


def test_the_level_waits_for_two_weeks_of_known_days() -> None:
    values = random(30)
    values[3] = np.nan
    assert np.flatnonzero(np.isfinite(levels(values)))[0] == 14


def test_no_day_is_high_where_all_are_equal() -> None:
    values = np.full(50, 0.1)
    came = outcomes(values, levels(values), HORIZON)
    assert np.nansum(came) == 0.0


def test_one_high_day_makes_it_come_true() -> None:
    values = np.array([0.0, 0, 0, 5, 0, 0, 0])
    came = outcomes(values, np.ones(7), 2)
    np.testing.assert_equal(came, [0, 1, 1, 0, 0, np.nan, np.nan])


def test_unknown_days_leave_it_open_unless_another_settles_it() -> None:
    values = np.array([0.0, np.nan, 5, 0, np.nan, 0])
    came = outcomes(values, np.ones(6), 2)
    np.testing.assert_equal(came[:4], [1, 1, np.nan, np.nan])


def test_whole_paths_of_past_errors_give_the_chance() -> None:
    """Of ten known past paths every second one ran above the level."""
    errors = np.zeros((20, 1))
    errors[1::2] = 2.0
    chance = path_chances(errors, np.zeros((20, 1)), np.ones(20))
    assert chance[10] == pytest.approx((5 + 1) / (10 + 2))


def test_a_chance_knows_only_paths_that_have_ended() -> None:
    errors = random(60)[:, np.newaxis] + np.zeros(3)
    paths, level = np.zeros((60, 3)), np.full(60, 0.9)
    before = path_chances(errors, paths, level)[40]
    errors[41:] = 100.0
    assert path_chances(errors, paths, level)[40] == before


def test_without_any_past_the_chance_is_even() -> None:
    chance = path_chances(np.full((9, 3), np.nan), np.zeros((9, 3)), np.ones(9))
    assert chance.tolist() == [0.5] * 9


def test_the_blend_starts_from_the_average_of_those_that_follow() -> None:
    chances = np.full((4, 3), 0.8)
    chances[3] = 0.001
    blend = blended(chances, np.full(3, np.nan), (*NAMES, "mean"), HORIZON)
    np.testing.assert_allclose(blend, 0.8)


def test_the_blend_learns_what_overconfident_models_are_worth() -> None:
    came = (random(600) < 0.5).astype(float)
    boasts = np.where(random(600, 1) < 0.5, 0.99, 0.01)
    blend = blended(np.array([boasts] * 3), came, NAMES, HORIZON)
    assert np.abs(blend[-100:] - 0.5).max() < 0.2


def test_without_any_chance_there_is_no_blend() -> None:
    chances = np.full((3, 5), np.nan)
    assert np.isnan(blended(chances, np.zeros(5), NAMES, HORIZON)).all()


def test_the_base_rate_counts_only_what_has_come_true() -> None:
    came = np.array([1.0, 1.0, np.nan, 0.0])
    assert base_rates(came, 2).tolist() == [1 / 2, 1 / 2, 2 / 3, 3 / 4]


def test_a_prophet_is_proven_and_a_guesser_is_not() -> None:
    came = (random(400) < 0.5).astype(float)
    assert proven(np.where(came == 1, 0.8, 0.2), came, HORIZON, 399)
    assert not proven(random(400, 1), came, HORIZON, 399)


def test_twelve_weeks_must_have_passed_before_anything_is_proven() -> None:
    came = (random(90) < 0.5).astype(float)
    prophet = np.where(came == 1, 0.9, 0.1)
    assert not proven(prophet, came, HORIZON, 80)


def test_a_proven_alarm_rings_when_a_high_day_is_more_likely_than_not() -> None:
    came = (random(400) < 0.5).astype(float)
    prophet = np.where(came == 1, 0.8, 0.2)
    prophet[398:] = [0.51, 0.49]
    assert rings(prophet, came, HORIZON, 398) == (True, True)
    assert rings(prophet, came, HORIZON, 399) == (False, True)


def test_an_unproven_alarm_rings_only_for_the_unusual() -> None:
    """Seven weeks in ten hold a high day of mere noise; that is no news."""
    came = (random(400) < 0.7).astype(float)
    guesses = 0.6 + 0.2 * random(400, 1)
    rang = [rings(guesses, came, HORIZON, day)[0] for day in range(100, 400)]
    assert 0.03 < np.mean(rang) < 0.2


def test_a_young_alarm_rings_only_when_almost_sure() -> None:
    chances = np.array([0.8] * 10 + [0.95])
    came = np.full(11, np.nan)
    assert rings(chances, came, HORIZON, 9) == (False, False)
    assert rings(chances, came, HORIZON, 10) == (True, False)
