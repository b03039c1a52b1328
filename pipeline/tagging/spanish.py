"""Spanish texts as numbers: a small multilingual encoder and what spellings say.

A reading is an encoder's whose states have some more columns: of a text, what its
spelling says for each emotion; of a token, what the characters of its word add to that.
So heads, scales and evidence are those of English.
"""

from functools import cache
from pathlib import Path

import numpy as np

from pipeline.records import Mark
from pipeline.tagging.cascade import Cascaded
from pipeline.tagging.encoder import Encoder, Floats, Reading, Word
from pipeline.tagging.heads import Heads, load_heads
from pipeline.tagging.lexicon import Span
from pipeline.tagging.spanish_markers import SpanishMarkers
from pipeline.tagging.spanish_spellings import Spellings

LANGUAGE = "es"
SHIPPED = Path(__file__).parent / "models" / "spanish"
SPELLINGS = "spellings.weights"
"""Not .npz: that would be heads."""

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
        self._spellings = Spellings.load(folder / SPELLINGS)
        self._markers = SpanishMarkers(folder / MARKERS)

    def heads(self, platform: str) -> Heads:
        """Those that judge texts of a platform."""
        return load_heads(self._folder, platform)

    def read(self, text: str, platform: str) -> Cascaded:
        """What the heads say of `text`, all layers having read it."""
        reading = self.reading(text)
        scores = self.heads(platform).scores(reading.pooled)
        return Cascaded(scores, lambda: reading, "whole")

    def markers(self, text: str) -> list[Mark]:
        """What phrases name, as a lexicon tagger would say it."""
        return [
            Mark(
                task="marker",
                label=sign.label,
                score=sign.score,
                flagged=sign.score >= _FLAGGED,
                evidence=sign.evidence,
                tagger=_PHRASES,
            )
            for sign in self._markers.find(text)
        ]

    def reading(self, text: str) -> Reading:
        """What the encoder and the spelling make of `text`, or of its beginning."""
        reading = self._encoder.read(text)
        spelling = self._spellings.read(text)
        words = [word._replace(place=_bare(text, word.place)) for word in reading.words]
        added = np.zeros((len(reading.states), len(spelling.logits)), np.float32)
        for word in reading.words:
            added[word.first : word.end] = _share(word, spelling.by_character)
        return Reading(
            np.concatenate([reading.states, added * len(added)], axis=1),
            np.concatenate([reading.pooled, spelling.logits]),
            words,
        )


def _share(word: Word, by_character: Floats) -> Floats:
    """What each token of a word adds, all alike, were they all there is."""
    total: Floats = by_character[slice(*word.place)].sum(axis=0)
    return (total / (word.end - word.first)).astype(np.float32)


def _bare(text: str, place: Span) -> Span:
    """A word without the space before it and the signs around it, if it is a word."""
    start, end = place
    letters = [n for n in range(start, end) if text[n].isalnum()]
    return (letters[0], letters[-1] + 1) if letters else place


@cache
def shipped_spanish() -> SpanishEncoder:
    """The encoder of the package, loaded once in a process, when first needed."""
    return SpanishEncoder(SHIPPED, threads=1)
