"""What was said before a message in its thread, for taggers that read it.

It is a function of the source's own messages and nothing else, so that the same
messages get the same context in an undisturbed run and after any crash. For this the
memory reaches back over a fixed number of messages, and is rebuilt from the log.

A source's messages lie in several partitions of two topics, and even a thread may: what
is said live may answer what was backfilled. Each partition has its own order; between
them `seen_at` tells it, which no two messages of a page share.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from pipeline.log.message_log import MessageLog, Stored, Topic
from pipeline.log.slices import read_slice
from pipeline.records import Message, MessageKey, decode

TEXTS = 3
CHARACTERS = 1_000
REMEMBERED = 20_000
"""Messages of a source that its memory reaches back over."""

_SCANNED = 200_000
"""Records of a topic, other sources' too, that are searched for them."""

_CHUNK = 2_000

Positions = Mapping[str, int]
"""partition -> offset behind what a source had published with its last cursor."""


class _Said(NamedTuple):
    number: int
    id: str
    text: str


class ThreadMemory:
    """The last texts of each thread of one source; memory is bounded."""

    def __init__(self) -> None:
        self._threads: OrderedDict[tuple[str, str], list[_Said]] = OrderedDict()
        self._count = 0

    def context(self, message: Message) -> tuple[str, ...]:
        """Up to three texts before `message` in its thread, oldest first."""
        if not message.thread:
            return ()
        earlier = []
        for said in self._recent(message.channel, message.thread):
            if said.id == message.id:
                break
            earlier.append(said.text)
        return _cut(earlier[-TEXTS:])

    def remember(self, message: Message) -> None:
        """Add `message`; an edit replaces its text, a deletion removes it."""
        if not message.thread:
            return
        self._count += 1
        self._forget_oldest()
        texts = self._recent(message.channel, message.thread)
        place = next((i for i, said in enumerate(texts) if said.id == message.id), None)
        if place is not None:
            kept = texts[place]._replace(text=message.text[-CHARACTERS:])
            texts[place : place + 1] = [] if message.deleted else [kept]
        elif not message.deleted and message.revision == 0:
            said = _Said(self._count, message.id, message.text[-CHARACTERS:])
            # One more than is told, because a message may be among them itself.
            texts = [*texts, said][-TEXTS - 1 :]
        self._store((message.channel, message.thread), texts)

    def _recent(self, channel: str, thread: str) -> list[_Said]:
        horizon = self._count - REMEMBERED
        said = self._threads.get((channel, thread), [])
        return [one for one in said if one.number > horizon]

    def _store(self, thread: tuple[str, str], texts: list[_Said]) -> None:
        self._threads.pop(thread, None)
        if texts:
            self._threads[thread] = texts

    def _forget_oldest(self) -> None:
        while self._threads:
            texts = next(iter(self._threads.values()))
            if texts[-1].number > self._count - REMEMBERED:
                break
            self._threads.popitem(last=False)


def recall(
    log: MessageLog, source: str, until: Mapping[Topic, Positions]
) -> ThreadMemory:
    """The memory of `source` as it was when it had published up to `until`.

    What lies behind belongs to a page that a crash cut off and that will come again.

    Raises:
        LogError: the log cannot be read.
    """
    # Newest first, because a page published twice counts where it stands last.
    newest: dict[tuple[MessageKey, bool], Message] = {}
    partitions = _partitions(log, source, until)
    for message in merge(*partitions, key=attrgetter("seen_at"), reverse=True):
        # A deletion may share its key with what it deletes.
        newest.setdefault((message.key, message.deleted), message)
        if len(newest) >= REMEMBERED:
            break
    memory = ThreadMemory()
    for message in reversed(newest.values()):
        memory.remember(message)
    return memory


def _partitions(
    log: MessageLog, source: str, until: Mapping[Topic, Positions]
) -> Iterator[Iterator[Message]]:
    """Of each partition, what the source said in threads, newest first."""
    for topic, positions in until.items():
        bounds = log.bounds(topic)
        for partition, (kept, _) in bounds.items():
            end = positions.get(str(partition), 0)
            first = max(kept, end - _SCANNED // len(bounds))
            records = _backwards(log, topic, partition, first, end)
            yield (said for stored in records if (said := _threaded(stored, source)))


def _threaded(stored: Stored, source: str) -> Message | None:
    if not stored.key.startswith(f"{source}/"):
        return None
    try:
        message = decode(stored.value, Message)
    except ValueError:
        # The job that tags it makes it a dead letter; it has no text to remember.
        return None
    return message if message.thread else None


def _backwards(
    log: MessageLog, topic: Topic, partition: int, first: int, end: int
) -> Iterator[Stored]:
    while end > first:
        start = max(first, end - _CHUNK)
        yield from reversed([*read_slice(log, topic, partition, start, end)])
        end = start


def _cut(texts: list[str]) -> tuple[str, ...]:
    """The texts' ends that fit, the newest before the older."""
    room = CHARACTERS
    kept: list[str] = []
    for text in reversed(texts):
        if room <= 0:
            break
        kept.insert(0, text[-room:])
        room -= len(text)
    return tuple(kept)
