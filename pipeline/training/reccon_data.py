"""RECCON as its authors publish it (Poria et al., 2021): who feels what, and why.

A target is an utterance with an emotion; its candidates are all that was said up to it,
itself included. A candidate is a cause where annotators marked a span of it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from pipeline.errors import InputError

SPLITS = ("train", "valid")
_NEUTRAL = "neutral"
_KEY = "expanded emotion cause"

Place = tuple[int, int]
"""Of a span in its candidate's text: the first character, and one past the last."""


class Candidate(NamedTuple):
    """What may have caused an emotion.

    `of_target` is whether the target's own speaker said it; `spans` are empty if it is
    no cause.
    """

    text: str
    of_target: bool
    spans: tuple[Place, ...]


class Target(NamedTuple):
    """An utterance with an emotion; the candidates begin with itself, then go back."""

    emotion: str
    candidates: tuple[Candidate, ...]
    types: tuple[str, ...]


class _Utterance(msgspec.Struct):
    turn: int
    speaker: str
    utterance: str
    emotion: str
    types: list[str] = msgspec.field(default_factory=list, name="type")
    # What lies outside of the dialogue is "b".
    evidence: list[int | str] = msgspec.field(
        default_factory=list, name=f"{_KEY} evidence"
    )
    spans: list[str] = msgspec.field(default_factory=list, name=f"{_KEY} span")


def read_targets(data: Path, split: str) -> list[Target]:
    """All targets of a split.

    Args:
        data: folder that holds cause/reccon_train.json and cause/reccon_valid.json.
        split: of `SPLITS`.

    Raises:
        InputError: the file is not there, or not in RECCON's form.
    """
    path = data / "cause" / f"reccon_{split}.json"
    try:
        dialogues = msgspec.json.decode(
            path.read_bytes(), type=dict[str, list[list[_Utterance]]]
        )
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): name the folder that holds "
            "cause/, with RECCON's annotations of DailyDialog in it"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is not in RECCON's form ({error}): fetch it again"
        ) from error
    found = [
        _target(said[: number + 1], f"{path}, {name}, turn {number + 1}")
        for name, parts in dialogues.items()
        for said in parts
        for number, each in enumerate(said)
        if each.emotion != _NEUTRAL
    ]
    if not found:
        raise InputError(f"{path} holds no utterance with an emotion: fetch it again")
    return found


def draw(targets: Sequence[Target], most: int | None, seed: int) -> list[Target]:
    """At most so many of the targets, in their order."""
    if most is None or len(targets) <= most:
        return list(targets)
    chosen = np.random.default_rng(seed).permutation(len(targets))[:most]
    return [targets[n] for n in np.sort(chosen)]


def _target(said: Sequence[_Utterance], where: str) -> Target:
    target = said[-1]
    marked: dict[int, list[Place]] = {}
    if len(target.evidence) != len(target.spans):
        raise InputError(f"{where}: as many spans as evidence are needed")
    for turn, span in zip(target.evidence, target.spans, strict=True):
        # Two of the training set's lie ahead, which no history knows.
        if isinstance(turn, int) and turn <= len(said):
            marked.setdefault(turn, []).append(_place(said, turn, span, where))
    candidates = [
        Candidate(each.utterance, each.speaker == target.speaker, tuple(spans))
        for turn, each in enumerate(said, start=1)
        for spans in [marked.get(turn, [])]
    ]
    return Target(target.emotion, tuple(reversed(candidates)), tuple(target.types))


def _place(said: Sequence[_Utterance], turn: int, span: str, where: str) -> Place:
    start = said[turn - 1].utterance.find(span) if turn > 0 else -1
    if start < 0 or not span:
        raise InputError(f"{where}: a span does not stand in turn {turn} of it")
    return start, start + len(span)
