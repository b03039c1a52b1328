"""How a streaming engine reads the log: slice by slice, for ever."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.log.message_log import Entry, Stored, Topic
from pipeline.testing import MemoryLog
from pipeline.transforms.follow import (
    BOUNDS_S,
    SHARDS,
    SLICE,
    SLICE_S,
    _HoldWatermark,
    _ReadShard,
    _shards,
)
from pipeline.transforms.positions import (
    KEY,
    Place,
    committed,
    decode_positions,
    encode_positions,
)

POLL_S = 3.0
SHARD = 2
LIVE: Place = ("messages", SHARD)
HISTORY: Place = ("history", SHARD)


class Log(MemoryLog):
    """A log in memory whose topics to be tagged have partitions."""

    def __init__(self) -> None:
        super().__init__()
        self._bounds: dict[Place, tuple[int, int]] = {LIVE: (0, 0), HISTORY: (0, 0)}
        self.told: list[dict[Place, int]] = []

    def holds(self, place: Place, first: int, end: int) -> None:
        self._bounds[place] = (first, end)

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        return {at[1]: each for at, each in self._bounds.items() if at[0] == topic}

    def read(
        self, topic: Topic, partition: int, start: int, limit: int
    ) -> list[Stored]:
        first, end = self._bounds[topic, partition]
        start = max(start, first)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return [
            Stored(topic, partition, offset, "k", b"", at)
            for offset in range(start, min(start + limit, end))
        ]

    def append(self, topic: Topic, entries: Any) -> None:
        super().append(topic, entries)
        if entries[0].key == f"{KEY}/{SHARD}":
            self.told.append(decode_positions(entries[0].value))


class State:
    """A cell that the engine keeps, and goes back to after a crash."""

    def __init__(self) -> None:
        self.value: bytes | None = None

    def read(self) -> bytes | None:
        return self.value

    def write(self, value: bytes) -> None:
        self.value = value


class Timer:
    def __init__(self) -> None:
        self.at = 0.0

    def set(self, at: Any) -> None:
        self.at = float(at)


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def inc(self, by: int = 1) -> None:
        self.count += by


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Held:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def get(self) -> MemoryLog:
        return self._log


class Engine:
    """Calls a shard's reader as an engine does, one bundle after another."""

    def __init__(self, log: MemoryLog, shard: int = SHARD) -> None:
        self._log = log
        self._shard = shard
        self.state = State()
        self.timer = Timer()
        self.clock = Clock()
        self.restart()

    def restart(self) -> None:
        """Another process goes on with the same state."""
        held: Any = Held(self._log)
        self._reader = _ReadShard(held, POLL_S, self.clock)
        self._reader._read = self.read = Counter()
        self._reader._lost = self.lost = Counter()
        self._reader.setup()

    def bundle(self, ticks: int = 1, later_s: float = BOUNDS_S) -> list[Stored]:
        self.clock.now += later_s
        self._reader.start_bundle()
        return [stored for _ in range(ticks) for stored in self.tick()]

    def tick(self) -> Iterator[Stored]:
        state: Any = self.state
        timer: Any = self.timer
        yield from self._reader.on_tick(self._shard, state, timer)

    @property
    def positions(self) -> dict[Place, int]:
        return decode_positions(self.state.value or b"{}")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def engine(log: Log) -> Engine:
    return Engine(log)


def places(records: list[Stored]) -> list[tuple[Topic, int, int]]:
    return [(each.topic, each.partition, each.offset) for each in records]


def test_the_first_element_of_a_shard_starts_its_timer(engine: Engine) -> None:
    timer: Any = engine.timer
    engine._reader.process((SHARD, b""), timer)
    assert engine.timer.at == engine.clock.now


def test_what_is_there_is_read_once_and_positions_move(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, 3)
    assert places(engine.bundle()) == [("messages", SHARD, n) for n in range(3)]
    assert engine.positions == {LIVE: 3, HISTORY: 0}
    assert engine.bundle() == []
    log.holds(LIVE, 0, 5)
    assert places(engine.bundle()) == [("messages", SHARD, n) for n in (3, 4)]
    assert engine.read.count == 5


def test_it_comes_again_at_once_while_there_is_something_and_else_waits(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, 1)
    engine.bundle()
    assert engine.timer.at == engine.clock.now
    engine.bundle()
    assert engine.timer.at == engine.clock.now + POLL_S


def test_what_is_live_comes_before_history(log: Log, engine: Engine) -> None:
    log.holds(LIVE, 0, SLICE - 10)
    log.holds(HISTORY, 0, 30)
    topics = [stored.topic for stored in engine.bundle()]
    assert topics == ["messages"] * (SLICE - 10) + ["history"] * 10


def test_history_waits_while_what_is_live_fills_slices(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, SLICE + 1)
    log.holds(HISTORY, 0, 5)
    assert {stored.topic for stored in engine.bundle()} == {"messages"}
    assert [stored.topic for stored in engine.bundle()] == ["messages"] + [
        "history"
    ] * 5


def test_a_slow_slice_ends_in_time_and_the_next_goes_on_behind_it(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, 50)
    log.holds(HISTORY, 0, 5)
    engine._reader.start_bundle()
    first = []
    for stored in engine.tick():
        first.append(stored.offset)
        engine.clock.now += SLICE_S / 4
    assert first == [0, 1, 2, 3, 4]
    assert engine.positions == {LIVE: 5, HISTORY: 0}
    assert engine.timer.at == engine.clock.now
    rest = places(engine.bundle())
    assert rest == [("messages", SHARD, n) for n in range(5, 50)] + [
        ("history", SHARD, n) for n in range(5)
    ]


