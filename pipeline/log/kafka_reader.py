"""Reads partitions of Kafka, in long runs or here and there."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition, errors

from pipeline.log.kafka_brokers import TRY_S, Brokers, close_quietly

MOST_OPEN = 64
"""Partitions that are kept at hand; those read longest ago are let go."""

_POLL_MS = 200
_TRY_MS = int(TRY_S * 1_000)

T = TypeVar("T")


class Reader:
    """Reads any partition; safe between threads.

    Each partition has a consumer of its own that fetches ahead, so that taking turns
    between partitions costs nothing.

    Args:
        brokers: make the consumers.
    """

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._lock = threading.Lock()
        self._offsets = _Client(brokers)
        self._open: OrderedDict[TopicPartition, _Partition] = OrderedDict()

    def records(self, partition: TopicPartition, start: int, limit: int) -> list[Any]:
        """At most `limit` records from `start` on; none only where there are none.

        Raises:
            KafkaError: they cannot be read now.
        """
        with self._lock:
            opened = self._open.pop(partition, None)
            opened = self._open[partition] = opened or _Partition(
                self._brokers, partition
            )
            surplus = [] if len(self._open) <= MOST_OPEN else [next(iter(self._open))]
            closing = [self._open.pop(tp) for tp in surplus]
        for each in closing:
            each.close()
        return opened.records(start, limit)

    def bounds(
        self, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset kept, and the next to be given.

        Raises:
            KafkaError: they cannot be asked for now.
        """
        return self._offsets.use(lambda consumer: _bounds(consumer, partitions))

    def first_after(
        self, partitions: list[TopicPartition], at_ms: int
    ) -> dict[TopicPartition, int]:
        """The first offset of that time or later; the next one where all is earlier.

        Raises:
            KafkaError: they cannot be asked for now.
        """
        return self._offsets.use(
            lambda consumer: _first_after(consumer, partitions, at_ms)
        )

    def close(self) -> None:
        """Let go of all connections."""
        self._offsets.close()
        with self._lock:
            for opened in self._open.values():
                opened.close()
            self._open.clear()


class _Client:
    """A consumer that is made when needed, and anew after an error."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._lock = threading.RLock()
        self._consumer: KafkaConsumer | None = None

    def use(self, work: Callable[[KafkaConsumer], T]) -> T:
        with self._lock, suppress(errors.StaleMetadata):
            return self._attempt(work)
        return self._attempt(work)

    def _attempt(self, work: Callable[[KafkaConsumer], T]) -> T:
        with self._lock:
            try:
                if self._consumer is None:
                    self._consumer = self._brokers.consumer()
                return work(self._consumer)
            except KeyError as error:
                # So kafka-python says that it has not heard of a new partition yet.
                self.close()
                raise errors.StaleMetadata(str(error)) from error
            except (errors.KafkaError, OSError):
                self.close()
                raise

    def close(self) -> None:
        with self._lock:
            if self._consumer is not None:
                close_quietly(self._consumer, timeout_ms=1_000)
            self._consumer = None


class _Partition:
    """One partition, and where its consumer is."""

    def __init__(self, brokers: Brokers, partition: TopicPartition) -> None:
        self._client = _Client(brokers)
        self._partition = partition
        self._next: tuple[KafkaConsumer, int] | None = None

    def records(self, start: int, limit: int) -> list[Any]:
        return self._client.use(lambda consumer: self._read(consumer, start, limit))

    def close(self) -> None:
        self._client.close()

    def _read(self, consumer: KafkaConsumer, start: int, limit: int) -> list[Any]:
        if self._next != (consumer, start):
            consumer.assign([self._partition])
            consumer.seek(self._partition, start)
        found = self._awaited(consumer, limit)
        self._next = consumer, found[-1].offset + 1 if found else start
        return found

    def _awaited(self, consumer: KafkaConsumer, limit: int) -> list[Any]:
        deadline = time.monotonic() + TRY_S
        wait_ms = 0
        while time.monotonic() < deadline:
            with suppress(errors.OffsetOutOfRangeError):
                polled = consumer.poll(timeout_ms=wait_ms, max_records=limit)
                if polled:
                    found: list[Any] = polled[self._partition]
                    return found
            first, end = _bounds(consumer, [self._partition])[self._partition]
            position = consumer.position(self._partition, timeout_ms=_TRY_MS)
            if position >= end:
                return []
            if position < first:
                consumer.seek(self._partition, first)
            wait_ms = _POLL_MS
        raise errors.KafkaTimeoutError(f"nothing came of {self._partition.topic}")


def _bounds(
    consumer: KafkaConsumer, partitions: list[TopicPartition]
) -> dict[TopicPartition, tuple[int, int]]:
    first = consumer.beginning_offsets(partitions, timeout_ms=_TRY_MS)
    end = consumer.end_offsets(partitions, timeout_ms=_TRY_MS)
    return {partition: (first[partition], end[partition]) for partition in partitions}


def _first_after(
    consumer: KafkaConsumer, partitions: list[TopicPartition], at_ms: int
) -> dict[TopicPartition, int]:
    times = dict.fromkeys(partitions, at_ms)
    # Asked first, so that what is appended meanwhile is not taken for earlier.
    ends: dict[TopicPartition, int]
    ends = consumer.end_offsets(partitions, timeout_ms=_TRY_MS)
    found = consumer.offsets_for_times(times, timeout_ms=_TRY_MS)
    return {tp: ends[tp] if at is None else at.offset for tp, at in found.items()}
