import json
from datetime import UTC, datetime

import pytest

from connectors.archive_line import parse
from connectors.edge import Edge
from connectors.source import RawMessage, Refusal
from pipeline.records import Message, encode

SENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
LINE = {"id": "1", "ts": SENT.isoformat(), "channel": "#a", "user": "jo", "text": "hi"}


def parsed(**changes: object) -> RawMessage:
    fields = {k: v for k, v in (LINE | changes).items() if v is not ...}
    return parse(json.dumps(fields).encode(), "a.jsonl", 3)


def test_a_line_is_a_message_of_its_place() -> None:
    message = parsed()
    assert (message.id, message.channel, message.author) == ("1", "#a", "jo")
    assert (message.text, message.sent_at) == ("hi", SENT)
    assert (message.where, message.number) == ("a.jsonl", 3)


@pytest.mark.parametrize("name", ["sent_at", "created_at", "timestamp", "date"])
def test_a_time_has_many_names(name: str) -> None:
    assert parsed(ts=..., **{name: SENT.isoformat()}).sent_at == SENT


@pytest.mark.parametrize("name", ["body", "message"])
def test_a_text_has_many_names(name: str) -> None:
    assert parsed(text=..., **{name: "hi"}).text == "hi"


@pytest.mark.parametrize("name", ["thread", "conversation_id", "thread_id"])
def test_a_thread_has_many_names(name: str) -> None:
    assert parsed(**{name: 7}).thread == "7"


@pytest.mark.parametrize("name", ["reply_to", "parent_id"])
def test_a_reply_has_many_names(name: str) -> None:
    assert parsed(**{name: "0"}).reply_to == "0"


@pytest.mark.parametrize(
    "author", ["7", 7, {"id": 7, "login": "jo"}, {"login": "7"}, {"name": "7"}]
)
def test_an_author_may_be_a_name_a_number_or_an_object(author: object) -> None:
    assert parsed(user=..., author=author).author == "7"


@pytest.mark.parametrize(
    "time",
    [
        "2024-01-02T03:04:05Z",
        "2024-01-02T03:04:05",
        "2024-01-02 03:04:05",
        "2024-01-02T05:04:05+02:00",
        SENT.timestamp(),
        int(SENT.timestamp()),
        int(SENT.timestamp() * 1000),
        str(SENT.timestamp()),
    ],
)
def test_times_are_iso_8601_or_seconds_or_milliseconds(time: object) -> None:
    assert parsed(ts=time).sent_at == SENT


def test_what_else_a_line_may_say() -> None:
    message = parsed(
        language="de", deleted=True, revision=9, bot=1, kind="post", platform="irc"
    )
    assert (message.language, message.deleted, message.revision) == ("de", True, 9)
    assert (message.bot, message.kind, message.platform) == (True, "post", "irc")


def test_a_deletion_needs_neither_text_nor_author() -> None:
    message = parsed(deleted=True, text=..., user=...)
    assert (message.text, message.author) == ("", "")


def test_a_line_without_an_id_always_gets_the_same_one() -> None:
    assert parsed(id=...).id == parsed(id=...).id
    assert parsed(id=...).id != parsed(id=..., text="ho").id


def test_our_own_messages_can_be_read_again() -> None:
    message = Message(
        source="s",
        platform="irc",
        id="1",
        kind="post",
        channel="#a",
        thread="t",
        author="0123456789abcdef",
        sent_at=SENT,
        seen_at=SENT,
        text="hi",
        context=("before",),
    )
    raw = parse(encode(message), "export.jsonl", 1)
    assert (raw.id, raw.platform, raw.kind, raw.thread) == ("1", "irc", "post", "t")
    assert raw.author == message.author


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ts": ...}, "has no time"),
        ({"ts": []}, "neither text nor a number"),
        ({"ts": True}, "neither text nor a number"),
        ({"ts": "yesterday"}, "neither ISO 8601 nor seconds"),
        ({"ts": "nan"}, "outside the years"),
        ({"ts": 1e300}, "outside the years"),
        ({"ts": "0001-01-01T00:00:00+05:00"}, "outside the years"),
        ({"channel": ...}, "no channel"),
        ({"channel": 1.5}, "neither text nor a whole number"),
        ({"user": ...}, "no user or author"),
        ({"user": {"x": 1}}, "no user or author"),
        ({"text": ...}, "no text"),
        ({"text": 5}, "text is not text"),
        ({"revision": "new"}, "no whole number"),
        ({"deleted": "maybe"}, "neither true nor false"),
        ({"id": True}, "neither text nor a whole number"),
        ({"kind": "issue"}, "kind is none of comment, chat, post"),
        ({"kind": ["post"]}, "kind is none of comment, chat, post"),
    ],
)
def test_a_line_that_lacks_something_says_what(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        parsed(**changes)


def test_a_kind_that_is_none_is_not_told() -> None:
    with pytest.raises(ValueError, match="kind") as raised:
        parsed(kind="eve@example.org")
    refusal = Refusal("a.jsonl", 3, str(raised.value), b'{"kind":"eve@example.org"}')
    letter = Edge(b"a secret of more than 32 characters").unreadable(refusal, SENT)
    assert "eve" not in letter.error
    assert "example" not in letter.error


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not JSON",
        b"[1]",
        b'{"id": "cut',
        b"\xff\xfe",
        b'{"text": "\\ud800"}',
        b'{"text": "\x00"}',
        b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000,
        b'{"id": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_object_of_json_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="the line"):
        parse(line, "a.jsonl", 1)
