"""Records: what they accept, what they refuse, and that nothing is lost on the way."""

from datetime import UTC, datetime

import pytest

from pipeline.records import (
    DeadLetter,
    Mark,
    Message,
    Pulse,
    TaggedMessage,
    decode,
    encode,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def message(**changes: object) -> Message:
    fields: dict[str, object] = {
        "source": "ubuntu",
        "platform": "irc",
        "id": "1",
        "channel": "#ubuntu",
        "author": "0123456789abcdef",
        "sent_at": NOW,
        "seen_at": NOW,
        "text": "it works 😀",
    }
    return Message(**(fields | changes))


def test_every_record_survives_its_encoding() -> None:
    mark = Mark(
        task="basic-emotion", label="joy", score=0.5, flagged=True, tagger="lexicon-1"
    )
    for record in (
        message(thread="t", context=("before",), language="en"),
        TaggedMessage(message=message(), marks=(mark,)),
        Pulse(source="ubuntu", at=NOW, state="ok", messages=3, delay_s=1.5),
        DeadLetter(
            topic="messages",
            partition=0,
            offset=1,
            stage="decode",
            error="e",
            raw=b"\xff",
            at=NOW,
        ),
    ):
        assert decode(encode(record), type(record)) == record


def mark(**changes: object) -> Mark:
    fields: dict[str, object] = {
        "task": "cause-type",
        "label": "in-context",
        "score": 0.5,
        "flagged": True,
        "evidence": (4, 9),
        "tagger": "encoder-1",
    }
    return Mark(**(fields | changes))


def test_a_mark_may_point_into_an_earlier_text() -> None:
    tagged = TaggedMessage(message=message(context=("a",)), marks=(mark(context=0),))
    assert b'"context":0' in encode(tagged)
    assert decode(encode(tagged), TaggedMessage) == tagged
    with pytest.raises(ValueError, match="context"):
        decode(encode(tagged).replace(b'"context":0', b'"context":-1'), TaggedMessage)


def test_a_mark_without_context_is_written_as_before_and_a_newer_one_is_read() -> None:
    old = TaggedMessage(message=message(), marks=(mark(),))
    raw = encode(old)
    assert b'"context"' not in raw
    newer = raw.replace(b'"flagged":true', b'"flagged":true,"from_the_future":7')
    assert decode(raw, TaggedMessage) == decode(newer, TaggedMessage) == old


@pytest.mark.parametrize(
    "raw",
    [
        b"not JSON",
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        encode(message()).replace(b'"id":"1"', b'"id":7'),
        encode(message()).replace(b"it works", b"\\ud800"),
        encode(message()).replace(b"it works", b"\\u0000"),
        encode(message()).replace(b"2026-03-01", b"0001-01-01"),
        encode(message()).replace(
            b"2026-03-01T12:00:00Z", b"0001-01-01T00:00:00+05:00"
        ),
        encode(message()).replace(b"2026-03-01", b"9999-12-31", 1),
        encode(message()).replace(b"2026-03-01T12:00:00Z", b"2026-03-01T12:00:00"),
        encode(message()).replace(b"it works", b"a" * 5_000_000),
        encode(message()).replace(b"#ubuntu", b"a\\nb"),
        encode(message()).replace(b"0123456789abcdef", b"A Name"),
    ],
    ids=lambda raw: raw[-40:].decode(errors="replace"),
)
def test_what_is_no_message_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"no valid Message: ."):
        decode(raw, Message)


def test_a_refusal_never_quotes_what_was_found() -> None:
    raw = encode(message()).replace(b'"text"', b'"kind":"Jane wrote","text"')
    with pytest.raises(ValueError, match="enum value") as refused:
        decode(raw, Message)
    assert "Jane" not in str(refused.value)


def test_a_clock_that_runs_ahead_by_less_than_a_day_is_forgiven() -> None:
    ahead = NOW.replace(hour=23)
    assert message(sent_at=ahead).sent_at == ahead


def test_a_thread_stays_in_one_partition() -> None:
    assert message(thread="t").partition_key == "ubuntu/#ubuntu/t"
    assert message().partition_key == "ubuntu/#ubuntu/"


def test_the_key_is_source_id_and_revision() -> None:
    assert message(revision=2).key == ("ubuntu", "1", 2)
