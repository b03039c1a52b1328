from functools import partial

import pytest

from pipeline.records import Mark
from pipeline.tagging.cause_spans import (
    CauseFinder,
    feelings_in,
    rests_on_context,
    telling,
)
from pipeline.tagging.cause_types import Earlier
from pipeline.tagging.cause_words import Prose
from pipeline.tagging.encoder import SHIPPED, Reading, shipped_encoder
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


class Thread:
    """Earlier texts, as painful as they are said to be; notes which are read."""

    def __init__(self, hurting: dict[str, float]) -> None:
        self._hurting = hurting
        self.judged: list[str] = []
        self.read: list[str] = []

    def __call__(self, text: str) -> Earlier:
        self.judged.append(text)
        return Earlier(self._hurting[text], partial(self._reading, text))

    def _reading(self, text: str) -> Reading:
        self.read.append(text)
        return shipped_encoder(1).read(text)


def find(
    text: str,
    *marks: Mark,
    context: tuple[str, ...] = (),
    hurts: float = 0.0,
    earlier: Thread | None = None,
) -> dict[tuple[str, str], Mark]:
    finder = CauseFinder.load(SHIPPED)
    assert finder
    found = finder.find(
        TextToTag(text, "en", "github", context),
        marks,
        lambda: shipped_encoder(1).read(text),
        earlier or Thread(dict.fromkeys(context, hurts)),
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
    assert types["latent"].evidence is None


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


CRY = "I am so angry!"
ANGRY = mark(ANGER, 0.9, (5, 13))
CALM = "We meet at ten."
PAINFUL = "The CI job for arm64 fails again with out-of-memory, I hate it."
IN_CONTEXT, NO_CONTEXT = ("cause-type", "in-context"), ("cause-type", "no-context")


def test_the_words_that_name_the_cause_are_found_in_the_text_that_hurts_most() -> None:
    context = (CALM, "  ", PAINFUL, "Nope, it is not.")
    thread = Thread(dict(zip(context, (0.01, 1.0, 0.95, 0.5), strict=True)))
    where = find(CRY, ANGRY, context=context, earlier=thread)[IN_CONTEXT]
    assert where.flagged
    assert where.context == 2
    assert where.evidence is not None
    assert "CI job for arm64 fails" in PAINFUL[slice(*where.evidence)]


def test_earlier_texts_are_read_once_and_only_for_an_outcry() -> None:
    context = (PAINFUL, CALM, PAINFUL)
    thread = Thread({PAINFUL: 0.95, CALM: 0.01})
    found = find(CRY, ANGRY, context=context, earlier=thread)
    assert found[IN_CONTEXT].context == 2
    assert sorted(thread.judged) == sorted({PAINFUL, CALM})
    assert thread.read == [PAINFUL]

    unasked = Thread({})
    assert find(COMPLAINT, mark(ANGER, 0.9), context=context, earlier=unasked)
    assert unasked.judged == []


def test_only_the_mark_of_the_thread_points_into_it() -> None:
    found = find(CRY, ANGRY, context=(PAINFUL,), earlier=Thread({PAINFUL: 0.95}))
    assert {key for key, one in found.items() if one.context is not None} == {
        IN_CONTEXT
    }


@pytest.mark.parametrize("text", ["wtf", "?!"])
def test_an_earlier_outcry_names_no_cause_either(text: str) -> None:
    where = find(CRY, ANGRY, context=(text,), earlier=Thread({text: 0.95}))[IN_CONTEXT]
    assert where.flagged
    assert (where.evidence, where.context) == (None, None)


def test_a_calm_thread_is_not_searched() -> None:
    thread = Thread({CALM: 0.3})
    where = find(CRY, ANGRY, context=(CALM,), earlier=thread)[IN_CONTEXT]
    assert (where.flagged, where.evidence, thread.read) == (False, None, [])


@pytest.mark.parametrize(
    ("text", "cause", "feeling"),
    [
        (
            "Why do the tests keep failing? So frustrating",
            "tests keep failing",
            "tests keep failing? So frustrating",
        ),
        (
            "Could not resolve dependency. This dependency hell is driving me crazy.",
            "dependency hell",
            "dependency hell is driving me crazy",
        ),
    ],
)
def test_a_cause_that_the_lexicon_is_sure_of_lies_in_the_message(
    text: str, cause: str, feeling: str
) -> None:
    at, feels = text.index(cause), text.index(feeling)
    found = find(
        text,
        mark(ANGER, 0.9, (feels, feels + len(feeling))),
        mark(("cause", "failing-test"), 0.97, (at, at + len(cause))),
        context=(PAINFUL,),
        hurts=0.95,
    )
    assert found[NO_CONTEXT].score > 0.85
    assert found[NO_CONTEXT].flagged
    assert found[NO_CONTEXT].evidence == found["cause-span", "span"].evidence


def test_a_cause_far_from_the_span_is_what_the_message_has_to_say_of_it() -> None:
    text = "The docs are wrong, sure. I am so incredibly angry!"
    found = find(
        text,
        mark(ANGER, 0.9, (0, len(text))),
        mark(("cause", "documentation"), 0.97, (0, 18)),
    )
    span = found["cause-span", "span"].evidence
    assert span is not None
    assert span[0] > len("The docs are wrong")
    assert found[NO_CONTEXT].evidence == (0, 18)


@pytest.mark.parametrize(
    "text",
    ["lol", "wtf", "thx", "hahahaha", "Nope.", "ok thanks", CRY, "thank you so much!"],
)
def test_a_mere_outcry_is_no_cause(text: str) -> None:
    span = find(text, mark(("fine-emotion", "amusement"), 1.0))["cause-span", "span"]
    assert not span.flagged
    assert span.score <= 0.2


def test_a_single_word_that_the_lexicon_knows_for_a_cause_is_one() -> None:
    text = "Flaky!"
    anger = mark(ANGER, 1.0)
    flaky = mark(("cause", "failing-test"), 0.9, (0, 5))
    unknown, known = (
        find(text, *marks)["cause-span", "span"] for marks in ([anger], [anger, flaky])
    )
    assert known.score == pytest.approx(5 * unknown.score, abs=0.001)


@pytest.mark.parametrize("first", ["Thanks. ", "Argh!! "])
def test_an_outcry_gives_way_to_what_is_said_beside_it(first: str) -> None:
    text = f"{first}The nightly build keeps breaking."
    span = find(text, mark(ANGER, 0.9))["cause-span", "span"]
    assert span.evidence is not None
    assert "build" in text[slice(*span.evidence)]


@pytest.mark.parametrize(
    "text",
    [
        "Sorry, my bad, I pushed the wrong branch",
        "I can't focus since the layoffs",
        "haven't slept in 3 days because of the outage",
        "I am so tired, haven't slept in 3 days because of the outage",
    ],
)
def test_a_span_does_not_lose_the_cause_at_its_end(text: str) -> None:
    span = find(text, mark(("basic-emotion", "sadness"), 0.9))["cause-span", "span"]
    assert span.evidence is not None
    last = text.rsplit(maxsplit=1)[-1]
    assert text[slice(*span.evidence)].endswith(last)
