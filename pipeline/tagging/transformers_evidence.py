"""From what each token adds to a label, the words that carry it."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.tagging.lexicon import Span

_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
_MOST_MORE = 3
_AS_LOUD = 0.5


def loudest_words(
    text: str, places: Sequence[Span], added: Iterable[float]
) -> Span | None:
    """The word that adds most, and those beside it that add half as much each.

    Args:
        text: which the tokens are of.
        places: of each token in the text, in order.
        added: by each token.

    Returns:
        None where no word adds anything.
    """
    words = list(_words(text, places, added))
    if not words:
        return None
    loudest = max(range(len(words)), key=lambda n: words[n][0])
    if words[loudest][0] <= 0:
        return None
    enough = words[loudest][0] * _AS_LOUD
    first, last = (_reach(words, loudest, step, enough) for step in (-1, 1))
    return (words[first][1][0], words[last][1][1])


def _words(
    text: str, places: Sequence[Span], added: Iterable[float]
) -> Iterator[tuple[float, Span]]:
    """What each word adds, and where it stands."""
    end = max((place[1] for place in places), default=0)
    tokens = [(place[1] - 1, by) for place, by in zip(places, added, strict=True)]
    number = 0
    for word in _WORD.finditer(text, 0, end):
        total = 0.0
        while number < len(tokens) and tokens[number][0] < word.end():
            total += tokens[number][1] if tokens[number][0] >= word.start() else 0.0
            number += 1
        yield total, word.span()


def _reach(
    words: Sequence[tuple[float, Span]], start: int, step: int, enough: float
) -> int:
    """The last of the words from `start` on that all add enough."""
    reached = start
    for _ in range(_MOST_MORE):
        ahead = reached + step
        if not 0 <= ahead < len(words) or words[ahead][0] < enough:
            break
        reached = ahead
    return reached
