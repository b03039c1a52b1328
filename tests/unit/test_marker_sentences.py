"""Sentences of and for developers: which markers the phrases see in them.

marker_sentences.tsv: those of an audit, those by which phrases and lists were mended,
those kept back meanwhile, and those written later. All are one author's.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.tagging.lexicon_tagger import LexiconTagger
from pipeline.tagging.spanish import MARKERS, SHIPPED
from pipeline.tagging.spanish_markers import SpanishMarkers
from pipeline.tagging.tagger import TextToTag

Flagged = Callable[[str, str], set[str]]


class Sentence(NamedTuple):
    part: str
    language: str
    label: str
    text: str


LINES = (Path(__file__).parent / "marker_sentences.tsv").read_text(encoding="utf-8")
SENTENCES = [Sentence(*line.split("\t")) for line in LINES.splitlines()[1:]]
KNOWN = [one for one in SENTENCES if one.part in {"audit", "mended"}]
STILL_WRONG = {
    "A pointless cast, everything is pointless about this template",
}


@pytest.fixture(scope="module")
def flagged() -> Flagged:
    english = LexiconTagger.load(suicidality=True)
    spanish = SpanishMarkers(SHIPPED / MARKERS)

    def labels(text: str, language: str) -> set[str]:
        if language == "es":
            signs = spanish.find(text, suicidality=True)
            return {sign.label for sign in signs if sign.score >= 0.5}
        (marks,) = english.tag([TextToTag(text, language, "github", ())])
        return {mark.label for mark in marks if mark.task == "marker" and mark.flagged}

    return labels


@pytest.mark.parametrize("one", KNOWN, ids=lambda one: one.text)
def test_what_was_mended_stays_so(flagged: Flagged, one: Sentence) -> None:
    found = flagged(one.text, one.language)
    if one.label == "-":
        assert (found != set()) == (one.text in STILL_WRONG)
    else:
        assert one.label in found


@pytest.mark.parametrize(
    ("part", "language", "most"),
    [
        ("kept back", "en", 0.17),
        ("kept back", "es", 0.05),
        ("later", "en", 0.18),
        ("later", "es", 0.08),
    ],
)
def test_few_other_machines_are_marked(
    flagged: Flagged, part: str, language: str, most: float
) -> None:
    wrong = [
        bool(flagged(one.text, language))
        for one in _of(part, language)
        if one.label == "-"
    ]
    assert sum(wrong) / len(wrong) <= most


@pytest.mark.parametrize(
    ("part", "language", "least"),
    [
        ("kept back", "en", 0.95),
        ("kept back", "es", 0.95),
        ("later", "en", 0.85),
        ("later", "es", 0.88),
    ],
)
def test_most_other_confessions_are(
    flagged: Flagged, part: str, language: str, least: float
) -> None:
    right = [
        one.label in flagged(one.text, language)
        for one in _of(part, language)
        if one.label != "-"
    ]
    assert sum(right) / len(right) >= least


def _of(part: str, language: str) -> list[Sentence]:
    return [one for one in SENTENCES if (one.part, one.language) == (part, language)]
