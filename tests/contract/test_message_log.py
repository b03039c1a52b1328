"""What every engine of the message log promises."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka_server import KafkaServer

from pipeline.config import KafkaSettings, LogSettings
from pipeline.log.kafka import KafkaLog
from pipeline.log.message_log import Entry, MessageLog, Stored, Topic
from pipeline.log.sqlite import SqliteLog
from pipeline.testing import MemoryLog

PATIENCE_S = 10.0
"""How long an engine may take to show what it has done."""

DAY = timedelta(days=1)


@dataclass
class Clock:
    """A clock that tests move; engines with clocks of their own must wait."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Engine:
    """Opens logs over the same records; `move` lets time pass."""

    make: Callable[..., MessageLog]
    clock: Clock
    opened: list[MessageLog] = field(default_factory=list)

    def open(self, max_age: timedelta = 30 * DAY, max_bytes: int = 10**9) -> MessageLog:
        log = self.make(max_age=max_age, max_bytes=max_bytes, clock=self.clock)
        self.opened.append(log)
        return log

    def move(self, time_passed: timedelta) -> None:
        self.clock.now += time_passed


def in_memory(_request: pytest.FixtureRequest) -> Callable[..., MessageLog]:
    kept: list[MemoryLog] = []

    def make(**arguments: Any) -> MemoryLog:
        if not kept:
            kept.append(MemoryLog(**arguments))
        return kept[0]

    return make


def in_sqlite(request: pytest.FixtureRequest) -> Callable[..., MessageLog]:
    folder: Path = request.getfixturevalue("tmp_path")
    return lambda **arguments: SqliteLog(folder / "log.sqlite", "test", **arguments)


def on_kafka(request: pytest.FixtureRequest) -> Callable[..., MessageLog]:
    server: KafkaServer = request.getfixturevalue("kafka_server")
    prefix = f"contract-{uuid4().hex}"
    request.addfinalizer(partial(server.forget, prefix))

    def make(*, max_age: timedelta, max_bytes: int, clock: Clock) -> KafkaLog:
        settings = LogSettings(
            url=server.url,
            prefix=prefix,
            retention_days=max_age / DAY,
            retention_gb=max_bytes / 10**9,
            kafka=KafkaSettings(partitions=2, give_up_after_s=30.0),
        )
        return KafkaLog(settings, clock=clock)

    return make


