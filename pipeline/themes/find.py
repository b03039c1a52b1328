"""From causes to themes, and from yesterday's themes to today's."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from math import sqrt

import numpy as np
import numpy.typing as npt

from pipeline.themes.cluster import Numbers, cluster, word_counts
from pipeline.themes.found import Cause, Theme, Week, Weights

NAME_WORDS = 5
KNOWN_WORDS = 30
ALIKE = 0.5
"""Cosine between the words of two themes from which they are one."""


def find_themes(causes: Sequence[Cause], min_authors: int) -> list[Theme]:
    """The themes of causes, the most frequent first.

    A theme's words are each used by at least `min_authors` distinct authors of the
    theme, so that none is one person's own; a theme without such words is left out.

    Args:
        causes: at most `MOST_CAUSES`, in any order; the same ones always give the same
            themes.
        min_authors: also of a theme.
    """
    if not causes:
        return []
    ordered = sorted(causes)
    numbers = cluster([cause.words for cause in ordered])
    weights = _weights(ordered, numbers, min_authors)
    themes = [
        Theme(tuple(known)[:NAME_WORDS], known, _weeks(ordered, numbers == number))
        for number, known in weights.items()
    ]
    return sorted(themes, key=lambda theme: (-_messages(theme), theme.name))


def recognise(
    themes: Sequence[Theme], known: Mapping[int, Weights]
) -> list[tuple[int, Theme]]:
    """Each theme with its number: that of the known theme most like it, or a new one.

    Args:
        themes: of today.
        known: the words of all earlier themes, by their numbers.
    """
    pairs = sorted(
        (
            (_cosine(theme.weights, words), place, number)
            for place, theme in enumerate(themes)
            for number, words in known.items()
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    numbers: dict[int, int] = {}
    for alike, place, number in pairs:
        if alike >= ALIKE and place not in numbers and number not in numbers.values():
            numbers[place] = number
    unused = max(known, default=0)
    numbered = []
    for place, theme in enumerate(themes):
        if place not in numbers:
            unused += 1
        numbered.append((numbers.get(place, unused), theme))
    return numbered


def _weights(
    causes: Sequence[Cause], numbers: Numbers, min_authors: int
) -> dict[int, dict[str, float]]:
    """Of each cluster that has a name its words, the most characteristic first.

    Characteristic is what is frequent within and rare without: class-based TF-IDF
    (Grootendorst, 2022).
    """
    counts, words = word_counts([cause.words for cause in causes])
    everywhere = np.asarray(counts.sum(axis=0)).ravel()
    found = {}
    for number in range(int(numbers.max()) + 1):
        rows = np.flatnonzero(numbers == number).tolist()
        authors = np.array([causes[row].author for row in rows])
        within = counts[rows]
        share = np.asarray(within.sum(axis=0)).ravel() / len(rows)
        weights = share * np.log1p(len(causes) / np.maximum(everywhere, 1))
        places = [
            place
            for place in np.argsort(-weights, kind="stable")[: 2 * KNOWN_WORDS]
            if len(set(authors[within[:, [place]].nonzero()[0]])) >= min_authors
        ][:KNOWN_WORDS]
        if places:
            most = weights[places[0]]
            found[number] = {
                words[p]: round(float(weights[p] / most), 4) for p in places
            }
    return found


def _weeks(causes: Sequence[Cause], chosen: npt.NDArray[np.bool_]) -> tuple[Week, ...]:
    authors: dict[date, list[str]] = defaultdict(list)
    for row in np.flatnonzero(chosen).tolist():
        authors[causes[row].week].append(causes[row].author)
    return tuple(
        Week(week, len(names), len(set(names)))
        for week, names in sorted(authors.items())
    )


def _messages(theme: Theme) -> int:
    return sum(week.messages for week in theme.weeks)


def _cosine(one: Weights, other: Weights) -> float:
    common = sum(weight * other.get(word, 0.0) for word, weight in one.items())
    lengths = (sum(w * w for w in words.values()) for words in (one, other))
    return common / sqrt(np.prod(list(lengths)))
