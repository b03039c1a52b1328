"""What is known of each word and of each run of words that may name a cause.

The same numbers serve in training and in tagging; a weight for each is all that the
model of spans is made of.
"""

from typing import NamedTuple

import numpy as np

from pipeline.tagging.cause_words import Ints, Prose
from pipeline.tagging.encoder import Floats

LONGEST = 32
"""Words of a span; annotators hardly ever mark more."""

SHADES = (
    "gratitude",
    "admiration",
    "approval",
    "disapproval",
    "annoyance",
    "confusion",
    "curiosity",
    "realization",
    "remorse",
    "disappointment",
    "amusement",
    "optimism",
)
FEELINGS = ("anger", "fear", "joy", "love", "sadness", "surprise")
HEADS = (
    *(("fine-emotion", shade) for shade in SHADES),
    *(("basic-emotion", feeling) for feeling in FEELINGS),
    ("fine-emotion", "neutral"),
)
"""What a word is asked for: how loudly it speaks for each of these."""

_KNOWN = (
    "i i'm im it it's its this that that's thanks thank sorry not unfortunately oh ah "
    "yes yeah why what how is are do does don't can can't we you your my the there "
    "would should looks seems good great just but so if and also no because or when "
    "since as which who though although for to in on at with of by from than then "
    "until while where into about without"
)
_COLUMNS = {word: column for column, word in enumerate(_KNOWN.split())}
_OTHER = len(_COLUMNS)
_SIZES = 6
_LONG = (8, 12, 16, 24)
_NEAR = 8
_SECOND = 2
_SHORTEST = 3


class WordFeatures(NamedTuple):
    """Words x features, for a span's first word, its last, and those it consists of."""

    first: Floats
    last: Floats
    inside: Floats


class Candidates(NamedTuple):
    """Runs of words: their first and last, and what is known of them together."""

    first: Ints
    last: Ints
    features: Floats

    @property
    def sizes(self) -> Ints:
        """Words in each."""
        return self.last - self.first + 1


def tells_little(word: str) -> bool:
    """Whether a word, in lower case, is too common or too short to name a cause."""
    return len(word) < _SHORTEST or word in _COLUMNS


def word_features(prose: Prose, spoken: Floats) -> WordFeatures:
    """What is known of each word.

    Args:
        prose: has at least one word.
        spoken: words x `HEADS`.
    """
    count = len(prose.words)
    shades, feelings = spoken[:, : len(SHADES)], spoken[:, len(SHADES) : -1]
    signs = np.array([gap.signs for gap in prose.gaps], dtype=np.float32)
    edges = np.stack([prose.breaks, prose.pauses], axis=1).astype(np.float32)
    words = np.zeros((count, _OTHER + 1), dtype=np.float32)
    columns = [_COLUMNS.get(word, _OTHER) for word in prose.words]
    words[np.arange(count), columns] = 1
    sentence = _sentence_features(prose, spoken)[prose.sentences]
    since, until = _places_in_sentence(prose)
    near = np.stack([np.minimum(since, _NEAR), since == 1, since == _SECOND], axis=1)
    close = np.stack(
        [np.minimum(until, _NEAR), until == 1, since / (since + until)], axis=1
    )
    return WordFeatures(
        np.hstack(
            [
                shades,
                _before(shades),
                signs[:-1],
                edges[:-1],
                words,
                _before(words),
                near,
                sentence,
                feelings,
            ]
        ),
        np.hstack(
            [
                shades,
                _after(shades),
                signs[1:],
                edges[1:],
                words,
                _after(words),
                close,
                feelings,
            ]
        ),
        np.hstack([shades, feelings, sentence, words, spoken[:, -1:]]),
    )


def candidates(prose: Prose) -> Candidates:
    """Every run of up to `LONGEST` words."""
    count = len(prose.words)
    first = np.repeat(np.arange(count), LONGEST)
    last = first + np.tile(np.arange(LONGEST), count)
    within = last < count
    first, last = first[within], last[within]
    size = (last - first + 1).astype(np.float32)
    crossed = prose.sentences[last] - prose.sentences[first]
    clauses = np.concatenate([[0], np.cumsum(prose.pauses[:-1])])
    crossed_clauses = clauses[last + 1] - clauses[first + 1]
    whole = prose.breaks[first] & prose.breaks[last + 1]
    features = [
        *(size == number for number in range(1, _SIZES + 1)),
        np.log(size),
        np.log(size) ** 2 / 4,
        *(size > number for number in _LONG),
        crossed >= 1,
        crossed > 1,
        whole & (crossed == 0),
        whole,
        size == count,
        np.minimum(crossed_clauses, 4) / 2,
        prose.pauses[first] & prose.pauses[last + 1],
        (crossed >= 1) & ~whole,
    ]
    return Candidates(first, last, np.stack(features, axis=1).astype(np.float32))


def _sentence_features(prose: Prose, spoken: Floats) -> Floats:
    """Sentences x features: its emotions, its place, how it ends."""
    count = int(prose.sentences[-1]) + 1
    sizes = np.bincount(prose.sentences, minlength=count)
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(spoken[:, len(SHADES) :], starts, axis=0)
    means /= sizes[:, np.newaxis]
    feelings, neutral = means[:, :-1], means[:, -1]
    loudest = feelings.max(axis=1)
    rank = np.argsort(np.argsort(-loudest, kind="stable"), kind="stable")
    number = np.arange(count)
    ends = [prose.gaps[start + size] for start, size in zip(starts, sizes, strict=True)]
    features = [
        loudest,
        loudest - loudest.max(),
        neutral,
        neutral - neutral.min(),
        rank == 0,
        rank == 1,
        number == 0,
        number == count - 1,
        np.log1p(number),
        np.full(count, count == 1),
        [gap.asks for gap in ends],
        [gap.exclaims for gap in ends],
    ]
    others: Floats = np.stack(features, axis=1).astype(np.float32)
    return np.hstack([others, feelings])


def _places_in_sentence(prose: Prose) -> tuple[Ints, Ints]:
    """How many words of its sentence are before each word, and left with it."""
    sizes = np.bincount(prose.sentences)
    starts = np.cumsum(sizes) - sizes
    since = np.arange(len(prose.words)) - starts[prose.sentences]
    return since, sizes[prose.sentences] - since


def _before(features: Floats) -> Floats:
    return np.vstack([np.zeros_like(features[:1]), features[:-1]])


def _after(features: Floats) -> Floats:
    return np.vstack([features[1:], np.zeros_like(features[:1])])