def test_a_position_is_told_only_when_its_bundle_has_ended(
    log: Log, engine: Engine
) -> None:
    # What a bundle tagged is on the log when it has ended. If its position were
    # there sooner, a crash in between would lose messages for good.
    log.holds(LIVE, 0, 2)
    engine.bundle(ticks=3)
    assert log.told == [{LIVE: 0, HISTORY: 0}]
    engine.bundle()
    assert log.told[1:] == [{LIVE: 2, HISTORY: 0}]


def test_a_bundle_that_failed_is_read_again_and_was_not_told(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, 4)
    engine.bundle()
    engine.bundle()
    before = engine.state.value
    log.holds(LIVE, 0, 9)
    assert len(engine.bundle()) == 5
    engine.state.value = before
    engine.restart()
    assert committed(log) == {LIVE: 4, HISTORY: 0}
    assert [stored.offset for stored in engine.bundle()] == [4, 5, 6, 7, 8]
    engine.bundle()
    assert committed(log) == {LIVE: 9, HISTORY: 0}


def test_copies_of_a_reader_that_take_turns_read_nothing_twice(
    log: Log, engine: Engine
) -> None:
    other = Engine(log)
    other.state, other.clock = engine.state, engine.clock
    other.restart()
    log.holds(LIVE, 0, 3)
    assert len(engine.bundle()) == 3
    assert other.bundle() == []
    log.holds(LIVE, 0, 5)
    assert len(other.bundle()) == 2
    # What the first believes of the log's end is older than the position by now.
    assert engine.bundle(later_s=0.0) == []
    assert engine.positions == {LIVE: 5, HISTORY: 0}


def test_nothing_is_told_twice(log: Log, engine: Engine) -> None:
    log.holds(LIVE, 0, 2)
    for _ in range(5):
        engine.bundle()
    assert log.told == [{LIVE: 0, HISTORY: 0}, {LIVE: 2, HISTORY: 0}]


def test_a_partition_that_is_new_is_read_from_its_beginning(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, 2)
    engine.bundle()
    new: Place = ("messages", SHARD + SHARDS)
    log.holds(new, 0, 3)
    assert places(engine.bundle()) == [(*new, offset) for offset in range(3)]
    assert engine.positions == {LIVE: 2, HISTORY: 0, new: 3}


def test_each_partition_is_read_by_one_shard(log: Log) -> None:
    partitions = range(2 * SHARDS + 3)
    for partition in partitions:
        log.holds(("messages", partition), 0, 1)
    read = [
        stored.partition
        for shard, _ in _shards(b"")
        for stored in Engine(log, shard).bundle()
    ]
    assert sorted(read) == list(partitions)


def test_it_goes_on_where_another_runner_stopped(log: Log, engine: Engine) -> None:
    log.append("cursors", [Entry(KEY, encode_positions({LIVE: 5, HISTORY: 1}))])
    log.append("cursors", [Entry(f"{KEY}/9", encode_positions({LIVE: 7}))])
    log.holds(LIVE, 0, 9)
    log.holds(HISTORY, 0, 2)
    assert places(engine.bundle()) == [
        ("messages", SHARD, 7),
        ("messages", SHARD, 8),
        ("history", SHARD, 1),
    ]


def test_an_old_savepoint_goes_on_where_others_have_come_to(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, 9)
    engine.state.write(encode_positions({LIVE: 4, HISTORY: 0}))
    log.append("cursors", [Entry(KEY, encode_positions({LIVE: 7}))])
    assert [stored.offset for stored in engine.bundle()] == [7, 8]


def test_what_only_its_own_state_knows_is_not_read_again(
    log: Log, engine: Engine
) -> None:
    log.holds(LIVE, 0, 9)
    engine.state.write(encode_positions({LIVE: 6, HISTORY: 0}))
    log.append("cursors", [Entry(KEY, encode_positions({LIVE: 4}))])
    assert [stored.offset for stored in engine.bundle()] == [6, 7, 8]


def test_a_position_beyond_the_log_begins_anew(log: Log, engine: Engine) -> None:
    engine.state.write(encode_positions({LIVE: 40, HISTORY: 0}))
    log.holds(LIVE, 0, 3)
    assert [stored.offset for stored in engine.bundle()] == [0, 1, 2]
    assert engine.lost.count == 0


def test_what_retention_took_is_passed_over_and_counted(
    log: Log, engine: Engine
) -> None:
    engine.state.write(encode_positions({LIVE: 3, HISTORY: 0}))
    log.holds(LIVE, 10, 12)
    assert [stored.offset for stored in engine.bundle()] == [10, 11]
    assert engine.lost.count == 7
    engine.bundle()
    assert engine.lost.count == 7


def test_a_shard_without_partitions_waits(log: Log) -> None:
    engine = Engine(log, SHARD + 1)
    assert engine.bundle() == []
    assert engine.positions == {}
    assert engine.timer.at == engine.clock.now + POLL_S


def test_time_is_kept_from_ending_for_decades() -> None:
    clock = Clock()
    timer: Any = Timer()
    hold = _HoldWatermark(clock)
    assert list(hold.process((1, b""), timer)) == [(1, b"")]
    assert timer.at > clock.now + 10 * 365 * 86_400
    hold.on_never()
