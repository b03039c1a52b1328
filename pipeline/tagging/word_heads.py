"""What the words of a text and their pairs say by themselves, beside an encoder.

An encoder knows words by their company; a table of what each has meant to the people
who labelled texts errs otherwise, and both together err less. Of a word or pair counts
the logarithm of how often it is there, times how rare it is, all of a text together of
one length; a logistic regression weighs that, label by label.

Source: S. Wang and C. Manning, "Baselines and bigrams: simple, good sentiment and topic
classification", ACL 2012. pipeline/training/word_heads.py fits it.
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pipeline.tagging.hashed_words import Hashed, hashed

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FILE = "words.weights"
"""Not .npz: that would be heads."""

_NONE = np.zeros(0, np.int64)
_SHORT = 1e-9


class Known(NamedTuple):
    """The words and pairs of a text that a table has.

    `places` are theirs among all hashes of the text, `rows` those of the table, and
    `loud` is how much each place counts.
    """

    places: Ints
    rows: Ints
    loud: Floats


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
        known = self._known(found)
        logits = self._bias
        if len(known.places):
            logits = known.loud @ self._weight[known.rows] * self._step + logits
        return Said(found, logits, known, self)

    def by_word(self, said: "Said") -> Floats:
        """What each word adds to the logits, words x labels; half of its pairs."""
        count, (places, rows, loud) = len(said.found.words), said.known
        added = np.zeros((len(said.found.hashes), self.labels), np.float32)
        added[places] = loud[:, np.newaxis] * self._weight[rows] * self._step
        words, pairs = added[:count], added[count:] / 2
        words[:-1] += pairs
        words[1:] += pairs
        return words

    def _known(self, found: Hashed) -> Known:
        if not len(self._keys):
            return Known(_NONE, _NONE, self._rarity)
        hashes = found.hashes.astype(np.uint32)
        rows = self._keys.searchsorted(hashes)
        rows[rows == len(self._keys)] = 0
        (places,) = (self._keys[rows] == hashes).nonzero()
        rows = rows[places]
        loud, times = self._rarity[rows], _times(rows)
        if times is not None:
            loud = (1 + np.log(times)) * loud / times
            length = np.sqrt(float((loud * loud * times).sum()))
        else:
            length = np.sqrt(float(loud @ loud))
        return Known(places, rows, loud / np.float32(max(length, _SHORT)))


class Said(NamedTuple):
    """`logits`, one a label, and what they come of."""

    found: Hashed
    logits: Floats
    known: Known
    heads: WordHeads

    def by_token(self, starts: Ints) -> Floats:
        """What each token adds to the logits, tokens x labels.

        Args:
            starts: where each token begins in the text, rising.
        """
        if not len(starts) or not self.found.words:
            return np.zeros((len(starts), self.heads.labels), np.float32)
        first, end = starts.searchsorted(np.array(self.found.words).T)
        end = np.maximum(end, 1)
        first = np.minimum(first, end - 1)  # a word may lie within a token
        sizes = end - first
        words = np.repeat(np.arange(len(sizes)), sizes)
        tokens = np.arange(len(words)) - (sizes.cumsum() - end)[words]
        shares = np.zeros((len(starts), len(sizes)), np.float32)
        shares[tokens, words] = (1 / sizes)[words]
        added: Floats = shares @ self.heads.by_word(self)
        return added


def _times(rows: Ints) -> Floats | None:
    """How often each of some numbers is there, if any is more than once."""
    ordered = np.sort(rows)
    if not (ordered[1:] == ordered[:-1]).any():
        return None
    times = ordered.searchsorted(rows, "right") - ordered.searchsorted(rows, "left")
    return times.astype(np.float32)
