"""Records that are too large for the log: what is kept of them."""

from datetime import datetime
from hashlib import sha256

import msgspec

from pipeline.errors import LogError
from pipeline.log.message_log import COMPACTED, Entry, Topic
from pipeline.records import DeadLetter, decode, encode

STAGE = "append"
KEPT_BYTES = 64 * 2**10
_NOWHERE = -1


def buried(topic: Topic, entry: Entry, at: datetime) -> Entry:
    """The dead letter that is appended in place of an entry that is too large.

    Its offset is made from the entry, so that a repeated append buries it once.

    Raises:
        LogError: it is a position, and a job that lost it would begin anew.
    """
    size = len(entry.key.encode()) + len(entry.value)
    if topic in COMPACTED:
        raise LogError(
            f"the position {entry.key!r} of {size:,} bytes is too large for the log: "
            "let its topic take larger records (max.message.bytes)"
        )
    letter = DeadLetter(
        topic=topic,
        partition=_NOWHERE,
        offset=_number(entry),
        stage=STAGE,
        error=f"{size:,} bytes are more than the log takes in one record",
        raw=entry.value[:KEPT_BYTES],
        at=at,
    )
    if topic == "dead-letters":
        letter = _shortened(entry.value, letter)
    return Entry(f"{letter.topic}/{letter.partition}", encode(letter))


def _shortened(value: bytes, otherwise: DeadLetter) -> DeadLetter:
    """A dead letter that is too large itself, with less of the raw record."""
    try:
        letter = decode(value, DeadLetter)
    except ValueError:
        return otherwise
    return msgspec.structs.replace(letter, raw=letter.raw[:KEPT_BYTES])


def _number(entry: Entry) -> int:
    digest = sha256(entry.key.encode() + b"\0" + entry.value).digest()
    return int.from_bytes(digest[:8]) >> 1
