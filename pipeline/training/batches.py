"""Texts as tokens, and in which company they go through a network."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

Ints = npt.NDArray[np.int64]

WINDOW = 192
"""Tokens of a text that are read, the two that frame it included."""

TOKENS = 4_096
"""Of a batch, its padding included: what fits into little memory."""

_POOL = 50
"""Batches whose texts are sorted by length together: little padding, yet by chance."""

_AT_ONCE = 10_000


class Tokens(NamedTuple):
    """The tokens of many texts in one array; those of text n are between two bounds."""

    flat: npt.NDArray[np.int32]
    bounds: Ints

    @property
    def lengths(self) -> Ints:
        """Of each text its tokens."""
        return np.diff(self.bounds)

    def batch(self, rows: Ints) -> tuple[Ints, Ints]:
        """Some texts' tokens, texts x tokens, padded with 0; and a mask of 0 and 1."""
        lengths = self.lengths[rows]
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = np.concatenate(
            [self.flat[self.bounds[row] : self.bounds[row + 1]] for row in rows]
        )
        return ids, mask.astype(np.int64)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a network, which cuts texts at `WINDOW` tokens."""
    tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(WINDOW)
    return tokenizer


def tokenise(tokenizer: Tokenizer, texts: Sequence[str]) -> Tokens:
    """All texts' tokens, some texts at a time."""
    parts: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]
    lengths = [0]
    for start in range(0, len(texts), _AT_ONCE):
        encodings = tokenizer.encode_batch(list(texts[start : start + _AT_ONCE]))
        lengths += [len(encoding.ids) for encoding in encodings]
        parts += [np.array(encoding.ids, np.int32) for encoding in encodings]
    return Tokens(np.concatenate(parts), np.cumsum(lengths))


def in_order(lengths: Ints, rows: Ints) -> Iterator[Ints]:
    """The rows in batches of texts of like length, the shortest first."""
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    start = 0
    for end in range(1, len(ordered) + 1):
        # The next text would be the longest, to which all others are padded.
        full = end == len(ordered) or (
            (end - start + 1) * lengths[ordered[end]] > TOKENS
        )
        if full:
            yield ordered[start:end]
            start = end


def by_chance(lengths: Ints, rows: Ints, random: np.random.Generator) -> list[Ints]:
    """The rows in batches of texts of like length, otherwise by chance."""
    shuffled = random.permutation(rows)
    pool = max(1, int(_POOL * TOKENS // max(1, lengths[rows].mean())))
    batches = [
        batch
        for start in range(0, len(shuffled), pool)
        for batch in in_order(lengths, shuffled[start : start + pool])
    ]
    return [batches[n] for n in random.permutation(len(batches))]
