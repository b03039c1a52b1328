"""Labelled texts that a Spanish encoder learns from: all of them CC BY 4.0.

English ones come along because they hold what no Spanish ones do, GoEmotions' fine
emotions; a multilingual encoder carries some of that over.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from pipeline.tagging.corpora import goemotions, table
from pipeline.training.corpora import Output

BRIGHTER = "basic-emotion, BRIGHTER Spanish"
BRIGHTER_ENGLISH = "basic-emotion, BRIGHTER English"
XED = "basic-emotion, XED"
GOEMOTIONS = "fine-emotion"

SEED = 5
_SUBTITLES, _COMMENTS = 3_000, 8_000
"""English texts that come along: as many as an hour on one core has room for."""

_LABELS = {
    BRIGHTER: ("anger", "disgust", "fear", "joy", "sadness", "surprise"),
    BRIGHTER_ENGLISH: ("anger", "fear", "joy", "sadness", "surprise"),
}
# XED numbers them from 1 on.
_PLUTCHIK = (
    "anger",
    "anticipation",
    "disgust",
    "fear",
    "joy",
    "sadness",
    "surprise",
    "trust",
)
_SUBTITLE = re.compile(r"(?P<text>.+)\t(?P<numbers>[1-8](, [1-8])*)")


class Example(NamedTuple):
    """A text, the task that it is labelled for, and its labels.

    Nothing is known of the labels of other tasks.
    """

    task: str
    text: str
    labels: frozenset[str]


def outputs(data: Path) -> list[Output]:
    """Task and label of each number that the heads give, in order."""
    names = data / "emotion" / "goemotions_labels.txt"
    fine = names.read_text(encoding="utf-8").split()
    tasks = {**_LABELS, XED: _PLUTCHIK, GOEMOTIONS: tuple(fine)}
    return [Output(task, label) for task, labels in tasks.items() for label in labels]


def brighter_spanish(data: Path) -> list[Example]:
    """Comments under videos, train before dev (Muhammad et al., 2025)."""
    parts = [_brighter(data, BRIGHTER, f"esp_{part}") for part in ("train", "dev")]
    return [example for part in parts for example in part]


def auxiliary(data: Path) -> list[Example]:
    """Subtitles in both languages, English posts and comments; of some but a sample."""
    return [
        *_xed(data, "es"),
        *_sample(_xed(data, "en"), _SUBTITLES),
        *_brighter(data, BRIGHTER_ENGLISH, "eng_train"),
        *_sample(_goemotions(data), _COMMENTS),
    ]


def _sample(examples: Iterator[Example], size: int) -> list[Example]:
    chance = Random(SEED)  # noqa: S311 - nobody is to be surprised by it
    return chance.sample(list(examples), size)


def _brighter(data: Path, task: str, part: str) -> Iterator[Example]:
    for row in table(data / "emotion" / f"brighter_{part}.csv"):
        present = [label for label in _LABELS[task] if int(row[label] or 0) > 0]
        yield Example(task, row["text"], frozenset(present))


def _xed(data: Path, language: str) -> Iterator[Example]:
    path = data / "emotion" / f"xed_{language}.tsv"
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if found := _SUBTITLE.fullmatch(line):
            numbers = found["numbers"].split(", ")
            names = [_PLUTCHIK[int(number) - 1] for number in numbers]
            yield Example(XED, found["text"].strip(' "'), frozenset(names))


def _goemotions(data: Path) -> Iterator[Example]:
    corpus = goemotions(data, "train")
    for text, labels in zip(corpus.texts, corpus.labels, strict=True):
        yield Example(GOEMOTIONS, text, labels)


def spanish_words(data: Path) -> Sequence[str]:
    """Words of the lexicons of Tommasel et al. (2021), the machine's slips included."""
    path = data / "lexicons" / "es_categories.tsv"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({word for line in lines for word in line.split("\t") if word})
