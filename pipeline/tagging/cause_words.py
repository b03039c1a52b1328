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
SIGNS = '.!?,\n(`["'
"""What a gap is searched for; see `Prose`."""

_PAUSES = frozenset(";:-\u2014\u2013")
_FIRST_PICTURE = "\u2190"
_LONG = 60
_MOST_AROUND = 20
"""Characters before the first word and after the last are looked at."""


class Prose(NamedTuple):
    """A text as words; see `read_prose`.

    Gaps are what stands between the words, and before the first and after the last:
    one more than words. `breaks` and `pauses` tell of each gap whether it ends a
    sentence, and a clause; `signs`, gaps x (`SIGNS` and three more), whether it holds
    each sign, a pause, a picture, or nothing at all. `sentences` is each word's
    sentence, counted from 0.
    """

    text: str
    places: list[Span]
    words: list[str]
    sentences: Ints
    breaks: Bools
    pauses: Bools
    signs: Bools

    @classmethod
    def read(cls, text: str, end: int) -> Self:
        """The words of `text` that begin before `end`, those of blocks of code not."""
        places = _places(text, end)
        words = [text[start:stop].lower() for start, stop in places]
        told = [_told(gap) for gap in _gaps(text, places)]
        gaps = np.frombuffer(b"".join(told), np.bool_).reshape(len(told), -1)
        breaks = gaps[:, 0].copy()
        breaks[0] = breaks[-1] = True
        pauses = breaks | gaps[:, 1]
        sentences = np.cumsum(breaks[:-1]) - 1
        return cls(text, places, words, sentences, breaks, pauses, gaps[:, 2:])


def read_prose(text: str, reading: Reading) -> Prose:
    """The words of `text` that a reading has states of."""
    end = reading.words[-1].place[1] if reading.words else 0
    return Prose.read(text, end)


def average(prose: Prose, reading: Reading, by_token: Floats) -> Floats:
    """The mean over each word's tokens, words x columns."""
    starts = np.array([word.place[0] for word in reading.words])
    firsts = np.array([*(word.first for word in reading.words), len(by_token)])
    first, end = firsts[np.searchsorted(starts, np.array(prose.places).T)]
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


def _gaps(text: str, places: list[Span]) -> list[str]:
    if not places:
        return [""]
    starts = [start for start, _ in places]
    ends = [end for _, end in places]
    between = [text[end:start] for end, start in zip(ends, starts[1:], strict=False)]
    after = text[ends[-1] : ends[-1] + _MOST_AROUND]
    before = text[max(0, starts[0] - _MOST_AROUND) : starts[0]]
    return [before, *between, after]


@lru_cache(maxsize=4096)
def _told(gap: str) -> bytes:
    """Of a gap whether it ends a sentence, and a clause, and its signs: 0s and 1s."""
    return bytes(
        [
            _SENTENCE_END.search(gap) is not None,
            _CLAUSE_END.search(gap) is not None,
            *(sign in gap for sign in SIGNS),
            not _PAUSES.isdisjoint(gap),
            any(sign >= _FIRST_PICTURE for sign in gap),
            not gap.strip(),
        ]
    )
