"""Spanish texts as numbers: a small multilingual encoder and what spellings say.

A reading is an encoder's whose states have some more columns: of a text, what its
spelling says for each emotion and for any emotion at all; of a token, what the
characters of its word add to that. So heads, scales and evidence are those of English.

The heads of the emotions come from comments that nearly all show one: what they say is
how likely an emotion is if there is any. The head of `neutral` says whether there is.
"""

from functools import cache
from pathlib import Path

import numpy as np

from pipeline.records import Mark
from pipeline.tagging.cascade import Cascaded
from pipeline.tagging.encoder import Encoder, Floats, Reading, Word
from pipeline.tagging.heads import Doubles, Heads, load_heads
from pipeline.tagging.lexicon import Span
from pipeline.tagging.lexicon_tagger import NEUTRAL
from pipeline.tagging.spanish_denied import undenied
from pipeline.tagging.spanish_markers import SpanishMarkers
from pipeline.tagging.spanish_spellings import Spellings

LANGUAGE = "es"
SHIPPED = Path(__file__).parent / "models" / "spanish"
SPELLINGS, CALM_SPELLINGS = "spellings.weights", "calm.weights"
"""Not .npz: that would be heads."""

CALM = ("fine-emotion", NEUTRAL)

MARKERS = "markers.tsv"
_PHRASES, _FLAGGED = "spanish-phrases-1", 0.5


class SpanishEncoder:
    """Reads and judges texts as `Cascade` does, in one step. Threads may share it.

    Args:
        folder: holds an encoder's files, heads and the spellings'.
        threads: of one text's computation.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._encoder = Encoder(folder, threads)
        names = (SPELLINGS, CALM_SPELLINGS)
        self._spellings = [Spellings.load(folder / name) for name in names]
        self._markers = SpanishMarkers(folder / MARKERS)

    def heads(self, platform: str) -> Heads:
        """Those that judge texts of a platform."""
        return load_heads(self._folder, platform)

    def read(self, text: str, platform: str) -> Cascaded:
        """What the heads say of `text`, all layers having read it."""
        reading, heads = self.reading(text), self.heads(platform)
        scores = felt(heads.keys, heads.scores(reading.pooled))
        return Cascaded(scores, lambda: reading, "whole")

    def markers(self, text: str, *, suicidality: bool = False) -> list[Mark]:
        """What phrases name, as a lexicon tagger would say it; see `SpanishMarkers`."""
        return [
            Mark(
                task="marker",
                label=sign.label,
                score=sign.score,
                flagged=sign.score >= _FLAGGED,
                evidence=sign.evidence,
                tagger=_PHRASES,
            )
            for sign in self._markers.find(text, suicidality=suicidality)
        ]

    def reading(self, text: str) -> Reading:
        """What the encoder and the spelling make of `text`, or of its beginning."""
        shown = undenied(text)
        reading = self._encoder.read(shown)
        said = [spellings.read(shown) for spellings in self._spellings]
        logits = np.concatenate([spelling.logits for spelling in said])
        by_character = np.hstack([spelling.by_character for spelling in said])
        added = np.zeros((len(reading.states), len(logits)), np.float32)
        for word in reading.words:
            added[word.first : word.end] = _share(word, by_character)
        return Reading(
            np.concatenate([reading.states, added * len(added)], axis=1),
            np.concatenate([reading.pooled, logits]),
            [
                word._replace(place=_bare(shown, word.place))
                for word in reading.words
                if any(map(str.isalnum, shown[slice(*word.place)]))
            ],
        )


def felt(keys: list[tuple[str, str]], scores: Doubles) -> Doubles:
    """How likely each emotion is, given how likely it is if there is any, and neutral.

    Args:
        keys: task and label of each score.
        scores: what the heads say.
    """
    calm = keys.index(CALM)
    likely: Doubles = scores * (1 - scores[calm])
    likely[calm] = scores[calm]
    return likely


def _share(word: Word, by_character: Floats) -> Floats:
    """What each token of a word adds, all alike, were they all there is."""
    total: Floats = by_character[slice(*word.place)].sum(axis=0)
    return (total / (word.end - word.first)).astype(np.float32)


def _bare(text: str, place: Span) -> Span:
    """A word without the space before it and the signs around it."""
    letters = [n for n in range(*place) if text[n].isalnum()]
    return (letters[0], letters[-1] + 1)


@cache
def shipped_spanish() -> SpanishEncoder:
    """The encoder of the package, loaded once in a process, when first needed."""
    return SpanishEncoder(SHIPPED, threads=1)
