"""Themes are found on the log, kept in the warehouse, and published behind the gate."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.config import LogSettings
from pipeline.jobs.theming import Theming, cause_in, causes_on
from pipeline.log.message_log import Entry
from pipeline.log.open import open_log
from pipeline.records import Mark, TaggedMessage, encode
from pipeline.testing import MemoryLog
from pipeline.themes.found import Theme, Week
from pipeline.warehouse.cells import recount
from pipeline.warehouse.testing import NOW, SmallWarehouse, tagged
from pipeline.warehouse.themes import ThemeStore

FLAKY = ["flaky", "test", "runner", "fails", "rerun", "random", "timeout"]
REVIEW = ["review", "pull", "request", "waits", "stuck", "approval", "week"]
LAST_WEEK = NOW - timedelta(days=7)
MONDAY = datetime(2026, 2, 16).date()  # noqa: DTZ001 - of LAST_WEEK


def named(
    name: str, words: str, at: datetime = LAST_WEEK, **fields: Any
) -> TaggedMessage:
    """A message of frustration that is, but for its first words, its cause."""
    start = len("Argh! ")
    given = tagged(name, at, [("fine-emotion", "frustration")], **fields)
    text = f"Argh! {words}"
    span = Mark(
        task="cause-span",
        label="span",
        score=0.9,
        flagged=True,
        evidence=(start, len(text)),
        tagger="fake-1",
    )
    message = msgspec.structs.replace(given.message, text=text)
    return msgspec.structs.replace(given, message=message, marks=(*given.marks, span))


def crowd(words: list[str], count: int, first: int = 0) -> list[TaggedMessage]:
    return [
        named(
            f"{words[0]}{n}",
            " ".join(words[n % 3 :] + words[: n % 2]),
            author=first + n,
        )
        for n in range(count)
    ]


def on_log(log: Any, records: list[TaggedMessage]) -> None:
    log.append("tagged", [Entry("k", encode(record)) for record in records])


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[SmallWarehouse]:
    small = SmallWarehouse(tmp_path)
    yield small
    small.close()


def test_a_cause_is_the_words_that_name_it_without_code_in_their_week() -> None:
    cause = cause_in(named("1", "the `kill()` call hangs", author=7))
    assert cause is not None
    assert cause.words.split() == ["the", "call", "hangs"]
    assert (cause.week, cause.author) == (MONDAY, f"{7:016x}")


@pytest.mark.parametrize(
    ("text", "cause", "count"),
    [
        (
            "I love the docs. But it broke login and I am angry.",
            "I love the docs",
            0,
        ),
        ("I love the docs. But it broke login and I am angry.", "broke login", 1),
        ("I love it, yet I am angry at the broken login.", "broken login", 1),
        ("I am angry. The login is broken.\nI love the docs!", "login is broken", 1),
    ],
)
def test_what_somebody_is_pleased_with_is_no_cause_of_frustration(
    text: str, cause: str, count: int
) -> None:
    def mark(task: str, label: str, words: str) -> Mark:
        start = text.index(words)
        place = (start, start + len(words))
        given = {"score": 0.9, "flagged": True, "tagger": "fake-1"}
        return Mark(task=task, label=label, evidence=place, **given)

    told = tagged("1", LAST_WEEK)
    message = msgspec.structs.replace(told.message, text=text)
    marks = (
        mark("basic-emotion", "love", "love"),
        mark("basic-emotion", "anger", "angry"),
        mark("cause-span", "span", cause),
    )
    found = cause_in(msgspec.structs.replace(told, message=message, marks=marks))
    assert [found].count(None) == 1 - count


def test_bots_calm_people_and_unflagged_spans_name_no_cause() -> None:
    told = named("1", "the build hangs")
    frustration, span = told.marks
    unflagged = msgspec.structs.replace(span, flagged=False)
    calm = msgspec.structs.replace(frustration, flagged=False)
    assert cause_in(named("1", "the build hangs", bot=True)) is None
    for marks in [(frustration,), (span,), (calm, span), (frustration, unflagged)]:
        assert cause_in(msgspec.structs.replace(told, marks=marks)) is None


def test_the_newest_revision_counts_whatever_comes_last() -> None:
    log = MemoryLog()
    calm = tagged("1", LAST_WEEK, revision=2, text="never mind")
    gone = tagged("2", LAST_WEEK, revision=2, deleted=True)
    on_log(log, [named("1", "slow", revision=1), calm, named("1", "slow")])
    on_log(log, [named("2", "slow"), gone, named("3", "slow"), named("3", "slow")])
    log.append("tagged", [Entry("k", b'no record, but "cause-span"')])
    assert [cause.words for cause in causes_on(log)] == ["slow"]


@pytest.mark.parametrize("first", [True, False])
def test_a_deletion_without_a_revision_takes_every_revision_back(
    *, first: bool
) -> None:
    log = MemoryLog()
    told = [named("1", "slow", revision=5), tagged("1", LAST_WEEK, deleted=True)]
    on_log(log, told[::-1] if first else told)
    assert causes_on(log) == []


def test_themes_of_the_log_are_published_by_week(
    warehouse: SmallWarehouse, tmp_path: Path
) -> None:
    settings = LogSettings(url=f"sqlite:{tmp_path / 'log.sqlite'}")
    told = [*crowd(FLAKY, 8), *crowd(REVIEW, 12, first=100)]
    others = [tagged(f"other{n}", LAST_WEEK, author=500 + n) for n in range(5)]
    with closing(open_log(settings)) as log:
        on_log(log, told)
    warehouse.load(*told, *others)
    theming = Theming(ThemeStore(warehouse.connection, tmp_path), settings, 5)
    theming.ask()
    until = time.monotonic() + 60
    while theming.busy and time.monotonic() < until:
        theming.go_on(wait_s=0.1)
    warehouse.publish()
    rows = warehouse.tables()["themes"]
    assert [(row[0], row[1], *row[3:]) for row in rows] == [
        (MONDAY, 1, 12, 12),
        (MONDAY, 2, 8, 8),
    ]
    assert {word for row in rows for word in row[2].split(", ")} <= {*FLAKY, *REVIEW}


def test_a_log_that_cannot_be_opened_leaves_themes_as_they_were(
    warehouse: SmallWarehouse, tmp_path: Path
) -> None:
    store = ThemeStore(warehouse.connection, tmp_path)
    keep(store, (1, 8, 8))
    settings = LogSettings(url=f"sqlite:{tmp_path}")
    theming = Theming(store, settings, 5)
    theming.ask()
    until = time.monotonic() + 60
    while theming.busy and time.monotonic() < until:
        theming.go_on(wait_s=0.1)
    assert not theming.busy
    assert list(store.known()) == [1]


def keep(store: ThemeStore, *counts: tuple[int, int, int], causes: int = 50) -> None:
    """Keep themes of `MONDAY`, each with its number, messages and authors."""
    themes = [
        (number, Theme(("ci",), {"ci": 1.0}, (Week(MONDAY, messages, authors),)))
        for number, messages, authors in counts
    ]
    store.keep(themes, {MONDAY: causes}, store.taken_back())


def published(warehouse: SmallWarehouse, at: datetime = NOW) -> list[int]:
    warehouse.publish(at)
    return [row[1] for row in warehouse.tables()["themes"]]


def test_a_theme_needs_a_crowd_that_is_not_everybody_and_a_week_that_is_over(
    warehouse: SmallWarehouse, tmp_path: Path
) -> None:
    warehouse.load(*(tagged(f"{n}", LAST_WEEK, author=n) for n in range(9)))
    store = ThemeStore(warehouse.connection, tmp_path)
    keep(store, (1, 30, 4), (2, 5, 5), (3, 9, 8), (4, 9, 9))
    assert published(warehouse) == [2, 3]
    sunday = datetime.fromisoformat("2026-02-22T23:59:00+00:00")
    assert published(warehouse, sunday) == []


def test_a_week_stays_as_it_was_when_retention_took_part_of_it(
    warehouse: SmallWarehouse, tmp_path: Path
) -> None:
    warehouse.load(*(tagged(f"{n}", LAST_WEEK, author=n) for n in range(9)))
    store = ThemeStore(warehouse.connection, tmp_path)
    keep(store, (1, 8, 8))
    keep(store, (1, 5, 5), causes=49)
    assert published(warehouse) == [1]
    assert warehouse.tables()["themes"][0][3] == 8
    for numbers in ([(2, 6, 6)], []):
        keep(store, *numbers, causes=50 if numbers else 0)
        assert published(warehouse) == [2]


def test_a_deleted_message_leaves_the_theme_though_causes_become_fewer(
    warehouse: SmallWarehouse, tmp_path: Path
) -> None:
    told = [named(f"{n}", "slow", author=n) for n in range(9)]
    warehouse.load(*told)
    recount(warehouse.connection, warehouse.path)
    store = ThemeStore(warehouse.connection, tmp_path)
    keep(store, (1, 8, 8), causes=8)
    warehouse.load(tagged("8", LAST_WEEK, deleted=True), start=9)
    recount(warehouse.connection, warehouse.path)
    keep(store, (1, 7, 7), causes=7)
    published(warehouse)
    assert warehouse.tables()["themes"][0][3] == 7
    keep(store, (1, 6, 6), causes=6)  # now it was retention
    published(warehouse)
    assert warehouse.tables()["themes"][0][3] == 7


def test_a_deletion_withdraws_a_week_that_the_log_has_no_more(
    warehouse: SmallWarehouse, tmp_path: Path
) -> None:
    warehouse.load(*(named(f"{n}", "slow", author=n) for n in range(9)))
    recount(warehouse.connection, warehouse.path)
    store = ThemeStore(warehouse.connection, tmp_path)
    keep(store, (1, 8, 8), causes=8)
    warehouse.load(tagged("8", LAST_WEEK, deleted=True), start=9)
    recount(warehouse.connection, warehouse.path)
    store.keep([], {}, store.taken_back())
    assert published(warehouse) == []


def test_a_warehouse_of_before_themes_gets_their_tables(tmp_path: Path) -> None:
    with closing(SmallWarehouse(tmp_path)) as before:
        for table in ("themes", "theme_weeks", "theme_causes"):
            before.connection.execute(f"DROP TABLE {table}")
    with closing(SmallWarehouse(tmp_path)) as now:
        now.publish()
        assert now.tables()["themes"] == []
