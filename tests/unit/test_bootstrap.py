"""Figures of a track record, and how far they can be trusted."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.forecast.bootstrap import Judged, figures

ORIGINS = 240


@pytest.fixture
def judged() -> Judged:
    """Days of unit noise around 10, forecast as 10, with bands of one unit."""
    random = np.random.default_rng(3)
    shape = (ORIGINS, 7)
    came = (random.random(ORIGINS) < 0.4) + 0.0
    return Judged(
        model="some",
        naive=False,
        truth=10 + random.normal(size=shape),
        path=np.full(shape, 10.0),
        lower=np.full(shape, 9.0),
        upper=np.full(shape, 11.0),
        change=np.full(ORIGINS, 2.0),
        chance=np.clip(0.3 * came + 0.6 * random.random(ORIGINS), 0.0, 1.0),
        rang=(random.random(ORIGINS) < 0.5) + 0.0,
        came=came,
        base=np.full(ORIGINS, 0.4),
        lead=np.where(came == 1.0, random.integers(1, 8, ORIGINS), np.nan),
    )


def test_errors_are_told_in_units_of_the_usual_change(judged: Judged) -> None:
    found = figures(judged, 0.8)
    assert found.mase.value == pytest.approx(np.abs(judged.truth - 10).mean() / 2)
    assert found.width.value == pytest.approx(1.0)
    inside = (np.abs(judged.truth - 10) <= 1).mean()
    assert found.coverage.value == pytest.approx(inside)


def test_pinball_loss_is_least_for_the_quantiles_themselves(judged: Judged) -> None:
    def loss(reach: float) -> float:
        lower, upper = (np.full(judged.path.shape, 10 + end) for end in (-reach, reach))
        found = figures(replace(judged, lower=lower, upper=upper), 0.8).pinball
        assert found.value is not None
        return found.value

    assert loss(1.28) < min(loss(0.8), loss(2.0))


def test_alarms_are_counted_as_they_came_true(judged: Judged) -> None:
    found = figures(judged, 0.8)
    hits = (judged.rang * judged.came).sum()
    assert found.alarm_precision.value == pytest.approx(hits / judged.rang.sum())
    assert found.alarm_recall.value == pytest.approx(hits / judged.came.sum())
    both = judged.rang.sum() + judged.came.sum()
    assert found.alarm_f1.value == pytest.approx(2 * hits / both)
    lead = judged.lead[(judged.rang * judged.came) == 1.0]
    assert found.lead_days.value == pytest.approx(lead.mean())


def test_the_area_is_the_share_of_pairs_in_the_right_order(judged: Judged) -> None:
    highs = judged.chance[judged.came == 1.0, np.newaxis]
    lows = judged.chance[judged.came == 0.0]
    pairs = ((highs > lows) + 0.5 * (highs == lows)).mean()
    assert figures(judged, 0.8).auc.value == pytest.approx(pairs)


def test_intervals_hold_nine_of_ten_records_of_independent_days(judged: Judged) -> None:
    held = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        truth = 10 + random.normal(size=(ORIGINS, 1)) * np.ones(7)
        found = figures(replace(judged, truth=truth), 0.8).mase
        assert found.low is not None
        assert found.high is not None
        held += found.low <= np.sqrt(2 / np.pi) / 2 <= found.high
    assert 30 <= held <= 40


def test_days_that_go_together_widen_the_interval(judged: Judged) -> None:
    random = np.random.default_rng(9)

    def spread(block: int) -> float:
        noise = np.repeat(random.normal(size=ORIGINS // block), block)
        truth = 10 + np.tile(noise[:, np.newaxis], 7)
        found = figures(replace(judged, truth=truth), 0.8).mase
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    assert spread(12) > 1.5 * spread(1)


def test_unknown_days_count_nowhere(judged: Judged) -> None:
    truth = np.where(np.arange(7) < 3, judged.truth, np.nan)
    known = figures(replace(judged, truth=truth), 0.8)
    expected = np.abs(judged.truth[:, :3] - 10).mean() / 2
    assert known.mase.value == pytest.approx(expected)


def test_without_an_alarm_or_a_high_day_nothing_is_said_of_them(judged: Judged) -> None:
    found = figures(replace(judged, rang=0 * judged.rang, came=0 * judged.came), 0.8)
    assert found.alarm_precision.value is None
    assert found.alarm_recall.value is None
    assert found.auc.value is None
    assert found.lead_days.low is None


def test_the_same_record_has_the_same_intervals(judged: Judged) -> None:
    assert figures(judged, 0.8) == figures(judged, 0.8)


def test_no_origins_are_no_figures(judged: Judged) -> None:
    nothing = {
        name: getattr(judged, name)[:0]
        for name in Judged.__dataclass_fields__
        if name not in {"model", "naive"}
    }
    assert figures(replace(judged, **nothing), 0.8).mase.value is None
