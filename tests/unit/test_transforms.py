"""Each transform alone, on the engine that the job uses."""

import pickle
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import msgspec
import pytest
from apache_beam.coders import registry
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.config import LogSettings
from pipeline.errors import LogFullError
from pipeline.log.message_log import Entry, Stored, Topic
from pipeline.log.open import open_log
from pipeline.records import (
    DeadLetter,
    Mark,
    Message,
    TaggedMessage,
    decode,
    encode,
)
from pipeline.testing import FakeTagger, MemoryLog
from pipeline.transforms import tag, write
from pipeline.transforms.coders import TYPES, RecordCoder, register_coders
from pipeline.transforms.dead_letters import DEAD, dead_letter
from pipeline.transforms.decode import Decode, Decoded
from pipeline.transforms.deduplicate import Deduplicate, Seen
from pipeline.transforms.encode import Encode, _Encode
from pipeline.transforms.held import Held
from pipeline.transforms.positions import Place, bounds_of, next_claim
from pipeline.transforms.read import Read, claim_entry
from pipeline.transforms.run_inference import RunInference
from pipeline.transforms.tag import Tag, Tagged, TaggerHandler
from pipeline.transforms.write import Write, WriteDeadLetters

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _coders() -> None:
    register_coders()


def message(text: str = "hello there", **fields: Any) -> Message:
    known = {
        "source": "irc",
        "platform": "irc",
        "id": "1",
        "channel": "ubuntu",
        "author": "0123456789abcdef",
        "sent_at": NOW,
        "seen_at": NOW,
        "language": "en",
        "text": text,
    }
    return Message(**known | fields)


def stored(value: bytes, offset: int = 0, partition: int = 0) -> Stored:
    return Stored("messages", partition, offset, "irc/ubuntu/", value, NOW)


def decoded(text: str = "hello there", offset: int = 0, **fields: Any) -> Decoded:
    it = message(text, **fields)
    return Decoded(stored(encode(it), offset), it)


def held(value: Any) -> Held[Any]:
    """A reference to this very object, even after Beam pickled it."""
    reference: Held[Any] = Held(dict)
    reference._made[reference._key] = value
    return reference


def new_pipeline() -> beam.Pipeline:
    return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))


def run(
    transform: beam.PTransform, inputs: list[Any]
) -> tuple[list[Any], list[DeadLetter], Counter[str]]:
    """What a transform makes of its inputs: results, dead letters, counters."""
    results: list[Any] = []
    letters: list[DeadLetter] = []
    pipeline = new_pipeline()
    start = pipeline | beam.Create(inputs) if inputs else pipeline
    output = start | transform
    if isinstance(output, beam.pvalue.DoOutputsTuple):
        _ = output[DEAD] | "letters" >> beam.Map(_gather(letters))
        output = output[output._main_tag]
    _ = output | "results" >> beam.Map(_gather(results))
    metrics = pipeline.run().metrics().query()["counters"]
    counts = Counter({m.key.metric.name: m.result for m in metrics})
    return results, letters, counts


def _gather(into: list[Any]) -> Callable[[Any], None]:
    reference = held(into)
    return lambda element: reference.get().append(element)


def test_decode_makes_messages_of_records() -> None:
    record = stored(encode(message()))
    results, letters, counts = run(Decode(), [record])
    assert results == [Decoded(record, message())]
    assert letters == []
    assert counts["decoded"] == 1


def raw(**changes: Any) -> bytes:
    fields = msgspec.json.decode(encode(message()))
    return msgspec.json.encode(fields | changes)


