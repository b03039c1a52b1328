"""What the words of a text and their pairs say by themselves, beside an encoder.

An encoder knows words by their company; a table of what each has meant to the people
who labelled texts errs otherwise, and both together err less. Of a word or pair counts
the logarithm of how often it is there, times how rare it is, all of a text together of
one length; a logistic regression weighs that, label by label.

Source: S. Wang and C. Manning, "Baselines and bigrams: simple, good sentiment and topic
classification", ACL 2012. pipeline/training/word_heads.py fits it.
"""

from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pipeline.tagging.hashed_words import Hashed, hashed

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FILE = "words.weights"
"""Not .npz: that would be heads."""

_NONE = np.zeros(0, np.int64)
_SHORT = 1e-9
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


class WordHeads:
    """Judges texts by their words.

    Args:
        keys: hashes of words and pairs, rising.
        rarity: of each, its inverse document frequency.
        weight: keys x labels, in steps of `step`, one a label.
        step: labels.
        bias: labels.
    """

    def __init__(
        self,
        keys: npt.NDArray[np.uint32],
        rarity: Floats,
        weight: npt.NDArray[np.int8],
        step: Floats,
        bias: Floats,
    ) -> None:
        self._keys, self._rarity, self._weight = keys, rarity, weight
        self._step, self._bias = step, bias

    @classmethod
    def load(cls, path: Path) -> Self:
        """Those that `save` wrote; where there is no such file they judge no label."""
        if not path.exists():
            none = np.zeros(0, np.float32)
            return cls(
                np.zeros(0, np.uint32), none, np.zeros((0, 0), np.int8), none, none
            )
        with np.load(path) as held:
            keys = np.cumsum(held["gaps"], dtype=np.uint32)
            rarity, step, bias = (
                held[name].astype(np.float32) for name in ("rarity", "step", "bias")
            )
            weight = np.ascontiguousarray(held["weight"].T)
            return cls(keys, rarity, weight, step, bias)

    def save(self, path: Path) -> None:
        """Write them to a file, small: the distance of each key from the one before."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                gaps=np.diff(self._keys, prepend=np.uint32(0)),
                rarity=self._rarity.astype(np.float16),
                weight=self._weight.T,
                step=self._step,
                bias=self._bias,
            )

    @property
    def labels(self) -> int:
        """How many they judge."""
        return len(self._bias)

    def read(self, text: str) -> "Said":
        """What the words of `text` say, of which only the beginning is read."""
        found = hashed(text)
        places, rows, loud = self._known(found)
        if not len(places):
            return Said(found, self._bias, self)
        return Said(found, loud @ self._weight[rows] * self._step + self._bias, self)

    def by_word(self, found: Hashed) -> Floats:
        """What each word adds to the logits, words x labels; half of its pairs."""
        count = len(found.words)
        added = np.zeros((len(found.hashes), self.labels), np.float32)
        places, rows, loud = self._known(found)
        added[places] = loud[:, np.newaxis] * self._weight[rows] * self._step
        words, pairs = added[:count].copy(), added[count:] / 2
        words[:-1] += pairs
        words[1:] += pairs
        return words

    def _known(self, found: Hashed) -> tuple[Ints, Ints, Floats]:
        """Which hashes have a row, which one, and how much each place counts."""
        if not len(self._keys):
            return _NONE, _NONE, self._rarity
        hashes = found.hashes.astype(np.uint32)
        rows = np.searchsorted(self._keys, hashes)
        rows[rows == len(self._keys)] = 0
        (places,) = np.nonzero(self._keys[rows] == hashes)
        rows = rows[places]
        ordered = np.sort(rows)
        left, right = (np.searchsorted(ordered, rows, side) for side in _SIDES)
        times = (right - left).astype(np.float32)
        loud = (1 + np.log(times)) * self._rarity[rows]
        length = np.sqrt(float((loud * loud / times).sum()))
        return places, rows, loud / (times * np.float32(max(length, _SHORT)))


class Said(NamedTuple):
    """`logits`, one a label, and what they come of."""

    found: Hashed
    logits: Floats
    heads: WordHeads

    def by_token(self, starts: Ints) -> Floats:
        """What each token adds to the logits, tokens x labels.

        Args:
            starts: where each token begins in the text, rising.
        """
        added = np.zeros((len(starts), self.heads.labels), np.float32)
        if not added.size or not self.found.words:
            return added
        first, end = np.searchsorted(starts, np.array(self.found.words).T)
        first = np.minimum(first, np.maximum(end - 1, 0))  # a word within a token
        shares = self.heads.by_word(self.found)
        for begin, after, share in zip(
            first.tolist(), end.tolist(), shares, strict=True
        ):
            added[begin:after] += share / max(1, after - begin)
        return added
