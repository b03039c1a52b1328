"""The edge: behind it no name, no address, no secret is left in a message."""

import re
from datetime import datetime
from typing import Any

import msgspec

from connectors.bots import is_bot
from connectors.pseudonym import Pseudonyms
from connectors.redact import redact
from connectors.source import RawMessage, Refusal, Source
from pipeline.records import MAX_TEXT, DeadLetter, Message

STAGE = "connect"
KEPT_BYTES = 64_000
"""Of what became a dead letter; the rest is dropped, and its length told."""

_KEPT = 40_000
_LONGEST_WORD = 1_000
_NAMING = (
    "actor|assignees?|authors?|by|creator|display_?name|e-?mails?|from|full_?name|login"
    "|mentions|names?|nick(?:name)?|owner|participants|real_?name|screen_?name|sender"
    "|users?|user_?name|user_?id"
)
_NAMING_KEY = re.compile(_NAMING, re.IGNORECASE)
_NAMED = re.compile(
    rf'("(?:{_NAMING})"\s{{0,9}}:\s{{0,9}})(?:"(?:[^"\\]++|\\.)*+"?|[^,}}\]\s]++)',
    re.IGNORECASE,
)
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?", re.DOTALL)


class Edge:
    """Makes records of what sources read, redacted and pseudonymised.

    Args:
        secret: keys the authors' pseudonyms.
    """

    def __init__(self, secret: bytes) -> None:
        self._pseudonyms = Pseudonyms(secret)

    def message(self, raw: RawMessage, source: Source, seen_at: datetime) -> Message:
        """The message that may reach the log, without context.

        Raises:
            ValueError: it is none, or too long; the message says why.
        """
        if len(raw.text) > MAX_TEXT:
            raise ValueError(f"text is longer than {MAX_TEXT:,} characters")
        platform = raw.platform or source.platform
        kind = raw.kind or source.kind
        author = self._pseudonyms.name(source.name, raw.author, raw.sent_at)
        fields = {
            "source": source.name,
            "platform": platform,
            "id": raw.id,
            "revision": raw.revision,
            "deleted": raw.deleted,
            "kind": kind,
            "channel": raw.channel,
            "thread": raw.thread,
            "reply_to": raw.reply_to,
            "author": author,
            "bot": raw.bot or is_bot(platform, raw.author),
            "sent_at": raw.sent_at,
            "seen_at": seen_at,
            "language": _language(raw.language),
            "text": redact(raw.text, chat=kind == "chat" or platform == "irc"),
        }
        return msgspec.convert(fields, Message)

    def refused(self, raw: RawMessage, error: str, at: datetime) -> DeadLetter:
        """The dead letter of a message that the edge did not let pass."""
        fields = {
            "id": raw.id,
            "channel": raw.channel,
            "thread": raw.thread,
            "sent_at": raw.sent_at.isoformat(),
            "text": raw.text,
        }
        if len(raw.text) > _KEPT:
            error += f"; it has {len(raw.text):,} characters, here is the beginning"
            fields["text"] = _whole_words(raw.text[:_KEPT])
        kept = msgspec.json.encode(_without_people(fields))
        return _dead_letter(raw.where, raw.number, error, kept, at)

    def unreadable(self, refusal: Refusal, at: datetime) -> DeadLetter:
        """The dead letter of what a source could not understand."""
        where, number, error, raw = refusal
        if len(raw) > KEPT_BYTES:
            error += f"; it has {len(raw):,} bytes, here is the beginning"
            raw = _whole_words(raw[:KEPT_BYTES].decode("utf-8", "replace")).encode()
        return _dead_letter(where, number, error, _redacted(raw), at)


def _dead_letter(
    where: str, number: int, error: str, raw: bytes, at: datetime
) -> DeadLetter:
    return DeadLetter(
        topic=_encodable(where),
        partition=0,
        offset=number,
        stage=STAGE,
        error=_encodable(error),
        raw=raw[:KEPT_BYTES],
        at=at,
    )


def _redacted(raw: bytes) -> bytes:
    try:
        return msgspec.json.encode(_without_people(msgspec.json.decode(raw)))
    except (ValueError, RecursionError):
        # No JSON, or a part of it: names are found by the keys before them.
        text = _NAMED.sub(r'\1"<author>"', raw.decode("utf-8", "replace"))
        return redact(text, chat=True).encode()


def _without_people(value: Any) -> Any:
    """Decoded JSON without what is said to be a name, and all its texts redacted."""
    if isinstance(value, str):
        return redact(_encodable(value), chat=True)
    if isinstance(value, list):
        return [_without_people(item) for item in value]
    if isinstance(value, dict):
        return {
            _without_people(key): "<author>"
            if _NAMING_KEY.fullmatch(key)
            else _without_people(item)
            for key, item in value.items()
        }
    return value


def _whole_words(beginning: str) -> str:
    """What was cut somewhere, cut after a word: half an address still is one."""
    end = max(beginning.rfind(space) for space in ' \n\t",')
    return beginning[: max(end, len(beginning) - _LONGEST_WORD, 0)]


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _language(given: str | None) -> str | None:
    match = _LANGUAGE.fullmatch(given) if given else None
    return match[1].lower() if match else None
