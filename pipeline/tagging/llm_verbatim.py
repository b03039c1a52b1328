"""Words that were quoted from a text, found in it again."""

from collections.abc import Iterator, Sequence
from itertools import product

from pipeline.tagging.lexicon import Span

LEAST_WITHIN_A_WORD = 3
"""Characters of what may begin or end within a word; fewer stand in too many."""

_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_AROUND = " \"'`.\u2026"


def find_quote(quote: str, texts: Sequence[str]) -> tuple[int, Span] | None:
    """In which of `texts` a quote stands, and where; None if it does in none.

    Runs of white space are one space; case and the shape of quotation marks do not
    count, nor do those that the quote was put between. Whole words go before parts of
    words, then the first text before the next, then the quote's case before another.
    A single letter is no quote.
    """
    numbers = range(len(texts))
    for whole, number, folded in product((True, False), numbers, (False, True)):
        place = _find(quote, texts[number], whole=whole, folded=folded)
        if place is not None:
            return number, place
    return None


def _find(quote: str, text: str, *, whole: bool, folded: bool) -> Span | None:
    known, places = _plain(text, folded=folded)
    given, _ = _plain(quote, folded=folded)
    for wanted in (given.strip(), given.strip(_AROUND)):
        if not wanted or (len(wanted) == 1 and wanted.isalnum()):
            continue
        if not whole and len(wanted) < LEAST_WITHIN_A_WORD:
            continue
        for at in _all(wanted, known):
            end = at + len(wanted)
            if not whole or not (_is_within(known, at) or _is_within(known, end)):
                return (places[at], places[end - 1] + 1)
    return None


def _all(wanted: str, known: str) -> Iterator[int]:
    at = known.find(wanted)
    while at >= 0:
        yield at
        at = known.find(wanted, at + 1)


def _is_within(text: str, at: int) -> bool:
    """Whether a word goes on from before a place to after it."""
    beside = text[max(0, at - 1) : at + 1]
    return 0 < at < len(text) and all(c.isalnum() or c == "_" for c in beside)


def _plain(text: str, *, folded: bool) -> tuple[str, list[int]]:
    """A text as it is compared, and the place of each of its characters in `text`."""
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text.translate(_STRAIGHT)):
        same = " " if character.isspace() else character
        if same == " " and plain and plain[-1] == " ":
            continue
        same = same.casefold() if folded else same
        plain += same
        places += [place] * len(same)
    return "".join(plain), places
