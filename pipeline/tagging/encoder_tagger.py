"""The encoder judges emotions and stress; the lexicon kinds of causes and markers.

Of a mark of the encoder's the lexicon's phrase is the evidence, where it has one for
that label, and else the words that add most to the label's logit. How much of the
encoder a text goes through is the tier's affair: pipeline/tagging/cascade.py.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import msgspec
from threadpoolctl import threadpool_limits

from pipeline.records import Mark
from pipeline.tagging import spanish
from pipeline.tagging.cascade import WHOLE, Cascaded
from pipeline.tagging.cascade_cache import Answers
from pipeline.tagging.cause_spans import rests_on_context
from pipeline.tagging.cause_types import Earlier
from pipeline.tagging.encoder import SHIPPED, Floats, Reading
from pipeline.tagging.heads import FELT, Heads
from pipeline.tagging.lexicon import MAX_CHARACTERS, Span
from pipeline.tagging.lexicon_tagger import LANGUAGE, NEUTRAL, Key, LexiconTagger
from pipeline.tagging.masking import mask, without_blocks
from pipeline.tagging.model_folder import NAME, ModelFolder
from pipeline.tagging.negative import NEGATIVE
from pipeline.tagging.tagger import TextToTag

LEAST_SCORE = 0.01
"""Marks below are left out: they say nothing, and there would be forty a text."""

AT_ONCE = 20_000
"""Characters of texts that are read together: some 50 MB of their tokens' states."""

_LATIN = re.compile("[A-Za-z]")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_LONGEST = 20
"""Characters of a word on either side of what a tokenizer took for one."""

_SAY_NOTHING = """
a an the i you he she it we they me him her us them my your his its our their this that
these those is am are was were be been being has have had do does did of to in on at by
for from with and or but so as if than then there here will would can could i'm i'll
i've i'd you're it's that's we're they're
"""
_NO_SIGN = frozenset(_SAY_NOTHING.split())
_LEAST_LETTERS = 3
_TOLD_BY = 10
"""A text of an unknown language that is shorter may be a word of any."""

_NO_EVIDENCE = frozenset({NEUTRAL})
_AS_LOUD = 0.5
_MARKER = "marker"
_OUTRIGHT = 0.85
"""As sure of stress or anxiety is none of 23,274 chats; on Dreaddit 84 % are right."""
_MOST_WORDS = 6


