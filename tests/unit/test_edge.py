import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.edge import KEPT_BYTES, Edge
from connectors.source import Refusal
from connectors.testing import FakeSource, raw_message
from pipeline.records import MAX_TEXT, DeadLetter, Message

NOW = datetime(2024, 6, 1, tzinfo=UTC)
EDGE = Edge(b"a secret of more than 32 characters")
SOURCE = FakeSource([], name="chat")


def admitted(text: str = "hello", **fields: object) -> Message:
    return EDGE.message(raw_message(text, **fields), SOURCE, NOW)


def refused(text: str = "hello", **fields: object) -> DeadLetter:
    return EDGE.refused(raw_message(text, **fields), "why", NOW)


def unreadable(raw: bytes) -> DeadLetter:
    return EDGE.unreadable(Refusal("file", 7, "why", raw), NOW)


def test_no_name_passes_the_edge() -> None:
    message = admitted("@eve write to jo@example.org", author="jo")
    assert message.text == "<mention> write to <email>"
    assert re.fullmatch("[0-9a-f]{16}", message.author)


def test_a_message_says_what_its_source_does_not() -> None:
    message = admitted(platform="irc", kind="post", language="en-GB", bot=True)
    assert (message.source, message.platform, message.kind) == ("chat", "irc", "post")
    assert (message.language, message.bot, message.seen_at) == ("en", True, NOW)


def test_a_source_says_what_its_messages_do_not() -> None:
    message = admitted(language="nonsense")
    assert (message.platform, message.kind, message.language) == ("fake", "chat", None)


def test_addressees_go_in_chats_alone() -> None:
    assert admitted("trey: hi").text == "<mention>: hi"
    assert admitted("trey: hi", kind="post", platform="irc").text == "<mention>: hi"
    assert admitted("trey: hi", kind="post").text == "trey: hi"


def test_a_program_is_marked_by_its_name() -> None:
    assert admitted(author="dependabot[bot]").bot
    assert not admitted(author="jo").bot


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": "x" * 513},
        {"id": "a\nb"},
        {"channel": ""},
        {"kind": "issue"},
        {"platform": "Not A Name"},
        {"revision": -1},
        {"sent_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"sent_at": datetime(9999, 1, 1, tzinfo=UTC)},
        {"sent_at": NOW + timedelta(days=2)},
        {"text": "a\0b"},
        {"text": "x" * (MAX_TEXT + 1)},
    ],
)
def test_what_no_message_can_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        admitted(**fields)


def test_a_refused_message_keeps_its_place_and_no_name() -> None:
    letter = refused("ask jo@example.org", author="eve", where="a.jsonl", number=3)
    assert (letter.topic, letter.offset, letter.error) == ("a.jsonl", 3, "why")
    assert b"eve" not in letter.raw
    assert msgspec.json.decode(letter.raw)["text"] == "ask <email>"


def test_a_long_refused_text_is_cut_after_a_word_and_its_length_told() -> None:
    letter = refused("jo@example.org " * 100_000)
    assert len(letter.raw) <= KEPT_BYTES
    assert b"example" not in letter.raw
    assert "1,500,000 characters" in letter.error


def test_a_refused_message_may_hold_half_characters() -> None:
    letter = refused("half \ud83d of it", where="\udcff.jsonl")
    assert b"half ? of it" in letter.raw
    assert letter.topic == "?.jsonl"


def test_unreadable_json_loses_its_names_and_addresses() -> None:
    raw = b'{"user":"eve","by":{"x":"eve"},"t":["@eve",1],"text":"trey: a@b.org"}'
    letter = unreadable(raw)
    assert msgspec.json.decode(letter.raw) == {
        "user": "<author>",
        "by": "<author>",
        "t": ["<mention>", 1],
        "text": "<mention>: <email>",
    }
    assert (letter.topic, letter.offset, letter.error) == ("file", 7, "why")


def test_broken_json_loses_its_names_and_addresses() -> None:
    letter = unreadable(b'{"id": 1, "user":"ev\\"e", "login" : eve, "text": "a@b.org')
    assert b"ev" not in letter.raw
    assert b"<email>" in letter.raw


def test_deep_json_is_redacted_as_text() -> None:
    letter = unreadable(b"[" * 100_000 + b" jo@example.org")
    assert b"example" not in letter.raw


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00bad", b"", b"\x00", "½½".encode()[:3]])
def test_any_bytes_make_a_dead_letter(raw: bytes) -> None:
    assert msgspec.json.encode(unreadable(raw))


@pytest.mark.parametrize("part", [b"jo@example.org ", "jó@example.org\t".encode()])
def test_a_long_unreadable_line_is_cut_and_its_length_told(part: bytes) -> None:
    letter = unreadable(part * 10_000)
    assert len(letter.raw) <= KEPT_BYTES
    assert b"example" not in letter.raw
    assert "jo" not in letter.raw.decode()
    assert f"{len(part) * 10_000:,} bytes" in letter.error


def test_a_message_never_shows_itself_in_a_traceback() -> None:
    shown = repr(raw_message("secret words", author="eve", number=3))
    assert shown == "RawMessage('test', 3)"
