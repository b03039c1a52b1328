import pytest
from structlog.testing import capture_logs

from pipeline.training.progress import progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_line_says_how_long_all_will_take() -> None:
    clock = Clock()
    with (
        capture_logs() as lines,
        progress("x", 100, 1_100, shown=False, clock=clock) as advance,
    ):
        for _ in range(99):
            clock.now += 1.0
            advance(10, loss=0.5)
    started, estimate, later = lines[:3]
    assert (started["done"], started["total"]) == (100, 1_100)
    assert estimate["done"] == 200
    assert estimate["minutes_left"] == pytest.approx(1.5)
    assert estimate["loss"] == 0.5
    assert later["event"] == "training-progress"
    assert len(lines) == 3


def test_what_takes_longer_than_a_stage_may_says_how_to_shorten_it_once() -> None:
    clock = Clock()
    with (
        capture_logs() as lines,
        progress("x", 0, 10_000, shown=False, clock=clock) as advance,
    ):
        for _ in range(20):
            clock.now += 61.0
            advance()
    hints = [line for line in lines if line["event"] == "training-long"]
    assert [hint["hint"] for hint in hints] == ["use --subset N"]


def test_on_a_terminal_it_is_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("teacher 1", 2, 4, shown=True) as advance:
        advance(loss=0.25)
        advance(loss=0.125)
    assert "teacher 1: 100%" in capsys.readouterr().err
