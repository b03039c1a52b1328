"""A text's words and pairs of neighbouring words, as numbers."""

import re
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from pipeline.tagging.lexicon import Span

Hashes = npt.NDArray[np.uint64]

MOST_WORDS = 250
"""Of a text are looked at."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[^\w\s]|_")
_PAIR, _BITS = np.uint64(0x9E3779B1), np.uint64(0xFFFFFFFF)


class Hashed(NamedTuple):
    """Where words are, and 32 bits for each of them, then for each word and the next.

    A sign is a word, too; case does not count.
    """

    words: list[Span]
    hashes: Hashes


def hashed(text: str) -> Hashed:
    """The words of a text, or of its beginning."""
    found = []
    for match in _WORD.finditer(text):
        found.append(match)
        if len(found) == MOST_WORDS:
            break
    words = np.array(
        [crc32(m[0].lower().encode(errors="replace")) for m in found], dtype=np.uint64
    )
    pairs = (words[:-1] * _PAIR ^ words[1:]) & _BITS
    return Hashed([match.span() for match in found], np.concatenate([words, pairs]))
