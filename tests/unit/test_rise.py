"""The rise alarm, and rises in retrospect."""

from datetime import date

import numpy as np
import pytest

from pipeline.forecast.backtest import track
from pipeline.forecast.periods import Span
from pipeline.forecast.rise import (
    bounds,
    climbs,
    outcomes,
    rise_odds,
    rises,
    to_exceed,
)
from pipeline.forecast.series import Array, Series


def random(days: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=days)


def flat() -> Array:
    """Days whose 7-day mean goes up and down a little, by turns."""
    return np.resize([1.0, 1.1, 1.0, 1.1, 1.0], 100)


def test_a_climb_is_the_change_of_the_mean_of_a_week() -> None:
    values = random(30)
    means = [values[day - 6 : day + 1].mean() for day in range(6, 30)]
    np.testing.assert_allclose(climbs(values)[7:], np.diff(means))


def test_steep_is_above_four_fifths_of_the_climbs_of_ninety_days() -> None:
    values = random(200)
    expected = np.quantile(climbs(values)[110:200], 0.8)
    assert bounds(values)[199] == pytest.approx(expected)


def test_the_least_fall_of_a_decline_is_not_steep() -> None:
    assert bounds(-(np.arange(100.0) ** 2))[99] == 0.0


def test_a_day_that_exceeds_its_bound_is_a_steep_climb() -> None:
    values = random(120)
    bound = bounds(values)
    exceed = to_exceed(values, bound, 7)
    for ahead in range(1, 8):
        steep = climbs(values)[100 + ahead] > bound[100]
        assert (values[100 + ahead] > exceed[100, ahead - 1]) == steep


def test_one_steep_climb_makes_it_come_true() -> None:
    exceed = np.full((5, 2), 1.0)
    came = outcomes(np.array([0.0, 0, 0, 2, 0]), exceed)
    np.testing.assert_equal(came, [0, 1, 1, np.nan, np.nan])


def test_half_of_the_climbs_are_enough_to_judge_by() -> None:
    exceed = np.full((4, 2), 1.0)
    exceed[1, 0] = np.nan
    came = outcomes(np.array([0.0, np.nan, np.nan, 0]), exceed)
    np.testing.assert_equal(came, [np.nan, 0, np.nan, np.nan])
    exceed[1, 1] = np.nan
    assert np.isnan(outcomes(np.zeros(4), exceed)[1])


def test_a_steep_climb_does_not_settle_a_week_of_unknown_days() -> None:
    values = np.array([0.0, 5, np.nan, np.nan, 0])
    assert np.isnan(outcomes(values, np.full((5, 3), 1.0))[0])


def odds_of(values: Array) -> tuple[Array, Array]:
    ones = np.ones(values.size)
    series = Series("all", "", "x", date(2024, 1, 1), ones, values, False)
    odds = rise_odds(track(series, 7))
    return odds.levels, odds.blended


def test_what_was_said_of_a_rise_stays_when_the_future_changes() -> None:
    values = 20 + random(70)
    later = values.copy()
    later[60:] += 5
    for said, again in zip(odds_of(values), odds_of(later), strict=True):
        assert said[:60].tolist() == pytest.approx(again[:60].tolist(), nan_ok=True)
    level, chance = odds_of(values[:60])
    assert odds_of(values)[1][59] == chance[-1]
    assert ((chance > 0) & (chance < 1))[np.isfinite(level)].all()


def test_equal_days_hold_no_rise() -> None:
    assert rises(np.full(60, 3.0)) == []
    assert rises(np.zeros(60)) == []
    assert rises(np.arange(15.0)) == []


def test_a_rise_from_nothing_is_seen() -> None:
    values = np.zeros(100)
    values[60:66] = [1, 2, 4, 3, 2, 1]
    assert [rise.peaked for rise in rises(values)] == [62]


def test_a_rise_has_a_foot_a_peak_and_an_end() -> None:
    values = flat()
    values[60:66] = [2, 3, 5, 4, 3, 2]
    assert rises(values) == [Span(started=60, peaked=62, ended=69)]


def test_a_rise_that_has_not_lost_half_its_height_has_not_ended() -> None:
    values = flat()
    values[-4:] = [2, 3, 4, 5]
    assert rises(values) == [Span(started=96, peaked=99, ended=None)]


def test_a_rise_ends_where_the_next_one_begins() -> None:
    values = flat()
    values[40:44] = 3.0
    values[47:80] = np.linspace(3, 9, 33)
    first, *others = rises(values)
    assert others
    assert first.ended is not None
    assert first.ended < others[0].started


def test_an_unknown_day_within_a_rise_does_no_harm() -> None:
    values = flat()
    values[60:70] = [2, 3, 4, np.nan, 5, 6, 6, 6, 5, 4]
    [rise] = rises(values)
    assert (rise.started, rise.peaked) == (60, 65)
