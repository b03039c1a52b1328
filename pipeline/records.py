"""The records that travel on the log, and their one encoding, JSON.

Times are UTC. Field names are the column names in DuckDB. A record is checked
whenever it is decoded, so that what is on the log can be relied upon.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

MAX_TEXT = 1_000_000
"""Characters; longer texts are dumps of logs or data, nothing a person wrote."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)
_QUOTED_VALUE = re.compile(r"(?<=enum )value '.*'", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Identifier = Annotated[str, Meta(min_length=1, max_length=512)]
Time = Annotated[datetime, Meta(tz=True)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Kind = Literal["comment", "chat", "post"]
PulseState = Literal["ok", "rate-limited", "failing", "stopped"]

MessageKey = tuple[str, str, int]
"""(source, id, revision): the one idempotence key, end to end."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one author wrote once, redacted and pseudonymised at the edge.

    Raises:
        ValueError: a field holds what no message can (msgspec turns it into
            `msgspec.ValidationError` when decoding).
    """

    source: Name
    platform: Name
    id: Identifier
    revision: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    deleted: bool = False
    kind: Kind = "chat"
    channel: Identifier
    thread: Annotated[str, Meta(max_length=512)] | None = None
    reply_to: Annotated[str, Meta(max_length=512)] | None = None
    author: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    bot: bool = False
    sent_at: Time
    seen_at: Time
    language: str | None = None
    text: str
    context: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would break a later part."""
        if len(self.text) > MAX_TEXT:
            raise ValueError(f"text is longer than {MAX_TEXT:,} characters")
        if "\x00" in self.text:
            raise ValueError("text holds NUL characters")
        for field in ("id", "channel"):
            if _CONTROL.search(getattr(self, field)):
                raise ValueError(f"{field} holds control characters")
        if not EARLIEST <= self.sent_at <= self.seen_at + CLOCK_SKEW:
            raise ValueError("sent_at lies before 1970 or after the message was seen")

    @property
    def key(self) -> MessageKey:
        """The idempotence key."""
        return (self.source, self.id, self.revision)

    @property
    def partition_key(self) -> str:
        """Keeps a thread in order on the log."""
        return f"{self.source}/{self.channel}/{self.thread or ''}"


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One label that a tagger gave a message.

    `evidence` is [start, end) in characters of the message's text; or, where `context`
    has its number, counted from 0, of that one of the message's earlier texts.
    """

    task: str
    label: str
    score: Probability
    flagged: bool
    evidence: tuple[int, int] | None = None
    context: Annotated[int, Meta(ge=0)] | None = None
    tagger: str


class TaggedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message and all its marks."""

    message: Message
    marks: tuple[Mark, ...]


class Pulse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a connector says of itself, so that silence is never taken for calm.

    `channel` None speaks of the whole source; `messages` were published since the
    last pulse; `delay_s` is the age in seconds of the newest of them.
    """

    source: Name
    channel: str | None = None
    at: Time
    state: PulseState
    messages: Annotated[int, Meta(ge=0)] = 0
    delay_s: float | None = None
    error: str | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be processed, kept with its reason and where it came from.

    `topic` is the log's topic, or the file or address that a connector read;
    `offset` is the record's, or the line's number.
    """

    topic: str
    partition: int
    offset: int
    stage: str
    error: str
    raw: bytes
    at: Time


Record = TypeVar("Record", Message, TaggedMessage, Pulse, DeadLetter)
_encoder = msgspec.json.Encoder()
_decoders = {
    type_: msgspec.json.Decoder(type_)
    for type_ in (Message, TaggedMessage, Pulse, DeadLetter)
}


def encode(record: msgspec.Struct) -> bytes:
    """A record as one line of JSON.

    Raises:
        ValueError: a text holds lone surrogates, which UTF-8 cannot carry.
    """
    return _encoder.encode(record)


def decode(raw: bytes, record_type: type[Record]) -> Record:
    """The record that `raw` encodes.

    Raises:
        ValueError: `raw` is no such record; the message says why.
    """
    try:
        return _decoders[record_type].decode(raw)  # type: ignore[return-value]
    except (msgspec.MsgspecError, UnicodeError, OverflowError) as error:
        # What was found in place of a word we know may be what somebody wrote.
        reason = _QUOTED_VALUE.sub("value", str(error))
        raise ValueError(f"no valid {record_type.__name__}: {reason}") from error
