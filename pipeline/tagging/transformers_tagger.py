"""A text-classification model of transformers judges one task, a base tagger the rest.

The base also judges what the model is not asked about: languages it was not made for,
texts with hardly a letter of prose, and those for which it gives no numbers.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import structlog

from pipeline.config import TaggingSettings
from pipeline.records import Mark
from pipeline.tagging.labels import load_labels
from pipeline.tagging.lexicon import MAX_CHARACTERS
from pipeline.tagging.lexicon_tagger import NEUTRAL
from pipeline.tagging.masking import mask
from pipeline.tagging.tagger import Tagger, TextToTag
from pipeline.tagging.transformers_labels import our_labels
from pipeline.tagging.transformers_model import Floats, load_classifier

VERSION = 1
LEAST_SCORE = 0.01
"""Marks below are left out, as they say nothing."""

_LEAST_LETTERS = 3
_DIGITS = 3
"""Of a score: padding moves later ones, and a text's score is to be its own."""

MakeBase = Callable[..., Tagger]

log = structlog.get_logger()


class TransformersTagger:
    """Tags by somebody else's model; see `Tagger`.

    It pickles as its settings: another process loads the model anew, and only once.

    Args:
        settings: of `[tagging]`, its `transformers` naming the model.
        make_base: gives the tagger for settings, as `load_tagger` does; it is pickled.
        suicidality: whether to tag that marker, of which no evidence is kept.

    Raises:
        ConfigError: the model is not on this machine, or its labels are not ours.
    """

    def __init__(
        self, settings: TaggingSettings, make_base: MakeBase, *, suicidality: bool
    ) -> None:
        own = settings.transformers
        self._arguments = (settings, make_base, suicidality)
        self._classifier = load_classifier(own.model, settings.threads, own.batch)
        self._task, self._languages = own.task, {None, *own.languages}
        self._threshold = own.threshold
        only_counted = {x.label for x in load_labels() if x.default_off}
        self._without_evidence = {NEUTRAL, *only_counted}
        self._meaning: dict[str, list[int]] = {}
        for number, label in enumerate(our_labels(self._classifier.labels, own)):
            if label is not None and (suicidality or label not in only_counted):
                self._meaning.setdefault(label, []).append(number)
        below = msgspec.structs.replace(settings, tagger=own.base)
        self._base = make_base(below, suicidality=suicidality)
        self._name = f"{self._base.name}+{Path(own.model).name}-{VERSION}"

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickling keeps."""
        return (_remade, self._arguments)

    @property
    def name(self) -> str:
        """The base's name, the model's, and how we read what the model says."""
        return self._name

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text; see `Tagger`."""
        answers = [self._renamed(marks) for marks in self._base.tag(texts)]
        judged = [n for n, text in enumerate(texts) if self._is_judged(text)]
        if not judged:
            return answers
        said = self._classifier.probabilities([texts[n].text for n in judged])
        is_number = np.isfinite(said).all(axis=1)
        if not is_number.all():
            log.warning("transformers-not-a-number", messages=int((~is_number).sum()))
        for n, probabilities in zip(
            np.array(judged)[is_number], said[is_number], strict=True
        ):
            others = [mark for mark in answers[n] if mark.task != self._task]
            answers[n] = self._marks(texts[n].text, probabilities) + others
        return answers

    def _marks(self, text: str, probabilities: Floats) -> list[Mark]:
        marks = []
        for label, numbers in self._meaning.items():
            score = self._score([float(probabilities[n]) for n in numbers])
            if score < LEAST_SCORE:
                continue
            flagged = score >= self._threshold
            evidence = None
            if flagged and label not in self._without_evidence:
                loudest = max(numbers, key=probabilities.__getitem__)
                evidence = self._classifier.evidence(text, loudest)
            marks.append(
                Mark(
                    task=self._task,
                    label=label,
                    score=score,
                    flagged=flagged,
                    evidence=evidence,
                    tagger=self._name,
                )
            )
        return marks

    def _score(self, probabilities: Sequence[float]) -> float:
        """Of a label of ours, from those of the model's labels that mean it."""
        together = sum if self._classifier.is_single_label else max
        return min(1.0, round(together(probabilities), _DIGITS))

    def _renamed(self, marks: Sequence[Mark]) -> list[Mark]:
        return [msgspec.structs.replace(mark, tagger=self._name) for mark in marks]

    def _is_judged(self, text: TextToTag) -> bool:
        prose = mask(text.text[:MAX_CHARACTERS])
        letters = sum(map(str.isalpha, prose))
        return text.language in self._languages and letters >= _LEAST_LETTERS


def _remade(
    settings: TaggingSettings,
    make_base: MakeBase,
    suicidality: bool,  # noqa: FBT001 - pickle gives it by its place
) -> TransformersTagger:
    return TransformersTagger(settings, make_base, suicidality=suicidality)
