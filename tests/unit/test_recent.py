"""How the last days stand beside ninety days."""

import numpy as np
import pytest

from pipeline.forecast.recent import NAMES, recent
from pipeline.forecast.series import Array


def random(days: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=days)


def column(values: Array, name: str) -> Array:
    return recent(values)[:, NAMES.index(name)]


def test_the_last_days_are_told_in_deviations_of_ninety() -> None:
    values = random(200)
    days = values[110:200]
    scores = (days - days.mean()) / days.std()
    assert column(values, "last")[-1] == pytest.approx(scores[-1])
    assert column(values, "week")[-1] == pytest.approx(scores[-7:].mean())
    assert column(values, "month")[-1] == pytest.approx(scores[-28:].mean())
    assert column(values, "high")[-1] == pytest.approx((scores > 1).mean())


def test_calm_is_how_much_less_the_days_vary_than_the_year() -> None:
    values = random(500)
    values[-90:] /= 3.0
    expected = np.log(values[-365:].std() / values[-90:].std())
    assert column(values, "calm")[-1] == pytest.approx(expected)


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
