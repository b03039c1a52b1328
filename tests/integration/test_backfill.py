"""Old and new beside one another, on each engine of the log that lasts."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka_server import KafkaServer

from connectors import context
from connectors.edge import Edge
from connectors.runner import Runner
from connectors.source import RawMessage
from connectors.testing import FakeSource, raw_message
from pipeline.clock import utc_now
from pipeline.config import (
    Config,
    KafkaSettings,
    LogSettings,
    TaggingSettings,
    WarehouseSettings,
)
from pipeline.errors import LogError
from pipeline.jobs import process as job
from pipeline.jobs.micro_batch import MicroBatch
from pipeline.jobs.process import process
from pipeline.jobs.status import read_status
from pipeline.jobs.stop import Stop
from pipeline.log.message_log import Entry, MessageLog, Topic
from pipeline.log.open import open_log
from pipeline.records import Message, Record, TaggedMessage, decode, encode
from pipeline.testing import FakeTagger, MemoryLog

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=200)
PAGES, LINES, THREADS = 8, 40, 11
HISTORY = 6_000

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["sqlite", "kafka"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogSettings]:
    if request.param == "sqlite":
        yield LogSettings(url=f"sqlite:{tmp_path}/log.sqlite")
        return
    server: KafkaServer = request.getfixturevalue("kafka_server")
    prefix, partitions = f"backfill-{uuid4().hex}", KafkaSettings(partitions=3)
    yield LogSettings(url=server.url, prefix=prefix, kafka=partitions)
    server.forget(prefix)


@pytest.fixture
def log(settings: LogSettings) -> Iterator[MessageLog]:
    log = open_log(settings)
    yield log
    log.close()


def bounds(log: MessageLog, topic: Topic) -> dict[int, int]:
    return {partition: end for partition, (_, end) in log.bounds(topic).items()}


def found(
    log: MessageLog,
    topic: Topic,
    type_: type[Record],
    behind: dict[int, int] | None = None,
) -> list[Record]:
    """What a topic holds behind some bounds, a partition after another."""
    records = []
    for partition, end in bounds(log, topic).items():
        start = (behind or {}).get(partition, 0)
        while start < end:
            chunk = log.read(topic, partition, start, 10_000)
            records += [decode(stored.value, type_) for stored in chunk]
            start = chunk[-1].offset + 1
    return records


# ── the connectors ──────────────────────────────────────────────────────────────


def pages() -> list[Sequence[RawMessage]]:
    """Threads in which what is old and what is new speak by turns."""
    choose = random.Random(11)
    return [
        [
            raw_message(
                f"{page}-{line}",
                thread=f"t{choose.randrange(THREADS)}",
                sent_at=LONG_AGO if choose.random() < 0.5 else NOW,
            )
            for line in range(LINES)
        ]
        for page in range(PAGES)
    ]


class Crashing:
    """The log, but for its `nth` append to a topic: there, it fails."""

    def __init__(self, log: MessageLog, topic: Topic, nth: int) -> None:
        self._log = log
        self._topic = topic
        self._left = nth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
        self._left -= topic == self._topic
        if not self._left:
            raise LogError("it crashed: start again")
        self._log.append(topic, entries)


def read_all(log: Any) -> None:
    edge = Edge(b"a secret of more than 32 characters")
    chance = random.Random(7)
    runner = Runner(log, edge, clock=utc_now, jitter=chance)
    asyncio.run(runner.run([FakeSource(pages())], lambda: False, once=True))


def contexts(log: MessageLog) -> set[tuple[str, tuple[str, ...]]]:
    messages = found(log, "messages", Message) + found(log, "history", Message)
    return {(message.id, message.context) for message in messages}


def test_crashes_amid_old_and_new_change_no_context(
    log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "REMEMBERED", 3 * LINES // 2)
    undisturbed = MemoryLog()
    read_all(undisturbed)
    for topic, nth in (("cursors", 2), ("history", 3), ("messages", 1), ("cursors", 2)):
        with pytest.raises(LogError, match="crashed"):
            read_all(Crashing(log, topic, nth))  # type: ignore[arg-type]
    read_all(log)
    assert bounds(log, "history").keys() == bounds(log, "messages").keys()
    assert sum(bounds(log, "history").values()) > PAGES * LINES / 3
    assert contexts(log) == contexts(undisturbed)
    assert len(contexts(log)) == PAGES * LINES


# ── the tagging job ─────────────────────────────────────────────────────────────


def entry(name: str, number: int) -> Entry:
    message = Message(
        source="irc",
        platform="irc",
        id=f"{name}-{number}",
        channel="ubuntu",
        thread=f"t{number % THREADS}",
        author="0123456789abcdef",
        sent_at=NOW,
        seen_at=NOW,
        text="so it goes",
    )
    return Entry(message.partition_key, encode(message))


def test_live_messages_wait_for_no_more_than_a_slice_of_history(
    log: MessageLog,
    settings: LogSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = Config(
        log=settings,
        tagging=TaggingSettings(tagger="lexicon", batch=500),
        # The job's lock lies beside it.
        warehouse=WarehouseSettings(path=f"{tmp_path}/warehouse.duckdb"),
    )
    log.append("history", [entry("old", number) for number in range(HISTORY)])
    assert read_status(config, utc_now()).history_waiting == HISTORY
    slices: list[list[str]] = []
    real: Callable[[MicroBatch, Any], Any] = MicroBatch.run

    def run(self: MicroBatch, claim: Any) -> Any:
        if len(slices) < HISTORY // 500:
            # It is said just after the slice was claimed: the worst moment.
            log.append("messages", [entry("live", len(slices))])
        behind = bounds(log, "tagged")
        counts = real(self, claim)
        tagged = found(log, "tagged", TaggedMessage, behind)
        slices.append([record.message.id for record in tagged])
        return counts

    monkeypatch.setattr(job, "load_tagger_to_stay", lambda *_, **__: FakeTagger())
    monkeypatch.setattr(MicroBatch, "run", run)
    process(config, Stop(), once=True)
    for number in range(HISTORY // 500):
        assert f"live-{number}" in slices[number + 1]
    assert max(map(len, slices)) <= 500
    assert sum(map(len, slices)) == HISTORY + HISTORY // 500
    status = read_status(config, utc_now())
    assert (status.history_waiting, status.waiting_to_be_tagged) == (0, 0)
