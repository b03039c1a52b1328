"""Words that were quoted from a text, found in it again."""

from pipeline.tagging.lexicon import Span

_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_AROUND = " \"'`.\u2026"


def find_quote(quote: str, text: str) -> Span | None:
    """Where `quote` stands in `text`, first; None if it does not.

    Runs of white space are one space; case and the shape of quotation marks do not
    count, nor do those that the quote was put between.
    """
    known, places = _plain(text)
    given, _ = _plain(quote)
    for wanted in (given.strip(), given.strip(_AROUND)):
        at = known.find(wanted) if wanted else -1
        if at >= 0:
            return (places[at], places[at + len(wanted) - 1] + 1)
    return None


def _plain(text: str) -> tuple[str, list[int]]:
    """A text as it is compared, and the place of each of its characters in `text`."""
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text.translate(_STRAIGHT)):
        folded = " " if character.isspace() else character.casefold()
        if folded == " " and plain and plain[-1] == " ":
            continue
        plain += folded
        places += [place] * len(folded)
    return "".join(plain), places
