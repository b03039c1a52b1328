"""The log that connects the parts: what every engine promises.

The contract tests in tests/contract hold each engine to it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, get_args

Topic = Literal["messages", "history", "tagged", "pulses", "dead-letters", "cursors"]
"""`history` holds messages that were old when they were read, `messages` the others."""
TOPICS: tuple[Topic, ...] = get_args(Topic)
COMPACTED: frozenset[Topic] = frozenset({"cursors"})
"""Topics that keep only the newest record of each key."""


class Entry(NamedTuple):
    """A record to append: entries of one key stay in their order."""

    key: str
    value: bytes


class Stored(NamedTuple):
    """A record as the log keeps it; offsets grow by one within a partition.

    An offset may be missing where compaction or retention took its record away.
    """

    topic: Topic
    partition: int
    offset: int
    key: str
    value: bytes
    at: datetime


class MessageLog(Protocol):
    """An append-only log of topics and partitions, shared by several processes."""

    def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
        """Append all entries; durable when it returns.

        When it raises, an engine without transactions may have appended some: append
        all of them again, as whoever reads them counts each once.

        Raises:
            LogFullError: no space is left; nothing was appended.
            LogStoppedError: the process must end, and the log is away.
            LogError: the log cannot be written.
        """

    def read(
        self, topic: Topic, partition: int, start: int, limit: int
    ) -> list[Stored]:
        """At most `limit` records from offset `start` on, oldest first.

        A `start` that retention has passed reads from the oldest record kept. An empty
        list says that there is none now, and nothing else.

        Raises:
            LogError: the log cannot be read.
        """

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        """Of each partition: the first offset kept, and the next to be given."""

    def since(self, topic: Topic, at: datetime) -> dict[int, int]:
        """Of each partition: the first offset appended at `at` or later.

        The next offset to be given, where nothing is as new.
        """

    def latest(self, topic: Topic) -> Mapping[str, bytes]:
        """The newest value of each key of a compacted topic."""

    def enforce_retention(self, now: datetime) -> int:
        """Drop what is older or larger than configured; the number dropped now.

        Nobody reads any more what is older; what is too much may go a little later.
        """

    def close(self) -> None:
        """Release files and connections; the log is not used afterwards."""
