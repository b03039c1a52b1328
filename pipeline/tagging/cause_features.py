"""What is known of each word and of each run of words that may name a cause.

The same numbers serve in training and in tagging; a weight for each is all that the
model of spans is made of.
"""

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.tagging.cause_words import SIGNS, Ints, Prose
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
_ASKS, _EXCLAIMS = SIGNS.index("?"), SIGNS.index("!")


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
    shades, feelings = _framed(spoken[:, : len(SHADES)]), spoken[:, len(SHADES) : -1]
    words = _framed(_known(prose.words))
    gaps = np.hstack(
        [prose.signs, prose.breaks[:, np.newaxis], prose.pauses[:, np.newaxis]]
    )
    sizes = np.bincount(prose.sentences)
    sentence = _sentence_features(prose, spoken, sizes)[prose.sentences]
    near, close = _places_in_sentence(prose, sizes)
    return WordFeatures(
        np.concatenate(
            [
                shades[1:-1],
                shades[:-2],
                gaps[:-1],
                words[1:-1],
                words[:-2],
                near,
                sentence,
                feelings,
            ],
            axis=1,
        ),
        np.concatenate(
            [
                shades[1:-1],
                shades[2:],
                gaps[1:],
                words[1:-1],
                words[2:],
                close,
                feelings,
            ],
            axis=1,
        ),
        np.concatenate(
            [shades[1:-1], feelings, sentence, words[1:-1], spoken[:, -1:]], axis=1
        ),
    )


def candidates(prose: Prose) -> Candidates:
    """Every run of up to `LONGEST` words."""
    count = len(prose.words)
    first, last = _runs(count)
    size = last - first + 1
    crossed = prose.sentences[last] - prose.sentences[first]
    clauses = prose.pauses.cumsum()
    crossed_clauses = clauses[last] - clauses[first]
    after = last + 1
    whole = prose.breaks[first] & prose.breaks[after]
    features = [
        crossed >= 1,
        crossed > 1,
        whole & (crossed == 0),
        whole,
        size == count,
        np.minimum(crossed_clauses, 4) / 2,
        prose.pauses[first] & prose.pauses[after],
        (crossed >= 1) & ~whole,
    ]
    of_place = np.array(features, dtype=np.float32).T
    return Candidates(
        first, last, np.concatenate([_size_features()[size], of_place], axis=1)
    )


@lru_cache(maxsize=LONGEST)
def _runs(count: int) -> tuple[Ints, Ints]:
    """The first and the last word of every run; chats are often of the same length."""
    first = np.repeat(np.arange(count), LONGEST)
    last = first + np.tile(np.arange(LONGEST), count)
    within = last < count
    return first[within], last[within]


@cache
def _size_features() -> Floats:
    """What is known of a run by its number of words: that, from 0 on, x features."""
    size = np.maximum(1, np.arange(LONGEST + 1)).astype(np.float32)
    features = [
        *(size == number for number in range(1, _SIZES + 1)),
        np.log(size),
        np.log(size) ** 2 / 4,
        *(size > number for number in _LONG),
    ]
    return np.stack(features, axis=1).astype(np.float32)


def _known(words: list[str]) -> Floats:
    """Words x known words, the last of which stands for all others."""
    known = np.zeros((len(words), _OTHER + 1), dtype=np.float32)
    known[np.arange(len(words)), [_COLUMNS.get(word, _OTHER) for word in words]] = 1
    return known


def _framed(features: Floats) -> Floats:
    """Those of words, and zeros before the first and after the last."""
    framed = np.zeros((len(features) + 2, features.shape[1]), dtype=np.float32)
    framed[1:-1] = features
    return framed


def _sentence_features(prose: Prose, spoken: Floats, sizes: Ints) -> Floats:
    """Sentences x features: its emotions, its place, how it ends."""
    count, ends = len(sizes), sizes.cumsum()
    means = np.add.reduceat(spoken[:, len(SHADES) :], ends - sizes, axis=0)
    means /= sizes[:, np.newaxis]
    feelings, neutral = means[:, :-1], means[:, -1]
    loudest = feelings.max(axis=1)
    rank = (-loudest).argsort(kind="stable").argsort()
    emotions = [
        loudest,
        loudest - loudest.max(),
        neutral,
        neutral - neutral.min(),
        rank == 0,
        rank == 1,
    ]
    ending = prose.signs[ends]
    return np.concatenate(
        [
            np.array(emotions, dtype=np.float32).T,
            _order_features(count),
            ending[:, _ASKS : _ASKS + 1],
            ending[:, _EXCLAIMS : _EXCLAIMS + 1],
            feelings,
        ],
        axis=1,
    )


@lru_cache(maxsize=LONGEST)
def _order_features(count: int) -> Floats:
    """What is known of each of `count` sentences by its number."""
    number = np.arange(count)
    features = [
        number == 0,
        number == count - 1,
        np.log1p(number),
        np.full(count, count == 1),
    ]
    return np.array(features, dtype=np.float32).T


def _places_in_sentence(prose: Prose, sizes: Ints) -> tuple[Floats, Floats]:
    """What tells how near each word is to its sentence's start, and to its end."""
    starts = sizes.cumsum() - sizes
    since = np.arange(len(prose.words)) - starts[prose.sentences]
    until = sizes[prose.sentences] - since
    near = [np.minimum(since, _NEAR), since == 1, since == _SECOND]
    close = [np.minimum(until, _NEAR), until == 1, since / (since + until)]
    return np.array(near).T, np.array(close).T
