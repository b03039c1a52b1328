"""Days made even before a fit."""

import numpy as np

from pipeline.forecast.even import evened


def test_gaps_become_a_line_and_silence_at_the_end_is_counted() -> None:
    even = evened(np.array([np.nan, 1.0, np.nan, 3.0, np.nan, np.nan]), 730)
    back = even.centre + even.unit * even.values
    np.testing.assert_allclose(back, [1.0, 2.0, 3.0])
    assert even.silent == 2


def test_only_the_newest_days_are_remembered() -> None:
    even = evened(np.arange(50.0), 10)
    np.testing.assert_allclose(even.centre, 44.5)
    assert even.values.size == 10


def test_values_are_centred_and_in_units_of_their_spread() -> None:
    even = evened(np.random.default_rng(0).normal(5.0, 3.0, size=200), 730)
    np.testing.assert_allclose(
        [even.values.mean(), even.values.std()], [0, 1], atol=1e-9
    )


def test_a_weekly_pattern_is_found_whatever_the_level_does() -> None:
    pattern = np.array([-3.0, -2, -1, 0, 1, 2, 3])
    even = evened(np.tile(pattern, 30) + np.arange(210) / 10, 730)
    np.testing.assert_allclose(even.week() * even.unit, pattern, atol=0.5)


def test_what_noise_makes_of_weekdays_is_mostly_left_out() -> None:
    even = evened(np.random.default_rng(1).normal(size=140), 730)
    assert np.abs(even.week()).max() < 0.2


def test_a_month_is_needed_to_know_the_week() -> None:
    assert not evened(np.tile([1.0, 0, 0, 0, 0, 0, 0], 3), 730).week().any()