POISON = {
    "nothing": b"",
    "garbage": b"\x00\x01garbage",
    "not UTF-8": raw().replace(b"hello", b"h\xffllo"),
    "a missing field": b'{"source": "irc"}',
    "a list": b"[1, 2, 3]",
    "a NUL": raw(text="a\0b"),
    "a lone surrogate": raw().replace(b"hello", b"h\\ud800o"),
    "year 1 east of Greenwich": raw(sent_at="0001-01-01T00:00:00+05:00"),
    "year 9999 west of Greenwich": raw(sent_at="9999-12-31T23:00:00-05:00"),
    "year 9999": raw(sent_at="9999-12-31T23:00:00Z"),
    "no time zone": raw(sent_at="2026-01-01T00:00:00"),
    "too long a text": raw(text="x" * 5_000_000),
    "deep nesting": raw()[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a name for an author": raw(author="Jane"),
}


@pytest.mark.parametrize("value", POISON.values(), ids=POISON.keys())
def test_decode_makes_a_dead_letter_of_what_is_no_message(value: bytes) -> None:
    good = stored(encode(message()), offset=8)
    results, letters, counts = run(Decode(), [stored(value, offset=7), good])
    assert [d.stored for d in results] == [good]
    (letter,) = letters
    assert (letter.topic, letter.partition, letter.offset) == ("messages", 0, 7)
    assert (letter.stage, letter.raw, letter.at) == ("decode", value, NOW)
    assert letter.error
    assert decode(encode(letter), DeadLetter) == letter
    assert counts["dead_letters"] == 1


def test_deduplicate_drops_a_key_that_stood_earlier_on_the_log() -> None:
    inputs = [
        decoded("first", offset=1),
        decoded("other", offset=2, id="2"),
        decoded("again", offset=3),
        decoded("edited", offset=4, revision=9),
    ]
    results, _, counts = run(Deduplicate(Held(Seen)), inputs)
    assert [d.message.text for d in results] == ["first", "other", "edited"]
    assert counts["duplicates"] == 1


def test_a_deletion_is_no_repetition_of_its_message() -> None:
    messages = [decoded(offset=0), decoded(offset=1, deleted=True)]
    results, _, _ = run(Deduplicate(Held(Seen)), messages)
    assert results == messages


def test_deduplicate_remembers_from_run_to_run() -> None:
    transform = Deduplicate(Held(Seen))
    run(transform, [decoded(offset=1)])
    assert run(transform, [decoded(offset=2)])[0] == []


def test_deduplicate_lets_a_slice_pass_that_is_tried_again() -> None:
    transform = Deduplicate(Held(Seen))
    inputs = [decoded(offset=1), decoded(offset=2, id="2"), decoded(offset=3)]
    first, _, _ = run(transform, inputs)
    again, _, _ = run(transform, inputs)
    assert [d.stored.offset for d in first] == [1, 2]
    assert again == first


def place(offset: int, partition: int = 0, topic: Topic = "messages") -> Stored:
    return Stored(topic, partition, offset, "k", b"", NOW)


def test_the_memory_of_keys_is_bounded_and_keeps_the_recent() -> None:
    seen = Seen(capacity=2)
    a, b, c = (("s", name, 0) for name in "abc")
    assert not seen.repeats(a, place(1))
    assert not seen.repeats(b, place(2))
    assert seen.repeats(a, place(3))
    assert not seen.repeats(c, place(4))
    assert seen.repeats(a, place(5))
    assert not seen.repeats(b, place(6))


KEY = ("s", "a", 0)


@pytest.mark.parametrize(
    "first",
    [place(1, topic="history"), place(9, topic="history"), place(1, 7), place(9, 7)],
    ids=lambda stored: ":".join(map(str, stored[:3])),
)
def test_a_key_in_another_topic_or_partition_is_a_repetition(first: Stored) -> None:
    seen = Seen()
    assert not seen.repeats(KEY, first)
    for again in (place(5), place(5)):
        assert seen.repeats(KEY, again)
    assert not seen.repeats(KEY, first)


def test_a_key_met_earlier_than_before_is_that_of_a_job_set_back() -> None:
    seen = Seen()
    assert not seen.repeats(KEY, place(9))
    assert not seen.repeats(KEY, place(3))
    assert seen.repeats(KEY, place(9))


def test_tag_gives_flagged_marks_only() -> None:
    results, letters, counts = run(
        Tag(Held(FakeTagger)), [decoded("I am angry"), decoded("calm", id="2")]
    )
    angry, calm = results
    assert [(m.label, m.flagged) for m in angry.tagged.marks] == [("anger", True)]
    assert calm.tagged.marks == ()
    assert angry.tagged.message == message("I am angry")
    assert angry.stored == decoded("I am angry").stored
    assert letters == []
    assert counts["tagged"] == 2


@pytest.mark.parametrize(
    "record",
    [
        decoded("angry", deleted=True, language=None),
        decoded("", language=None),
        decoded(" \n\t", language=None),
    ],
    ids=["deleted", "empty", "blank"],
)
def test_what_has_no_text_passes_without_marks_and_unseen_by_the_tagger(
    record: Decoded,
) -> None:
    tagger = FakeTagger()
    results, _, _ = run(Tag(held(tagger)), [record])
    assert results == [
        Tagged(record.stored, TaggedMessage(message=record.message, marks=()))
    ]
    assert tagger.calls in ([], [[]])


def test_what_a_bot_wrote_passes_too() -> None:
    results, _, _ = run(Tag(Held(FakeTagger)), [decoded("build passed", bot=True)])
    assert results[0].tagged.message.bot


def test_the_tagger_is_told_all_it_may_use() -> None:
    tagger = FakeTagger()
    run(Tag(held(tagger)), [decoded("so?", context=("it fails",), language="de")])
    ((text,),) = tagger.calls
    assert text == tag.TextToTag("so?", "de", "irc", ("it fails",))


def test_a_missing_language_is_found_and_a_given_one_kept() -> None:
    english = "why does this not work when I try to build it on my machine"
    inputs = [
        decoded(english, language=None),
        decoded(english, id="2", language="de"),
        decoded("42", id="3", language=None),
    ]
    results, _, _ = run(Tag(Held(FakeTagger)), inputs)
    languages = [r.tagged.message.language for r in results]
    assert languages == ["en", "de", None]


def test_of_a_batch_that_fails_only_the_failing_message_dies() -> None:
    texts = ["one", "I am angry", "do not explode now", "four"]
    inputs = [decoded(text, offset=n, id=str(n)) for n, text in enumerate(texts)]
    results, letters, counts = run(Tag(Held(FakeTagger)), inputs)
    assert [r.stored.offset for r in results] == [0, 1, 3]
    assert len(results[1].tagged.marks) == 1
    (letter,) = letters
    assert (letter.stage, letter.offset) == ("tag", 2)
    assert letter.raw == inputs[2].stored.value
    assert counts["dead_letters"] == 1


def test_a_taggers_error_is_told_without_the_text_it_may_quote() -> None:
    _, letters, _ = run(Tag(Held(FakeTagger)), [decoded("explode, Jane")])
    assert "fake-1 raised RuntimeError at testing.py:" in letters[0].error
    assert "Jane" not in letters[0].error


class Forgetful(FakeTagger):
    def tag(self, texts: Any) -> list[list[Mark]]:
        return super().tag(texts)[:-1]


def test_a_tagger_that_answers_too_little_is_not_believed() -> None:
    results, letters, _ = run(Tag(Held(Forgetful)), [decoded("a"), decoded("b")])
    assert results == []
    assert len(letters) == 2


def test_the_tagger_is_loaded_once_however_many_runs_there_are() -> None:
    reference = Held(FakeTagger)
    transform = Tag(reference)
    for _ in range(3):
        run(transform, [decoded()])
    assert len(reference.get().calls) == 3


def test_beam_loads_no_pytorch_beside_it() -> None:
    assert sys.modules[RunInference.__module__].ModelManager is None


def test_batches_are_bounded_and_measured() -> None:
    tagger = FakeTagger()
    inputs = [decoded(str(n), id=str(n)) for n in range(tag.BATCH + 10)]
    run(Tag(held(tagger)), inputs)
    sizes = [len(call) for call in tagger.calls]
    assert sum(sizes) == len(inputs)
    assert max(sizes) <= tag.BATCH
    assert TaggerHandler(held(tagger)).get_num_bytes(inputs[:1]) == len(
        inputs[0].stored.value
    )


def test_large_messages_make_small_batches() -> None:
    tagger = FakeTagger()
    inputs = [decoded("x" * 900_000, id=str(n), offset=n) for n in range(40)]
    results, _, _ = run(Tag(held(tagger)), inputs)
    assert [result.stored.offset for result in results] == list(range(40))
    assert max(len(call) for call in tagger.calls) < 20


def tagged(text: str = "hello there", **fields: Any) -> Tagged:
    it = message(text, **fields)
    return Tagged(stored(b"raw", 5), TaggedMessage(message=it, marks=()))


def test_encode_makes_entries_keyed_by_thread() -> None:
    (entry,), letters, _ = run(Encode(), [tagged(thread="t1")])
    assert entry.key == "irc/ubuntu/t1"
    expected = TaggedMessage(message=message(thread="t1"), marks=())
    assert decode(entry.value, TaggedMessage) == expected
    assert letters == []


def test_what_utf8_cannot_carry_becomes_a_dead_letter() -> None:
    # No coder carries it either, so it cannot come from a `Create`.
    (result,) = _Encode().process(tagged("bad \ud800"))
    assert isinstance(result, beam.pvalue.TaggedOutput)
    assert result.tag == DEAD
    assert (result.value.stage, result.value.offset) == ("encode", 5)
    encode(result.value)


def test_an_error_that_quotes_surrogates_can_still_be_written() -> None:
    letter = dead_letter(stored(b"x"), "decode", "found \ud800")
    assert decode(encode(letter), DeadLetter).error == "found \\ud800"


def test_write_appends_all_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "FLUSH_ENTRIES", 3)
    log = MemoryLog()
    inputs = [Entry("k", str(number).encode()) for number in range(8)]
    run(Write(held(log), "tagged"), inputs)
    values = [record.value for record in log.read("tagged", 0, 0, 99)]
    assert values == [entry.value for entry in inputs]


