"""Gold labels: what people said of texts, one file of JSON lines a set.

A line is {"id", "text", "platform"?, "language"?, "context"?} with "labels" or with
"cause", the words that name a cause; where it is "", none is named, and the message is
scored for no cause. The task of labels is what the line says as "task"; else the
beginning of the file's name, up to the first dot; else the first task of labels.toml
that knows every label of the file. A cause's is `cause-span`.
"""

import hashlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from pipeline.errors import InputError
from pipeline.tagging.labels import load_labels

CAUSE_SPAN = "cause-span"

Task = str
Names = frozenset[str]


class GoldLine(NamedTuple):
    """One message as people judged it, and the line it stands on, counted from 1.

    `labels` is None where it was judged for its cause alone, and `cause` likewise.
    """

    number: int
    raw: bytes
    text: str
    platform: str
    context: tuple[str, ...]
    task: Task
    labels: Names | None
    cause: str | None


class GoldFile(NamedTuple):
    """One file's lines, and a digest that tells whether another is the same."""

    name: str
    digest: str
    lines: list[GoldLine]


class _Line(msgspec.Struct):
    id: str | int | float
    text: str
    platform: str = ""
    language: str | None = None
    context: tuple[str, ...] | None = None
    task: str | None = None
    labels: tuple[str, ...] | None = None
    cause: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


def read_folder(folder: Path) -> list[GoldFile]:
    """Every *.jsonl of a folder, in the order of their names.

    Raises:
        InputError: there is none, or one of them cannot be used.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one with *.jsonl of gold labels")
    paths = sorted(path for path in folder.glob("*.jsonl") if not path.is_dir())
    if not paths:
        raise InputError(f"{folder} holds no *.jsonl: put gold labels there")
    known = _known_labels()
    return [_read(path, known) for path in paths]


def _known_labels() -> dict[Task, Names]:
    known: dict[Task, set[str]] = {}
    for label in load_labels():
        known.setdefault(label.task, set()).add(label.label)
    return {task: frozenset(labels) for task, labels in known.items()}


def _read(path: Path, known: dict[Task, Names]) -> GoldFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): check the path"
        ) from error
    lines = {
        number: (raw, _line(raw, f"{path} line {number}"))
        for number, raw in enumerate(
            content.removeprefix(BOM_UTF8).splitlines(), start=1
        )
        if raw.strip()
    }
    read = {number: line for number, (_, line) in lines.items()}
    _check_ids(path, read)
    usual = _usual_task(path, read.values(), known)
    gold = [
        judged
        for number, (raw, line) in lines.items()
        for judged in _judged(number, raw, line, usual)
    ]
    for line in gold:
        _check_labels(f"{path} line {line.number}", line, known)
    _check_something(path, gold)
    return GoldFile(path.stem, hashlib.sha256(content).hexdigest(), gold)


def _line(raw: bytes, where: str) -> _Line:
    try:
        line = _decode(raw)
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8: mend that line") from error
    except msgspec.MsgspecError as error:
        raise InputError(f"{where}: {error}; mend that line") from error
    if line.labels is None and line.cause is None:
        raise InputError(f"{where} has no gold: give it 'labels' or a 'cause'")
    return line


def _check_ids(path: Path, lines: Mapping[int, _Line]) -> None:
    first: dict[tuple[str, str | None], int] = {}
    for number, line in lines.items():
        before = first.setdefault((str(line.id), line.task), number)
        if before != number:
            raise InputError(
                f"{path} line {number} has the id of line {before}: give it another, "
                "or leave one of them out"
            )


def _check_something(path: Path, gold: Sequence[GoldLine]) -> None:
    found = {line.task for line in gold if line.labels or line.labels is None}
    bare = sorted({line.task for line in gold} - found)
    if bare or not gold:
        raise InputError(
            f"{path} has no gold labels{f' of {bare[0]}' if bare else ''}: there is "
            "nothing to score, so label a message or take the file away"
        )


def _usual_task(
    path: Path, lines: Iterable[_Line], known: dict[Task, Names]
) -> Task | None:
    """The task of a file's labels where a line names none; None if none is known."""
    named = path.name.partition(".")[0]
    if named in known:
        return named
    given = {
        label for line in lines if line.task is None for label in line.labels or ()
    }
    return next((task for task, labels in known.items() if given <= labels), None)


def _judged(
    number: int, raw: bytes, line: _Line, usual: Task | None
) -> Iterator[GoldLine]:
    about = (number, raw, line.text, line.platform, line.context or ())
    if line.labels is not None:
        task = line.task or usual or ""
        yield GoldLine(*about, task, frozenset(line.labels), None)
    if any(map(str.isalnum, line.cause or "")):
        yield GoldLine(*about, CAUSE_SPAN, None, line.cause)


def _check_labels(where: str, line: GoldLine, known: dict[Task, Names]) -> None:
    if line.labels is None:
        return
    if not line.task:
        stray = sorted(line.labels) or ["nothing"]
        raise InputError(
            f"{where}: no task knows every label of this file (here {stray[0]!r}): "
            'mend the labels, or say which task they are with "task"'
        )
    if line.task not in known:
        raise InputError(
            f"{where}: {line.task!r} is no task of labels.toml: choose one of "
            f"{', '.join(known)}"
        )
    strays = sorted(line.labels - known[line.task])
    if strays:
        raise InputError(
            f"{where}: {strays[0]!r} is no label of {line.task}: mend it, or leave it "
            "out"
        )
