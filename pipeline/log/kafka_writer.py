"""Writes entries to Kafka, and knows of each whether it is there."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kafka import KafkaProducer, errors

from pipeline.log.kafka_brokers import (
    MAX_REQUEST_BYTES,
    TRY_S,
    Brokers,
    close_quietly,
    is_mended_by_time,
)
from pipeline.log.message_log import Entry

MAX_RECORD_BYTES = MAX_REQUEST_BYTES - 1_024
"""Key and value; the rest is what the client puts around them."""

_LOOK_S = 0.2
_SLOW_S = 10.0
"""Without a sign for longer, brokers that can be reached count as away, too."""
_SILENCE = "no acknowledgement; is a disk full, or too few replicas in sync?"
_TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)


class Outcome(NamedTuple):
    """Entries that must be written again, in their order, and those that never fit.

    `error` is why, where it was not their size.
    """

    again: list[Entry]
    too_large: list[Entry]
    error: Exception | None


class Writer:
    """One producer, shared by all threads.

    Args:
        brokers: make the producer, and are asked what is wrong.
    """

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None

    def write(
        self,
        name: str,
        entries: Sequence[Entry],
        at_ms: int,
        check: Callable[[], object],
    ) -> Outcome:
        """Write to the topic `name`, and wait until the fate of each entry is known.

        `check` is called now and then in a long wait: what it raises ends that.

        Raises:
            KafkaError: nothing was written.
            LogError: waiting was of no use; some may have been written.
        """
        fitting = [entry for entry in entries if _size(entry) <= MAX_RECORD_BYTES]
        too_large = [entry for entry in entries if _size(entry) > MAX_RECORD_BYTES]
        if not fitting:
            return Outcome([], too_large, None)
        producer = self._connected()
        try:
            producer.partitions_for(name)
            futures = _send(producer, name, fitting, at_ms)
            self._settle(futures, check)
        except BaseException:
            # What is still on its way must not arrive after a later attempt.
            self._discard(producer)
            raise
        outcome = _outcome(fitting, futures)
        if outcome.again or outcome.too_large:
            # After a record that is too large a producer writes nothing any more.
            self._discard(producer)
        return outcome._replace(too_large=too_large + outcome.too_large)

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer)

    def _connected(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None:
                self._producer = self._brokers.producer()
            return self._producer

    def _discard(self, producer: KafkaProducer) -> None:
        with self._lock:
            if self._producer is producer:
                self._producer = None
        _close(producer)

    def _settle(self, futures: list[Any], check: Callable[[], object]) -> None:
        since = time.monotonic()
        for future in futures:
            while not future.is_done:
                try:
                    future.get(timeout=_LOOK_S)
                except (errors.KafkaError, OSError):
                    if not future.is_done and time.monotonic() - since > TRY_S:
                        self._ask_why(since, check)
                else:
                    since = time.monotonic()

    def _ask_why(self, since: float, check: Callable[[], object]) -> None:
        """Nothing was heard for a moment: wait on, or say why not."""
        try:
            self._brokers.probe()
            check()
        except errors.UnknownTopicOrPartitionError:
            raise
        except (errors.KafkaError, OSError) as error:
            self._brokers.wait(since, error)
        else:
            if time.monotonic() - since > _SLOW_S or self._brokers.stopped:
                silence = errors.KafkaTimeoutError(_SILENCE)
                self._brokers.wait(since, silence)


def _send(
    producer: KafkaProducer, name: str, entries: list[Entry], at_ms: int
) -> list[Any]:
    """A future for each entry, or for the first of them."""
    futures: list[Any] = []
    try:
        for key, value in entries:
            futures.append(producer.send(name, value, key.encode(), timestamp_ms=at_ms))
    except (errors.KafkaError, ValueError):
        if not futures:
            raise
    return futures


def _outcome(entries: list[Entry], futures: list[Any]) -> Outcome:
    """Sorts entries by their fate.

    Of those that are said to be too large only the largest is sure to be: the client
    says so of all that it had not written yet. After an entry that failed, those of
    its key are written again, too, so that they keep their order; some will be there
    twice.
    """
    failures = [_failure(futures, number) for number in range(len(entries))]
    refused = [
        n for n, failure in enumerate(failures) if isinstance(failure, _TOO_LARGE)
    ]
    largest = max(refused, key=lambda n: _size(entries[n]), default=None)
    again: list[Entry] = []
    failed_keys: set[str] = set()
    for number, (entry, failure) in enumerate(zip(entries, failures, strict=True)):
        if number != largest and (failure is not None or entry.key in failed_keys):
            failed_keys.add(entry.key)
            again.append(entry)
    too_large = [] if largest is None else [entries[largest]]
    return Outcome(again, too_large, _worst(failures))


def _worst(failures: list[Exception | None]) -> Exception | None:
    """One that waiting cannot mend, if there is one."""
    told = [each for each in failures if each and not isinstance(each, _TOO_LARGE)]
    return min(told, key=is_mended_by_time, default=None)


def _failure(futures: list[Any], number: int) -> Exception | None:
    if number >= len(futures):
        not_sent: Exception = errors.KafkaTimeoutError("not sent")
        return not_sent
    failure: Exception | None = futures[number].exception
    return failure


def _size(entry: Entry) -> int:
    return len(entry.key.encode()) + len(entry.value)


def _close(producer: KafkaProducer) -> None:
    """Close at once; whoever still waits for this producer is told so."""
    producer._sender.force_close()  # noqa: SLF001 - else it waits for the brokers
    producer._sender.join(1.0)  # noqa: SLF001
    close_quietly(producer, timeout=1.0)
