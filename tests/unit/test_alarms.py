"""The level alarm: what is high, how likely it comes, when the alarm rings."""

import numpy as np
import pytest

from pipeline.forecast.alarms import (
    base_rates,
    best_bar,
    calibrated,
    levels,
    outcomes,
    path_chances,
    verdicts,
    weighed,
)
from pipeline.forecast.recent import recent
from pipeline.forecast.series import Array

HORIZON = 7


def random(days: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(days)


def rings(chances: Array, came: Array, horizon: int, day: int) -> tuple[bool, bool]:
    alarm, skill = verdicts((chances, came), horizon, [day])[day]
    return bool(alarm), bool(skill)


def proven(chances: Array, came: Array, horizon: int, day: int) -> bool:
    return rings(chances, came, horizon, day)[1]


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


def test_half_of_the_days_are_enough_to_judge_by_whatever_they_show() -> None:
    values = np.array([0.0, np.nan, 5, 0, np.nan, np.nan, 5, 0])
    came = outcomes(values, np.ones(8), 2)
    np.testing.assert_equal(came[:6], [1, 1, 0, np.nan, 1, 1])
    assert np.isnan(outcomes(np.array([0.0, 5, np.nan, np.nan, 0]), np.ones(5), 3)[0])


def without_sundays(days: int) -> Array:
    values = random(days)
    values[6::7] = np.nan
    return values


def test_weeks_without_a_high_day_are_judged_where_a_weekday_is_never_known() -> None:
    values = without_sundays(4000)
    came = outcomes(values, np.full(4000, 0.9), HORIZON)
    assert np.isfinite(came[:-HORIZON]).all()
    assert np.nanmean(came) == pytest.approx(1 - 0.9**6, abs=0.04)


def test_a_chance_is_known_where_a_weekday_never_is() -> None:
    errors = without_sundays(900)[:, np.newaxis] + np.zeros(HORIZON)
    chance = path_chances(errors, np.zeros((900, HORIZON)), np.full(900, 0.9))
    came = outcomes(errors[:, 0], np.full(900, 0.9), HORIZON)
    assert chance[-1] == pytest.approx(np.nanmean(came[-730:]), abs=0.01)


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


def test_a_chance_is_of_the_paths_of_two_years() -> None:
    errors = np.zeros((1000, 1))
    errors[:200] = 2.0
    chance = path_chances(errors, np.zeros((1000, 1)), np.ones(1000))
    assert chance[999] == pytest.approx(1 / 732)
    assert chance[500] == pytest.approx((199 + 1) / (500 + 2))


def test_without_any_past_the_chance_is_even() -> None:
    chance = path_chances(np.full((9, 3), np.nan), np.zeros((9, 3)), np.ones(9))
    assert chance.tolist() == [0.5] * 9


def test_more_chance_by_the_model_is_more_chance_in_all() -> None:
    said = weighed(np.array([0.1, 0.5, 0.9]), np.zeros((3, 5)))
    assert said[0] < said[1] < said[2]


def test_calm_days_after_wild_ones_make_a_high_day_likelier() -> None:
    """The model may say the same: what follows calm days is known from others."""
    alike, calm = random(300), random(300)
    calm[-90:] = 0.5 + 0.3 * (calm[-90:] - 0.5)
    days = np.array([recent(alike)[-1], recent(calm)[-1]])
    said = weighed(np.array([0.4, 0.4]), days)
    assert said[0] < said[1]


def test_without_a_past_a_chance_is_taken_as_it_is() -> None:
    chances = np.array([0.2, 0.8, 0.8])
    stays = calibrated(chances, np.full(3, np.nan), HORIZON)
    np.testing.assert_allclose(stays, chances)


def test_calibration_learns_what_boasts_are_worth() -> None:
    came = (random(800) < 0.5).astype(float)
    boasts = np.where(random(800, 1) < 0.5, 0.99, 0.01)
    assert np.abs(calibrated(boasts, came, HORIZON)[-100:] - 0.5).max() < 0.25


def test_calibration_knows_only_outcomes_of_the_past() -> None:
    chances = 0.1 + 0.8 * random(200)
    came = (random(200, 1) < 0.5).astype(float)
    later = came.copy()
    later[150 - HORIZON + 1 :] = 1.0 - later[150 - HORIZON + 1 :]
    before = calibrated(chances, came, HORIZON)[:151]
    assert calibrated(chances, later, HORIZON)[:151].tolist() == before.tolist()


def test_without_any_chance_there_is_none_calibrated() -> None:
    assert np.isnan(calibrated(np.full(5, np.nan), np.zeros(5), HORIZON)).all()


def test_the_base_rate_counts_only_what_has_come_true() -> None:
    came = np.array([1.0, 1.0, np.nan, 0.0])
    assert base_rates(came, 2).tolist() == [1 / 2, 1 / 2, 2 / 3, 3 / 4]


def test_a_prophet_is_proven_and_a_guesser_is_not() -> None:
    came = (random(400) < 0.5).astype(float)
    assert proven(np.where(came == 1, 0.8, 0.2), came, HORIZON, 399)
    assert not proven(random(400, 1), came, HORIZON, 399)


def test_a_skill_that_mere_noise_has_proves_nothing() -> None:
    came = (random(1500) < 0.5).astype(float)
    one, four = (np.where(came == 1, 0.5 + by, 0.5 - by) for by in (0.0025, 0.01))
    assert not proven(one, came, HORIZON, 1499)
    assert proven(four, came, HORIZON, 1499)


def test_twelve_weeks_must_have_passed_before_anything_is_proven() -> None:
    came = (random(90) < 0.5).astype(float)
    prophet = np.where(came == 1, 0.9, 0.1)
    assert not proven(prophet, came, HORIZON, 80)


def test_the_best_bar_is_half_the_best_f1() -> None:
    chances = np.array([0.9, 0.8, 0.3, 0.2])
    assert best_bar(chances, np.array([1.0, 1, 0, 0])) == pytest.approx(1.0 / 2)
    assert best_bar(chances, np.array([1.0, 0, 1, 0])) == pytest.approx(0.8 / 2)


def test_a_proven_alarm_rings_from_the_best_bar_of_its_past_on() -> None:
    came = (random(400) < 0.5).astype(float)
    prophet = np.where(came == 1, 0.8, 0.2)
    prophet[398:] = [0.51, 0.49]
    assert rings(prophet, came, HORIZON, 398) == (True, True)
    assert rings(prophet, came, HORIZON, 399) == (False, True)


def test_an_alarm_with_no_skill_is_rare_and_never_proven() -> None:
    """Seven weeks in ten hold a high day of mere noise; that is no news."""
    came = (random(400) < 0.7).astype(float)
    guesses = 0.6 + 0.39 * random(400, 1)
    said = [rings(guesses, came, HORIZON, day) for day in range(100, 400)]
    assert not any(skill for _, skill in said)
    assert 0.0 < np.mean([alarm for alarm, _ in said]) < 0.1


def test_the_surest_day_of_a_year_without_skill_is_shown_as_unproven() -> None:
    came = (random(400) < 0.7).astype(float)
    chances = 0.5 + 0.3 * random(400, 1)
    chances[398:] = [0.95, 0.89]
    assert rings(chances, came, HORIZON, 398) == (True, False)
    assert rings(chances, came, HORIZON, 399) == (False, False)


def test_what_is_always_almost_sure_is_not_shown_every_day() -> None:
    """Over a long horizon a high day is nearly certain: that warns of nothing."""
    chances = 0.9 + 0.09 * random(400, 1)
    said = [rings(chances, np.ones(400), HORIZON, day) for day in range(150, 400)]
    assert np.mean([alarm for alarm, _ in said]) < 0.1


def test_a_young_alarm_rings_only_when_almost_sure() -> None:
    chances = np.array([0.8] * 10 + [0.95])
    came = np.full(11, np.nan)
    assert rings(chances, came, HORIZON, 9) == (False, False)
    assert rings(chances, came, HORIZON, 10) == (True, False)
