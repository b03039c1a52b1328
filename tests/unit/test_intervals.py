"""Intervals follow the errors known, their size lately, and how often they held."""

import numpy as np
import pytest

from pipeline.forecast.intervals import FEWEST, offsets
from pipeline.forecast.series import Array

TAIL = 0.1


def noise(days: int, seed: int = 0) -> Array:
    """Errors of one model at one distance, shape (1, days, 1)."""
    return np.random.default_rng(seed).normal(size=(1, days, 1))


def held(errors: Array, days: slice, tail: float = TAIL) -> float:
    """Share of the days whose error lay within what was said the day before."""
    below, above = (end[0, :-1, 0] for end in offsets(errors, errors[0, :, 0], tail))
    came = errors[0, 1:, 0]
    return float(((below <= came) & (came <= above))[days].mean())


def test_of_even_noise_the_ends_are_its_quantiles() -> None:
    below, above = offsets(noise(2000), np.zeros(2000), TAIL)
    assert below[0, 400:, 0].mean() == pytest.approx(-1.28, abs=0.15)
    assert above[0, 400:, 0].mean() == pytest.approx(1.28, abs=0.15)


@pytest.mark.parametrize("tail", [0.1, 0.025])
def test_they_hold_as_often_as_they_say(tail: float) -> None:
    share = held(noise(2000), slice(200, None), tail)
    assert share == pytest.approx(1 - 2 * tail, abs=0.015)


@pytest.mark.parametrize("tail", [0.1, 0.025])
def test_they_hold_also_when_errors_triple(tail: float) -> None:
    errors = noise(1200)
    errors[:, 600:] *= 3.0
    assert held(errors, slice(600, 840), tail) == pytest.approx(1 - 2 * tail, abs=0.04)


def test_they_hold_also_when_errors_shift_to_one_side() -> None:
    errors = noise(1200)
    errors[:, 600:] += 0.5
    assert held(errors, slice(600, 840)) == pytest.approx(0.8, abs=0.06)


def test_later_errors_do_not_move_them() -> None:
    errors = noise(200)
    changed = errors.copy()
    changed[:, 151:] = 1e6
    before, after = (offsets(e, np.zeros(200), TAIL) for e in (errors, changed))
    for end, same in zip(before, after, strict=True):
        assert end[:, :151].tolist() == same[:, :151].tolist()


def test_with_few_errors_the_spread_of_the_days_stands_in() -> None:
    values = noise(30)[0, :, 0]
    below, above = offsets(np.full((1, 30, 2), np.nan), values, TAIL)
    wide = 1.2816 * values.std()
    np.testing.assert_allclose(above[0, 29], wide, rtol=1e-4)
    np.testing.assert_allclose(below[0, 29], -wide, rtol=1e-4)


def test_a_model_that_never_errs_has_no_width() -> None:
    below, above = offsets(np.zeros((1, 60, 3)), np.full(60, 2.0), TAIL)
    assert np.abs(below[0, FEWEST:]).max() == 0.0
    assert np.abs(above[0, FEWEST:]).max() == 0.0


def test_the_expected_value_always_lies_within() -> None:
    below, above = offsets(noise(300) + 5.0, np.zeros(300), TAIL)
    assert np.nanmax(below) <= 0.0
    assert np.nanmin(above) >= 0.0


@pytest.mark.parametrize("tail", [0.1, 0.025])
def test_after_a_crisis_they_are_not_wider_than_anything_that_came(tail: float) -> None:
    errors = 0.01 * noise(200)
    errors[:, 150:165] += 0.3
    _, above = offsets(errors, errors[0, :, 0], tail)
    assert above[0, 165:, 0].max() <= 1.25 * np.abs(errors).max()
