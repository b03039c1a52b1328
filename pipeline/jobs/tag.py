"""`groundswell tag`: messages in, one JSON object a line; their marks out, likewise.

Every line is answered at its place. A line that cannot be tagged is answered with its
number and what is wrong with it, and the next one follows.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from pipeline.errors import InputError
from pipeline.records import Mark
from pipeline.tagging.language import detect
from pipeline.tagging.tagger import Tagger, TextToTag

BATCH = 256
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_IDENTIFIER = re.compile(rb'^["\-0-9]')


class Given(msgspec.Struct):
    """A line to tag; `id` is given back as it stands, a string or a number."""

    id: msgspec.Raw
    text: str
    platform: str = ""
    language: str | None = None
    context: tuple[str, ...] = ()


class MarkOut(msgspec.Struct):
    """A mark as it is printed."""

    task: str
    label: str
    score: float
    flagged: bool
    evidence: tuple[int, int] | None


class Answer(msgspec.Struct):
    """What is printed for a line."""

    id: msgspec.Raw
    language: str | None
    marks: list[MarkOut]


class Refusal(msgspec.Struct):
    """What is printed for a line that cannot be tagged, counted from 1."""

    line: int
    error: str
    id: None = None


_decode = msgspec.json.Decoder(Given).decode
_encode = msgspec.json.Encoder().encode


def tag_file(
    path: Path | None, output: BinaryIO, tagger: Tagger, *, every_mark: bool
) -> int:
    """Tag a file, or standard input where `path` is None.

    Returns:
        How many lines could not be tagged.

    Raises:
        InputError: the file cannot be read.
    """
    refused = 0
    with _opened(path) as lines:
        for answers in _answered(lines, tagger, every_mark=every_mark):
            refused += sum(isinstance(answer, Refusal) for answer in answers)
            output.write(b"".join(_encode(answer) + b"\n" for answer in answers))
            output.flush()
    return refused


def tag_lines(
    lines: Iterable[bytes], tagger: Tagger, *, every_mark: bool
) -> Iterator[bytes]:
    """The answer to each line, in the lines' order; empty lines have none.

    Args:
        lines: JSON objects with `id` and `text`, and perhaps `platform`, `language`
            and `context`.
        tagger: gives the marks.
        every_mark: whether to answer with unflagged marks too.
    """
    for answers in _answered(lines, tagger, every_mark=every_mark):
        yield from map(_encode, answers)


def _opened(path: Path | None) -> AbstractContextManager[BinaryIO]:
    if path is None:
        return nullcontext(sys.stdin.buffer)
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): check the path"
        ) from error


def _answered(
    lines: Iterable[bytes], tagger: Tagger, *, every_mark: bool
) -> Iterator[list[Answer | Refusal]]:
    """The answers, as many at a time as the tagger takes at once."""
    read = (
        _read(number, line)
        for number, line in enumerate(lines, start=1)
        if not line.isspace()
    )
    while batch := list(islice(read, BATCH)):
        good = [given for given in batch if isinstance(given, Given)]
        marks = iter(tagger.tag([_to_tag(given) for given in good]))
        yield [
            _answer(given, next(marks), every_mark=every_mark)
            if isinstance(given, Given)
            else given
            for given in batch
        ]


def _read(number: int, line: bytes) -> Given | Refusal:
    try:
        given = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(number, _reason(line, error))
    if not _IDENTIFIER.match(given.id):
        return Refusal(number, "id must be a string or a number")
    language = given.language or detect(given.text)
    return msgspec.structs.replace(given, language=_bare(language))


def _reason(line: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the line is not UTF-8"
    if not isinstance(error, msgspec.ValidationError) and _SURROGATE.search(line):
        return "a text holds half a surrogate pair, which is no character"
    return str(error)


def _bare(language: str | None) -> str | None:
    """`en` of `en-US`."""
    return language and language.lower().partition("-")[0].partition("_")[0]


def _to_tag(given: Given) -> TextToTag:
    return TextToTag(given.text, given.language, given.platform, given.context)


def _answer(given: Given, marks: Iterable[Mark], *, every_mark: bool) -> Answer:
    printed = [
        MarkOut(mark.task, mark.label, mark.score, mark.flagged, mark.evidence)
        for mark in marks
        if mark.flagged or every_mark
    ]
    return Answer(given.id, given.language, printed)