class EncoderTagger:
    """Tags English and Spanish texts by what they mean as a whole; see `Tagger`.

    Texts in another language get no marks; those of unknown language are read as
    English. What reads Spanish is loaded with the first text that needs it.
    Of texts with hardly a letter of prose the lexicon alone is asked.

    Args:
        model: reads the texts, and finds what caused the emotions if it can.
        lexicon: judges what the model's heads do not.
    """

    def __init__(self, model: ModelFolder, lexicon: LexiconTagger) -> None:
        self._name, self._cascade, self._causes = model
        self._lexicon = lexicon
        self._suicidality = lexicon.suicidality
        self._answers = Answers()

    @classmethod
    def load(
        cls,
        *,
        suicidality: bool,
        tier: str,
        threads: int = 1,
        folder: Path | None = None,
    ) -> Self:
        """The tagger as shipped, or with English models of a user's.

        Products between the encoder's runs are small: BLAS' threads would wait for one
        another ten times as long as they work, so the whole process has one.

        Raises:
            ConfigError: `folder` cannot be used.
        """
        threadpool_limits(1, user_api="blas")
        model = ModelFolder.load(folder or SHIPPED, tier, threads)
        return cls(model, LexiconTagger.load(suicidality=suicidality))

    @property
    def name(self) -> str:
        """Name and version."""
        return self._name

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text; see `Tagger`."""
        known = {text: self._answers.get(text) for text in dict.fromkeys(texts)}
        unknown = [text for text, marks in known.items() if marks is None]
        for some in _portions(unknown):
            for text, marks in zip(some, self._judged(some), strict=True):
                known[text] = marks
                if not rests_on_context(marks):
                    self._answers.keep(text, marks)
        return [list(known[text] or ()) for text in texts]

    def _judged(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of some texts, those that the cascade reads all at once."""
        found = self._lexicon.tag(texts)
        judged = [_is_judged(text) for text in texts]
        english = [
            n
            for n, text in enumerate(texts)
            if judged[n] and text.language != spanish.LANGUAGE
        ]
        read = self._read([texts[n] for n in english], [found[n] for n in english])
        reads = dict(zip(english, read, strict=True))
        marks = []
        for n, text in enumerate(texts):
            if n in reads:
                marks.append(self._marks(text, found[n], reads[n]))
            elif judged[n]:
                marks.append(_in_spanish(text, suicidality=self._suicidality))
            else:
                marks.append(_unjudged(found[n]))
        return [_signed(each, self._name) for each in marks]

    def _read(
        self, texts: Sequence[TextToTag], found: Sequence[list[Mark]]
    ) -> list[Cascaded]:
        """What the cascade says of texts, in which it may not overlook all `found`."""
        placed = [(_said(text.text), text.platform) for text in texts]
        reads = self._cascade.read(placed)
        again = [
            n
            for n, (text, read) in enumerate(zip(texts, reads, strict=True))
            if read.step != WHOLE
            and _misses(self._cascade.heads(text.platform), read, found[n])
        ]
        wholly = self._cascade.read([placed[n] for n in again], wholly=True)
        for n, read in zip(again, wholly, strict=True):
            reads[n] = read
        return reads

    def _marks(self, text: TextToTag, found: list[Mark], read: Cascaded) -> list[Mark]:
        heads = self._cascade.heads(text.platform)
        known = set(heads.keys)
        others = [mark for mark in found if (mark.task, mark.label) not in known]
        alike = [mark for mark in found if (mark.task, mark.label) in known]
        phrases = {(mark.task, mark.label): mark.evidence for mark in found}
        own = _outright(_own(text.text, heads, read, phrases), alike)
        if text.language is None and len(text.text) < _TOLD_BY:
            own = _unjudged(own)
        if self._causes is None:
            return own + others
        earlier = partial(self._earlier, text.platform)
        return self._causes.find(text, own + others, read.reading, earlier)

    def _earlier(self, platform: str, text: str) -> Earlier:
        """An earlier text of the thread, as far as its tier reads it."""
        (read,) = self._cascade.read([(_said(text), platform)])
        keys = self._cascade.heads(platform).keys
        scores = zip(keys, read.scores.tolist(), strict=True)
        negative = (score for key, score in scores if key in NEGATIVE)
        return Earlier(max(negative, default=0.0), read.reading)


def _portions(texts: Sequence[TextToTag]) -> Iterator[list[TextToTag]]:
    """Texts in portions that take a bounded memory."""
    some: list[TextToTag] = []
    size = 0
    for text in texts:
        some.append(text)
        size += min(len(text.text), MAX_CHARACTERS)
        if size >= AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _own(
    text: str, heads: Heads, read: Cascaded, phrases: Mapping[Key, Span | None]
) -> list[Mark]:
    """What heads say of a text; their evidence is a phrase for the label, if any."""
    own = []
    for n, score in enumerate(read.scores.round(4).tolist()):
        task, label = heads.keys[n]
        if score < LEAST_SCORE or (task, label) == FELT:
            continue
        flagged = score >= heads.thresholds[n]
        evidence = phrases.get((task, label))
        if evidence is None and flagged and label not in _NO_EVIDENCE:
            evidence = loudest_words(text, read.reading(), heads.weight[n])
        own.append(
            Mark(
                task=task,
                label=label,
                score=score,
                flagged=bool(flagged),
                evidence=evidence,
                tagger=NAME,
            )
        )
    return own


