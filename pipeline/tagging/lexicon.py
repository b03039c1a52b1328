"""Find in a text what the word lists know, unless it is denied or means nothing."""

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from pipeline.tagging.masking import mask
from pipeline.tagging.phrases import (
    Found,
    PhraseFinder,
    cut_short,
    plain,
    spellings,
    without_overlaps,
)

Span = tuple[int, int]

MAX_CHARACTERS = 20_000
"""Of a text are read; whoever feels something has said so by then."""

# What may stand between a negation and what it denies: "not even a little happy",
# but not "it doesn't work, sorry".
_BETWEEN = re.compile(
    r"(?: (?:a|all|any|as|at|be|been|being|even|ever|exactly|feel|feeling|get|getting|"
    r"going|have|having|just|least|little|look|make|me|much|my|particularly|quite|"
    r"real|really|seem|sound|so|super|such|terribly|that|the|these|this|to|too|very|"
    r"want|was|yet|you|your))* "
)

_EXCLUSIVE = ""
"""Stands for all exclusive labels."""

_SENTENCE_END = re.compile(r"[.!?](?=\s|\Z)\s*+|\n\s*+")


class Reading:
    """What a lexicon found in a text.

    Args:
        text: in lower case, all that is not prose blanked; as long as the original.
        places: of each feature found, all its places in order.
    """

    def __init__(self, text: str, places: dict[int, list[Span]]) -> None:
        self.text = text
        self.places = places
        self._ends: list[int] | None = None

    def sentence(self, place: Span) -> int:
        """The number of the sentence that `place` begins in."""
        if self._ends is None:
            self._ends = [match.end() for match in _SENTENCE_END.finditer(self.text)]
        return bisect(self._ends, place[0])


class Lexicon:
    """Finds in a text the features that switch labels on.

    A feature is one entry of a list: a label and the phrases that speak for it. A
    phrase within a longer one lends it its features, unless the longer one has its
    own for that label, is technical, or denies it: "so happy" is happy, "happy path"
    and "not happy" are not. A technical phrase stands for its own entries only.

    Of phrases that overlap otherwise the leftmost counts, but takes no words from one
    that speaks for another label: in "I feel so alone" both "I feel so" and "feel so
    alone" are heard. A technical phrase and a denial rival those of every label.

    Args:
        entries: label and pattern of each feature, in the features' order.
        negations: patterns of what denies the words after it.
        technical: patterns whose words do not mean what they do elsewhere.
        exclusive: labels of which a phrase is lent none if it has one of its own, and
            whose phrases rival one another.
    """

    def __init__(
        self,
        entries: Sequence[tuple[str, str]],
        negations: Iterable[str],
        technical: Iterable[str],
        exclusive: AbstractSet[str] = frozenset(),
    ) -> None:
        owned: dict[str, dict[str, int]] = {}
        for feature, (label, pattern) in enumerate(entries):
            for spelling in spellings(pattern):
                owned.setdefault(spelling, {}).setdefault(label, feature)
        silent = {s for pattern in technical for s in spellings(pattern)}
        denying = {s for pattern in negations for s in spellings(pattern)}
        known = list(dict.fromkeys([*owned, *silent, *denying]))
        self._finder = PhraseFinder(known)
        self._deniable = [phrase[0].isalnum() for phrase in known]
        self._denies = [phrase in denying for phrase in known]
        self._silent = [phrase in silent for phrase in known]
        own = [owned.get(phrase, {}) for phrase in known]
        within = [
            [] if phrase in silent else self._within(number, phrase)
            for number, phrase in enumerate(known)
        ]
        self._denies = [
            self._denies[number] or self._denies_on(phrase, within[number])
            for number, phrase in enumerate(known)
        ]
        lent = self._lent(known, own, within, exclusive)
        self._features = [_grouped(by_label, exclusive) for by_label in lent]

    def read(self, text: str) -> Reading:
        """All that is found in the first `MAX_CHARACTERS` of `text`."""
        masked = plain(mask(text[:MAX_CHARACTERS]))
        places: dict[int, list[Span]] = {}
        for feature, place in self._spoken(masked):
            places.setdefault(feature, []).append(place)
        return Reading(masked, places)

    def _spoken(self, text: str) -> Iterator[tuple[int, Span]]:
        """The features of what `text` says, each label's in order."""
        found = self._finder.find_all(text)
        rivals = {
            group for one in cut_short(found) for group in self._features[one.phrase]
        }
        for start, end, phrase in self._meant(text, without_overlaps(found)):
            for group, features in self._features[phrase].items():
                if group not in rivals:
                    yield from ((feature, (start, end)) for feature in features)
        for group in sorted(rivals):
            for start, end, phrase in self._meant(text, self._only(group, found)):
                for feature in self._features[phrase].get(group, ()):
                    yield feature, (start, end)

    def _only(self, group: str, found: list[Found]) -> list[Found]:
        """What counts of `found` where no other label is heard."""
        return without_overlaps(
            [
                one
                for one in found
                if self._silent[one.phrase]
                or self._denies[one.phrase]
                or group in self._features[one.phrase]
            ]
        )

    def _meant(self, text: str, found: list[Found]) -> Iterator[Found]:
        """Those of `found` that are not denied by one before them."""
        denied_from = -1
        for one in found:
            denied = (
                denied_from >= 0
                and self._deniable[one.phrase]
                and _BETWEEN.fullmatch(text, denied_from, one.start) is not None
            )
            if self._denies[one.phrase]:
                denied_from = one.end
            if not denied:
                yield one

    def _within(self, number: int, phrase: str) -> list[Found]:
        found = self._finder.find_all(phrase)
        return without_overlaps([one for one in found if one.phrase != number])

    def _denies_on(self, phrase: str, within: list[Found]) -> bool:
        """Whether "i don't" or "not really" denies what comes after it, too."""
        return any(
            self._denies[one.phrase] and _BETWEEN.fullmatch(f"{phrase} ", one.end)
            for one in within
        )

    def _lent(
        self,
        known: list[str],
        own: list[dict[str, int]],
        within: list[list[Found]],
        exclusive: AbstractSet[str],
    ) -> list[dict[str, int]]:
        features = [dict(by_label) for by_label in own]
        for number in sorted(range(len(known)), key=lambda number: len(known[number])):
            closed = exclusive if exclusive & own[number].keys() else frozenset()
            for one in self._meant(known[number], within[number]):
                for label, feature in features[one.phrase].items():
                    if label not in closed:
                        features[number].setdefault(label, feature)
        return features


def _grouped(
    by_label: dict[str, int], exclusive: AbstractSet[str]
) -> dict[str, list[int]]:
    """Features by what rivals what: a label, or all exclusive ones together."""
    groups: dict[str, list[int]] = {}
    for label, feature in by_label.items():
        groups.setdefault(_EXCLUSIVE if label in exclusive else label, []).append(
            feature
        )
    return groups
