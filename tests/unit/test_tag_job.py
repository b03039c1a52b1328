import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.errors import InputError
from pipeline.jobs.tag import BATCH, tag_file, tag_lines
from pipeline.records import Mark
from pipeline.tagging.tagger import TextToTag
from pipeline.testing import FakeTagger


def answers(*lines: bytes, every_mark: bool = False) -> list[dict[str, Any]]:
    given = (line + b"\n" for line in lines)
    return [
        json.loads(line)
        for line in tag_lines(given, FakeTagger(), every_mark=every_mark)
    ]


def test_a_line_is_answered_with_its_flagged_marks() -> None:
    (answer,) = answers(b'{"id": "1", "text": "angry about this"}')
    assert answer == {
        "id": "1",
        "language": "en",
        "marks": [
            {
                "task": "basic-emotion",
                "label": "anger",
                "score": 0.9,
                "flagged": True,
                "evidence": None,
            }
        ],
    }


def test_a_byte_order_mark_at_the_beginning_is_passed_over() -> None:
    mark, line = b"\xef\xbb\xbf", b'{"id": 1, "text": "x"}'
    first, second = answers(mark + line, mark + line)
    assert (first["id"], "error" in first) == (1, False)
    assert (second["line"], "error" in second) == (2, True)
    assert [answer["id"] for answer in answers(mark, line)] == [1]


class ThreadTagger(FakeTagger):
    """Points into the thread."""

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        return [
            [
                msgspec.structs.replace(mark, evidence=(0, 4), context=1)
                for mark in marks
            ]
            for marks in super().tag(texts)
        ]


def test_a_mark_tells_in_which_earlier_text_its_evidence_lies() -> None:
    line = b'{"id": "1", "text": "angry", "context": ["Hi", "It broke"]}'
    (printed,) = tag_lines([line], ThreadTagger(), every_mark=False)
    (mark,) = json.loads(printed)["marks"]
    assert (mark["evidence"], mark["context"]) == ([0, 4], 1)


def test_unflagged_marks_are_printed_on_request() -> None:
    (answer,) = answers(b'{"id": "1", "text": "calm"}', every_mark=True)
    assert [mark["flagged"] for mark in answer["marks"]] == [False]


def test_answers_keep_the_lines_order_over_many_batches() -> None:
    count = 2 * BATCH + 3
    lines = [b'{"id": %d, "text": "x"}' % n for n in range(count)]
    assert [answer["id"] for answer in answers(*lines)] == list(range(count))


def test_what_is_known_of_a_text_reaches_the_tagger() -> None:
    tagger = FakeTagger()
    line = json.dumps(
        {
            "id": "1",
            "text": "x",
            "platform": "github",
            "language": "en-US",
            "context": ["a", "b" * 100_000],
            "labels": ["ignored"],
        }
    )
    list(tag_lines([line.encode()], tagger, every_mark=False))
    ((text,),) = tagger.calls
    assert text == ("x", "en", "github", ("a", "b" * 100_000))


@pytest.mark.parametrize("id_", ['"a\\"b"', "7", "-1.5", "12345678901234567890123"])
def test_an_id_is_given_back_as_it_stands(id_: str) -> None:
    line = f'{{"id": {id_}, "text": "x"}}'.encode()
    (raw,) = tag_lines([line], FakeTagger(), every_mark=False)
    assert raw.startswith(f'{{"id":{id_},'.encode())


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"not JSON", "JSON is malformed"),
        (b"[1]", "Expected `object`"),
        (b'{"text": "x"}', "missing required field `id`"),
        (b'{"text": 5}', "Expected `str`"),
        (b'{"id": null, "text": "x"}', "id must be a string or a number"),
        (b'{"id": {"a": 1}, "text": "x"}', "id must be a string or a number"),
        (b'{"id": true, "text": "x"}', "id must be a string or a number"),
        (b'{"id": "\xff", "text": "x"}', "not UTF-8"),
        (b'{"id": "\xff", "text": 5}', "Expected `str`"),
        (b'{"id": null, "text": 5}', "Expected `str`"),
        (b'{"id": "1", "text": "a\\ud800b"}', "half a surrogate pair"),
        (b'{"id": "1", "text": "cut', "JSON is malformed"),
        (b'{"id": "1", "text": "cut"}\x00', "JSON is malformed"),
    ],
)
def test_a_bad_line_is_answered_at_its_place(line: bytes, error: str) -> None:
    good = b'{"id": "1", "text": "x"}'
    before, refusal, after = answers(good, line, good)
    assert before == after
    assert (refusal["id"], refusal["line"]) == (None, 2)
    assert error in refusal["error"]
    assert refusal["marks"] == []