def _misses(heads: Heads, read: Cascaded, found: list[Mark]) -> bool:
    """Whether a quick look overlooked what the lexicon is very sure of."""
    sure = [
        (mark.task, mark.label)
        for mark in found
        if mark.flagged and mark.score >= _OUTRIGHT
    ]
    if not sure:
        return False
    flagged = dict(zip(heads.keys, read.scores >= heads.thresholds, strict=True))
    return not all(flagged.get(key, True) for key in sure)


def _outright(own: list[Mark], found: list[Mark]) -> list[Mark]:
    """The marks of heads, but of markers that the lexicon is very sure of its own.

    A head weighs a message as a whole, and may miss what is said in so many words.
    """
    said = {
        (mark.task, mark.label): mark
        for mark in found
        if mark.task == _MARKER and mark.flagged and mark.score >= _OUTRIGHT
    }
    missed = {(mark.task, mark.label) for mark in own if not mark.flagged} & said.keys()
    unseen = said.keys() - {(mark.task, mark.label) for mark in own}
    kept = [mark for mark in own if (mark.task, mark.label) not in missed]
    return kept + [said[key] for key in sorted(missed | unseen)]


def _in_spanish(text: TextToTag, *, suicidality: bool) -> list[Mark]:
    """Emotions and markers; nobody labelled Spanish texts for anything else."""
    encoder = spanish.shipped_spanish()
    heads = encoder.heads(text.platform)
    read = encoder.read(_said(text.text), text.platform)
    markers = encoder.markers(text.text, suicidality=suicidality)
    return _own(text.text, heads, read, {}) + markers


def loudest_words(text: str, reading: Reading, weight: Floats) -> Span | None:
    """The words that add most to the logit of a head; None if there is no word.

    They are the word that adds most above the average, and those next to it as long
    as each adds at least half as much. A word that says nothing by itself, such as
    "has", is the loudest only where there is no other, and stands at neither end.
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
    falling = sorted(range(len(words)), key=words.__getitem__, reverse=True)
    telling = (n for n in falling if _tells(text, words[n][1]))
    loudest = next(telling, falling[0])
    enough = abs(words[loudest][0]) * _AS_LOUD
    first, last = (_reach(words, loudest, step, enough) for step in (-1, 1))
    while first < loudest and not _tells(text, words[first][1]):
        first += 1
    while last > loudest and not _tells(text, words[last][1]):
        last -= 1
    return (_whole(text, words[first][1])[0], _whole(text, words[last][1])[1])


def _whole(text: str, place: Span) -> Span:
    """The word that a tokenizer's word is in, which it may cut: "can't", "I'm"."""
    start, end = place
    for match in _WORD.finditer(text, max(0, start - _LONGEST), end + _LONGEST):
        if match.start() <= start < match.end():
            return (match.start(), max(end, match.end()))
    return place


def _tells(text: str, place: Span) -> bool:
    start, end = _whole(text, place)
    return text[start:end].lower() not in _NO_SIGN


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


def _said(text: str) -> str:
    """What its author said of what may be read of a text, each word at its place."""
    return without_blocks(text[:MAX_CHARACTERS])


def _is_judged(text: TextToTag) -> bool:
    """Whether there is English or Spanish prose to judge."""
    if text.language not in {None, LANGUAGE, spanish.LANGUAGE}:
        return False
    prose = mask(text.text[:MAX_CHARACTERS])
    latin = len(_LATIN.findall(prose))
    if prose.isascii():
        return latin >= _LEAST_LETTERS
    return latin >= max(_LEAST_LETTERS, sum(map(str.isalpha, prose)) / 2)


def _unjudged(found: list[Mark]) -> list[Mark]:
    """Of what can hardly be judged what was seen in it, an emoji perhaps.

    That there is nothing is no news.
    """
    return [mark for mark in found if mark.label != NEUTRAL]


def _signed(marks: list[Mark], name: str) -> list[Mark]:
    return [
        mark if mark.tagger == name else msgspec.structs.replace(mark, tagger=name)
        for mark in marks
    ]
