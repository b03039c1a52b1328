"""Entries and dead letters reach the log."""

from typing import Any

import apache_beam as beam

from pipeline.log.message_log import Entry, MessageLog, Topic
from pipeline.records import DeadLetter
from pipeline.transforms.dead_letters import to_entry
from pipeline.transforms.held import Held

FLUSH_ENTRIES = 5_000
FLUSH_BYTES = 16 * 2**20


@beam.typehints.with_input_types(Entry)
class Write(beam.PTransform):
    """Appends entries to a topic, many at once; they are durable when a run ends.

    A run that is tried again appends again.

    Args:
        log: appended to.
        topic: the topic appended to.
    """

    def __init__(self, log: Held[MessageLog], topic: Topic) -> None:
        super().__init__()
        self._log = log
        self._topic = topic

    def expand(self, entries: beam.PCollection[Entry]) -> beam.PCollection[Any]:
        """Entries -> nothing."""
        return entries | beam.ParDo(_Append(self._log, self._topic))


@beam.typehints.with_input_types(DeadLetter)
class WriteDeadLetters(beam.PTransform):
    """Appends dead letters to their topic.

    Args:
        log: appended to.
    """

    def __init__(self, log: Held[MessageLog]) -> None:
        super().__init__()
        self._write = Write(log, "dead-letters")

    def expand(self, letters: beam.PCollection[DeadLetter]) -> beam.PCollection[Any]:
        """Dead letters -> nothing."""
        return letters | beam.Map(to_entry) | self._write


class _Append(beam.DoFn):
    def __init__(self, log: Held[MessageLog], topic: Topic) -> None:
        self._log = log
        self._topic = topic

    def start_bundle(self) -> None:
        self._entries: list[Entry] = []
        self._bytes = 0

    def process(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._bytes += len(entry.value)
        if len(self._entries) >= FLUSH_ENTRIES or self._bytes >= FLUSH_BYTES:
            self._flush()

    def finish_bundle(self) -> None:
        self._flush()

    def _flush(self) -> None:
        self._log.get().append(self._topic, self._entries)
        self.start_bundle()
