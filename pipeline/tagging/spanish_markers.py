"""Markers in Spanish texts: phrases written by hand, with weights set by hand.

models/spanish/markers.tsv holds them, in the patterns of `pipeline.tagging.phrases`.
Nobody labelled Spanish texts for them, so nothing is measured; of `suicidality` there
are none. docs/spanish.md says more.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.tagging.calibration import logistic
from pipeline.tagging.lexicon import MAX_CHARACTERS, Span
from pipeline.tagging.masking import mask
from pipeline.tagging.phrases import PhraseFinder, plain, spellings

_CALM = -2.5
"""The logit of a text without any phrase, as in English."""

_DENIED = re.compile(r"\b(?:no|sin|nunca|ni|tampoco)(?: \w+){0,2} \Z")
_BEFORE = 30


class Sign(NamedTuple):
    """How likely a marker is, and the phrase that says so."""

    label: str
    score: float
    evidence: Span


class Entry(NamedTuple):
    """A line of the list."""

    label: str
    weight: float
    phrase: str


class SpanishMarkers:
    """Finds markers in texts.

    Args:
        path: of the list.
    """

    def __init__(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        entries = [_entry(line) for line in lines]
        spelt = [
            (number, _bare(spelling))
            for number, entry in enumerate(entries)
            for spelling in spellings(entry.phrase)
        ]
        self._entries = entries
        self._number = [number for number, _ in spelt]
        self._finder = PhraseFinder([spelling for _, spelling in spelt])

    def find(self, text: str) -> list[Sign]:
        """The markers that `text` names of its author, in no case denied."""
        prose = _bare(plain(mask(text[:MAX_CHARACTERS])))
        places: dict[int, Span] = {}
        for start, end, phrase in self._finder.find_all(prose):
            if not _DENIED.search(prose[max(0, start - _BEFORE) : start]):
                places.setdefault(self._number[phrase], (start, end))
        return list(self._signs(places))

    def _signs(self, places: dict[int, Span]) -> Iterator[Sign]:
        for label in sorted({self._entries[number].label for number in places}):
            found = [n for n in places if self._entries[n].label == label]
            total = sum(self._entries[number].weight for number in found)
            loudest = max(found, key=lambda number: self._entries[number].weight)
            yield Sign(label, logistic(total + _CALM), places[loudest])


def _entry(line: str) -> Entry:
    label, weight, phrase = line.split("\t")
    return Entry(label, float(weight), phrase)


def _bare(text: str) -> str:
    """The text without accents, which are often forgotten; of the same length."""
    return "".join(unicodedata.normalize("NFD", sign)[0] for sign in text)
