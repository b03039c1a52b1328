"""Periods of high prevalence, in retrospect."""

import numpy as np

from pipeline.forecast.periods import Span, spans
from pipeline.forecast.series import Array

DAYS = 99


def calm() -> Array:
    """Mostly at the upper value, so that nothing is above mean plus deviation."""
    return np.tile([1.0, 1.2, 1.2], DAYS // 3)


def test_calm_days_hold_no_period() -> None:
    assert spans(calm()) == []
    assert spans(np.ones(DAYS)) == []
    assert spans(np.zeros(DAYS)) == []


def test_a_period_has_a_start_a_peak_and_an_end() -> None:
    values = calm()
    values[60:66] = [2, 3, 5, 4, 3, 2]
    assert spans(values) == [Span(started=60, peaked=62, ended=65)]


def test_a_period_that_reaches_the_last_day_has_not_ended() -> None:
    values = calm()
    values[-4:] = [2, 3, 4, 5]
    assert spans(values) == [Span(started=95, peaked=98, ended=None)]


def test_one_low_or_unknown_day_does_not_split_a_period() -> None:
    values = calm()
    values[60:67] = [3, 3, 1, 3, np.nan, 3, 3]
    assert spans(values) == [Span(started=60, peaked=60, ended=66)]


def test_two_low_days_split_a_period() -> None:
    values = calm()
    values[50:58] = [3, 3, 3, 1, 1, 4, 4, 4]
    assert [span.started for span in spans(values)] == [50, 55]


def test_a_day_or_two_are_no_period() -> None:
    values = calm()
    values[60:62] = 3
    values[70:73] = [3, 1, 3]
    assert spans(values) == []


def test_a_day_is_not_measured_by_itself() -> None:
    """High is above the days before: the first high day raises only later levels."""
    values = np.concatenate([np.full(20, 1.0), [9, 9, 9]])
    assert spans(values) == [Span(started=20, peaked=20, ended=None)]


def test_the_first_two_weeks_have_nothing_to_compare_with() -> None:
    assert spans(np.arange(14.0)) == []
