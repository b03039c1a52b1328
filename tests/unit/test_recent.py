"""How the last days stand beside ninety days."""

import numpy as np
import pytest

from pipeline.forecast.recent import NAMES, recent
from pipeline.forecast.series import Array


def random(days: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=days)


def column(values: Array, name: str) -> Array:
    return recent(values)[:, NAMES.index(name)]


def scored(values: Array) -> Array:
    days = values[-90:]
    return np.asarray((days - days.mean()) / days.std())


def test_the_last_day_is_told_in_deviations_of_ninety() -> None:
    values = random(200)
    assert column(values, "last")[-1] == pytest.approx(scored(values)[-1])


def test_calm_is_how_much_less_the_days_vary_than_those_of_the_year_before() -> None:
    values = random(800)
    values[-90:] /= 3.0
    vary = [np.log(values[day - 89 : day + 1].std()) for day in range(345, 710)]
    expected = np.mean(vary) - np.log(values[-90:].std())
    assert column(values, "calm")[-1] == pytest.approx(expected)


def test_a_few_days_far_above_make_it_skewed() -> None:
    values = random(200)
    values[-60] = 9.0
    expected = np.log1p((scored(values) ** 3).mean())
    assert expected > 1.0
    assert column(values, "skew")[-1] == pytest.approx(expected)
    assert column(-values, "skew")[-1] == pytest.approx(-expected)


def test_age_is_how_long_ago_the_high_days_were() -> None:
    values = np.tile([0.0, 0.1], 100)
    values[-80] = 50.0
    assert column(values, "age")[-1] == pytest.approx(79 / 90 - 0.5, abs=0.01)
    values[-3] = 5000.0
    assert column(values, "age")[-1] == pytest.approx(2 / 90 - 0.5, abs=0.01)


def test_season_tells_of_a_week_that_was_high_in_earlier_years() -> None:
    values = random(1000)
    values[[1000 + 3 - 365, 1000 + 3 - 730]] = 5.0
    season = column(values, "season")
    assert season[-1] > 1.0
    assert np.abs(np.median(season[-200:-20])) < 0.7


def test_season_waits_for_a_year_and_trusts_two_more() -> None:
    values = random(1000)
    values[[1000 + 3 - 365, 1000 + 3 - 730]] = 5.0
    assert not column(values[-360:], "season").any()
    assert 1.0 < column(values[-500:], "season")[-1] < column(values, "season")[-1]


def test_the_days_after_an_origin_are_no_season_yet() -> None:
    """What a year ago brought is known; what this week brings is not."""
    values = random(800)
    later = np.append(values, 50.0)
    assert column(values, "season")[-1] == column(later, "season")[-2]


def test_neither_the_unit_nor_the_level_matters() -> None:
    values = random(150)
    np.testing.assert_allclose(recent(values), recent(5 + 100 * values), atol=1e-9)


def test_an_unknown_day_is_told_by_the_last_known_one() -> None:
    values = random(120)
    values[-1] = np.nan
    before = values[np.isfinite(values)]
    scores = (before[-89:] - before[-89:].mean()) / before[-89:].std()
    assert column(values, "last")[-1] == pytest.approx(scores[-1])


@pytest.mark.parametrize(
    "values",
    [np.full(40, 3.0), np.full(40, 0.0), np.full(40, np.nan), random(13)],
    ids=["equal", "zeros", "unknown", "few"],
)
def test_nothing_is_told_of_days_that_tell_nothing(values: Array) -> None:
    np.testing.assert_allclose(recent(values), 0.0, atol=1e-12)


def test_a_day_far_out_is_bounded() -> None:
    values = random(120)
    values[-1] = 1e15
    assert np.abs(recent(values)).max() <= 4.0


def test_the_future_changes_nothing() -> None:
    values = random(300)
    later = values.copy()
    later[200:] = 1e6
    assert recent(values[:200]).tolist() == recent(later)[:200].tolist()
