"""The embedded log, written over where it holds what must be forgotten.

Each record of a forgotten message becomes its deletion, at the same place. Words of it
that were told as the context of later messages go, too, and dead letters of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, TypeVar

import msgspec

from pipeline.log.message_log import Stored, Topic
from pipeline.log.slices import read_slice
from pipeline.log.sqlite import SqliteLog
from pipeline.records import DeadLetter, Message, TaggedMessage, decode, encode

AT_ONCE = 1_000
NOBODY = "0" * 16
"""The author of a deletion: nobody asks who it was."""

_TOPICS: tuple[Topic, ...] = ("messages", "history", "tagged", "dead-letters")

_Item = TypeVar("_Item")

Thread = tuple[str, str | None]
"""A channel, and the thread in it."""


def blank(
    log: SqliteLog, source: str, ids: AbstractSet[str], said: Iterable[Message]
) -> int:
    """Write over what the log holds of the messages `ids`; how many records changed.

    Args:
        log: written over.
        source: of the messages.
        ids: theirs.
        said: every revision of them that the log holds.

    Raises:
        LogError: some may be left; ask again.
    """
    texts = _texts_by_thread(said)
    # What others were told goes first: it is found by texts that the rest holds.
    told = _write_over(log, _Blanking(source, frozenset(), texts)) if texts else set()
    return len(told | _write_over(log, _Blanking(source, ids, {})))


def _write_over(log: SqliteLog, blanking: "_Blanking") -> set[tuple[Topic, int]]:
    """Topics and offsets of what was changed."""
    places: set[tuple[Topic, int]] = set()
    for topic in _TOPICS:
        for some in portions(blanking.changes(log, topic)):
            log.replace(topic, dict(some))
            places.update((topic, offset) for offset, _ in some)
    return places


def _texts_by_thread(said: Iterable[Message]) -> dict[Thread, set[str]]:
    texts: dict[Thread, set[str]] = {}
    for message in said:
        if message.thread and message.text:
            key = (message.channel, message.thread)
            texts.setdefault(key, set()).add(message.text)
    return texts


class _Blanking:
    def __init__(
        self, source: str, ids: AbstractSet[str], texts: Mapping[Thread, set[str]]
    ) -> None:
        self._source = source
        self._ids = ids
        self._texts = texts

    def changes(self, log: SqliteLog, topic: Topic) -> Iterator[tuple[int, bytes]]:
        """Offsets and what shall be there instead."""
        for partition, (first, end) in log.bounds(topic).items():
            for stored in read_slice(log, topic, partition, first, end):
                if changed := self._changed(stored):
                    yield stored.offset, encode(changed)

    def _changed(self, stored: Stored) -> msgspec.Struct | None:
        try:
            if stored.topic == "dead-letters":
                return self._letter(stored)
            if not stored.key.startswith(f"{self._source}/"):
                return None
            if stored.topic == "tagged":
                return self._tagged(decode(stored.value, TaggedMessage))
            return self._message(decode(stored.value, Message))
        except ValueError:
            return None

    def _message(self, message: Message) -> Message | None:
        if message.id in self._ids:
            return None if _is_blank(message) else _blanked(message)
        told = self._told(message)
        if not told:
            return None
        context = ("" if n in told else c for n, c in enumerate(message.context))
        return msgspec.structs.replace(message, context=tuple(context))

    def _tagged(self, tagged: TaggedMessage) -> TaggedMessage | None:
        message = self._message(tagged.message)
        if message is None:
            return None
        told = self._told(tagged.message)
        kept = () if message.deleted else tagged.marks
        marks = tuple(mark for mark in kept if mark.context not in told)
        return TaggedMessage(message=message, marks=marks)

    def _told(self, message: Message) -> set[int | None]:
        """Which of the earlier texts are, or end, what must be forgotten."""
        texts = self._texts.get((message.channel, message.thread), set())
        return {
            number
            for number, told in enumerate(message.context)
            if told and any(text.endswith(told) for text in texts)
        }

    def _letter(self, stored: Stored) -> DeadLetter | None:
        letter = decode(stored.value, DeadLetter)
        record = _record_in(letter.raw)
        source = record.get("source", stored.key)
        if source != self._source or str(record.get("id")) not in self._ids:
            return None
        return msgspec.structs.replace(letter, raw=b"")


def _is_blank(message: Message) -> bool:
    return message.deleted and not message.text and message.author == NOBODY


def _blanked(message: Message) -> Message:
    return msgspec.structs.replace(
        message, deleted=True, author=NOBODY, language=None, text="", context=()
    )


def _record_in(raw: bytes) -> dict[str, Any]:
    """What a dead letter says of a message, or of one and its marks."""
    try:
        record = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        return {}
    if isinstance(record, dict) and isinstance(record.get("message"), dict):
        record = record["message"]
    return record if isinstance(record, dict) else {}


def portions(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """As many at a time as the log takes at once."""
    left = iter(items)
    return iter(lambda: list(islice(left, AT_ONCE)), [])
