"""Rolling origin, choice of model, skill, intervals and their measures."""

from datetime import date
from statistics import fmean

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.forecast.backtest import (
    Choice,
    Track,
    bands,
    by_target,
    choose,
    coverage,
    losses,
    mase,
    refit_days,
    roll,
    skilled,
    track,
)
from pipeline.forecast.models import LastDay
from pipeline.forecast.series import Array, Series
from pipeline.forecast.skill import beats

HORIZON = 7


def measured(values: Array) -> Series:
    return Series("all", "", "x", date(2024, 1, 1), np.ones(values.size), values, False)


def noise(days: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=days)


def weekly(days: int) -> Array:
    """A weekly pattern on a slow level under noise: what smoothing is made for."""
    pattern = np.resize([0.0, 1, 2, 3, 2, 1, 0], days)
    return 20 + pattern + np.cumsum(0.1 * noise(days)) + noise(days, 1)


@pytest.fixture(scope="module")
def told() -> Track:
    return track(measured(weekly(300)), HORIZON)


def test_refits_grow_rarer_but_never_stop() -> None:
    days = refit_days(13, 3000)
    gaps = np.diff(days)
    assert days[0] == 13
    assert gaps[0] == 7
    assert (np.diff(gaps) >= 0).all()
    assert gaps[-1] == 28


def test_the_first_origin_is_the_fourteenth_known_day() -> None:
    values = noise(40)
    values[:5] = np.nan
    said = track(measured(values), HORIZON)
    assert said.first == 18
    assert np.isnan(said.paths[:, :18]).all()
    assert np.isfinite(said.paths[:, 18:]).all()


def test_a_series_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="13 known days"):
        track(measured(noise(13)), HORIZON)


def test_progress_adds_up_to_one() -> None:
    shares: list[float] = []
    track(measured(noise(60)), HORIZON, shares.append)
    assert sum(shares) == pytest.approx(1.0)


def test_a_path_starts_from_its_origin() -> None:
    paths = roll(LastDay(), np.arange(20.0), 3, first=13)
    assert paths[15].tolist() == [15, 15, 15]


def test_errors_stand_by_the_day_they_came_true() -> None:
    said = np.arange(5.0)[:, np.newaxis] + np.zeros(2)
    errors = by_target(np.arange(5.0), said[np.newaxis])[0]
    np.testing.assert_equal(errors[:, 0], [np.nan, 1, 1, 1, 1])
    np.testing.assert_equal(errors[:, 1], [np.nan, np.nan, 2, 2, 2])


def test_mase_is_the_error_in_units_of_the_change_known_at_the_origin() -> None:
    values = weekly(80)
    said = track(measured(values), HORIZON)
    origins = range(50, 80 - HORIZON)
    expected = [
        abs(values[origin + 1 + ahead] - values[origin])
        / fmean(np.abs(np.diff(values[: origin + 1])))
        for origin in origins
        for ahead in range(HORIZON)
    ]
    last_day = said.paths[said.names.index("last day")]
    assert mase(said, last_day, origins) == pytest.approx(fmean(expected))


def test_there_is_no_mase_of_a_series_that_never_changes() -> None:
    said = track(measured(np.full(60, 3.0)), HORIZON)
    assert mase(said, said.paths[0], range(20, 50)) is None
    assert mase(said, said.paths[0], []) is None


def test_coverage_leaves_unknown_days_out(told: Track) -> None:
    lower, upper = np.full((300, HORIZON), -1e9), np.full((300, HORIZON), 1e9)
    upper[100] = -1e8
    gappy = track(measured(np.where(np.arange(300) == 205, np.nan, told.values)), 7)
    assert coverage(gappy, lower, upper, [100, 200]) == pytest.approx(6 / 13)


def test_the_better_of_two_forecasts_is_found() -> None:
    assert beats(0.5 + noise(365), 7)


def test_a_worse_or_equal_forecast_is_not_better() -> None:
    assert not beats(noise(365) - 0.5, 7)
    assert not beats(np.zeros(365), 7)


def test_a_lucky_fortnight_proves_nothing() -> None:
    assert not beats(np.ones(14), 7)
    assert not beats(np.full(100, np.nan), 7)


def test_chance_alone_passes_the_test_about_once_in_twenty() -> None:
    overlapping = [np.convolve(noise(171, seed), np.ones(7)) for seed in range(400)]
    share = fmean(beats(advantage[7:-6], 7) for advantage in overlapping)
    assert 0.01 < share < 0.11


def test_the_combination_is_chosen_by_skill_where_smoothing_pays(told: Track) -> None:
    choice = choose(told, losses(told), 299)
    assert told.names[choice.model] == "combination"
    assert choice.skill
    skills = dict(zip(told.names, skilled(told, losses(told), 299), strict=True))
    assert skills["ETS"]
    assert not skills["7-day mean"]


def test_a_young_series_shows_the_mean_of_a_week(told: Track) -> None:
    week_mean = told.names.index("7-day mean")
    assert choose(told, losses(told), 20) == Choice(week_mean, skill=False)
    assert not any(skilled(told, losses(told), 20))


def test_a_random_walk_is_published_from_its_last_day_without_skill() -> None:
    said = track(measured(np.cumsum(noise(400))), HORIZON)
    choice = choose(said, losses(said), 399)
    assert choice == Choice(said.names.index("last day"), skill=False)


@pytest.mark.parametrize("kind", ["white noise", "random walk"])
def test_what_cannot_be_forecast_has_no_skill(kind: str) -> None:
    found = 0
    for seed in range(6):
        values = (
            noise(150, seed) if kind == "white noise" else noise(150, seed).cumsum()
        )
        said = track(measured(values), HORIZON)
        found += choose(said, losses(said), 149).skill
    assert found <= 1


def test_only_errors_of_the_past_choose(told: Track) -> None:
    loss = losses(told)
    before = choose(told, loss, 200)
    loss[:, 201:] = 1e9 * np.arange(len(told.names))[:, np.newaxis]
    assert choose(told, loss, 200) == before


def test_four_in_five_days_fall_into_their_interval(told: Track) -> None:
    origins = range(120, 300 - HORIZON)
    lower, upper = bands(told)
    for model in range(len(told.names)):
        share = coverage(told, lower[model], upper[model], origins)
        assert share == pytest.approx(0.8, abs=0.05)


def test_a_wider_interval_holds_more(told: Track) -> None:
    origins = range(120, 300 - HORIZON)
    lower, upper = bands(told, 0.95)
    combination = told.names.index("combination")
    share = coverage(told, lower[combination], upper[combination], origins)
    assert share == pytest.approx(0.95, abs=0.03)


def test_nothing_leaves_what_the_series_has_shown_to_be_possible() -> None:
    values = np.abs(noise(100)) * np.linspace(2, 0, 100)
    said = track(measured(values), HORIZON)
    lower, _ = bands(said)
    assert np.nanmin(said.paths) >= 0.0
    assert np.nanmin(lower) >= 0.0