def test_write_does_not_hoard_large_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "FLUSH_BYTES", 10)
    log = MemoryLog()
    run(Write(held(log), "tagged"), [Entry("k", bytes(8))] * 5)
    assert len(log.read("tagged", 0, 0, 99)) == 5


def test_dead_letters_are_appended_to_their_topic() -> None:
    log = MemoryLog()
    letter = dead_letter(stored(b"x", 3), "decode", "no message")
    run(WriteDeadLetters(held(log)), [letter])
    (record,) = log.read("dead-letters", 0, 0, 99)
    assert decode(record.value, DeadLetter) == letter


def test_a_full_log_fails_the_run_as_what_it_is() -> None:
    log = MemoryLog()
    log.full = True
    with pytest.raises(LogFullError):
        run(Write(held(log), "tagged"), [Entry("k", b"v")])


LIVE: Place = ("messages", 0)
HISTORY: Place = ("history", 0)


def read(log: MemoryLog) -> list[bytes]:
    results, _, _ = run(Read(held(log)), [])
    return [record.value for record in results]


def filled_log(count: int) -> MemoryLog:
    log = MemoryLog()
    log.append("messages", [Entry("k", b"%d" % number) for number in range(count)])
    return log


def test_read_finds_the_claimed_slice_and_no_more() -> None:
    log = filled_log(2_500)
    log.append("cursors", [claim_entry({LIVE: (10, 2_210)})])
    assert read(log) == [b"%d" % number for number in range(10, 2_210)]


