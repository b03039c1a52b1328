"""What rose together with a period of a high level."""

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from pipeline.warehouse.database import script

START = date(2024, 1, 1)
STARTED, ENDED = START + timedelta(days=60), START + timedelta(days=69)
DAYS = 90
MIN_AUTHORS = 5


class Published:
    """A published file in memory: a period of anger in the scope all, and its days."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute("ATTACH ':memory:' AS published; USE published")
        connection.execute(script("published.sql"))
        connection.execute("SET VARIABLE first_scope = 'a'")
        connection.execute("SET VARIABLE last_scope = 'z'")
        self.insert("labels", ("basic-emotion", "anger", None, "", "", 5, "hour"))
        self.period("anger", ENDED)
        self.cells("prevalence_daily", "basic-emotion", "anger", [20] * DAYS)

    def insert(self, table: str, *rows: tuple[object, ...]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def period(self, label: str, ended: date | None) -> None:
        name = ("all", "basic-emotion", label)
        self.insert("periods", (*name, "level", STARTED, STARTED, ended, 0.2))

    def cells(
        self, table: str, task: str, label: str, marked: list[int | None], each: int = 1
    ) -> None:
        """200 messages a day; None where the gate withheld the cell."""
        name = ("all", START) if table == "causes_daily" else ("all", START, task)
        for day, count in enumerate(marked):
            if count is not None:
                at = START + timedelta(days=day * each)
                messages = 200 * each
                counts = (messages, 50, count, count / messages)
                self.insert(table, (name[0], at, *name[2:], label, *counts))

    def cause(self, label: str, marked: list[int | None]) -> None:
        self.insert("labels", ("cause", label, None, "", "", MIN_AUTHORS, "hour"))
        self.cells("causes_daily", "cause", label, marked)

    def companions(self) -> list[tuple[str, float, float]]:
        self.connection.execute("DELETE FROM companions")
        self.connection.execute(script("companions.sql"))
        return self.connection.execute(
            "SELECT companion, before, during FROM companions WHERE label = 'anger'"
        ).fetchall()

    def names(self) -> list[str]:
        return [name for name, _, _ in self.companions()]


@pytest.fixture
def published() -> Iterator[Published]:
    with duckdb.connect() as connection:
        yield Published(connection)


def drawn(during: float, seed: int = 0, before: float = 0.05) -> list[int | None]:
    """Of 200 messages a day, with another share in the period."""
    share = np.full(DAYS, before)
    share[60:70] = during
    found: list[int] = np.random.default_rng(seed).binomial(200, share).tolist()
    return [*found]


def test_a_cause_that_rose_is_named_with_its_shares(published: Published) -> None:
    published.cause("bureaucracy", drawn(0.15))
    [(name, before, during)] = published.companions()
    assert name == "bureaucracy"
    assert before == pytest.approx(0.05, abs=0.01)
    assert during == pytest.approx(0.15, abs=0.02)


def test_the_clearest_rise_comes_first_and_five_are_told(published: Published) -> None:
    for label, share in zip(
        "abcdefg", (0.09, 0.3, 0.15, 0.2, 0.25, 0.4, 0.5), strict=True
    ):
        published.cause(label, drawn(share))
    assert published.names() == ["g", "f", "b", "e", "d"]


def test_what_stayed_or_fell_is_not_named(published: Published) -> None:
    for seed in range(100):
        published.cause(f"stayed-{seed}", drawn(0.05, seed))
    published.cause("fell", drawn(0.01))
    assert "fell" not in published.names()
    assert len(published.names()) <= 2


def test_a_label_is_no_companion_of_its_own(published: Published) -> None:
    published.connection.execute("DELETE FROM prevalence_daily")
    published.cells("prevalence_daily", "basic-emotion", "anger", drawn(0.3))
    published.cause("bureaucracy", drawn(0.15))
    assert published.names() == ["bureaucracy"]


def test_a_rise_that_was_withheld_in_whole_is_not_told(published: Published) -> None:
    published.cause("rare", [*[0] * 60, *[None] * 10, *[0] * 20])
    assert published.names() == []


def test_days_withheld_before_count_as_few(published: Published) -> None:
    published.cause("rare", [*[None] * 60, *[20] * 10, *[None] * 20])
    assert published.companions() == [("rare", pytest.approx(0.0075), 0.1)]


def test_a_period_that_lasts_is_compared_up_to_the_last_origin(
    published: Published,
) -> None:
    published.connection.execute("UPDATE periods SET ended = NULL")
    published.cause("bureaucracy", drawn(0.15))
    origin = STARTED + timedelta(days=4)
    name = ("all", "basic-emotion", "anger", origin, "level")
    published.insert("alarms", (*name, 0.1, 0.9, True, True))
    [(_, _, during)] = published.companions()
    first_days = [count or 0 for count in drawn(0.15)[60:65]]
    assert during == pytest.approx(sum(first_days) / 1000)


def test_themes_are_compared_week_by_week(published: Published) -> None:
    weeks = [7, 10, None, 9, 6, 9, 8, 8, 120, 200, 9, 8]
    published.cells("prevalence_weekly", "basic-emotion", "anger", [50] * 12, each=7)
    for week, messages in enumerate(weeks):
        at = START + timedelta(days=7 * week)
        published.insert("themes", (at, 2, "review, wait", 50, 9))
        if messages is not None:
            published.insert("themes", (at, 1, "build, fails", messages, 9))
    [(name, before, during)] = published.companions()
    assert name == "build, fails"
    assert before == pytest.approx((6 + 9 + 8 + 8) / 5600, abs=0.001)
    assert during == pytest.approx((120 + 200) / 2800, abs=0.001)


def test_without_days_before_nothing_is_said_to_have_risen(
    published: Published,
) -> None:
    published.connection.execute(
        "UPDATE periods SET started = ?, ended = ?",
        [START + timedelta(days=2), START + timedelta(days=5)],
    )
    published.cause("new", [0, 0, *[100] * 10])
    assert published.names() == []


def test_days_without_a_mark_leave_the_noise_of_drawing(published: Published) -> None:
    published.cause("once", [*[0] * 65, 1, *[0] * 24])
    assert published.names() == []
