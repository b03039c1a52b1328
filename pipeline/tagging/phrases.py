"""Find thousands of phrases in one pass, as whole words, in any case.

A pattern stands for several spellings: `frustrat{ed,ing,ion}` for three words, `don't`
for don't, dont and do not.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

_CHOICE = re.compile(r"\{([^{}]*)\}")
_SAME_LENGTH = str.maketrans("\r\t\f\v\xa0\u2018\u2019\u02bc", "     '''")
_FULL_FORMS = (("can't", "cannot"), ("can't", "can not"), ("won't", "will not"))


class Found(NamedTuple):
    """A phrase at [start, end) of a text; `phrase` is its place in the list."""

    start: int
    end: int
    phrase: int


class PhraseFinder:
    """Finds phrases of a fixed list.

    Args:
        phrases: each in one spelling, as `spellings` gives them.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._word_start = [phrase[0].isalnum() for phrase in phrases]
        self._word_end = [phrase[-1].isalnum() for phrase in phrases]
        self._automaton = AhoCorasick(phrases)

    def find_all(self, text: str) -> list[Found]:
        """All that is in `text`, which is `plain` already, overlaps included.

        Places are characters of `text`.
        """
        padded = f" {text} "
        return [
            Found(start - 1, end - 1, phrase)
            for phrase, start, end in self._automaton.find_matches_as_indexes(
                padded, overlapping=True
            )
            if not (self._word_start[phrase] and padded[start - 1].isalnum())
            and not (self._word_end[phrase] and padded[end].isalnum())
        ]


def without_overlaps(found: list[Found]) -> list[Found]:
    """Of phrases that share words only the leftmost, and of these the longest."""
    kept, free = [], 0
    for one in sorted(found, key=_leftmost_longest):
        if one.start >= free:
            free = one.end
            kept.append(one)
    return kept


def cut_short(found: list[Found]) -> list[Found]:
    """Those that `without_overlaps` drops although they say more than what it keeps.

    They begin within a phrase that is kept and end beyond it.
    """
    cut, free = [], 0
    for one in sorted(found, key=_leftmost_longest):
        if one.start >= free:
            free = one.end
        elif one.end > free:
            cut.append(one)
    return cut


def _leftmost_longest(found: Found) -> tuple[int, int]:
    return (found.start, -found.end)


def plain(text: str) -> str:
    """`text` in lower case with plain apostrophes and spaces, of the same length."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(_lower_one(character) for character in text)
    return lower.translate(_SAME_LENGTH)


def spellings(pattern: str) -> list[str]:
    """All that `pattern` stands for, in lower case.

    Raises:
        ValueError: nothing is left of it, or its braces do not match.
    """
    written = [plain(expanded) for expanded in _expand(pattern)]
    if not all(written) or any(set("{}") & set(one) for one in written):
        raise ValueError(f"not a pattern: {pattern!r}")
    full = [form for one in written for form in _uncontracted(one)]
    bare = [one.replace("'", "") for one in written if one[0] != "'"]
    return list(dict.fromkeys([*written, *full, *bare]))


def _lower_one(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _expand(pattern: str) -> Iterable[str]:
    parts = _CHOICE.split(pattern)
    choices = [
        part.split(",") if number % 2 else [part] for number, part in enumerate(parts)
    ]
    return (" ".join("".join(picked).split()) for picked in product(*choices))


def _uncontracted(phrase: str) -> list[str]:
    full = [
        phrase.replace(short, long) for short, long in _FULL_FORMS if short in phrase
    ]
    if not full and "n't" in phrase:
        full = [phrase.replace("n't", " not")]
    return full