def test_read_obeys_the_newest_claim() -> None:
    log = filled_log(9)
    log.append("cursors", [claim_entry({LIVE: (0, 5)}), claim_entry({LIVE: (5, 7)})])
    assert read(log) == [b"5", b"6"]


def test_a_slice_that_retention_took_is_read_as_far_as_it_is_left() -> None:
    log = filled_log(9)
    log._kept["messages"] = log._kept["messages"][4:]
    log.append("cursors", [claim_entry({LIVE: (0, 6)})])
    assert read(log) == [b"4", b"5"]
    log._kept["messages"] = log._kept["messages"][4:]
    assert read(log) == []


def test_read_finds_every_claimed_topic_the_more_urgent_first() -> None:
    log = filled_log(5)
    log.append("history", [Entry("k", b"old %d" % number) for number in range(5)])
    claim = next_claim({LIVE: 1, HISTORY: 2}, bounds_of(log), 6)
    log.append("cursors", [claim_entry(claim)])
    assert read(log) == [b"1", b"2", b"3", b"4", b"old 2", b"old 3"]
    (_, _, _, _, old, _), _, _ = run(Read(held(log)), [])
    assert (old.topic, old.partition, old.offset) == ("history", 0, 2)


EXAMPLES = {
    Stored: stored(b"\x00value", 3),
    Entry: Entry("k", b"v"),
    Message: message(context=("a", "b"), reply_to="7"),
    TaggedMessage: TaggedMessage(
        message=message(),
        marks=(
            Mark(
                task="cause",
                label="bug",
                score=0.5,
                flagged=True,
                evidence=(0, 4),
                tagger="t-1",
            ),
        ),
    ),
    DeadLetter: dead_letter(stored(b"x"), "decode", "why"),
    Decoded: decoded(),
    Tagged: tagged(),
}


@pytest.mark.parametrize("record_type", TYPES, ids=lambda t: t.__name__)
def test_records_survive_between_stages(record_type: type[Any]) -> None:
    coder = registry.get_coder(record_type)
    assert isinstance(coder, RecordCoder)
    example = EXAMPLES[record_type]
    again = coder.decode(coder.encode(example))
    assert again == example
    assert type(again) is record_type
    assert coder.is_deterministic()
    assert coder.to_type_hint() is record_type


def test_a_coder_survives_pickling_and_equals_its_like() -> None:
    coder = RecordCoder(Stored)
    again = pickle.loads(pickle.dumps(coder))
    assert again == coder
    assert hash(again) == hash(coder)
    assert again.decode(coder.encode(stored(b"x"))) == stored(b"x")
    assert coder != RecordCoder(Entry)


@pytest.mark.parametrize(
    "transform",
    [Encode(), Tag(Held(FakeTagger)), Deduplicate(Held(Seen))],
    ids=["encode", "tag", "deduplicate"],
)
def test_stages_in_the_wrong_order_are_refused_before_anything_runs(
    transform: beam.PTransform,
) -> None:
    records = new_pipeline() | beam.Create([stored(b"x")]).with_output_types(Stored)
    with pytest.raises(beam.typehints.decorators.TypeCheckError):
        _ = records | transform


def test_what_is_held_is_made_once_even_for_pickled_references(
    tmp_path: Path,
) -> None:
    reference = Held(
        partial(open_log, LogSettings(url=f"sqlite:{tmp_path}/log.sqlite"))
    )
    log = reference.get()
    assert pickle.loads(pickle.dumps(reference)).get() is log
    log.close()
    reference.drop()
    again = reference.get()
    assert again is not log
    again.close()
