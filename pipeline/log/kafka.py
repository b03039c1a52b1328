"""The message log on Kafka: one topic of the brokers for each of ours.

Appends are acknowledged by all replicas in sync and written once by each producer,
in the order of their keys; reads go through consumers that are told what to read.
Brokers that are away are waited for, and what was not acknowledged is sent again.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from kafka import TopicPartition, errors

from pipeline.clock import utc_now
from pipeline.config import LogSettings
from pipeline.log.kafka_brokers import Brokers
from pipeline.log.kafka_reader import Reader
from pipeline.log.kafka_topics import Topics
from pipeline.log.kafka_writer import Writer
from pipeline.log.message_log import COMPACTED, TOPICS, Entry, Stored, Topic
from pipeline.log.oversize import buried

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CHUNK = 10_000

T = TypeVar("T")

log = structlog.get_logger()


def _never() -> bool:
    return False


class KafkaLog:
    """A message log on Kafka; safe between threads and processes.

    Nothing is asked of the brokers before it is needed. They drop what is older or
    larger than configured, in whole segments, each partition its equal share.

    Args:
        settings: where the brokers are, and how the topics are kept.
        clock: what time it is when a record is appended.
        stopped: whether to give up waiting for brokers, as the process must end.
    """

    def __init__(
        self,
        settings: LogSettings,
        *,
        clock: Callable[[], datetime] = utc_now,
        stopped: Callable[[], bool] = _never,
    ) -> None:
        self._brokers = Brokers(settings.brokers, settings.kafka, stopped)
        self._topics = Topics(self._brokers, settings)
        self._reader = Reader(self._brokers)
        self._writer = Writer(self._brokers)
        self._memories = {topic: _Memory() for topic in COMPACTED}
        self._max_age = timedelta(days=settings.retention_days)
        self._clock = clock

    def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
        """Append all entries, however long the brokers are away; see `MessageLog`.

        One that is too large for Kafka becomes a dead letter.
        """
        at = self._clock()
        name, pending = self._topics.names[topic], [*entries]
        too_large: list[Entry] = []
        check = partial(self._topics.partitions, topic)

        def attempt() -> None:
            nonlocal pending
            while pending:
                outcome = self._writer.write(name, pending, _ms(at), check)
                pending = outcome.again
                too_large.extend(outcome.too_large)
                if outcome.error is not None:
                    raise outcome.error

        if pending:
            self._patiently(topic, attempt)
        if too_large:
            sizes = [len(entry.value) for entry in too_large]
            log.warning("records-too-large", topic=topic, bytes=sizes)
            letters = [buried(topic, entry, at) for entry in too_large]
            self.append("dead-letters", letters)

    def read(
        self, topic: Topic, partition: int, start: int, limit: int
    ) -> list[Stored]:
        """Records from `start` on; fewer than `limit` when they are large.

        An empty list means that there is none now.
        """
        wanted = TopicPartition(self._topics.names[topic], partition)

        def attempt() -> list[Any]:
            if wanted not in self._topics.partitions(topic) or limit < 1:
                return []
            return self._reader.records(wanted, max(0, start), limit)

        records = self._patiently(topic, attempt)
        times = {ms: _time(ms) for ms in {record.timestamp for record in records}}
        return [
            Stored(
                topic,
                partition,
                record.offset,
                _text(record.key),
                record.value or b"",
                times[record.timestamp],
            )
            for record in records
        ]

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        """The first offset kept and the next; the same when nothing is kept."""

        def attempt() -> dict[TopicPartition, tuple[int, int]]:
            return self._reader.bounds(self._topics.partitions(topic))

        bounds = self._patiently(topic, attempt)
        return {tp.partition: found for tp, found in sorted(bounds.items())}

    def since(self, topic: Topic, at: datetime) -> dict[int, int]:
        """The first offset of that time or later, as the brokers' index tells."""

        def attempt() -> dict[TopicPartition, int]:
            partitions = self._topics.partitions(topic)
            return self._reader.first_after(partitions, max(0, _ms(at)))

        found = self._patiently(topic, attempt)
        return {tp.partition: offset for tp, offset in sorted(found.items())}

    def latest(self, topic: Topic) -> Mapping[str, bytes]:
        """The newest value of each key; reads on from where it ended last time."""
        memory = self._memories[topic]
        with memory.lock:
            for partition, (first, end) in self.bounds(topic).items():
                start = memory.start(partition, first, end)
                while start < end:
                    records = self._raw(topic, partition, start)
                    memory.learn(records)
                    start = records[-1].offset + 1 if records else end
                memory.ends[partition] = start
            return dict(memory.values)

    def enforce_retention(self, now: datetime) -> int:
        """Delete what is older than the limit to the millisecond; the number deleted.

        The brokers alone would keep old records for as long as their segment has
        newer ones. What is too much is their concern.
        """
        cutoff_ms = max(0, _ms(now - self._max_age))
        retained = [topic for topic in TOPICS if topic not in COMPACTED]
        return sum(
            self._patiently(topic, partial(self._drop, topic, cutoff_ms))
            for topic in retained
        )

    def close(self) -> None:
        """Close the connections; a thread that is in one ends its call first."""
        self._writer.close()
        self._reader.close()
        self._topics.close()

    def _patiently(self, topic: Topic, attempt: Callable[[], T]) -> T:
        def attempt_where_topics_are() -> T:
            try:
                self._topics.partitions(topic)
                return attempt()
            except errors.UnknownTopicOrPartitionError:
                self._topics.close()  # somebody deleted it: it is made again
                raise

        return self._brokers.patiently(attempt_where_topics_are)

    def _raw(self, topic: Topic, partition: int, start: int) -> list[Any]:
        wanted = TopicPartition(self._topics.names[topic], partition)
        attempt = partial(self._reader.records, wanted, start, _CHUNK)
        return self._patiently(topic, attempt)

    def _drop(self, topic: Topic, cutoff_ms: int) -> int:
        partitions = self._topics.partitions(topic)
        bounds = self._reader.bounds(partitions)
        kept = self._reader.first_after(partitions, cutoff_ms)
        gone = {tp: until for tp, until in kept.items() if until > bounds[tp][0]}
        self._topics.delete_before(gone)
        return sum(until - bounds[tp][0] for tp, until in gone.items())


class _Memory:
    """The newest value of each key, and how far it was read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: dict[str, bytes] = {}
        self.ends: dict[int, int] = {}

    def start(self, partition: int, first: int, end: int) -> int:
        """Where to read on."""
        if self.ends.get(partition, first) > end:  # the topic was made anew
            self.values.clear()
            self.ends.clear()
        return max(first, self.ends.get(partition, first))

    def learn(self, records: list[Any]) -> None:
        """Take over what records say; one without a value removes its key."""
        for record in records:
            if record.value is None:
                self.values.pop(_text(record.key), None)
            else:
                self.values[_text(record.key)] = record.value


def _text(key: bytes | None) -> str:
    """A key of ours as it was; of others' what can be shown."""
    return "" if key is None else key.decode(errors="backslashreplace")


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _time(ms: int) -> datetime:
    return _EPOCH + max(0, ms) * _MILLISECOND
