"""What an evaluation keeps: figures, and of each message what they were counted from.

No text, no author and no id of a message is kept: a message is the line it stands on in
its file, and a digest tells whether another result speaks of the same file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from pipeline.errors import InputError
from pipeline.evaluation.bootstrap import RESAMPLES, interval, resampled
from pipeline.evaluation.faithfulness import EvidenceFigure
from pipeline.evaluation.figures import Judged, LabelTally, Tally
from pipeline.evaluation.spans import Nearness, SpanTally

ALL = "all"
VERSION = 1


class LabelledMessage(msgspec.Struct, frozen=True):
    """What people and the tagger said of one message, for one task."""

    line: int
    platform: str
    labels: tuple[str, ...]
    flagged: tuple[str, ...]
    scores: dict[str, float]


class SpannedMessage(msgspec.Struct, frozen=True):
    """How near the cause that was found for one message is to that in the gold."""

    line: int
    platform: str
    answered: bool
    char_bleu2: float
    word_bleu2: float
    token_f1: float
    exact: float


class LabelSet(msgspec.Struct, frozen=True, tag="labels"):
    """One task in one file of gold labels."""

    file: str
    digest: str
    task: str
    cpu_s_per_message: float
    messages: list[LabelledMessage]


class SpanSet(msgspec.Struct, frozen=True, tag="causes"):
    """The causes in one file of gold."""

    file: str
    digest: str
    task: str
    cpu_s_per_message: float
    messages: list[SpannedMessage]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one group of messages, with its interval; None is unknown.

    `group` is `all`, `platform NAME` or `file NAME`; `label` is "" where all count.
    """

    task: str
    group: str
    messages: int
    figure: str
    label: str
    value: float | None
    low: float | None
    high: float | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation of one tagger."""

    version: int = VERSION
    tagger: str
    settings: str
    resamples: int = RESAMPLES
    messages: int
    cpu_s_per_message: float
    figures: list[Figure]
    evidence: list[EvidenceFigure]
    sets: list[LabelSet | SpanSet]


class Group(NamedTuple):
    """Messages of one task that are counted together."""

    task: str
    name: str
    tally: Tally


def figures(sets: Sequence[LabelSet | SpanSet]) -> list[Figure]:
    """Every figure of every group, with 95 % intervals over messages."""
    return [figure for group in groups(sets) for figure in _of_group(group)]


def _of_group(group: Group) -> Iterator[Figure]:
    rows = group.tally.rows
    whole = group.tally.figures(rows.sum(axis=0, keepdims=True))
    drawn = group.tally.figures(resampled(rows))
    for name, (value,) in whole.items():
        low, high = interval(drawn[name])
        yield Figure(
            task=group.task,
            group=group.name,
            messages=len(rows),
            figure=name.figure,
            label=name.label,
            value=known(value),
            low=known(low),
            high=known(high),
        )


def known(value: float) -> float | None:
    """None for NaN, which JSON does not have; else five digits."""
    return None if np.isnan(value) else round(float(value), 5)


def groups(sets: Sequence[LabelSet | SpanSet]) -> Iterator[Group]:
    """Of each task all messages, those of each platform, and those of each file."""
    for task in dict.fromkeys(one.task for one in sets):
        these = [one for one in sets if one.task == task]
        yield from _groups(task, these)


def _groups(task: str, sets: Sequence[LabelSet | SpanSet]) -> Iterator[Group]:
    platforms = sorted({m.platform for one in sets for m in one.messages} - {""})
    files = [one.file for one in sets] if len(sets) > 1 else []
    wanted: list[tuple[str, Callable[[str, str], bool]]] = [
        (ALL, lambda _file, _platform: True),
        *((f"platform {p}", lambda _, on, p=p: on == p) for p in platforms),
        *((f"file {f}", lambda file, _, f=f: file == f) for f in files),
    ]
    for name, holds in wanted:
        tally = _tally(sets, holds)
        if tally is not None:
            yield Group(task, name, tally)


def _tally(
    sets: Iterable[LabelSet | SpanSet], holds: Callable[[str, str], bool]
) -> Tally | None:
    """What the messages of a group come to; None if nobody labelled any of them."""
    judged: list[Judged] = []
    near: list[tuple[Nearness, bool]] = []
    for one in sets:
        if isinstance(one, SpanSet):
            near += [
                (Nearness(m.char_bleu2, m.word_bleu2, m.token_f1, m.exact), m.answered)
                for m in one.messages
                if holds(one.file, m.platform)
            ]
        else:
            judged += _judged([m for m in one.messages if holds(one.file, m.platform)])
    if near:
        return SpanTally(near)
    return LabelTally(judged) if any(m.known for m in judged) else None


def _judged(messages: Sequence[LabelledMessage]) -> list[Judged]:
    """Messages of one set; what none of them was given nobody may have looked for."""
    occurring = frozenset(label for m in messages for label in m.labels)
    return [
        Judged(occurring, frozenset(m.labels), frozenset(m.flagged), m.scores)
        for m in messages
    ]


def read_result(path: Path) -> Result:
    """What `groundswell evaluate --json` printed into a file.

    Raises:
        InputError: it is no such file.
    """
    remedy = "write one with `groundswell evaluate FOLDER --json`"
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        raise InputError(
            f"{path} is no tagger, and cannot be read ({error.strerror}): check the "
            f"path, or {remedy}"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no result ({error}): {remedy}") from error
    if result.version != VERSION:
        raise InputError(f"{path} is of another version of groundswell: {remedy}")
    return result
