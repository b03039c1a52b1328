"""Quotations are found again, answers kept, failures counted, endpoints left alone."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pipeline.tagging.llm_answer import Judgement
from pipeline.tagging.llm_health import FIRST_REST_S, LONGEST_REST_S, Health
from pipeline.tagging.llm_store import LlmStore
from pipeline.tagging.llm_verbatim import LEAST_WITHIN_A_WORD, find_quote

BUG = Judgement("bug", "sure", (3, 9), None, (0, 2))


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("the Build", "the  build"),
        ("IT'S", "it\u2019s"),
        ('"the build"', "the  build"),
        ("`broken`.", "broken"),
        ("broken: ß", "broken:\n\tß"),
        ("SS", "ß"),
        ("i̇zmir", "İzmir"),
        ("the build is fine", None),
        ("", None),
        (' "" ', None),
        ("...", None),
    ],
)
def test_a_quotation_is_found_whatever_its_case_and_spaces(
    quote: str, found: str | None
) -> None:
    text = "it\u2019s the  build, so broken:\n\tß in İzmir"
    place = find_quote(quote, [text])
    assert (None if place is None else text[slice(*place[1])]) == found


@pytest.mark.parametrize(
    ("quote", "start"),
    [
        ("CI", 13),
        ("ci", 13),
        ("The", 0),
        ("the", 39),
        ("pecif", 5),
        ("me so", 27),
        ("o an", 31),
        ("ci_", None),
        ("so", 30),
        ("jo", None),
        ("a", None),
        ("I", None),
    ],
)
def test_a_quotation_is_whole_words_where_it_can_be(
    quote: str, start: int | None
) -> None:
    text = "The specific CI job makes  me so angry the job"
    found = find_quote(quote, [text])
    assert (None if found is None else found[1][0]) == start


def test_whole_words_earlier_go_before_a_part_of_one_now() -> None:
    texts = ["the latest thing", "this TEST fails", "that test fails"]
    assert find_quote("test", texts) == (1, (5, 9))
    assert find_quote("tes", texts) == (0, (6, 9))
    assert find_quote(":(", ["oh no:("]) == (0, (5, 7))


@given(st.text(), st.integers(0, 30), st.integers(1, 30))
def test_every_part_of_a_text_is_found_in_it(text: str, start: int, size: int) -> None:
    part = text[start : start + size]
    found = find_quote(part, [text])
    if len(" ".join(part.split())) >= LEAST_WITHIN_A_WORD:
        assert found is not None
        _, place = found
        assert 0 <= place[0] < place[1] <= len(text)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2024, 6, 1, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_answers_are_kept_and_the_oldest_dropped(tmp_path: Path) -> None:
    store = LlmStore(tmp_path / "new" / "llm.sqlite", 1, max_answers=2)
    for key in (b"a", b"b", b"c"):
        store.keep(key, BUG if key == b"b" else None)
    assert store.answers([b"a", b"b", b"c", b"d"]) == {b"b": BUG, b"c": None}
    assert (tmp_path / "new" / "llm.sqlite").stat().st_mode & 0o077 == 0


def test_a_day_has_its_requests_and_the_next_one_too(tmp_path: Path) -> None:
    clock = Clock()
    stores = [LlmStore(tmp_path / "s", 3, clock=clock) for _ in range(2)]
    assert [stores[n % 2].spend() for n in range(5)] == [True] * 3 + [False] * 2
    clock.now += timedelta(minutes=1)
    assert stores[0].spend()


def test_threads_never_spend_more_than_there_is(tmp_path: Path) -> None:
    store = LlmStore(tmp_path / "s", 10)
    with ThreadPoolExecutor(4) as pool:
        spent = list(pool.map(lambda _: store.spend(), range(40)))
    assert sum(spent) == 10


def test_a_file_that_is_no_store_raises(tmp_path: Path) -> None:
    store = LlmStore(tmp_path / "s", 10)
    (tmp_path / "s").write_bytes(b"no database" * 1_000)
    with pytest.raises(sqlite3.Error):
        store.spend()


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_three_failures_in_a_row_earn_a_rest_that_doubles() -> None:
    clock = Seconds()
    health = Health(clock)
    rest_s = FIRST_REST_S
    for _ in range(6):
        for _ in range(3):
            assert not health.rests
            health.failed()
        clock.now += rest_s - 1
        assert health.rests
        clock.now += 1
        rest_s = min(2 * rest_s, LONGEST_REST_S)
    health.answered()
    for _ in range(3):
        health.failed()
    clock.now += FIRST_REST_S
    assert not health.rests


def test_an_answer_between_failures_makes_them_forgotten() -> None:
    health = Health(Seconds())
    for _ in range(5):
        health.failed()
        health.failed()
        health.answered()
    assert not health.rests


def test_an_endpoint_that_asks_for_rest_gets_it_at_once() -> None:
    clock = Seconds()
    health = Health(clock)
    health.failed(at_least_s=100)
    clock.now = 99
    assert health.rests
    clock.now = 100
    assert not health.rests


def test_what_stays_unanswered_is_logged_once_a_minute() -> None:
    clock = Seconds()
    health = Health(clock)
    with capture_logs() as logs:
        for second in range(125):
            clock.now = float(second)
            health.unanswered("timeout" if second % 2 else "unreachable")
    counts = [(x.get("timeout", 0), x.get("unreachable", 0)) for x in logs]
    assert counts == [(0, 1), (30, 30), (30, 30)]


def test_all_that_stayed_unanswered_is_logged_once_at_the_end() -> None:
    health = Health(Seconds())
    for reason in ("timeout", "timeout", "unreachable"):
        health.unanswered(reason)
    with capture_logs() as logs:
        health.finish()
        health.finish()
        Health(Seconds()).finish()
    (said,) = logs
    assert said["event"] == "llm-unanswered-in-all"
    assert (said["timeout"], said["unreachable"]) == (2, 1)