@pytest.fixture(
    params=[in_memory, in_sqlite, on_kafka], ids=["memory", "sqlite", "kafka"]
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = Engine(request.param(request), Clock())
    yield engine
    for log in engine.opened:
        log.close()


@pytest.fixture
def log(engine: Engine) -> MessageLog:
    return engine.open()


def entries(*values: str, key: str = "source/channel/") -> list[Entry]:
    return [Entry(key, value.encode()) for value in values]


def read_all(log: MessageLog, topic: Topic) -> list[Stored]:
    """All records of a topic, each partition in its order."""
    return [
        stored
        for partition, (first, end) in log.bounds(topic).items()
        for stored in read_slice(log, topic, partition, first, end)
    ]


def read_slice(
    log: MessageLog, topic: Topic, partition: int, start: int, end: int
) -> Iterator[Stored]:
    while start < end and (chunk := log.read(topic, partition, start, 7)):
        yield from chunk
        start = chunk[-1].offset + 1


def values(records: list[Stored]) -> list[str]:
    return [stored.value.decode() for stored in records]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def test_a_new_topic_is_empty(log: MessageLog) -> None:
    assert all(first == end for first, end in log.bounds("messages").values())
    assert read_all(log, "messages") == []
    assert log.latest("cursors") == {}


def test_what_is_appended_is_read_in_the_same_order(log: MessageLog) -> None:
    log.append("messages", entries("a", "b"))
    log.append("messages", entries("c"))
    records = read_all(log, "messages")
    assert values(records) == ["a", "b", "c"]
    assert {stored.key for stored in records} == {"source/channel/"}
    assert {stored.topic for stored in records} == {"messages"}


def test_a_key_stays_in_one_partition_and_in_its_order(log: MessageLog) -> None:
    keys = [f"source/channel/{number}" for number in range(10)]
    for turn in range(5):
        log.append("messages", [Entry(key, str(turn).encode()) for key in keys])
    for key in keys:
        mine = [s for s in read_all(log, "messages") if s.key == key]
        assert values(mine) == ["0", "1", "2", "3", "4"]
        assert len({stored.partition for stored in mine}) == 1


def test_offsets_grow_and_lie_within_the_bounds(log: MessageLog) -> None:
    log.append("messages", entries(*map(str, range(50))))
    for partition, (first, end) in log.bounds("messages").items():
        mine = [s for s in read_all(log, "messages") if s.partition == partition]
        offsets = [stored.offset for stored in mine]
        assert offsets == sorted(set(offsets))
        assert all(first <= offset < end for offset in offsets)


def test_reading_starts_where_it_is_told_and_ends_at_the_limit(
    log: MessageLog,
) -> None:
    log.append("messages", entries(*map(str, range(20))))
    everything = read_all(log, "messages")
    partition = everything[0].partition
    third = everything[3]
    found = log.read("messages", partition, third.offset, 5)
    assert 0 < len(found) <= 5
    assert found == everything[3 : 3 + len(found)]


def test_reading_beyond_the_end_finds_nothing(log: MessageLog) -> None:
    log.append("messages", entries("a"))
    for partition, (_, end) in log.bounds("messages").items():
        assert log.read("messages", partition, end, 10) == []


def test_topics_do_not_mix(log: MessageLog) -> None:
    log.append("messages", entries("a"))
    log.append("tagged", entries("b"))
    assert values(read_all(log, "messages")) == ["a"]
    assert values(read_all(log, "tagged")) == ["b"]
    assert read_all(log, "pulses") == []


def test_appending_nothing_changes_nothing(log: MessageLog) -> None:
    log.append("messages", [])
    assert read_all(log, "messages") == []


@pytest.mark.parametrize(
    "value", [b"", b"\x00\xff\n", "böse 😡".encode(), bytes(2**21)]
)
def test_any_bytes_come_back_as_they_went(log: MessageLog, value: bytes) -> None:
    log.append("messages", [Entry("source/ünï/", value)])
    (stored,) = read_all(log, "messages")
    assert stored.value == value
    assert stored.key == "source/ünï/"


def test_many_large_records_are_read_bit_by_bit(log: MessageLog) -> None:
    large = [Entry("k", bytes([number]) * 2**21) for number in range(40)]
    log.append("messages", large)
    assert [s.value for s in read_all(log, "messages")] == [e.value for e in large]


def test_a_record_bears_the_time_of_its_appending(
    engine: Engine, log: MessageLog
) -> None:
    log.append("messages", entries("a"))
    (stored,) = read_all(log, "messages")
    assert stored.at.tzinfo is not None
    assert abs(stored.at - engine.clock.now) < timedelta(minutes=1)


def test_a_time_tells_where_what_is_newer_begins(
    engine: Engine, log: MessageLog
) -> None:
    begun = engine.clock.now
    log.append("messages", entries("a", "b"))
    engine.move(timedelta(hours=1))
    log.append("messages", entries("c"))
    (first,) = (stored for stored in read_all(log, "messages") if stored.value == b"c")
    ends = {partition: end for partition, (_, end) in log.bounds("messages").items()}
    firsts = {p: start for p, (start, _) in log.bounds("messages").items()}
    assert log.since("messages", begun - timedelta(hours=1)) == firsts
    assert log.since("messages", begun + timedelta(minutes=30)) == ends | {
        first.partition: first.offset
    }
    assert log.since("messages", begun + timedelta(hours=2)) == ends
    assert set(log.since("tagged", begun).values()) == {0}


def test_what_was_appended_is_there_when_the_log_is_opened_again(
    engine: Engine,
) -> None:
    log = engine.open()
    log.append("messages", entries("a", "b"))
    log.append("cursors", entries("1", key="process"))
    before = log.bounds("messages")
    log.close()
    again = engine.open()
    assert values(read_all(again, "messages")) == ["a", "b"]
    assert again.bounds("messages") == before
    assert again.latest("cursors") == {"process": b"1"}


def test_a_compacted_topic_tells_the_newest_value_of_each_key(
    log: MessageLog,
) -> None:
    log.append("cursors", [Entry("a", b"1"), Entry("b", b"2"), Entry("a", b"3")])
    log.append("cursors", [Entry("b", b"4")])
    assert log.latest("cursors") == {"a": b"3", "b": b"4"}
    newest = {stored.key: stored.value for stored in read_all(log, "cursors")}
    assert newest == {"a": b"3", "b": b"4"}


def test_threads_may_append_at_the_same_time(log: MessageLog) -> None:
    def work(name: str) -> None:
        for number in range(20):
            log.append("messages", [Entry(name, f"{number}".encode())] * 3)

    threads = [threading.Thread(target=work, args=[f"t{n}"]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read_all(log, "messages")
    assert len({(s.partition, s.offset) for s in records}) == len(records) == 240
    for name in ("t0", "t1", "t2", "t3"):
        mine = values([stored for stored in records if stored.key == name])
        assert mine == [str(number) for number in range(20) for _ in range(3)]


def test_a_reader_that_follows_a_writer_misses_nothing(log: MessageLog) -> None:
    def write() -> None:
        for number in range(100):
            log.append("messages", entries(str(number)))

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[Stored] = []
    positions: dict[int, int] = {}

    def follow() -> bool:
        for partition, (first, _) in log.bounds("messages").items():
            start = positions.get(partition, first)
            chunk = log.read("messages", partition, start, 9)
            if chunk:
                positions[partition] = chunk[-1].offset + 1
                seen.extend(chunk)
        return len(seen) == 100

    eventually(follow)
    writer.join()
    assert values(seen) == [str(number) for number in range(100)]


def test_retention_drops_what_is_old_and_keeps_what_is_not(engine: Engine) -> None:
    log = engine.open(max_age=10 * DAY)
    log.append("messages", entries("old"))
    log.append("tagged", entries("old"))
    engine.move(11 * DAY)
    log.append("messages", entries("new"))

    def only_new_is_left() -> bool:
        log.enforce_retention(engine.clock.now)
        return values(read_all(log, "messages")) == ["new"]

    eventually(only_new_is_left)
    assert values(read_all(log, "tagged")) in ([], ["old"])


def test_retention_by_size_drops_the_oldest_and_keeps_the_newest(
    engine: Engine,
) -> None:
    """Never more than the limit; an engine may give each topic a share of it."""
    noise = random.Random(1).randbytes(2**19)  # as large on any disk as it is here
    log = engine.open(max_bytes=24 * 2**20)
    log.append("messages", [Entry("k", b"%02d" % n + noise) for n in range(60)])
    engine.move(2 * DAY)
    log.append("tagged", [Entry("k", noise[: 2**14]) for _ in range(9)])

    def the_newest_of_all_are_left() -> bool:
        log.enforce_retention(engine.clock.now)
        kept = read_all(log, "messages") + read_all(log, "tagged")
        numbers = [int(s.value[:2]) for s in kept if s.topic == "messages"]
        small_enough = sum(len(stored.value) for stored in kept) <= 24 * 2**20
        return small_enough and numbers == [*range(60)][-len(numbers) :]

    eventually(the_newest_of_all_are_left)
    assert len(read_all(log, "messages")) > 4
    assert len(read_all(log, "tagged")) == 9


def test_a_reader_behind_retention_goes_on_with_the_oldest_kept(
    engine: Engine,
) -> None:
    log = engine.open(max_age=10 * DAY)
    log.append("messages", entries("a", "b"))
    engine.move(11 * DAY)
    log.append("messages", entries("c"))

    def first_has_moved() -> bool:
        log.enforce_retention(engine.clock.now)
        return len(read_all(log, "messages")) == 1

    before = read_all(log, "messages")[0]
    eventually(first_has_moved)
    first, _ = log.bounds("messages")[before.partition]
    assert first > before.offset
    found = log.read("messages", before.partition, before.offset, 10)
    assert values(found) == ["c"]


def test_offsets_are_never_given_twice_even_when_nothing_is_left(
    engine: Engine,
) -> None:
    log = engine.open(max_age=10 * DAY)
    log.append("messages", entries("a", "b", "c"))
    used = {(s.partition, s.offset) for s in read_all(log, "messages")}
    ends = {p: end for p, (_, end) in log.bounds("messages").items()}
    engine.move(11 * DAY)

    def is_empty() -> bool:
        log.enforce_retention(engine.clock.now)
        return read_all(log, "messages") == []

    eventually(is_empty)
    log.close()
    again = engine.open(max_age=10 * DAY)
    assert {p: end for p, (_, end) in again.bounds("messages").items()} == ends
    again.append("messages", entries("d"))
    (stored,) = read_all(again, "messages")
    assert (stored.partition, stored.offset) not in used


def test_retention_leaves_the_cursors_alone(engine: Engine) -> None:
    log = engine.open(max_age=DAY, max_bytes=1)
    log.append("cursors", entries("1", key="process"))
    engine.move(400 * DAY)
    log.enforce_retention(engine.clock.now)
    assert log.latest("cursors") == {"process": b"1"}
