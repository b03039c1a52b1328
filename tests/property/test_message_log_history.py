"""Every log and the one in memory stay the same whatever is done to them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from kafka_server import KafkaServer
from log_contents import read_all

from pipeline.config import KafkaSettings, LogSettings
from pipeline.log.kafka import KafkaLog
from pipeline.log.message_log import COMPACTED, TOPICS, Entry, MessageLog, Topic
from pipeline.log.sqlite import SqliteLog
from pipeline.testing import MemoryLog

MAX_AGE = timedelta(days=10)
START = datetime(2026, 1, 1, tzinfo=UTC)

topics = st.sampled_from(TOPICS)
some_entries = st.lists(
    st.builds(Entry, key=st.sampled_from("abc"), value=st.binary(max_size=20)),
    max_size=5,
)
Step = tuple[str, Topic, list[Entry], int]
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "age", "retain", "reopen"]),
        topics,
        some_entries,
        st.integers(min_value=0, max_value=12),
    ),
    max_size=15,
)


class Clock:
    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@given(steps=steps)
@settings(max_examples=40, deadline=None)
def test_a_file_and_the_memory_agree_after_any_steps(steps: list[Step]) -> None:
    clock = Clock()
    with TemporaryDirectory() as folder:

        def open_sqlite() -> SqliteLog:
            path = Path(folder) / "log.sqlite"
            limits = {"max_age": MAX_AGE, "max_bytes": 10**6}
            return SqliteLog(path, "test", clock=clock, **limits)

        compare(steps, clock, open_sqlite, TOPICS)


@pytest.mark.timeout(120)
@given(steps=steps)
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example takes its time
)
def test_kafka_and_the_memory_agree_after_any_steps(
    kafka_server: KafkaServer, steps: list[Step]
) -> None:
    # Its own retention goes by the true time, and must find nothing to do.
    clock = Clock(datetime.now(UTC).replace(microsecond=0))
    given_settings = LogSettings(
        url=kafka_server.url,
        prefix=f"history-{uuid4().hex}",
        retention_days=MAX_AGE / timedelta(days=1),
        kafka=KafkaSettings(partitions=1),
    )
    # What compaction leaves is up to the brokers.
    plain = [topic for topic in TOPICS if topic not in COMPACTED]
    compare(steps, clock, lambda: KafkaLog(given_settings, clock=clock), plain)
    kafka_server.forget(given_settings.prefix)


def compare(
    steps: list[Step],
    clock: Clock,
    open_log: Callable[[], MessageLog],
    topics: Sequence[Topic],
) -> None:
    memory, log = MemoryLog(max_age=MAX_AGE, clock=clock), open_log()
    for action, topic, entries, days in steps:
        if action == "append":
            memory.append(topic, entries)
            log.append(topic, entries)
        elif action == "age":
            clock.now += timedelta(days=days)
        elif action == "retain":
            dropped = memory.enforce_retention(clock.now)
            assert log.enforce_retention(clock.now) == dropped
        else:
            log.close()
            log = open_log()
        assert contents(log, topics) == contents(memory, topics)
        assert log.latest("cursors") == memory.latest("cursors")
    log.close()


def contents(log: MessageLog, topics: Sequence[Topic]) -> list[object]:
    return [(log.bounds(topic), read_all(log, topic)) for topic in topics]
