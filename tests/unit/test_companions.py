"""What rose together with a period of high prevalence."""

from datetime import date, timedelta

import numpy as np
import pytest

from pipeline.forecast.companions import companions
from pipeline.forecast.series import Series

START = date(2024, 1, 1)
PERIOD = (START + timedelta(days=60), START + timedelta(days=69))


def cause(label: str, during: float, seed: int = 0) -> Series:
    """200 messages a day, 5 % of them of this cause; in the period another share."""
    random = np.random.default_rng(seed)
    share = np.full(90, 0.05)
    share[60:70] = during
    messages = np.full(90, 200.0)
    marked = random.binomial(200, share).astype(float)
    return Series("all", "cause", label, START, messages, marked)


def test_a_cause_that_rose_is_named_with_its_shares() -> None:
    [found] = companions([cause("bureaucracy", 0.15)], *PERIOD)
    assert (found.task, found.label) == ("cause", "bureaucracy")
    assert found.before == pytest.approx(0.05, abs=0.01)
    assert found.during == pytest.approx(0.15, abs=0.02)


def test_the_clearest_rise_comes_first() -> None:
    risen = [cause("a", 0.09), cause("b", 0.3), cause("c", 0.15)]
    assert [found.label for found in companions(risen, *PERIOD)] == ["b", "c", "a"]


def test_what_stayed_or_fell_is_not_named() -> None:
    stayed = [cause("x", 0.05, seed) for seed in range(100)]
    assert len(companions(stayed, *PERIOD)) <= 2
    assert companions([cause("fell", 0.01)], *PERIOD) == []


def test_withheld_days_are_neither_counted_nor_told() -> None:
    series = cause("rare", 0.5)
    marked = series.marked.copy()
    marked[60:70] = np.nan
    messages = np.where(np.isnan(marked), np.nan, series.messages)
    withheld = Series("all", "cause", "rare", START, messages, marked)
    assert companions([withheld], *PERIOD) == []


def test_weekly_themes_are_compared_week_by_week() -> None:
    theme = cause("build fails", 0.3)
    monday = np.arange(90) % 7 == 0
    weekly = Series(
        "all",
        "theme",
        "build fails",
        START,
        np.where(monday, 1400.0, np.nan),
        np.where(monday, 7 * theme.marked, np.nan),
    )
    assert [found.label for found in companions([weekly], *PERIOD)] == ["build fails"]


def test_without_days_before_nothing_is_said_to_have_risen() -> None:
    assert companions([cause("new", 0.5)], START, START + timedelta(days=5)) == []


def test_days_without_a_mark_leave_the_noise_of_drawing() -> None:
    zeros = Series("all", "cause", "x", START, np.full(90, 5.0), np.zeros(90))
    one = zeros.marked.copy()
    one[65] = 1.0
    once = Series("all", "cause", "x", START, np.full(90, 5.0), one)
    assert companions([zeros, once], *PERIOD) == []
