"""Evidence of taggers whose reasons are known."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from pipeline.evaluation.faithfulness import EvidenceFigure, Pointed, pointed, probe
from pipeline.records import Mark
from pipeline.tagging.tagger import TextToTag

FILLER = "we moved the old queue to a new host on monday and then"
KEY = ("basic-emotion", "anger")


class WordTagger:
    """Scores one word, and points where it is told to."""

    name = "word-1"

    def __init__(self, points_at: Callable[[str], tuple[int, int]]) -> None:
        self._points_at = points_at

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        return [self._marks(text.text) for text in texts]

    def _marks(self, text: str) -> list[Mark]:
        if not text.strip():
            return []
        return [
            Mark(
                task=KEY[0],
                label=KEY[1],
                score=0.8 if "hate" in text else 0.2,
                flagged="hate" in text,
                evidence=self._points_at(text) if "hate" in text else None,
                tagger=self.name,
            )
        ]


def honest(text: str) -> tuple[int, int]:
    start = text.index("hate")
    return (start, start + len("hate"))


def first_word(text: str) -> tuple[int, int]:
    return (0, len(text.split(maxsplit=1)[0]))


def texts(count: int) -> list[TextToTag]:
    return [TextToTag(f"{FILLER} I hate {n}", "en", "", ()) for n in range(count)]


def found_with(
    points_at: Callable[[str], tuple[int, int]],
) -> dict[str, EvidenceFigure]:
    tagger = WordTagger(points_at)
    figures = probe("words", tagger, pointed(tagger, texts(40)))
    return {figure.test: figure for figure in figures}


def test_evidence_that_a_score_rests_on_is_better_than_chance() -> None:
    found = found_with(honest)
    assert found["comprehensiveness"].evidence == pytest.approx(0.75)
    assert found["sufficiency"].evidence == pytest.approx(1.0)
    assert found["comprehensiveness"].low > 0.4
    assert found["sufficiency"].low > 0.4
    assert (found["sufficiency"].texts, found["sufficiency"].marks) == (40, 40)


def test_evidence_that_means_nothing_is_no_better_than_chance() -> None:
    found = found_with(first_word)
    assert found["comprehensiveness"].evidence == 0.0
    assert found["sufficiency"].evidence == pytest.approx(0.25)
    assert found["comprehensiveness"].difference <= 0.0


class ThreadTagger(WordTagger):
    """Points into the thread, not into the text."""

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        return [
            [msgspec.structs.replace(mark, context=0) for mark in marks]
            for marks in super().tag(texts)
        ]


def test_evidence_in_an_earlier_text_is_not_looked_for_in_this_one() -> None:
    assert pointed(WordTagger(honest), texts(3)) != []
    assert pointed(ThreadTagger(honest), texts(3)) == []


def test_the_same_texts_give_the_same_figures() -> None:
    assert found_with(honest) == found_with(honest)


def test_evidence_that_is_most_of_a_text_is_left_out() -> None:
    tagger = WordTagger(honest)
    short = [TextToTag("hate", "en", "", ())]
    assert pointed(tagger, short) == []
    assert probe("none", tagger, []) == []


def test_of_many_texts_some_are_drawn() -> None:
    tagger = WordTagger(honest)
    found = pointed(tagger, texts(30), most=7)
    assert len({mark.text for mark in found}) == 7


def test_another_tagger_may_judge_the_evidence() -> None:
    marks = [Pointed(text, KEY, first_word(text.text)) for text in texts(5)]
    judge = WordTagger(honest)
    figures = {one.test: one for one in probe("other", judge, marks)}
    assert figures["comprehensiveness"].evidence == 0.0


def test_what_the_judge_gives_no_mark_is_left_out() -> None:
    marks = [Pointed(texts(1)[0], ("basic-emotion", "joy"), (0, 2))]
    assert probe("none", WordTagger(honest), marks) == []
