"""Whether evidence is what a score rests on: deletion and sufficiency.

Comprehensiveness: what share of its score a mark loses without its evidence.
Sufficiency: what share it keeps with its evidence alone (DeYoung et al., 2020). Shares
of the text's own score, cut to 0 to 1: without words there is no mark, so nothing has
a score of 0 (after Carton et al., 2020). Both are held against as many words at random
places of the same text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.bootstrap import SEED, interval, resampled
from pipeline.evaluation.gold import CAUSE_SPAN
from pipeline.records import Mark
from pipeline.tagging.tagger import Tagger, TextToTag

Floats = npt.NDArray[np.float64]
Span = tuple[int, int]
Key = tuple[str, str]

RANDOM_PLACES = 5
"""Random places that a mark's evidence is held against."""

MOST_TEXTS = 300
"""With evidence are probed, drawn at random: each is tagged a dozen times a mark."""

_MOST_SHARE = 0.5
"""Of a text's words may be evidence; else any place of that size holds most of it."""

_WORD = re.compile(r"\S+")
_COLUMNS = ("comprehensiveness", "sufficiency")


class Pointed(NamedTuple):
    """One mark of a text: its task and label, and where it points."""

    text: TextToTag
    key: Key
    evidence: Span


class EvidenceFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One test of the evidence of many marks, with 95 % intervals over texts.

    `difference` is `evidence` less `random`: above 0, evidence is better than chance.
    """

    name: str
    test: str
    texts: int
    marks: int
    evidence: float
    random: float
    difference: float
    low: float
    high: float


def pointed(
    tagger: Tagger, texts: Sequence[TextToTag], most: int = MOST_TEXTS
) -> list[Pointed]:
    """What a tagger flags and points at, in as many texts at most, drawn at random.

    Marks whose evidence is most of their text are left out, or lies in an earlier one,
    and causes: the words of a cause are the answer, not the reason for it.
    """
    order = np.random.default_rng(SEED).permutation(len(texts))
    found: list[Pointed] = []
    taken = 0
    for number in order:
        if taken == most:
            break
        own = _pointed(tagger, texts[number])
        found += own
        taken += bool(own)
    return found


def _pointed(tagger: Tagger, text: TextToTag) -> list[Pointed]:
    (marks,) = tagger.tag([text])
    return [
        Pointed(text, (mark.task, mark.label), mark.evidence)
        for mark in marks
        if mark.flagged and mark.task != CAUSE_SPAN and mark.context is None
        if mark.evidence and _is_testable(text.text, mark.evidence)
    ]


def _is_testable(text: str, evidence: Span) -> bool:
    words = len(_WORD.findall(text))
    return len(_WORD.findall(text[slice(*evidence)])) <= _MOST_SHARE * words


def probe(
    name: str,
    tagger: Tagger,
    marks: Sequence[Pointed],
    progress: Callable[[int], object] = int,
) -> list[EvidenceFigure]:
    """How well `tagger`'s scores of marks rest on the evidence given for them.

    Args:
        name: what the figures are of.
        tagger: scores the texts; the evidence may be another's.
        marks: what is tested. None: there are no figures.
        progress: told how many more marks are done.
    """
    random = np.random.default_rng(SEED)
    shares: dict[TextToTag, list[Floats]] = {}
    for mark in marks:
        found = _shares(tagger, mark, random)
        if found is not None:
            shares.setdefault(mark.text, []).append(found)
        progress(1)
    if not shares:
        return []
    return list(_figures(name, list(shares.values())))


def _shares(
    tagger: Tagger, mark: Pointed, random: np.random.Generator
) -> Floats | None:
    """Of a mark both tests' shares: by evidence, then by random places.

    None where the tagger gives the text no such mark.
    """
    places = [mark.evidence, *_random_places(mark, random)]
    texts = [
        mark.text.text,
        *(_without(mark.text.text, place) for place in places),
        *(mark.text.text[slice(*place)] for place in places),
    ]
    said = tagger.tag([mark.text._replace(text=text) for text in texts])
    scores = np.array([_score(marks, mark.key) for marks in said])
    if scores[0] == 0.0:
        return None
    without, only = np.split(np.clip(scores[1:] / scores[0], 0.0, 1.0), 2)
    tests = np.stack([1.0 - without, only])
    return np.concatenate([tests[:, 0], tests[:, 1:].mean(axis=1)])


def _random_places(mark: Pointed, random: np.random.Generator) -> list[Span]:
    """Of as many words as the evidence, anywhere in the text."""
    words = [found.span() for found in _WORD.finditer(mark.text.text)]
    size = max(1, len(_WORD.findall(mark.text.text[slice(*mark.evidence)])))
    starts = random.integers(len(words) - size + 1, size=RANDOM_PLACES)
    return [(words[start][0], words[start + size - 1][1]) for start in starts]


def _without(text: str, place: Span) -> str:
    return f"{text[: place[0]]} {text[place[1] :]}"


def _score(marks: Sequence[Mark], key: Key) -> float:
    return next((mark.score for mark in marks if (mark.task, mark.label) == key), 0.0)


def _figures(name: str, texts: Sequence[Sequence[Floats]]) -> Iterator[EvidenceFigure]:
    """Means over marks; their intervals over texts."""
    rows = np.array([[*np.sum(marks, axis=0), len(marks)] for marks in texts])
    whole = rows.sum(axis=0)
    drawn = resampled(rows)
    for n, test in enumerate(_COLUMNS):
        evidence, random = whole[n] / whole[-1], whole[n + 2] / whole[-1]
        low, high = interval((drawn[:, n] - drawn[:, n + 2]) / drawn[:, -1])
        yield EvidenceFigure(
            name=name,
            test=test,
            texts=len(rows),
            marks=int(whole[-1]),
            evidence=round(float(evidence), 5),
            random=round(float(random), 5),
            difference=round(float(evidence - random), 5),
            low=round(low, 5),
            high=round(high, 5),
        )
