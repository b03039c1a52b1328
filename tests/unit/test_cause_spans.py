import pytest

from pipeline.records import Mark
from pipeline.tagging.cause_spans import (
    CauseFinder,
    feelings_in,
    rests_on_context,
    telling,
)
from pipeline.tagging.cause_words import Prose
from pipeline.tagging.encoder import shipped_encoder
from pipeline.tagging.labels import load_labels
from pipeline.tagging.tagger import TextToTag

ANGER = ("basic-emotion", "anger")
COMPLAINT = "I hate this. The nightly build keeps breaking on our old runners."


def mark(
    key: tuple[str, str], score: float, evidence: tuple[int, int] | None = None
) -> Mark:
    return Mark(
        task=key[0],
        label=key[1],
        score=score,
        flagged=score >= 0.5,
        evidence=evidence,
        tagger="t-1",
    )


def find(
    text: str,
    *marks: Mark,
    context: tuple[str, ...] = (),
    hurts: float = 0.0,
) -> dict[tuple[str, str], Mark]:
    found = CauseFinder.load().find(
        TextToTag(text, "en", "github", context),
        marks,
        lambda: shipped_encoder(1).read(text),
        lambda _: hurts,
    )
    return {(one.task, one.label): one for one in found}


def test_every_label_it_gives_is_on_the_list() -> None:
    known = {label.key for label in load_labels()}
    assert find(COMPLAINT, mark(ANGER, 0.9)).keys() <= known


def test_the_span_lies_in_the_text_and_is_flagged() -> None:
    span = find(COMPLAINT, mark(ANGER, 0.9))["cause-span", "span"]
    assert span.flagged
    assert span.evidence is not None
    start, end = span.evidence
    assert 0 <= start < end <= len(COMPLAINT)


def test_a_span_is_less_likely_where_the_emotion_is() -> None:
    sure, unsure = (
        find(COMPLAINT, mark(ANGER, score))["cause-span", "span"]
        for score in (0.9, 0.3)
    )
    assert sure.evidence == unsure.evidence
    assert sure.score > 2 * unsure.score


def test_calm_texts_and_those_without_words_name_no_cause() -> None:
    assert find(COMPLAINT, mark(ANGER, 0.1)).keys() == {ANGER}
    assert find(COMPLAINT, mark(("fine-emotion", "neutral"), 0.9)).keys() == {
        ("fine-emotion", "neutral")
    }
    assert find("?! :(", mark(ANGER, 0.9)).keys() == {ANGER}
    assert find("") == {}


def test_a_cause_beside_the_span_becomes_likelier_and_another_not() -> None:
    near, far = ("cause", "build-or-ci"), ("cause", "documentation")
    text = "I hate that the build broke again! Everything else is written in the docs."
    build, docs = text.index("build"), text.index("docs")
    found = find(
        text,
        mark(ANGER, 0.9),
        mark(near, 0.4, (build, build + 5)),
        mark(far, 0.4, (docs, docs + 4)),
    )
    assert found[near].score > 0.6
    assert found[near].flagged
    assert found[far].score == 0.4


def test_a_message_that_says_what_hurts_needs_no_context() -> None:
    found = find(COMPLAINT, mark(ANGER, 0.9), context=("anything",), hurts=1.0)
    assert found["cause-type", "no-context"].flagged
    assert ("cause-type", "in-context") not in found


@pytest.mark.parametrize(("hurts", "where"), [(0.95, "in-context"), (0.05, "latent")])
def test_of_a_mere_outcry_the_cause_lies_before_it_or_nowhere(
    hurts: float, where: str
) -> None:
    text = "I am so angry!"
    anger = mark(ANGER, 0.9, (text.index("angry"), len(text) - 1))
    context = ("The nightly build broke again.",)
    types = {
        label: one
        for (task, label), one in find(
            text, anger, context=context, hurts=hurts
        ).items()
        if task == "cause-type"
    }
    assert [label for label, one in types.items() if one.flagged] == [where]
    assert sum(one.score for one in types.values()) == pytest.approx(0.9, abs=0.001)
    assert types[where].evidence is None


def test_joy_has_a_span_and_no_place_of_its_cause() -> None:
    found = find("Great, the build is green!", mark(("basic-emotion", "joy"), 0.9))
    assert ("cause-span", "span") in found
    assert "cause-type" not in {task for task, _ in found}


def test_the_words_of_the_emotion_itself_tell_nothing() -> None:
    text = "So incredibly annoying"
    prose = Prose.read(text, len(text))
    assert telling(prose, (0, len(text)), []) > telling(
        prose, (0, len(text)), [(3, len(text))]
    )
    feelings = feelings_in([mark(("fine-emotion", "annoyance"), 0.8, (14, 22))])
    assert feelings == (0.8, 0.8, [(14, 22)])


def test_marks_rest_on_the_thread_only_where_the_message_tells_little() -> None:
    told = find(COMPLAINT, mark(ANGER, 0.9))
    cried = find("I am so angry!", mark(ANGER, 0.9, (5, 13)))
    assert not rests_on_context(list(told.values()))
    assert rests_on_context(list(cried.values()))
    assert not rests_on_context([mark(ANGER, 0.9)])
