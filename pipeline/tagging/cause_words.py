"""The words of a text, and what stands between them: where a cause may begin or end."""

import re
from bisect import bisect
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pipeline.tagging.encoder import Floats, Reading
from pipeline.tagging.lexicon import Span
from pipeline.tagging.masking import BLANK, mask

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_WORD = re.compile(r"\w[\w']*")
_MASKED = re.compile(f"{BLANK}+")
_SENTENCE_END = re.compile("[.!?\u2026][\"')\\]]*\\s|\n|[\U0001f300-\U0001faff]\\s*$")
_CLAUSE_END = re.compile("[,;:()\u2014\u2013]|\\s-+\\s|[\u2190-\U0001ffff]")
_SIGNS = '.!?,\n(`["'
_PAUSES = frozenset(";:-\u2014\u2013")
_FIRST_PICTURE = "\u2190"
_LONG = 60
_MOST_AROUND = 20
"""Characters before the first word and after the last are looked at."""


class Gap(NamedTuple):
    """What stands between two words: whether it ends a sentence, or a clause."""

    ends_sentence: bool
    ends_clause: bool
    asks: bool
    exclaims: bool
    signs: tuple[float, ...]


class Prose(NamedTuple):
    """A text as words; see `read_prose`.

    `gaps` has one more than `words`: the first stands before them all. `sentences` is
    each word's sentence, counted from 0; `breaks` and `pauses` tell of each gap whether
    it ends a sentence, and a clause.
    """

    text: str
    places: list[Span]
    words: list[str]
    gaps: list[Gap]
    sentences: Ints
    breaks: Bools
    pauses: Bools

    @classmethod
    def read(cls, text: str, end: int) -> Self:
        """The words of `text` that begin before `end`, those of blocks of code not."""
        places = _places(text, end)
        gaps = _gaps(text, places)
        breaks = np.array([gap.ends_sentence for gap in gaps])
        breaks[0] = breaks[-1] = True
        pauses = breaks | np.array([gap.ends_clause for gap in gaps])
        words = [text[start:stop].lower() for start, stop in places]
        sentences = np.cumsum(breaks[:-1]) - 1
        return cls(text, places, words, gaps, sentences, breaks, pauses)


def read_prose(text: str, reading: Reading) -> Prose:
    """The words of `text` that a reading has states of."""
    end = reading.words[-1].place[1] if reading.words else 0
    return Prose.read(text, end)


def average(prose: Prose, reading: Reading, by_token: Floats) -> Floats:
    """The mean over each word's tokens, words x columns."""
    starts = np.array([word.place[0] for word in reading.words])
    firsts = np.array([*(word.first for word in reading.words), len(by_token)])
    places = np.array(prose.places)
    first = firsts[np.searchsorted(starts, places[:, 0])]
    end = firsts[np.searchsorted(starts, places[:, 1])]
    sums = np.zeros((len(by_token) + 1, by_token.shape[1]), dtype=np.float32)
    np.cumsum(by_token, axis=0, out=sums[1:])
    mean: Floats = (sums[end] - sums[first]) / np.maximum(end - first, 1)[:, np.newaxis]
    return mean


def _places(text: str, end: int) -> list[Span]:
    masked = (match.span() for match in _MASKED.finditer(mask(text[:end])))
    blocks = [place for place in masked if _is_block(text, *place)]
    places = [match.span() for match in _WORD.finditer(text, 0, end)]
    if not blocks:
        return places
    starts = [start for start, _ in blocks]
    return [
        place
        for place in places
        if (n := bisect(starts, place[0]) - 1) < 0 or place[0] >= blocks[n][1]
    ]


def _is_block(text: str, start: int, end: int) -> bool:
    """Whether what is masked is no part of a sentence."""
    if end - start >= _LONG or "\n" in text[start:end]:
        return True
    return text[start - 1 : start] in {"", "\n"} and text[end : end + 1] in {"", "\n"}


def _gaps(text: str, places: list[Span]) -> list[Gap]:
    if not places:
        return [_gap("")]
    starts = [start for start, _ in places]
    ends = [end for _, end in places]
    between = [text[end:start] for end, start in zip(ends, starts[1:], strict=False)]
    after = text[ends[-1] : ends[-1] + _MOST_AROUND]
    before = text[max(0, starts[0] - _MOST_AROUND) : starts[0]]
    return [_gap(gap) for gap in (before, *between, after)]


@lru_cache(maxsize=4096)
def _gap(between: str) -> Gap:
    pictures = any(sign >= _FIRST_PICTURE for sign in between)
    return Gap(
        _SENTENCE_END.search(between) is not None,
        _CLAUSE_END.search(between) is not None,
        "?" in between,
        "!" in between,
        (
            *(float(sign in between) for sign in _SIGNS),
            float(not _PAUSES.isdisjoint(between)),
            float(pictures),
            float(not between.strip()),
        ),
    )
