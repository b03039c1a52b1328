"""Fakes of the seams, held to the same contract tests as the real thing."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from pipeline.clock import utc_now
from pipeline.errors import LogFullError
from pipeline.log.message_log import COMPACTED, TOPICS, Entry, Stored, Topic
from pipeline.records import Mark
from pipeline.tagging.tagger import TextToTag


class MemoryLog:
    """A message log in memory, with one partition, for tests in one process.

    Set `full` to make every append fail as on a full disk.
    """

    def __init__(
        self,
        *,
        max_age: timedelta = timedelta(days=30),
        max_bytes: int = 10**9,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.full = False
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.RLock()
        self._kept: dict[Topic, list[Stored]] = {topic: [] for topic in TOPICS}
        self._next = dict.fromkeys(TOPICS, 0)

    def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
        """Append all entries; see `MessageLog`."""
        with self._lock:
            if self.full:
                raise LogFullError("this log in memory is full: unset its `full`")
            at, start = self._clock(), self._next[topic]
            self._kept[topic] += [
                Stored(topic, 0, offset, key, value, at)
                for offset, (key, value) in enumerate(entries, start)
            ]
            self._next[topic] += len(entries)
            if topic in COMPACTED:
                newest = {stored.key: stored for stored in self._kept[topic]}
                self._kept[topic] = sorted(newest.values(), key=lambda s: s.offset)

    def read(
        self, topic: Topic, partition: int, start: int, limit: int
    ) -> list[Stored]:
        """At most `limit` records from `start` on, oldest first."""
        with self._lock:
            kept = self._kept[topic] if partition == 0 else []
            return [stored for stored in kept if stored.offset >= start][:limit]

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        """The first offset kept, and the next to be given."""
        with self._lock:
            following = self._next[topic]
            kept = self._kept[topic]
            return {0: (kept[0].offset if kept else following, following)}

    def since(self, topic: Topic, at: datetime) -> dict[int, int]:
        """The first offset of that time or later."""
        with self._lock:
            newer = (stored.offset for stored in self._kept[topic] if stored.at >= at)
            return {0: next(newer, self._next[topic])}

    def latest(self, topic: Topic) -> Mapping[str, bytes]:
        """The newest value of each key."""
        with self._lock:
            return {stored.key: stored.value for stored in self._kept[topic]}

    def enforce_retention(self, now: datetime) -> int:
        """Drop what is too old, then the oldest of what is too much."""
        with self._lock:
            old = [s for s in self._retained() if s.at < now - self._max_age]
            self._drop(old)
            kept = sorted(self._retained(), key=lambda stored: stored.at)
            excess = sum(len(stored.value) for stored in kept) - self._max_bytes
            large = []
            for stored in kept:
                if excess <= 0:
                    break
                large.append(stored)
                excess -= len(stored.value)
            self._drop(large)
            return len(old) + len(large)

    def close(self) -> None:
        """Nothing to release."""

    def _retained(self) -> list[Stored]:
        return [
            stored
            for topic, kept in self._kept.items()
            if topic not in COMPACTED
            for stored in kept
        ]

    def _drop(self, gone: list[Stored]) -> None:
        offsets = {(stored.topic, stored.offset) for stored in gone}
        for topic, kept in self._kept.items():
            self._kept[topic] = [s for s in kept if (topic, s.offset) not in offsets]


class FakeTagger:
    """Marks texts that hold "angry", and fails on those that hold "explode".

    Every text also has an unflagged mark, as a real tagger's mostly do. `calls` are
    the texts of each call, so that a test sees the batches.
    """

    name = "fake-1"

    def __init__(self) -> None:
        self.calls: list[list[TextToTag]] = []

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text."""
        self.calls.append(list(texts))
        return [self._marks(text.text) for text in texts]

    def _marks(self, text: str) -> list[Mark]:
        if "explode" in text:
            raise RuntimeError(f"cannot tag {text!r}")
        return [
            self._mark("joy", 0.1, flagged=False),
            *([self._mark("anger", 0.9, flagged=True)] if "angry" in text else []),
        ]

    def _mark(self, label: str, score: float, *, flagged: bool) -> Mark:
        return Mark(
            task="basic-emotion",
            label=label,
            score=score,
            flagged=flagged,
            tagger=self.name,
        )
