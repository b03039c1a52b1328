import pytest

from pipeline.config import TaggingSettings
from pipeline.records import Mark
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger(TaggingSettings(tagger="lexicon"), suicidality=False)


def marks(tagger: Tagger, text: str, language: str | None = "en") -> list[Mark]:
    return tagger.tag([TextToTag(text, language, "slack", ())])[0]


def flagged(tagger: Tagger, text: str, task: str) -> set[str]:
    return {m.label for m in marks(tagger, text) if m.task == task and m.flagged}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I hate this stupid API", "anger"),
        ("wtf, this is driving me crazy", "anger"),
        ("eww, that is disgusting", "disgust"),
        ("I'm really worried about this, it is scary", "fear"),
        ("Yay, so happy it works! :)", "joy"),
        ("Thank you so much, great work", "love"),
        ("Thx, you are awesome", "love"),
        ("So sorry, sadly I missed that :(", "sadness"),
        ("Wow, I'm really confused. What do you mean?", "surprise"),
    ],
)
def test_what_developers_say_is_felt(tagger: Tagger, text: str, label: str) -> None:
    assert label in flagged(tagger, text, "basic-emotion")


@pytest.mark.parametrize(
    "text",
    [
        "kill the process, then run it again",
        "a fatal error: the child died with signal 9",
        "the happy path is covered by tests",
        "kernel panic at boot",
        "garbage collection takes 3 ms",
        "the list of outstanding issues",
        "No, you can't. Use the other flag.",
        "is there a way to list the running containers?",
        "abort the transaction when the deadlock is detected",
        "the fear_level column of `table_of_hate`",
        "see https://example.org/i-hate-this",
    ],
)
def test_technical_talk_is_no_emotion(tagger: Tagger, text: str) -> None:
    assert flagged(tagger, text, "basic-emotion") == set()


@pytest.mark.parametrize(
    "text",
    ["I am not happy", "it isn't scary", "no longer worried", "I never hated it"],
)
def test_what_is_denied_is_not_felt(tagger: Tagger, text: str) -> None:
    assert not flagged(tagger, text, "basic-emotion") & {"joy", "fear", "anger"}


def test_frustration_is_told_from_anger(tagger: Tagger) -> None:
    text = "I spent hours on this and still can't get it to work, so frustrating"
    assert "frustration" in flagged(tagger, text, "fine-emotion")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("the tests keep failing", "failing-test"),
        ("why is the build broken again", "build-or-ci"),
        ("dependency hell, I hate it", "version-or-dependency"),
        ("still waiting for a review, this is annoying", "review-delay"),
        ("another merge conflict, ugh", "merge-conflict"),
        ("it used to work before the last release", "breaking-change"),
        ("the docs are outdated", "documentation"),
        ("this is so slow", "performance"),
        ("I hate these drivers", "environment"),
        ("there is a nasty bug in it", "bug"),
        ("I'm so confused, what am I supposed to do", "unclear-requirement"),
        ("no need to be so rude", "tone"),
        ("too much work and tight deadlines", "workload"),
        ("I hate your new pricing", "other"),
    ],
)
def test_each_cause_is_found_where_it_hurts(
    tagger: Tagger, text: str, cause: str
) -> None:
    assert cause in flagged(tagger, text, "cause")


@pytest.mark.parametrize(
    "text",
    [
        "I merged the pull request",
        "run the tests, then deploy",
        "the docs are in the wiki. Thanks!",
        "which version of the driver do you use?",
    ],
)
def test_a_cause_that_hurts_nobody_is_not_flagged(tagger: Tagger, text: str) -> None:
    assert flagged(tagger, text, "cause") == set()


def test_a_cause_is_likelier_in_the_sentence_that_hurts(tagger: Tagger) -> None:
    def likelihood(text: str) -> float:
        found = marks(tagger, text)
        return max(m.score for m in found if m.label == "documentation")

    calm = likelihood("Look at the docs.")
    elsewhere = likelihood("Look at the docs. I hate it.")
    near = likelihood("Look, I hate the docs.")
    trouble = likelihood("The docs are in the wrong place.")
    assert calm < elsewhere < near
    assert calm < trouble


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("I'm so stressed out by all this", "stress"),
        ("I had a panic attack yesterday", "anxiety"),
        ("I'm completely burnt out", "burnout"),
        ("I can't sleep and was up all night", "sleep"),
        ("I feel so alone, I have no friends", "loneliness"),
        ("I feel empty and can't stop crying", "depressed-mood"),
        ("I don't enjoy anything anymore", "anhedonia"),
        ("I have lost my appetite", "appetite-change"),
        ("I have had insomnia for weeks", "sleep-disturbance"),
        ("I can't sit still", "psychomotor-change"),
        ("I'm so tired all the time", "fatigue"),
        ("I feel worthless, such a failure", "worthlessness"),
        ("I can't concentrate on anything", "poor-concentration"),
    ],
)
def test_each_marker_is_found(tagger: Tagger, text: str, marker: str) -> None:
    assert marker in flagged(tagger, text, "marker")


@pytest.mark.parametrize(
    "text",
    [
        "the thread sleeps for 5 seconds, put the laptop to sleep",
        "run a stress test in an isolated environment",
        "weight decay and loss function",
        "the server can't handle this, what should I do?",
        "burn the iso to a CD",
    ],
)
def test_machines_have_no_symptoms(tagger: Tagger, text: str) -> None:
    assert flagged(tagger, text, "marker") == set()


def test_suicidality_is_not_tagged_unless_asked_for(tagger: Tagger) -> None:
    asked = load_tagger(TaggingSettings(tagger="lexicon"), suicidality=True)
    text = "I want to die"
    assert "suicidality" in flagged(asked, text, "marker")
    assert "suicidality" not in {mark.label for mark in marks(tagger, text)}


def test_a_message_that_says_nothing_of_feelings_is_neutral(tagger: Tagger) -> None:
    assert "neutral" in flagged(tagger, "the file is in the folder", "fine-emotion")
    assert "neutral" not in flagged(tagger, "thank you so much!", "fine-emotion")


@pytest.mark.parametrize("text", ["", "   ", "42 % 7", "?!", "```\nI hate it\n```"])
def test_where_nobody_says_anything_there_are_no_marks(
    tagger: Tagger, text: str
) -> None:
    assert marks(tagger, text) == []


def test_emoji_speak_for_themselves(tagger: Tagger) -> None:
    assert "anger" in flagged(tagger, "😡😡😡", "basic-emotion")


@pytest.mark.parametrize("language", ["es", "de", "zh"])
def test_only_english_is_read(tagger: Tagger, language: str) -> None:
    assert marks(tagger, "I hate this", language) == []


def test_unknown_language_is_read_as_english(tagger: Tagger) -> None:
    assert marks(tagger, "I hate this", None) == marks(tagger, "I hate this")


def test_evidence_is_the_phrase_that_speaks_loudest(tagger: Tagger) -> None:
    text = "Hm, ugly, and I really hate it"
    anger = next(
        m
        for m in marks(tagger, text)
        if (m.task, m.label) == ("basic-emotion", "anger")
    )
    assert anger.evidence
    start, end = anger.evidence
    assert text[start:end] == "I really hate"
