"""Why someone feels as they do: the words that name the cause, its kind, its place.

For any emotion the span that names its cause (`cause-span`). For negative ones also
where the cause lies (`cause-type`, by cause_types.py); and, of the causes that the
lexicon saw, those beside the span become likelier (`cause`). docs/causes.md says what
was measured and what was not.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from pipeline.records import Mark
from pipeline.tagging.calibration import Scale, logistic
from pipeline.tagging.cause_features import tells_little
from pipeline.tagging.cause_model import FILE, Answer, SpanModel, load_model
from pipeline.tagging.cause_types import (
    FLAGGED_FROM,
    TYPE,
    Earlier,
    Named,
    made,
    types,
)
from pipeline.tagging.cause_words import Prose, read_prose
from pipeline.tagging.encoder import Reading
from pipeline.tagging.lexicon import Span
from pipeline.tagging.negative import NEGATIVE
from pipeline.tagging.tagger import TextToTag

CAUSE, SPAN = "cause", "cause-span"
EMOTIONS = ("basic-emotion", "fine-emotion")
LEAST_EMOTION = 0.25
"""Where no emotion is likelier, no span would be shown, and none is looked for."""

_NEAR = 1.2
"""Added to the logit of a cause beside the span, times how surely something hurts."""

_TELLING = 2.0
"""So many words that tell something name a cause with a probability of 1 - 1/e."""

_OUTCRY = 0.2
"""Times as likely is a span that says nothing but the emotion: too little to show."""

_ALMOST = 0.999
_MOST_CLINGING = 3
_BEFORE = re.compile(r"[(\[<\"'`*_]*\Z")
_AFTER = re.compile(r"[)\]>\"'`*_.!?\u2026]*")


class Feelings(NamedTuple):
    """How likely a text shows some emotion, and one that hurts.

    `words` are where the emotions themselves are, which name no cause.
    """

    any: float
    hurting: float
    words: list[Span]


class CauseFinder:
    """Finds the causes of the emotions that a tagger found.

    Args:
        model: finds spans.
        scale: from the logit of a span's expected overlap to how likely it is right.
    """

    def __init__(self, model: SpanModel, scale: Scale) -> None:
        self._model, self._scale = model, scale

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The finder in an encoder's folder, if there is one."""
        if not (folder / FILE).exists():
            return None
        return cls(load_model(folder), _load_scale(folder))

    @property
    def width(self) -> int:
        """Numbers of the states that are listened to."""
        return len(self._model.directions)

    def find(
        self,
        text: TextToTag,
        marks: Sequence[Mark],
        reading: Callable[[], Reading],
        earlier: Callable[[str], Earlier],
    ) -> list[Mark]:
        """`marks` with what is found of causes, those of causes scored anew.

        Args:
            text: an English one.
            marks: its emotions, and causes that are mentioned.
            reading: gives the text's.
            earlier: reads an earlier text.
        """
        feelings = feelings_in(marks)
        if feelings.any < LEAST_EMOTION:
            return list(marks)
        read = reading()
        prose = read_prose(text.text, read)
        if not prose.words:
            return list(marks)
        answer = self._model.answer(prose, read)
        span = _widened(text.text, answer.place)
        found = [_likelier(mark, prose, span, feelings.hurting) for mark in marks]
        score = self._right(answer, span, found) * feelings.any
        found.append(made((SPAN, "span"), score, self._scale.threshold, span))
        if feelings.hurting >= FLAGGED_FROM:
            own = _named(Named(telling(prose, span, feelings.words), span), found)
            found += types(own, text.context, earlier, self._span_in)
        return [mark for mark in found if mark.score > 0]

    def _right(self, answer: Answer, span: Span, marks: Sequence[Mark]) -> float:
        """How likely a span names a cause rightly, if there is one."""
        right = self._scale.probability(_logit(answer.overlap))
        told = answer.telling or any(_meet(one.place, span) for one in _mentions(marks))
        return right if told else _OUTCRY * right

    def _span_in(self, text: str, read: Reading) -> Span | None:
        """The words of an earlier text that name a cause."""
        prose = read_prose(text, read)
        if not prose.words:
            return None
        answer = self._model.answer(prose, read)
        return _widened(text, answer.place) if answer.telling else None


def feelings_in(marks: Sequence[Mark]) -> Feelings:
    """What the marks of a text say of its emotions."""
    emotions = [m for m in marks if m.task in EMOTIONS and m.label != "neutral"]
    hurting = [m.score for m in emotions if (m.task, m.label) in NEGATIVE]
    return Feelings(
        max((m.score for m in emotions), default=0.0),
        max(hurting, default=0.0),
        [m.evidence for m in emotions if m.flagged and m.evidence],
    )


def rests_on_context(marks: Sequence[Mark]) -> bool:
    """Whether the marks of a text would differ in another thread."""
    types = [mark for mark in marks if mark.task == TYPE]
    return bool(types) and not any(
        mark.flagged and mark.label == "no-context" for mark in types
    )


def telling(prose: Prose, span: Span, emotions: Sequence[Span]) -> float:
    """How likely a span names a cause, by what it says beyond the emotion itself."""
    count = sum(
        not tells_little(word) and not any(_meet(place, other) for other in emotions)
        for word, place in zip(prose.words, prose.places, strict=True)
        if _meet(place, span)
    )
    return 1 - math.exp(-count / _TELLING)


def _mentions(marks: Sequence[Mark]) -> list[Named]:
    """The causes that are flagged, and where they are named."""
    return [
        Named(mark.score, mark.evidence)
        for mark in marks
        if mark.task == CAUSE and mark.flagged and mark.evidence
    ]


def _named(span: Named, marks: Sequence[Mark]) -> Named:
    """The surest that the message itself has to say of a cause, by span and lexicon.

    The span stands for what is mentioned in it.
    """
    surest = max([span, *_mentions(marks)], key=lambda named: named.score)
    within = _meet(surest.place, span.place)
    return surest._replace(place=span.place) if within else surest


def _likelier(mark: Mark, prose: Prose, span: Span, hurting: float) -> Mark:
    """A mark, and if it is of a cause in the sentences of the span a likelier one."""
    if mark.task != CAUSE or mark.evidence is None:
        return mark
    if not _meet(mark.evidence, _sentences(prose, span)):
        return mark
    score = round(logistic(_logit(mark.score) + _NEAR * hurting), 4)
    return msgspec.structs.replace(
        mark, score=score, flagged=mark.flagged or score >= FLAGGED_FROM
    )


def _sentences(prose: Prose, span: Span) -> Span:
    """The sentences that a span is in, from their first word to their last."""
    within = [n for n, place in enumerate(prose.places) if _meet(place, span)]
    numbers = prose.sentences
    first = int((numbers < numbers[within[0]]).sum())
    last = int((numbers <= numbers[within[-1]]).sum()) - 1
    return (prose.places[first][0], prose.places[last][1])


def _widened(text: str, place: Span) -> Span:
    """A span with the brackets, quotes and stops that cling to its ends."""
    start, end = place
    before = _BEFORE.search(text, max(0, start - _MOST_CLINGING), start)
    after = _AFTER.match(text, end, end + _MOST_CLINGING)
    return (before.start() if before else start, after.end() if after else end)


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _logit(probability: float) -> float:
    held = min(max(probability, 1 - _ALMOST), _ALMOST)
    return math.log(held / (1 - held))


@cache
def _load_scale(folder: Path) -> Scale:
    path = (folder / FILE).with_suffix(".toml")
    return msgspec.toml.decode(path.read_bytes(), type=Scale)
