"""The cheapest tagger: word lists, and one logistic sum a label.

It explains itself: a mark's evidence is the phrase that speaks loudest for it.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple, Self

from pipeline.records import Mark
from pipeline.tagging.calibration import Calibration, load_calibration, logistic
from pipeline.tagging.causes import Mention, weigh
from pipeline.tagging.labels import load_labels
from pipeline.tagging.lexicon import Lexicon, Reading, Span
from pipeline.tagging.tagger import TextToTag
from pipeline.tagging.things import Things
from pipeline.tagging.wordlists import load_entries, load_phrases

NAME = "lexicon-1"
LANGUAGE = "en"

Key = tuple[str, str]
"""Task and label."""

SCALED = ("basic-emotion", "fine-emotion", "marker")
"""Tasks whose labels are independent logistic sums."""

_CAUSE, _TROUBLE, _MARKER = "cause", "trouble", "marker"
NEUTRAL = "neutral"
_FINE = "fine-emotion"
_NEGATIVE = frozenset(
    {("basic-emotion", label) for label in ("anger", "disgust", "fear", "sadness")}
    | {
        (_FINE, label)
        for label in ("annoyance", "disappointment", "disapproval", "frustration")
    }
)
ALMOST_ONE = 0.999


class Feature(NamedTuple):
    """One entry of the lists: what it speaks for, and how loudly."""

    task: str
    label: str
    weight: float


class _Spoken(NamedTuple):
    total: float
    loudest: float
    evidence: Span


class LexiconTagger:
    """Tags English texts by the words they use; see `Tagger`.

    Texts in another language get no marks; those of unknown language are read as
    English. A text without letters can be marked only for its emoji and emoticons.

    Args:
        calibration: the numbers that make probabilities of weights.
        suicidality: whether to tag that marker, of which no evidence is kept.
    """

    def __init__(self, calibration: Calibration, *, suicidality: bool) -> None:
        self._lexicon, self._features = shipped_lexicon()
        self._things = Things.load()
        self._calibration = calibration
        self._only_counted = {label.key for label in load_labels() if label.default_off}
        self._unwanted = set() if suicidality else self._only_counted

    @classmethod
    def load(cls, *, suicidality: bool) -> Self:
        """The tagger as shipped."""
        return cls(load_calibration(), suicidality=suicidality)

    @property
    def suicidality(self) -> bool:
        """Whether that marker is tagged."""
        return not self._unwanted

    @property
    def name(self) -> str:
        """Name and version."""
        return NAME

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text; see `Tagger`."""
        return [
            self._marks(self._lexicon.read(text.text))
            if text.language is None or text.language == LANGUAGE
            else []
            for text in texts
        ]

    def _marks(self, reading: Reading) -> list[Mark]:
        marks = [
            self._mark(key, spoken)
            for key, spoken in self._spoken(reading).items()
            if key not in self._unwanted
        ]
        marks += self._causes(reading, marks)
        if any(map(str.isalpha, reading.text)):
            marks.append(self._neutral(marks))
        return [mark for mark in marks if mark.score > 0]

    def _spoken(self, reading: Reading) -> dict[Key, _Spoken]:
        """How loudly the words speak for each emotion and marker."""
        spoken: dict[Key, _Spoken] = {}
        for number, found in reading.places.items():
            task, label, weight = self._features[number]
            places = self._of_people(reading.text, found) if task == _MARKER else found
            if task not in SCALED or not places:
                continue
            before = spoken.get((task, label))
            if before is None:
                spoken[task, label] = _Spoken(weight, weight, places[0])
            else:
                total, loudest, evidence = before
                if weight > loudest:
                    loudest, evidence = weight, places[0]
                spoken[task, label] = _Spoken(total + weight, loudest, evidence)
        return spoken

    def _of_people(self, text: str, places: list[Span]) -> list[Span]:
        """Those of `places` that are not plainly said of a machine."""
        return [place for place in places if not self._things.say(text, place)]

    def _mark(self, key: Key, spoken: _Spoken) -> Mark:
        task, label = key
        scale = self._calibration.scales[task][label]
        score = scale.probability(spoken.total)
        evidence = None if key in self._only_counted else spoken.evidence
        return _made(task, label, score, scale.threshold, evidence)

    def _neutral(self, marks: Iterable[Mark]) -> Mark:
        """The less likely each emotion is, the likelier it is that there is none."""
        scale = self._calibration.scales[_FINE][NEUTRAL]
        score = scale.probability(
            log_none(mark.score for mark in marks if mark.task == _FINE)
        )
        return _made(_FINE, NEUTRAL, score, scale.threshold, None)

    def _causes(self, reading: Reading, marks: Iterable[Mark]) -> list[Mark]:
        mentions, troubles = [], []
        for number, places in reading.places.items():
            task, label, weight = self._features[number]
            if task == _TROUBLE:
                troubles += places
            elif task == _CAUSE:
                mentions += [Mention(label, weight, place) for place in places]
        if not mentions:
            return []
        hurts = [
            mark.evidence
            for mark in marks
            if mark.flagged and mark.evidence and (mark.task, mark.label) in _NEGATIVE
        ]
        scale = self._calibration.cause
        return [
            _made(_CAUSE, label, logistic(logit), scale.threshold, evidence)
            for label, logit, evidence in weigh(
                reading, mentions, troubles, hurts, scale
            )
        ]


def log_none(scores: Iterable[float]) -> float:
    """The logarithm of the probability that none of independent labels is true."""
    return sum(math.log1p(-min(score, ALMOST_ONE)) for score in scores)


@cache
def shipped_lexicon() -> tuple[Lexicon, list[Feature]]:
    """The word lists ready for use, and what each of their entries speaks for."""
    entries = [
        (Feature(task, entry.label, entry.weight), entry.phrase)
        for task in (*SCALED, _CAUSE)
        for entry in load_entries(task)
    ]
    entries += [
        (Feature(_TROUBLE, "", 0.0), phrase) for phrase in load_phrases(_TROUBLE)
    ]
    lexicon = Lexicon(
        [(f"{feature.task}/{feature.label}", phrase) for feature, phrase in entries],
        load_phrases("negation"),
        load_phrases("technical"),
        exclusive={f"{f.task}/{f.label}" for f, _ in entries if f.task == _CAUSE},
    )
    return lexicon, [feature for feature, _ in entries]


def _made(
    task: str, label: str, score: float, threshold: float, evidence: Span | None
) -> Mark:
    score = round(score, 4)
    return Mark(
        task=task,
        label=label,
        score=score,
        flagged=score >= threshold,
        evidence=evidence,
        tagger=NAME,
    )
