"""`groundswell status` and `groundswell dead-letters`, from the log alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from pipeline.config import Config, LogSettings, WarehouseSettings
from pipeline.jobs import dead_letters
from pipeline.jobs.status import read_status, render
from pipeline.log.message_log import Entry, Topic
from pipeline.log.open import open_log
from pipeline.records import DeadLetter, Message, Pulse, encode

NOW = datetime.now(UTC)


def configured(folder: Path) -> Config:
    return Config(
        log=LogSettings(url=f"sqlite:{folder}/log.sqlite"),
        warehouse=WarehouseSettings(published=str(folder / "published.duckdb")),
    )


def append(config: Config, topic: Topic, *records: msgspec.Struct) -> None:
    log = open_log(config.log)
    log.append(topic, [Entry("k", encode(record)) for record in records])
    log.close()


def put_position(config: Config, job: str, positions: dict[str, object]) -> None:
    log = open_log(config.log)
    log.append("cursors", [Entry(job, msgspec.json.encode(positions))])
    log.close()


def message(number: int) -> Message:
    now = datetime.now(UTC)
    return Message(
        source="s",
        platform="irc",
        id=str(number),
        channel="c",
        author="0" * 16,
        sent_at=now - timedelta(minutes=5),
        seen_at=now,
        text="secret text",
    )


def letter(number: int) -> DeadLetter:
    return DeadLetter(
        topic="messages",
        partition=0,
        offset=number,
        stage="decode",
        error="no valid Message",
        raw=b"secret text",
        at=NOW,
    )


def test_nothing_yet_is_said_as_never(tmp_path: Path) -> None:
    status = read_status(configured(tmp_path), NOW)
    assert status.messages == 0
    assert status.published_age_s is None
    assert "published     never" in render(status)


def test_lag_is_what_each_job_has_before_it(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(config, "messages", *map(message, range(10)))
    append(config, "tagged", *map(message, range(4)))
    put_position(config, "process", {"messages": {"0": 4}})
    put_position(config, "load", {"tagged": {"0": 1}})
    status = read_status(config, datetime.now(UTC))
    assert (status.messages, status.waiting_to_be_tagged) == (10, 6)
    assert status.waiting_to_be_loaded == 3
    assert status.messages_per_s == 10 / 60
    assert status.tagged_per_s == 4 / 60
    assert status.newest_message_age_s is not None
    assert 300 <= status.newest_message_age_s < 320
    assert "5 minutes ago" in render(status)


def test_what_waits_as_history_is_told_beside_the_rest(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(config, "messages", *map(message, range(3)))
    append(config, "history", *map(message, range(30)))
    put_position(config, "process", {"messages": {"0": 1}, "history": {"0": 10}})
    status = read_status(config, datetime.now(UTC))
    assert (status.waiting_to_be_tagged, status.history_waiting) == (22, 20)
    assert (status.messages, status.messages_per_s) == (33, 33 / 60)
    assert "to be tagged  22 (0.0/s)\n  of history  20\n" in render(status)


def test_positions_of_before_there_was_history_leave_it_all_waiting(
    tmp_path: Path,
) -> None:
    config = configured(tmp_path)
    append(config, "messages", message(1))
    append(config, "history", message(2))
    put_position(config, "process", {"messages": {"0": 1}})
    status = read_status(config, NOW)
    assert (status.waiting_to_be_tagged, status.history_waiting) == (1, 1)


def test_the_newest_message_is_that_of_either_topic(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(config, "history", message(1))
    age = read_status(config, datetime.now(UTC)).newest_message_age_s
    assert age is not None
    assert 300 <= age < 320


def test_what_a_streaming_engine_tagged_waits_no_more(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(config, "messages", *map(message, range(3)))
    put_position(config, "process", {"messages": {"0": 1}})
    put_position(config, "process/7", {"messages": {"0": 3}})
    assert read_status(config, NOW).waiting_to_be_tagged == 0


def test_an_hour_without_messages_has_no_rate(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(config, "messages", message(1))
    later = datetime.now(UTC) + timedelta(hours=1)
    assert read_status(config, later).messages_per_s == 0.0


def test_each_source_speaks_through_its_newest_pulse(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(
        config,
        "pulses",
        Pulse(source="a", at=NOW, state="ok", messages=3),
        Pulse(source="a", at=NOW, state="failing", messages=2, error="HTTP 500"),
    )
    (source,) = read_status(config, NOW + timedelta(seconds=90)).sources
    assert (source.state, source.messages, source.pulse_age_s) == ("failing", 5, 90)
    shown = render(read_status(config, NOW + timedelta(days=3)))
    assert "a: failing, heard 3 days ago, HTTP 500" in shown


def test_the_age_of_the_published_file_is_shown(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with duckdb.connect(config.warehouse.published) as connection:
        connection.execute("CREATE TABLE about (published_at TIMESTAMP)")
        at = NOW.replace(tzinfo=None) - timedelta(hours=3)
        connection.execute("INSERT INTO about VALUES (?)", [at])
    assert "published     3 hours ago" in render(read_status(config, NOW))


@pytest.mark.parametrize("held", [b"a diary", b"", b"\0" * 8 + b"DUCK" + b"\7" * 99])
def test_a_published_file_that_cannot_be_read_hides_nothing_else(
    tmp_path: Path, held: bytes
) -> None:
    config = configured(tmp_path)
    append(config, "messages", message(1))
    Path(config.warehouse.published).write_bytes(held)
    status = read_status(config, NOW)
    assert "is no published file" in str(status.published_error)
    assert status.messages == 1
    shown = render(status)
    assert "messages      1" in shown
    assert "delete it if it was one" in shown


def test_a_record_that_cannot_be_read_hides_nothing_else(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(config, "pulses", letter(1), Pulse(source="a", at=NOW, state="ok"))
    append(config, "messages", letter(1))
    append(config, "dead-letters", letter(1), Pulse(source="a", at=NOW, state="ok"))
    status = read_status(config, NOW)
    assert [source.source for source in status.sources] == ["a"]
    assert status.newest_message_age_s is None
    assert [item.offset for item in dead_letters.newest(config, 9)] == [1]


def test_dead_letters_show_where_and_why_but_no_text(tmp_path: Path) -> None:
    config = configured(tmp_path)
    append(config, "dead-letters", *map(letter, range(5)))
    letters = dead_letters.newest(config, 2)
    assert [item.offset for item in letters] == [3, 4]
    shown = dead_letters.render(letters)
    assert "decode  messages:0:4  no valid Message" in shown
    assert "secret" not in shown


def test_a_log_that_cannot_be_read_hides_not_how_old_the_published_file_is(
    tmp_path: Path,
) -> None:
    config = configured(tmp_path)
    (tmp_path / "log.sqlite").write_text("a diary" * 999, encoding="utf-8")
    with duckdb.connect(config.warehouse.published) as connection:
        connection.execute("CREATE TABLE about (published_at TIMESTAMP)")
        at = NOW.replace(tzinfo=None) - timedelta(hours=3)
        connection.execute("INSERT INTO about VALUES (?)", [at])
    status = read_status(config, NOW)
    assert "it is no message log" in str(status.log_error)
    assert status.published_age_s == 3 * 3600
    shown = render(status)
    assert shown.startswith("log           the log")
    assert "published     3 hours ago" in shown