@pytest.mark.parametrize(
    ("line", "id_"),
    [
        (b'{"id": "1", "text": 5}', "1"),
        (b'{"id": 7, "text": "x", "context": [3]}', 7),
        (b'{"text": "\xff", "id": "1"}', "1"),
        (b'{"id": -1.5}', -1.5),
    ],
)
def test_a_bad_line_whose_id_is_known_gives_it_back(line: bytes, id_: object) -> None:
    (refusal,) = answers(line)
    assert refusal["id"] == id_
    assert "error" in refusal


def test_what_is_not_known_may_be_null() -> None:
    line = b'{"id": "1", "text": "angry", "language": null, "context": null}'
    (answer,) = answers(line)
    assert [mark["label"] for mark in answer["marks"]] == ["anger"]


def test_no_text_is_repeated_in_an_error() -> None:
    (refusal,) = answers(b'{"id": "1", "text": ["a secret"]}')
    assert "secret" not in refusal["error"]


def test_five_megabytes_are_a_text_like_any_other() -> None:
    line = json.dumps({"id": "1", "text": "angry " * 900_000}).encode()
    (answer,) = answers(line)
    assert answer["id"] == "1"


def test_empty_lines_are_passed_over_but_counted() -> None:
    (refusal,) = answers(b"", b"  ", b"no")
    assert refusal["line"] == 3


def test_a_file_is_tagged_and_its_bad_lines_are_counted(tmp_path: Path) -> None:
    path, output = tmp_path / "in.jsonl", io.BytesIO()
    path.write_bytes(b'{"id": "1", "text": "x"}\nno\n{"id": "2", "text": "y"}\nno')
    assert tag_file(path, output, FakeTagger(), every_mark=False) == 2
    ids = [json.loads(line)["id"] for line in output.getvalue().splitlines()]
    assert ids == ["1", None, "2", None]


class NextLine(io.BytesIO):
    """Where answers go; each lets the next part of standard input be written.

    Who waits for more than is there before answering waits for ever.
    """

    def __init__(self, written: int, parts: list[bytes]) -> None:
        super().__init__()
        self._written, self._parts = written, parts
        self._is_open = True
        self.flush()

    def flush(self) -> None:
        if self._parts:
            os.write(self._written, self._parts.pop(0))
        elif self._is_open:
            os.close(self._written)
            self._is_open = False


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where standard input is written to."""
    read, written = os.pipe()
    with os.fdopen(read, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield written


@pytest.mark.timeout(20)
def test_a_line_is_answered_before_the_next_is_written(pipe: int) -> None:
    parts = [
        b'{"id": 1, "text": "x"}\n',
        b'{"id": 2, "text": "x"}\r\n{"id": 3, "te',
        b'xt": "x"}\n\n',
        b'no\n{"id": 5, "text": "x"}',
    ]
    output = NextLine(pipe, parts)
    assert tag_file(None, output, FakeTagger(), every_mark=False) == 1
    answers = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2, 3, None, 5]
    assert answers[3]["line"] == 5


def test_what_waits_in_a_pipe_is_tagged_in_full_batches(pipe: int) -> None:
    lines, tagger = 3 * BATCH + 5, FakeTagger()
    os.write(pipe, b"".join(b'{"id": %d, "text": "x"}\n' % n for n in range(lines)))
    os.close(pipe)
    assert tag_file(None, io.BytesIO(), tagger, every_mark=False) == 0
    assert [len(call) for call in tagger.calls] == [BATCH] * 3 + [5]


def test_a_file_with_lines_of_any_length_is_tagged_in_full_batches(
    tmp_path: Path,
) -> None:
    path, output, tagger = tmp_path / "in.jsonl", io.BytesIO(), FakeTagger()
    texts = ["x" * (3_000_000 if n == 300 else n) for n in range(2 * BATCH)]
    lines = (json.dumps({"id": n, "text": text}) for n, text in enumerate(texts))
    path.write_text("\r\n".join(lines))
    assert tag_file(path, output, tagger, every_mark=False) == 0
    assert [len(call) for call in tagger.calls] == [BATCH] * 2
    assert [text.text for call in tagger.calls for text in call] == texts


class LastWord(FakeTagger):
    """Counts how often it is told that nothing more will come."""

    finished = 0

    def finish(self) -> None:
        self.finished += 1


def test_a_tagger_has_its_last_word_even_when_the_reader_is_gone(
    tmp_path: Path,
) -> None:
    path, tagger = tmp_path / "in.jsonl", LastWord()
    path.write_bytes(b'{"id": "1", "text": "x"}\n')
    tag_file(path, io.BytesIO(), tagger, every_mark=False)
    assert tagger.finished == 1
    with path.open("rb") as unwritable, pytest.raises(io.UnsupportedOperation):
        tag_file(path, unwritable, tagger, every_mark=False)
    assert tagger.finished == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing.jsonl cannot be read"):
        tag_file(
            tmp_path / "missing.jsonl", io.BytesIO(), FakeTagger(), every_mark=False
        )
