"""What words alone foretell of a text's state: a hashed bag of words and pairs.

It costs a hundredth of what the encoder does. pipeline/training/cascade.py fits it.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.tagging.encoder import Floats, Word
from pipeline.tagging.hashed_words import Hashed
from pipeline.tagging.lexicon import Span

Rows = npt.NDArray[np.int64]

LENGTHS = 24
"""Last rows of a table: one for every size of a text, in half powers of two."""

_SPREAD, _SHIFT = np.uint64(2_654_435_761), np.uint64(7)


class Bag(NamedTuple):
    """A text's words, and the rows of a table that stand for it.

    The first rows are of words, one each; then of pairs, each of a word and the next;
    the last is of the text's length.
    """

    words: list[Span]
    rows: Rows


def bag(found: Hashed, size: int) -> Bag:
    """The bag of a text's words for a table of `size` rows."""
    spread = (found.hashes * _SPREAD) >> _SHIFT
    rows = (spread % np.uint64(size - LENGTHS)).astype(np.int64)
    count = len(found.words)
    length = size - LENGTHS + min(int(2 * np.log2(count + 1)), LENGTHS - 1)
    return Bag(found.words, np.append(rows, length))


def weights(found: Bag) -> Floats:
    """How much each row of a bag counts: long texts say more, but not as much more."""
    each = 1 / np.sqrt(max(1, len(found.words)))
    counts = np.full(len(found.rows), each, dtype=np.float32)
    counts[-1] = 1
    return counts


class Gate:
    """Foretells a text's place among the directions that the heads tell apart.

    Args:
        table: rows x directions, int8.
        scale: of each direction's numbers.
        bias: the place of a text of no words.
    """

    def __init__(
        self, table: npt.NDArray[np.int8], scale: Floats, bias: Floats
    ) -> None:
        self._table, self._scale, self._bias = table, scale, bias

    def read(self, words: Hashed) -> tuple[Floats, Bag]:
        """The place, and the bag it was foretold from."""
        found = bag(words, len(self._table))
        total = weights(found) @ self._table[found.rows]
        return total * self._scale + self._bias, found

    def by_word(self, found: Bag) -> tuple[Floats, list[Word]]:
        """What each word adds to the place, words x directions; half of its pairs."""
        count = len(found.words)
        added = self._table[found.rows].astype(np.float32) * weights(found)[:, None]
        words, pairs = added[:count].copy(), added[count:-1] / 2
        words[:-1] += pairs
        words[1:] += pairs
        places = [Word(n, n + 1, place) for n, place in enumerate(found.words)]
        return words * self._scale, places
