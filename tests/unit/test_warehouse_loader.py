"""What the loader promises: every record counts once, and nothing stops it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.errors import LogFullError, WarehouseError
from pipeline.log.message_log import Stored
from pipeline.records import DeadLetter, Mark, Pulse, decode
from pipeline.warehouse.testing import NOW, SmallWarehouse, stored, tagged

ANGER = ("basic-emotion", "anger")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[SmallWarehouse]:
    small = SmallWarehouse(tmp_path)
    yield small
    small.close()


def all_of(warehouse: SmallWarehouse, table: str) -> list[tuple[Any, ...]]:
    return warehouse.connection.execute(f"FROM {table} ORDER BY ALL").fetchall()


def test_a_message_is_kept_without_its_text(warehouse: SmallWarehouse) -> None:
    record = tagged("1", labels=[ANGER], author=2**64 - 1, language="en", text="help!")
    warehouse.load(record)
    assert all_of(warehouse, "messages") == [
        (
            "ubuntu",
            "irc",
            "1",
            0,
            "chat",
            "#ubuntu",
            2**64 - 1,
            False,
            NOW.replace(tzinfo=None),
            "en",
            [{"task": "basic-emotion", "label": "anger", "score": 0.5}],
        )
    ]


def test_times_are_kept_in_utc(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1", datetime.fromisoformat("2026-03-01T01:30:00+02:00")))
    (row,) = warehouse.connection.execute("SELECT sent_at FROM messages").fetchall()
    assert row == (datetime(2026, 2, 28, 23, 30),)  # noqa: DTZ001 - as DuckDB has it


def test_only_flagged_marks_are_kept_and_each_label_once(
    warehouse: SmallWarehouse,
) -> None:
    def mark(label: str, score: float, *, flagged: bool = True) -> Mark:
        return Mark(
            task="cause", label=label, score=score, flagged=flagged, tagger="fake-1"
        )

    marks = (mark("bug", 0.25), mark("bug", 0.75), mark("tone", 0.1, flagged=False))
    warehouse.load(msgspec.structs.replace(tagged("1"), marks=marks))
    (row,) = warehouse.connection.execute("SELECT marks FROM messages").fetchall()
    assert row == ([{"task": "cause", "label": "bug", "score": 0.75}],)
    assert all_of(warehouse, "taggers") == [("fake-1",)]


def test_a_key_is_written_once_within_a_batch_and_across_batches(
    warehouse: SmallWarehouse,
) -> None:
    record = tagged("1")
    warehouse.load(record, record)
    warehouse.load(record, tagged("2"), start=2)
    assert len(all_of(warehouse, "messages")) == 2


def test_of_records_with_one_key_the_first_counts_whatever_its_date(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1", labels=[ANGER]))
    warehouse.load(tagged("1", NOW - timedelta(days=400)), start=1)
    (row,) = warehouse.connection.execute("SELECT sent_at FROM messages").fetchall()
    assert row == (NOW.replace(tzinfo=None),)


def test_the_same_id_of_two_sources_is_two_messages(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1"), tagged("1", source="gitter"))
    assert len(all_of(warehouse, "messages")) == 2


def test_a_record_loaded_again_touches_no_day(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1"), tagged("1", revision=5))
    warehouse.publish()
    warehouse.load(tagged("1"), tagged("1", revision=5))
    assert all_of(warehouse, "touched_days") == []
    assert all(settled for *_, settled in all_of(warehouse, "edits"))


def test_positions_move_with_the_rows_and_never_back(
    warehouse: SmallWarehouse,
) -> None:
    assert warehouse.loader.positions() == {}
    warehouse.load(tagged("1"), tagged("2"), start=7)
    warehouse.load(tagged("1"))
    assert warehouse.loader.positions() == {("tagged", 0): 9}


def test_each_partition_has_its_own_position(warehouse: SmallWarehouse) -> None:
    first = stored([tagged("1")])[0]
    warehouse.loader.load([first, first._replace(partition=3, offset=40)])
    assert warehouse.loader.positions() == {("tagged", 0): 1, ("tagged", 3): 41}


def test_a_rewound_partition_is_read_from_its_start(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1"), topic="tagged")
    warehouse.load(Pulse(source="ubuntu", at=NOW, state="ok"), topic="pulses")
    warehouse.loader.rewind("tagged", 0)
    assert warehouse.loader.positions() == {("pulses", 0): 1}


@pytest.mark.parametrize("topic", ["tagged", "pulses"])
def test_what_does_not_decode_becomes_a_dead_letter_and_loading_goes_on(
    warehouse: SmallWarehouse, topic: Any
) -> None:
    good = {"tagged": tagged("1"), "pulses": Pulse(source="a", at=NOW, state="ok")}
    warehouse.load(b"\xff{", good[topic], b"{}", topic=topic, start=4)
    assert warehouse.loader.positions() == {(topic, 0): 7}
    assert len(all_of(warehouse, {"tagged": "messages"}.get(topic, topic))) == 1
    letters = [
        decode(record.value, DeadLetter)
        for record in warehouse.log.read("dead-letters", 0, 0, 10)
    ]
    assert [(d.topic, d.offset, d.stage, d.raw) for d in letters] == [
        (topic, 4, "load", b"\xff{"),
        (topic, 6, "load", b"{}"),
    ]
    assert letters[1].at == NOW


def test_dead_letters_count_once_however_often_they_are_buried(
    warehouse: SmallWarehouse,
) -> None:
    letter = DeadLetter(
        topic="messages",
        partition=2**60,
        offset=1,
        stage="decode",
        error="no JSON",
        raw=b"secret text",
        at=NOW,
    )
    later = msgspec.structs.replace(letter, at=NOW + timedelta(days=1))
    warehouse.load(letter, later, topic="dead-letters")
    warehouse.load(letter, topic="dead-letters", start=2)
    assert all_of(warehouse, "dead_letters") == [(f"messages:{2**60}:1", "decode")]


def test_a_dead_letter_that_does_not_decode_is_counted_and_not_buried_again(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(b"nonsense", topic="dead-letters", start=3)
    assert all_of(warehouse, "dead_letters") == [("dead-letters:0:3", "load")]
    assert warehouse.log.read("dead-letters", 0, 0, 10) == []


def test_nothing_is_loaded_when_dead_letters_cannot_be_buried(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.log.full = True
    with pytest.raises(LogFullError):
        warehouse.load(tagged("1"), b"nonsense")
    assert warehouse.loader.positions() == {}
    assert all_of(warehouse, "messages") == []


def test_a_failure_in_the_middle_leaves_nothing_behind(
    warehouse: SmallWarehouse,
) -> None:
    # A position that does not fit makes the last statement of the load fail.
    broken = Stored("tagged", 2**40, 0, "key", stored([tagged("1")])[0].value, NOW)
    with pytest.raises(WarehouseError, match="cannot be used: DuckDB says"):
        warehouse.loader.load([broken])
    assert all_of(warehouse, "messages") == []
    warehouse.load(tagged("1"))
    assert len(all_of(warehouse, "messages")) == 1


def test_pulses_of_any_date_are_kept_once_a_day_and_state(
    warehouse: SmallWarehouse,
) -> None:
    def pulse(at: datetime, **fields: Any) -> Pulse:
        return Pulse(source="ubuntu", at=at, state="ok", **fields)

    early = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    warehouse.load(
        pulse(NOW), pulse(NOW, channel="#ubuntu"), pulse(early), topic="pulses"
    )
    warehouse.load(pulse(NOW), topic="pulses", start=3)
    counted = warehouse.connection.execute("SELECT count(*) FROM pulses").fetchall()
    assert counted == [(2,)]


def test_messages_of_the_first_and_the_last_times_are_loaded(
    warehouse: SmallWarehouse,
) -> None:
    first = datetime(1970, 1, 1, tzinfo=UTC)
    last = datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)
    warehouse.load(tagged("1", first), tagged("2", last))
    warehouse.publish()
    rows = warehouse.connection.execute(
        "SELECT starts FROM cells WHERE grain = 'week' AND scope = 'all' ORDER BY ALL"
    ).fetchall()
    assert [str(row[0]) for row in rows] == [
        "1969-12-29 00:00:00",
        "9999-12-27 00:00:00",
    ]
