"""The SQLite log and the one in memory stay the same whatever is done to them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.log.message_log import TOPICS, Entry, MessageLog, Topic
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
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@given(steps=steps)
@settings(max_examples=40, deadline=None)
def test_both_logs_agree_after_any_steps(steps: list[Step]) -> None:
    clock = Clock()
    with TemporaryDirectory() as folder:

        def open_sqlite() -> SqliteLog:
            path = Path(folder) / "log.sqlite"
            limits = {"max_age": MAX_AGE, "max_bytes": 10**6}
            return SqliteLog(path, "test", clock=clock, **limits)

        memory, sqlite = MemoryLog(max_age=MAX_AGE, clock=clock), open_sqlite()
        for step in steps:
            sqlite = apply(step, memory, sqlite, clock, open_sqlite)
            assert contents(sqlite) == contents(memory)
        sqlite.close()


def apply(
    step: Step,
    memory: MemoryLog,
    sqlite: SqliteLog,
    clock: Clock,
    open_sqlite: Callable[[], SqliteLog],
) -> SqliteLog:
    action, topic, entries, days = step
    if action == "append":
        memory.append(topic, entries)
        sqlite.append(topic, entries)
    elif action == "age":
        clock.now += timedelta(days=days)
    elif action == "retain":
        dropped = memory.enforce_retention(clock.now)
        assert sqlite.enforce_retention(clock.now) == dropped
    else:
        sqlite.close()
        return open_sqlite()
    return sqlite


def contents(log: MessageLog) -> list[object]:
    return [
        (log.bounds(topic), log.latest(topic), log.read(topic, 0, 0, 1000))
        for topic in TOPICS
    ]
