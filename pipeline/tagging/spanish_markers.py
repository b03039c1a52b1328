"""Markers in Spanish texts: phrases written by hand, with weights set by hand.

models/spanish/markers.tsv holds them, in the patterns of `pipeline.tagging.phrases`. A
line for `yo` counts only behind "estoy", "me siento" and the like: memory is "agotada",
too. A line without a label is technical or an idiom: what shares words with it is no
sign. Nobody labelled Spanish texts for markers; docs/spanish.md says what was tried.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.tagging.calibration import logistic
from pipeline.tagging.lexicon import MAX_CHARACTERS, Span
from pipeline.tagging.masking import mask
from pipeline.tagging.phrases import Found, PhraseFinder, plain, spellings

SUICIDALITY = "suicidality"

_CALM = -2.5
"""The logit of a text without any phrase, as in English."""

_NO_SIGN, _OF_ONESELF = "-", "yo"

# Without accents; not "acabo" or "quedo", which may be somebody's "acabó", "quedó".
_FRAME = re.compile(
    r"\b(?:estoy|estamos|yo estaba|estuve|ando|andamos|sigo|seguimos|vivo|acabe|"
    r"termine|(?:he|hemos) (?:acabado|terminado)|"
    r"me (?:siento|senti|sentia|encuentro|noto|quede|quedo|he quedado|he sentido|puse|"
    r"pone|ponen)|nos sentimos|"
    r"(?:me|nos) (?:tiene|tienen|deja|dejan|dejo|dejaron|ha dejado|han dejado))"
    r"(?: (?:muy|tan|ya|mas que|bastante|super|siempre|un poco|algo|demasiado|a tope|"
    r"de verdad|\w+mente(?: y \w+mente)?)){0,3} \Z"
)
_FRAME_REACH = 60

_DENIED = re.compile(r"\b(?:no|sin|nunca|ni|tampoco)(?: \w+){0,2} \Z")
_BEFORE = 30


class Sign(NamedTuple):
    """How likely a marker is, and the phrase that says so, if it may be kept."""

    label: str
    score: float
    evidence: Span | None


class Entry(NamedTuple):
    """A line of the list."""

    label: str
    weight: float
    who: str
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

    def find(self, text: str, *, suicidality: bool = False) -> list[Sign]:
        """The markers that `text` names of its author, in no case denied.

        Args:
            text: as it was written.
            suicidality: whether to name that one, of which no evidence is kept.
        """
        prose = _bare(plain(mask(text[:MAX_CHARACTERS])))
        places: dict[int, Span] = {}
        for number, place in self._meant(prose):
            if suicidality or self._entries[number].label != SUICIDALITY:
                start, end = places.setdefault(number, place)
                places[number] = (start, max(end, place[1] if start == place[0] else 0))
        return list(self._signs(places))

    def _meant(self, prose: str) -> Iterator[tuple[int, Span]]:
        """The entries found and where, but what is denied or means something else."""
        found = self._finder.find_all(prose)
        idioms = [one for one in found if self._label(one) == _NO_SIGN]
        for one in found:
            start = self._start(prose, one)
            if (
                start is not None
                and not any(one.start < no.end and no.start < one.end for no in idioms)
                and not _DENIED.search(prose[max(0, start - _BEFORE) : start])
            ):
                yield self._number[one.phrase], (start, one.end)

    def _label(self, found: Found) -> str:
        return self._entries[self._number[found.phrase]].label

    def _start(self, prose: str, found: Found) -> int | None:
        """Where what is found begins, with "estoy" if it needs that; None without."""
        if self._entries[self._number[found.phrase]].who != _OF_ONESELF:
            return found.start
        before = max(0, found.start - _FRAME_REACH)
        frame = _FRAME.search(prose[before : found.start])
        return None if frame is None else before + frame.start()

    def _signs(self, places: dict[int, Span]) -> Iterator[Sign]:
        for label in sorted({self._entries[number].label for number in places}):
            found = [n for n in places if self._entries[n].label == label]
            total = sum(self._entries[number].weight for number in found)
            loudest = max(found, key=lambda number: self._entries[number].weight)
            evidence = None if label == SUICIDALITY else places[loudest]
            yield Sign(label, logistic(total + _CALM), evidence)


def _entry(line: str) -> Entry:
    label, weight, who, phrase = line.split("\t")
    return Entry(label, float(weight), who, phrase)


def _bare(text: str) -> str:
    """The text without accents, which are often forgotten; of the same length."""
    return "".join(unicodedata.normalize("NFD", sign)[0] for sign in text)
