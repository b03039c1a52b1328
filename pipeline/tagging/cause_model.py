"""Which run of words names the cause, and how well it will be found to.

A log-linear model gives every run of words a probability of being what an annotator
marks; the answer is the run that has the most in common with what may be marked, on
average. Annotators agree badly where a span ends: the likeliest run is seldom the best
answer. docs/causes.md says what the model was fitted on, and how good it is.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pipeline.tagging.cause_answers import ends_well, tell
from pipeline.tagging.cause_features import (
    LONGEST,
    Candidates,
    WordFeatures,
    candidates,
    word_features,
)
from pipeline.tagging.cause_words import Ints, Prose, average
from pipeline.tagging.encoder import Floats, Reading
from pipeline.tagging.lexicon import Span

Doubles = npt.NDArray[np.float64]

FILE = "spans.npz"
"""Where a model of spans lies in the folder of the encoder that it listens to."""

MOST_ANSWERS = 120
"""Likeliest runs of words that may be the answer; ..."""

MOST_MARKED = 60
"""... and that may be what is marked."""

_NO_PAIR = 0.1
_SHARED = 0.3
"""What the characters of spans without a common word have in common all the same."""


class Answer(NamedTuple):
    """A span, and the overlap to be expected of it with what an annotator marks.

    `run` is its number among the candidates; `telling` whether it says more than that
    somebody feels something, which it does if any run of the text does.
    """

    run: int
    place: Span
    overlap: float
    telling: bool


class Weights(NamedTuple):
    """What features of words and of runs count; see `cause_features`."""

    first: Floats
    last: Floats
    inside: Floats
    runs: Floats

    def scores(self, features: WordFeatures, found: Candidates) -> Floats:
        """A logit of each run of words."""
        first, last = features.first @ self.first, features.last @ self.last
        inside = np.concatenate([[0], np.cumsum(features.inside @ self.inside)])
        mean = (inside[found.last + 1] - inside[found.first]) / found.sizes
        scores: Floats = (
            first[found.first] + last[found.last] + mean + found.features @ self.runs
        )
        return scores


class SpanModel(NamedTuple):
    """`directions`, width x `HEADS`, and `origin` make logits of a token's state."""

    directions: Floats
    origin: Floats
    weights: Weights

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model in an .npz file."""
        with path.open("rb") as file, np.load(file) as held:
            weights = Weights(*(held[name] for name in Weights._fields))
            return cls(held["directions"].astype(np.float32), held["origin"], weights)

    def save(self, path: Path) -> None:
        """Writes it in a file that `load` reads, the same bytes each time."""
        np.savez_compressed(
            path,
            directions=self.directions.astype(np.float16),
            origin=self.origin,
            **self.weights._asdict(),
        )

    def answer(self, prose: Prose, reading: Reading) -> Answer:
        """The best answer for a text of at least one word."""
        found = candidates(prose)
        features = word_features(prose, self.spoken(prose, reading))
        return best_answer(prose, found, self.weights.scores(features, found))

    def spoken(self, prose: Prose, reading: Reading) -> Floats:
        """How loudly each word speaks for each of `HEADS`."""
        by_token: Floats = reading.states @ self.directions + self.origin
        return average(prose, reading, by_token)


def best_answer(prose: Prose, found: Candidates, scores: Floats) -> Answer:
    """The run of words that overlaps most with what may be marked, on average.

    Runs that break off, or say nothing but an emotion, may be marked, but are no answer
    where there are others.
    """
    order = (-scores).argsort(kind="stable")[:MOST_ANSWERS]
    marked = order[:MOST_MARKED]
    likely = np.exp(scores[marked] - scores[marked[0]])
    said, telling = _answers(prose, found, order)
    shared = overlap(
        prose,
        (found.first[said, np.newaxis], found.last[said, np.newaxis]),
        (found.first[marked], found.last[marked]),
    )
    expected = shared @ (likely / likely.sum())
    best = int(expected.argmax())
    run = int(said[best])
    place = (prose.places[found.first[run]][0], prose.places[found.last[run]][1])
    return Answer(run, place, float(expected[best]), telling)


def _answers(prose: Prose, found: Candidates, likely: Ints) -> tuple[Ints, bool]:
    """Those of the likely runs that can be an answer, and whether they tell anything.

    If none tells anything or none ends well, all pass in that respect.
    """
    telling = tell(prose, found.first[likely], found.last[likely])
    told = bool(telling.any())
    if told:
        likely = likely[telling]
    well = ends_well(prose)[found.last[likely]]
    return (likely[well] if well.any() else likely), told


def overlap(
    prose: Prose, said: tuple[Ints, Ints], marked: tuple[Ints, Ints]
) -> Doubles:
    """What runs of words have in common: mean of token F1, word and character BLEU-2.

    Both are given by their first and last words, and have at most `LONGEST`. Counted by
    places, not by what stands there: the same word elsewhere is another. Of characters
    this is a guess.
    """
    ends = np.array([0, *(len(word) + 1 for word in prose.words)]).cumsum()
    of_words = _in_words((said[0], said[1] + 1), (marked[0], marked[1] + 1))
    of_characters = _in_characters(
        (ends[said[0]], ends[said[1] + 1] - 1),
        (ends[marked[0]], ends[marked[1] + 1] - 1),
    )
    mean: Doubles = (of_words + of_characters) / 3
    return mean


def _in_words(said: tuple[Ints, Ints], marked: tuple[Ints, Ints]) -> Doubles:
    """Token F1 and word BLEU-2, added up."""
    width = LONGEST + 1
    sizes = (said[1] - said[0]) * width**2 + (marked[1] - marked[0]) * width
    added: Doubles = _added_up().take(sizes + _common(said, marked))
    return added


@cache
def _added_up() -> Doubles:
    """The same by how many are said, marked, and common to both: a cube laid flat."""
    said, marked, common = np.indices((LONGEST + 1,) * 3).reshape(3, -1)
    said, marked = np.maximum(1, said), np.maximum(1, marked)
    bleu = _matched(common) / _matches(said) * _brevity(said, marked)
    added: Doubles = 2 * common / (said + marked) + bleu
    return added


def _in_characters(said: tuple[Ints, Ints], marked: tuple[Ints, Ints]) -> Doubles:
    """Character BLEU-2; what the spans do not share is not all different."""
    common, length = _common(said, marked), said[1] - said[0]
    matched = _matched(np.arange(length.max() + 1)).take(common)
    alike = matched / _matches(length) - common * (_SHARED / length) + _SHARED
    brevity = _brevity(length, marked[1] - marked[0])
    characters: Doubles = np.minimum(1, alike * brevity)
    return characters


def _common(said: tuple[Ints, Ints], marked: tuple[Ints, Ints]) -> Ints:
    """How many items two runs share, each given by its first and the one after it."""
    first = np.maximum(said[0], marked[0])
    common: Ints = np.maximum(0, np.minimum(said[1], marked[1]) - first)
    return common


def _matched(common: Ints) -> Doubles:
    """The root of how many items in a row, times how many pairs, are in common."""
    matched: Doubles = np.sqrt(common * np.maximum(_NO_PAIR, common - 1))
    return matched


def _matches(said: Ints) -> Doubles:
    """... and of how many there are."""
    matches: Doubles = np.sqrt(said * np.maximum(1, said - 1))
    return matches


def _brevity(said: Ints, marked: Ints) -> Doubles:
    penalty: Doubles = np.exp(np.minimum(0, 1 - marked / said))
    return penalty


@cache
def load_model(folder: Path) -> SpanModel:
    """The model in an encoder's folder, loaded once in a process."""
    return SpanModel.load(folder / FILE)
