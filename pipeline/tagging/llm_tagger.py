"""A chat endpoint names the causes of negative emotions that a base tagger flags.

It also shows the words that carry them. Everything else is the base's, and so is all
where the endpoint does not answer.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.config import TaggingSettings, llm_key
from pipeline.records import Mark
from pipeline.tagging.chat_client import ChatClient
from pipeline.tagging.labels import load_labels
from pipeline.tagging.lexicon import Span
from pipeline.tagging.lexicon_tagger import NEUTRAL
from pipeline.tagging.llm_answer import Judgement
from pipeline.tagging.llm_asker import Asker, Pauses
from pipeline.tagging.llm_health import Health
from pipeline.tagging.llm_prompt import MAX_TEXT, Hint, Question, make_question
from pipeline.tagging.llm_store import LlmStore
from pipeline.tagging.negative import NEGATIVE
from pipeline.tagging.tagger import Tagger, TextToTag

VERSION = 1
SCORES = {"sure": 0.9, "likely": 0.7, "guess": 0.3}
"""Of a cause, by how certain the endpoint says it is; not measured."""

FLAGGED_FROM = 0.5
_CAUSES = ("cause", "cause-span", "cause-type")
_EMOTIONS = ("basic-emotion", "fine-emotion")
_LEAST_HINT = 0.1
_NEGATIVE = NEGATIVE | {("fine-emotion", "embarrassment")}

MakeBase = Callable[..., Tagger]


class _Asked(NamedTuple):
    """A question, and where its texts are from.

    `start` is where its text begins in the message; `earlier` are the numbers that its
    context has in the message's.
    """

    start: int
    question: Question
    earlier: list[int]


class LlmTagger:
    """Tags by a base tagger and a chat endpoint; see `Tagger`.

    The same text gets the same marks as long as its answer is kept; without an answer
    it gets the base's. It pickles as its settings.

    Args:
        settings: of `[tagging]`, its `llm` naming the endpoint.
        make_base: gives the tagger for settings, as `load_tagger` does; it is pickled.
        suicidality: whether the base tags that marker.
        pauses: between attempts at a question.

    Raises:
        ConfigError: the base cannot be loaded, or a file cannot be used.
    """

    def __init__(
        self,
        settings: TaggingSettings,
        make_base: MakeBase,
        *,
        suicidality: bool,
        pauses: Pauses | None = None,
    ) -> None:
        own = settings.llm
        self._arguments = (settings, make_base, suicidality)
        below = msgspec.structs.replace(settings, tagger=own.base)
        self._base = make_base(below, suicidality=suicidality)
        self._name = f"{self._base.name}+{own.model}-{VERSION}"
        self._known = {label.key for label in load_labels()}
        key = llm_key(own, os.environ)
        client = ChatClient(own.url, own.model, key, own.timeout_s)
        store = LlmStore(Path(own.file), own.requests_a_day)
        self._health = Health()
        self._asker = Asker(
            client, store, own.concurrency, self._health, pauses or Pauses()
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickling keeps: no key, no connection."""
        return (_remade, self._arguments)

    @property
    def name(self) -> str:
        """The base's name, the endpoint's model, and how we read what it says."""
        return self._name

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text; see `Tagger`."""
        answers = [self._renamed(marks) for marks in self._base.tag(texts)]
        asked = {
            n: _asked(text, marks)
            for n, (text, marks) in enumerate(zip(texts, answers, strict=True))
            if any(_hurts(mark) for mark in marks)
        }
        found = self._asker.ask([each.question for each in asked.values()])
        for (n, each), judgement in zip(asked.items(), found, strict=True):
            if judgement is not None:
                answers[n] = self._merged(answers[n], judgement, each)
        return answers

    def finish(self) -> None:
        """Log how many messages stayed without an answer; no more will come."""
        self._health.finish()

    def _merged(
        self, marks: Sequence[Mark], judgement: Judgement, asked: _Asked
    ) -> list[Mark]:
        feeling = _moved(judgement.feeling, asked.start)
        merged = [
            msgspec.structs.replace(mark, evidence=feeling)
            if feeling is not None and _hurts(mark)
            else mark
            for mark in marks
            if mark.task not in _CAUSES
        ]
        return merged + self._causes(judgement, asked)

    def _causes(self, judgement: Judgement, asked: _Asked) -> list[Mark]:
        if judgement.earlier is None:
            context, evidence = None, _moved(judgement.cause, asked.start)
        else:
            context, evidence = asked.earlier[judgement.earlier], judgement.cause
        score = SCORES[judgement.certainty]
        return [
            Mark(
                task=task,
                label=label,
                score=score,
                flagged=score >= FLAGGED_FROM,
                evidence=evidence,
                context=context,
                tagger=self._name,
            )
            for task, label in _cause_labels(judgement)
            if (task, label) in self._known
        ]

    def _renamed(self, marks: Sequence[Mark]) -> list[Mark]:
        return [msgspec.structs.replace(mark, tagger=self._name) for mark in marks]


def _cause_labels(judgement: Judgement) -> list[tuple[str, str]]:
    """What kind of cause it is, that words name it, and where they stand."""
    if judgement.category is None:
        return [("cause-type", "latent")]
    category = ("cause", judgement.category)
    if judgement.earlier is not None:
        return [category, ("cause-type", "in-context")]
    return [category, ("cause-span", "span"), ("cause-type", "no-context")]


def _hurts(mark: Mark) -> bool:
    return mark.flagged and (mark.task, mark.label) in _NEGATIVE


def _moved(place: Span | None, start: int) -> Span | None:
    return None if place is None else (place[0] + start, place[1] + start)


def _asked(text: TextToTag, marks: Sequence[Mark]) -> _Asked:
    """The question on a text: of a long one the part around its worst emotion."""
    worst = max(filter(_hurts, marks), key=lambda mark: mark.score)
    middle = sum(worst.evidence or (0, 0)) // 2
    last_start = max(0, len(text.text) - MAX_TEXT)
    start = min(max(0, middle - MAX_TEXT // 2), last_start)
    hints: dict[str, float] = {}
    for mark in marks:
        said = mark.task in _EMOTIONS and mark.label != NEUTRAL
        if said and mark.score >= _LEAST_HINT:
            hints[mark.label] = max(hints.get(mark.label, 0.0), round(mark.score, 2))
    question = make_question(
        text.text[start : start + MAX_TEXT],
        text.context,
        [Hint(*item) for item in hints.items()],
    )
    numbers = [number for number, earlier in enumerate(text.context) if earlier]
    return _Asked(start, question, numbers[len(numbers) - len(question.context) :])


def _remade(
    settings: TaggingSettings,
    make_base: MakeBase,
    suicidality: bool,  # noqa: FBT001 - pickle gives it by its place
) -> LlmTagger:
    return LlmTagger(settings, make_base, suicidality=suicidality)
