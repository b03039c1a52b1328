"""What a deletion leaves in the warehouse: the id, and nothing of the person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.log.message_log import Stored
from pipeline.warehouse.erasure import (
    ERASURE_KEY,
    IDS,
    decode_erasure,
    erasure_entries,
)
from pipeline.warehouse.testing import NOW, SmallWarehouse, tagged

ALICE = f"{1:016x}"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[SmallWarehouse]:
    small = SmallWarehouse(tmp_path)
    yield small
    small.close()


def rows(warehouse: SmallWarehouse, sql: str) -> list[tuple[Any, ...]]:
    return warehouse.connection.execute(f"{sql} ORDER BY ALL").fetchall()


def kept(warehouse: SmallWarehouse) -> list[tuple[Any, ...]]:
    return rows(warehouse, "SELECT id, revision FROM messages")


def request(
    warehouse: SmallWarehouse, *authors: str, ids: tuple[str, ...] = ()
) -> None:
    entries = erasure_entries("ubuntu", authors, ids)
    records = [
        Stored("tagged", 0, 100 + n, key, value, NOW)
        for n, (key, value) in enumerate(entries)
    ]
    warehouse.loader.load(records)


def test_an_author_goes_from_one_source_and_its_days_are_counted_anew(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(
        tagged("1", author=1),
        tagged("2", author=2),
        tagged("3", author=1, source="irc"),
    )
    warehouse.publish()
    request(warehouse, ALICE)
    warehouse.publish()
    assert kept(warehouse) == [("2", 0), ("3", 0)]
    counted = "SELECT scope, messages FROM cells WHERE grain = 'day'"
    assert ("ubuntu", 1) in rows(warehouse, counted)
    assert ("all", 2) in rows(warehouse, counted)


def test_a_request_holds_for_what_is_loaded_later(warehouse: SmallWarehouse) -> None:
    request(warehouse, ids=("1",))
    warehouse.load(tagged("1"), tagged("1", revision=5), tagged("2"))
    warehouse.publish()
    assert kept(warehouse) == [("2", 0)]


def test_loading_a_request_twice_changes_nothing(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1", author=1))
    for _ in range(2):
        request(warehouse, ALICE, ids=("1",))
    assert rows(warehouse, "SELECT id, revision, deleted FROM edits") == [
        ("1", 0, True)
    ]


def test_a_deletion_takes_the_rows_up_to_its_revision(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1"), tagged("1", revision=5), tagged("1", revision=9))
    warehouse.load(tagged("1", revision=5, deleted=True), start=3)
    warehouse.publish()
    assert kept(warehouse) == [("1", 9)]


def test_rows_that_an_earlier_version_kept_go_with_the_first_load(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1"), tagged("2"))
    gone = "INSERT INTO edits VALUES ('ubuntu', '1', 0, true, true)"
    warehouse.connection.execute(gone)
    warehouse.load(tagged("3"), start=2)
    assert len(kept(warehouse)) == 3
    anew = type(warehouse.loader)(
        warehouse.connection, warehouse.path, warehouse.log, lambda: NOW
    )
    anew.load([])
    assert kept(warehouse) == [("2", 0), ("3", 0)]


def test_what_is_no_request_becomes_a_dead_letter(warehouse: SmallWarehouse) -> None:
    record = Stored("tagged", 0, 0, ERASURE_KEY, b'{"source": "x", "authors": 1}', NOW)
    warehouse.loader.load([record])
    (letter,) = warehouse.log.read("dead-letters", 0, 0, 9)
    assert b"no valid Erasure" in letter.value


def test_many_ids_make_several_records() -> None:
    ids = [str(n) for n in range(IDS + 1)]
    requests = [decode_erasure(e.value) for e in erasure_entries("ubuntu", [], ids)]
    assert [len(request.messages) for request in requests] == [IDS, 1]
