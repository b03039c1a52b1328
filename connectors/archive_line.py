"""What a line of a JSONL archive says, under the names that archives use."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec

from connectors.source import RawMessage
from pipeline.records import Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_END = 1e11
"""Larger numbers are milliseconds: in seconds this is the year 5138."""

_HASH_DIGITS = 32


class _Fields(msgspec.Struct, gc=False):
    """Every name that is understood; others are skipped without being kept."""

    id: Any = None
    revision: Any = None
    deleted: Any = None
    platform: Any = None
    kind: Any = None
    channel: Any = None
    thread: Any = None
    conversation_id: Any = None
    thread_id: Any = None
    reply_to: Any = None
    parent_id: Any = None
    user: Any = None
    author: Any = None
    bot: Any = None
    ts: Any = None
    sent_at: Any = None
    created_at: Any = None
    timestamp: Any = None
    date: Any = None
    language: Any = None
    text: Any = None
    body: Any = None
    message: Any = None


_decoder = msgspec.json.Decoder(_Fields)


def parse(line: bytes, where: str, number: int) -> RawMessage:
    """The message in `line`, which stands at `number` in `where`.

    A message without an id gets one made of its line, so that the same line is the
    same message wherever it stands.

    Raises:
        ValueError: it holds no message; the error says what is missing or wrong.
    """
    fields = _decoded(line)
    deleted = _flag("deleted", fields.deleted)
    return RawMessage(
        id=_text("id", fields.id) or _hashed(line),
        revision=_revision(fields.revision),
        deleted=deleted,
        platform=_text("platform", fields.platform),
        kind=_kind(fields.kind),
        channel=_required("channel", _text("channel", fields.channel)),
        thread=_text(
            "thread", _first(fields.thread, fields.conversation_id, fields.thread_id)
        ),
        reply_to=_text("reply_to", _first(fields.reply_to, fields.parent_id)),
        author=_author(_first(fields.user, fields.author), deleted=deleted),
        bot=_flag("bot", fields.bot),
        sent_at=_time(
            _first(
                fields.ts,
                fields.sent_at,
                fields.created_at,
                fields.timestamp,
                fields.date,
            )
        ),
        language=fields.language if isinstance(fields.language, str) else None,
        text=_written(_first(fields.text, fields.body, fields.message), deleted),
        where=where,
        number=number,
    )


def _decoded(line: bytes) -> _Fields:
    try:
        return _decoder.decode(line)
    except RecursionError:
        raise ValueError("the line is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ValueError(f"the line is no JSON object: {error}") from None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _required(name: str, value: str | None) -> str:
    if value is None:
        raise ValueError(f"the line has no {name}")
    return value


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"the line's {name} is neither text nor a whole number")


def _kind(value: Any) -> Kind | None:
    kinds: tuple[Kind, ...] = get_args(Kind)
    if value is None:
        return None
    for kind in kinds:
        if value == kind:
            return kind
    # Not quoted: a line may say anything, and errors are shown as they are.
    raise ValueError(f"the line's kind is none of {', '.join(kinds)}")


def _flag(name: str, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise ValueError(f"the line's {name} is neither true nor false")


def _revision(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("the line's revision is no whole number")


def _author(value: Any, *, deleted: bool) -> str:
    if isinstance(value, dict):
        names = ("id", "login", "username", "name")
        value = _first(*(value.get(name) for name in names))
    if value is None and deleted:
        return ""
    return _required("user or author", _text("author", value))


def _written(value: Any, deleted: bool) -> str:  # noqa: FBT001 - parse alone calls it
    if value is None and deleted:
        return ""
    if value is not None and not isinstance(value, str):
        raise ValueError("the line's text is not text")
    return _required("text", value)


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        return _time_of_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _time_of_number(value)
    if value is None:
        raise ValueError("the line has no time (ts, sent_at, created_at or date)")
    raise ValueError("the line's time is neither text nor a number")


def _time_of_text(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("the line's time lies outside the years 1 to 9999") from None
    except ValueError:
        return _time_of_number(_number(value))


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(
            "the line's time is neither ISO 8601 nor seconds since 1970"
        ) from None


def _time_of_number(value: float) -> datetime:
    milliseconds = abs(value) >= _SECONDS_END
    try:
        return _EPOCH + timedelta(seconds=value / 1000 if milliseconds else value)
    except (OverflowError, ValueError):
        raise ValueError("the line's time lies outside the years 1 to 9999") from None


def _hashed(line: bytes) -> str:
    return hashlib.sha256(line.strip()).hexdigest()[:_HASH_DIGITS]
