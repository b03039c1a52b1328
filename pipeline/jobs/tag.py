"""`groundswell tag`: messages in, one JSON object a line; their marks out, likewise.

Every line is answered at its place, as soon as it is there. A line that cannot be
tagged is answered with its number and what is wrong with it, and the next one follows.
docs/tag.md has what may stand in a line, and in an answer.
"""

import os
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count, islice
from pathlib import Path
from select import select
from typing import BinaryIO, Protocol, runtime_checkable

import msgspec

from pipeline.errors import InputError
from pipeline.records import Mark
from pipeline.tagging.language import detect
from pipeline.tagging.tagger import Tagger, TextToTag

BATCH = 256
CHUNK = 2**18
"""Bytes that are asked for at once; a pipe gives what there is."""

AT_ONCE_S = 0.01
"""A batch is full, or its writer silent for so long; then it is tagged."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_IDENTIFIER = re.compile(rb'^["\-0-9]')


class Given(msgspec.Struct):
    """A line to tag; `id` is given back as it stands, a string or a number."""

    id: msgspec.Raw
    text: str
    platform: str = ""
    language: str | None = None
    context: tuple[str, ...] | None = None


class _Named(msgspec.Struct):
    """What can be told of a line whose other fields are wrong."""

    id: msgspec.Raw


class MarkOut(msgspec.Struct, omit_defaults=True):
    """A mark as it is printed, with `context` only where the evidence lies there."""

    task: str
    label: str
    score: float
    flagged: bool
    evidence: tuple[int, int] | None
    context: int | None = None


class Answer(msgspec.Struct):
    """What is printed for a line."""

    id: msgspec.Raw
    language: str | None
    marks: list[MarkOut]


class Refusal(msgspec.Struct):
    """What is printed for a line that cannot be tagged, counted from 1.

    `marks` is empty, so that who reads answers finds the same fields in each.
    """

    line: int
    error: str
    id: msgspec.Raw | None
    marks: list[MarkOut] = []


@runtime_checkable
class Finishing(Protocol):
    """A tagger that has something to say when it is asked nothing more."""

    def finish(self) -> None:
        """Say it."""


_decode = msgspec.json.Decoder(Given).decode
_decode_named = msgspec.json.Decoder(_Named).decode
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
    with _opened(path) as lines, finishing(tagger):
        for answers in _answered(_arriving(lines), tagger, every_mark=every_mark):
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
    left = iter(lines)
    batches = iter(lambda: list(islice(left, BATCH)), [])
    for answers in _answered(batches, tagger, every_mark=every_mark):
        yield from map(_encode, answers)


@contextmanager
def finishing(tagger: Tagger) -> Iterator[None]:
    """Lets a tagger have its last word, however the work ends."""
    try:
        yield
    finally:
        if isinstance(tagger, Finishing):
            tagger.finish()


def _opened(path: Path | None) -> AbstractContextManager[BinaryIO]:
    if path is None:
        return nullcontext(sys.stdin.buffer)
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): check the path"
        ) from error


def _arriving(file: BinaryIO) -> Iterator[list[bytes]]:
    """The lines that are there, BATCH at most; only the last may lack its end.

    The file's own buffer is passed over: nobody can ask it whether there is more.
    """
    lines: list[bytes] = []
    begun = bytearray()
    while chunk := os.read(file.fileno(), CHUNK):
        *ended, rest = chunk.split(b"\n")
        if ended:
            lines += [bytes(begun + ended[0]), *ended[1:]]
            begun.clear()
        begun += rest
        while len(lines) >= BATCH:
            yield lines[:BATCH]
            del lines[:BATCH]
        if lines and not select([file], [], [], AT_ONCE_S)[0]:
            yield lines
            lines = []
    yield [*lines, bytes(begun)]


def _answered(
    batches: Iterable[list[bytes]], tagger: Tagger, *, every_mark: bool
) -> Iterator[list[Answer | Refusal]]:
    """The answers to each batch of lines; empty lines have none."""
    numbers = count(1)
    for lines in batches:
        numbered = [
            (number, line.removeprefix(BOM_UTF8) if number == 1 else line)
            for line, number in zip(lines, numbers, strict=False)
        ]
        batch = [_read(number, line) for number, line in numbered if line.strip()]
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
        bytes(given.id).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Refusal(number, _reason(line, error), _identifier(line))
    if not _IDENTIFIER.match(given.id):
        return Refusal(number, "id must be a string or a number", None)
    language = given.language or detect(given.text)
    return msgspec.structs.replace(given, language=_bare(language))


def _identifier(line: bytes) -> msgspec.Raw | None:
    """The id of a line that cannot be tagged, where it is one."""
    try:
        named = _decode_named(line)
        bytes(named.id).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return named.id if _IDENTIFIER.match(named.id) else None


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
    return TextToTag(given.text, given.language, given.platform, given.context or ())


def _answer(given: Given, marks: Iterable[Mark], *, every_mark: bool) -> Answer:
    printed = [
        MarkOut(
            task=mark.task,
            label=mark.label,
            score=mark.score,
            flagged=mark.flagged,
            evidence=mark.evidence,
            context=mark.context,
        )
        for mark in marks
        if mark.flagged or every_mark
    ]
    return Answer(given.id, given.language, printed)
