"""The encoder judges emotions and stress; the lexicon causes and all other markers.

Of a mark of the encoder's the lexicon's phrase is the evidence, where it has one for
that label, and else the words that add most to the label's logit.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from pipeline.records import Mark
from pipeline.tagging.encoder import SHIPPED, Encoder, Floats, Reading, shipped_encoder
from pipeline.tagging.heads import load_heads
from pipeline.tagging.lexicon import MAX_CHARACTERS, Span
from pipeline.tagging.lexicon_tagger import LANGUAGE, LexiconTagger
from pipeline.tagging.masking import mask
from pipeline.tagging.tagger import TextToTag

NAME = "encoder-1"
LEAST_SCORE = 0.01
"""Marks below are left out: they say nothing, and there would be forty a text."""

_LEAST_LETTERS = 3
_NO_EVIDENCE = frozenset({"neutral"})
_AS_LOUD = 0.5
_MOST_WORDS = 6


class EncoderTagger:
    """Tags English texts by what they mean as a whole; see `Tagger`.

    Texts in another language get no marks; those of unknown language are read as
    English. Of texts with hardly a letter of prose the lexicon alone is asked.

    Args:
        encoder: reads the texts.
        lexicon: judges what the encoder's heads do not.
    """

    def __init__(self, encoder: Encoder, lexicon: LexiconTagger) -> None:
        self._encoder, self._lexicon = encoder, lexicon

    @classmethod
    def load(cls, *, suicidality: bool, threads: int = 1) -> Self:
        """The tagger as shipped."""
        lexicon = LexiconTagger.load(suicidality=suicidality)
        return cls(shipped_encoder(threads), lexicon)

    @property
    def name(self) -> str:
        """Name and version."""
        return NAME

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text; see `Tagger`."""
        found = self._lexicon.tag(texts)
        return [
            self._marks(text, marks) if _is_judged(text) else _renamed(marks)
            for text, marks in zip(texts, found, strict=True)
        ]

    def _marks(self, text: TextToTag, found: list[Mark]) -> list[Mark]:
        heads = load_heads(SHIPPED, text.platform)
        known = set(heads.keys)
        others = [mark for mark in found if (mark.task, mark.label) not in known]
        phrases = {(mark.task, mark.label): mark.evidence for mark in found}
        reading = self._encoder.read(text.text)
        own = []
        for n, score in enumerate(heads.scores(reading.pooled).round(4).tolist()):
            if score < LEAST_SCORE:
                continue
            task, label = heads.keys[n]
            flagged = score >= float(heads.thresholds[n])
            evidence = phrases.get((task, label))
            if evidence is None and flagged and label not in _NO_EVIDENCE:
                evidence = loudest_words(text.text, reading, heads.weight[n])
            own.append(
                Mark(
                    task=task,
                    label=label,
                    score=score,
                    flagged=flagged,
                    evidence=evidence,
                    tagger=NAME,
                )
            )
        return own + _renamed(others)


def loudest_words(text: str, reading: Reading, weight: Floats) -> Span | None:
    """The words that add most to the logit of a head; None if there is no word.

    They are the word that adds most above the average, and those next to it as long
    as each adds at least half as much.
    """
    added = reading.states @ weight
    above = added - added.mean()
    words = [
        (float(above[word.first : word.end].max()), word.place)
        for word in reading.words
        if any(map(str.isalnum, text[slice(*word.place)]))
    ]
    if not words:
        return None
    loudest = max(range(len(words)), key=words.__getitem__)
    enough = abs(words[loudest][0]) * _AS_LOUD
    first, last = (_reach(words, loudest, step, enough) for step in (-1, 1))
    return (words[first][1][0], words[last][1][1])


def _reach(
    words: Sequence[tuple[float, Span]], start: int, step: int, enough: float
) -> int:
    """The last of the words from `start` on that are all loud enough."""
    reached = start
    for _ in range(_MOST_WORDS):
        ahead = reached + step
        if not 0 <= ahead < len(words) or words[ahead][0] < enough:
            break
        reached = ahead
    return reached


def _is_judged(text: TextToTag) -> bool:
    """Whether there is English prose to judge."""
    if text.language not in {None, LANGUAGE}:
        return False
    prose = mask(text.text[:MAX_CHARACTERS])
    return sum(map(str.isalpha, prose)) >= _LEAST_LETTERS


def _renamed(marks: list[Mark]) -> list[Mark]:
    return [msgspec.structs.replace(mark, tagger=NAME) for mark in marks]
