"""How much the spelling of a Spanish text speaks for each emotion.

Comments are full of words that no vocabulary holds ("asc00", "lloreee", "jajsj"): runs
of one to five characters within words find what a tokenizer cuts to bits. The
weights are a logistic regression's on their tf-idf (sublinear, of length one).
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

LONGEST = 5
MAX_CHARACTERS = 2_000
"""Of a text are looked at: ten times the longest comment that the weights know."""

_EDGE = " "
_MOST_REPEATED = 2


class Run(NamedTuple):
    """Some characters in a row, an edge of a word being one, and where they begin.

    `places` are those of the characters in the text; of an edge, its neighbour's.
    """

    spelling: str
    places: tuple[int, int]


class Spelling(NamedTuple):
    """`logits`, one a label, and what each character of the text adds to them."""

    logits: Floats
    by_character: Floats


class Spellings:
    """Judges texts by their spelling.

    Args:
        runs: the spellings that say anything.
        rarity: of each, its inverse document frequency.
        weight: runs x labels.
        bias: one number a label.
    """

    def __init__(
        self, runs: list[str], rarity: Floats, weight: Floats, bias: Floats
    ) -> None:
        self._rows = {run: row for row, run in enumerate(runs)}
        self._rarity, self._weight, self._bias = rarity, weight, bias

    @classmethod
    def load(cls, path: Path) -> Self:
        """Those that `save` wrote."""
        with np.load(path) as held:
            runs = held["runs"].tobytes().decode().split("\n")
            numbers = (held[n].astype(np.float32) for n in ("rarity", "weight", "bias"))
            return cls(runs, *numbers)

    def save(self, path: Path) -> None:
        """Write them to a file, in half precision."""
        runs = np.frombuffer("\n".join(self._rows).encode(), np.uint8)
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                runs=runs,
                rarity=self._rarity.astype(np.float16),
                weight=self._weight.astype(np.float16),
                bias=self._bias,
            )

    def read(self, text: str) -> Spelling:
        """What the spelling of `text` says, of which only the beginning is read."""
        found = [run for run in runs_of(text) if run.spelling in self._rows]
        by_character = np.zeros((len(text), len(self._bias)), np.float32)
        if not found:
            return Spelling(self._bias, by_character)
        counts = Counter(self._rows[run.spelling] for run in found)
        rows = np.fromiter(counts, np.int64)
        times = np.fromiter(counts.values(), np.float32)
        loud = (1 + np.log(times)) * self._rarity[rows]
        loud /= np.linalg.norm(loud)
        added = loud[:, None] * self._weight[rows]
        place = {row: number for number, row in enumerate(rows.tolist())}
        for spelling, (start, end) in found:
            number = place[self._rows[spelling]]
            by_character[start:end] += added[number] / (times[number] * (end - start))
        return Spelling(added.sum(axis=0) + self._bias, by_character)


def runs_of(text: str) -> Iterator[Run]:
    """All runs of the words of a text, without case, accents and third repetitions."""
    word: list[tuple[str, int]] = []
    for place, character in enumerate(text[:MAX_CHARACTERS]):
        if character.isspace():
            yield from _runs(word)
            word = []
            continue
        for plain in _plain(character):
            if [sign for sign, _ in word[-_MOST_REPEATED:]] != [plain] * _MOST_REPEATED:
                word.append((plain, place))
    yield from _runs(word)


def _plain(character: str) -> Iterator[str]:
    for part in unicodedata.normalize("NFKD", character.lower()):
        if not unicodedata.combining(part) and not part.isspace():
            yield part


def _runs(word: list[tuple[str, int]]) -> Iterator[Run]:
    if not word:
        return
    spelt = _EDGE + "".join(sign for sign, _ in word) + _EDGE
    places = [word[0][1], *(place for _, place in word), word[-1][1]]
    for size in range(1, min(LONGEST, len(spelt)) + 1):
        for start in range(len(spelt) - size + 1):
            first, last = places[start], places[start + size - 1]
            yield Run(spelt[start : start + size], (first, last + 1))
