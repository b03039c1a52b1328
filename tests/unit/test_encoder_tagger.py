from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from pipeline.config import TaggingSettings, Tier
from pipeline.records import Mark
from pipeline.tagging.encoder import (
    MAX_WINDOWS,
    SHIPPED,
    WINDOW,
    Reading,
    Word,
    shipped_encoder,
)
from pipeline.tagging.encoder_tagger import EncoderTagger, loudest_words
from pipeline.tagging.heads import ANY, FELT, load_heads
from pipeline.tagging.labels import load_labels
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag

MEGABYTES = 10**6
HEAD = np.ones(1, dtype=np.float32)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger(TaggingSettings(tier="full"), suicidality=False)


def marks(
    tagger: Tagger, text: str, language: str | None = "en", platform: str = "github"
) -> list[Mark]:
    return tagger.tag([TextToTag(text, language, platform, ())])[0]


def flagged(tagger: Tagger, text: str, platform: str = "github") -> set[str]:
    return {m.label for m in marks(tagger, text, platform=platform) if m.flagged}


def said_of(text: str) -> Reading:
    return shipped_encoder(1).read(text)


def test_it_sees_what_no_word_says_alone(tagger: Tagger) -> None:
    assert "anger" in flagged(tagger, "Who on earth thought this was a good idea?")
    assert {"gratitude", "love"} <= flagged(tagger, "Thank you so much, works great!")
    assert "neutral" in flagged(tagger, "The file is in the second folder.")


def test_what_no_head_judges_is_the_lexicons(tagger: Tagger) -> None:
    text = "I can't sleep. Tests keep failing and I hate it"
    theirs = load_tagger(TaggingSettings(tagger="lexicon"), suicidality=False)
    judged = {*load_heads(SHIPPED, "github").keys}
    expected = {
        (m.label, m.score, m.evidence)
        for m in marks(theirs, text)
        if (m.task, m.label) not in judged and not m.task.startswith("cause")
    }
    found = {(m.label, m.score, m.evidence) for m in marks(tagger, text)}
    assert expected <= found
    assert {mark.tagger for mark in marks(tagger, text)} == {tagger.name}


def test_every_flagged_emotion_points_at_words(tagger: Tagger) -> None:
    text = "The logs are in /tmp. Who on earth thought this was a good idea?"
    (anger,) = [
        m
        for m in marks(tagger, text)
        if (m.task, m.label) == ("basic-emotion", "anger")
    ]
    assert anger.flagged
    assert anger.evidence is not None
    start, end = anger.evidence
    assert start >= text.index("Who")
    assert text[start:end] == text[start:end].strip()


def test_stress_is_rarer_where_nobody_expects_it(tagger: Tagger) -> None:
    text = "I am so overwhelmed, I can't cope with all this any more"

    def score(platform: str) -> float:
        found = marks(tagger, text, platform=platform)
        return next(mark.score for mark in found if mark.label == "stress")

    assert score("irc") < score("reddit")


@pytest.mark.parametrize("text", ["", "?!", "`raise`", "😡", "42"])
def test_what_holds_no_prose_is_not_judged(tagger: Tagger, text: str) -> None:
    own = [mark for mark in marks(tagger, text) if mark.label == "stress"]
    assert own == []
    assert "neutral" not in flagged(tagger, text)


def test_other_languages_get_no_marks_and_unknown_is_read_as_english(
    tagger: Tagger,
) -> None:
    assert marks(tagger, "Ich hasse das von ganzem Herzen", "de") == []
    assert marks(tagger, "I hate this", None) == marks(tagger, "I hate this")


@pytest.mark.parametrize("text", ["mierda", "danke", "gracias", "merci!"])
def test_a_word_of_an_unknown_language_is_not_called_neutral(
    tagger: Tagger, text: str
) -> None:
    assert "neutral" not in {m.label for m in marks(tagger, text, None) if m.flagged}
    known = marks(tagger, "In folder two.", None)
    assert "neutral" in {m.label for m in known if m.flagged}


def test_only_known_labels_have_heads() -> None:
    known = {label.key for label in load_labels()} | {FELT}
    for platform in (ANY, "github", "stackexchange", "reddit", "twitter"):
        assert known.issuperset(load_heads(SHIPPED, platform).keys)


def shown(found: list[Mark]) -> set[str]:
    return {mark.task for mark in found if mark.flagged}


CALM = (
    "Closing this in favour of the other one.",
    "The function returns null when the list is empty.",
    "We use the second port for the metrics.",
    "The docs were moved to another folder.",
    "This flag is off by default.",
    "Version 4.2 is out, see the release notes.",
    "The second parameter is the name of the queue.",
    "Added a section on backups to the manual.",
    "The job writes its output to the shared folder.",
    "This is the same as in the previous release.",
    "The meeting is at ten.",
    "It compiles with both compilers.",
    "You can change the port in the settings.",
    "The list is sorted by date.",
    "I moved the constants to the top of the file.",
    "The tests run on every push.",
)
MOST_OF_CALM = 0.25
"""Without the head that says whether anything is felt, it is .94 on Twitter."""


@pytest.mark.parametrize("platform", ["github", "twitter", "mastodon", "reddit", "irc"])
@pytest.mark.parametrize("tier", get_args(Tier))
def test_hardly_anything_is_felt_in_calm_notes(tier: Tier, platform: str) -> None:
    reader = load_tagger(TaggingSettings(tier=tier), suicidality=False)
    answers = reader.tag([TextToTag(text, "en", platform, ()) for text in CALM])
    assert FELT[0] not in {mark.task for found in answers for mark in found}
    wrong = [found for found in answers if "basic-emotion" in shown(found)]
    assert len(wrong) <= MOST_OF_CALM * len(CALM)


@pytest.mark.parametrize("platform", ["github", "twitter", "reddit", "irc"])
def test_what_is_felt_is_found_everywhere(tagger: Tagger, platform: str) -> None:
    for label, text in {
        "anger": "I hate this. Who on earth breaks the build and goes home?!",
        "joy": "Yes!! It finally works, I am so happy!",
        "fear": "I am terrified that we lose all the data of our users.",
        "sadness": "So sad to see this project die, it breaks my heart.",
    }.items():
        found = marks(tagger, text, platform=platform)
        assert label in {
            m.label for m in found if m.task == "basic-emotion" and m.flagged
        }


def test_an_emotion_is_as_likely_as_that_there_is_any() -> None:
    heads = load_heads(SHIPPED, "twitter")
    felt, joy = heads.keys.index(FELT), heads.keys.index(("basic-emotion", "joy"))
    fine = heads.keys.index(("fine-emotion", "joy"))
    logits = np.full(len(heads.keys), 1.0)
    alike = 1 / (1 + np.exp(-1.0))
    for said in (-30.0, 0.0, 30.0):
        logits[felt] = said
        likely = heads.likely(logits)
        assert likely[joy] == pytest.approx(alike / (1 + np.exp(-said)))
        assert likely[fine] == pytest.approx(alike)


def test_platforms_of_one_kind_share_their_scales() -> None:
    gitlab, github, irc = (
        load_heads(SHIPPED, platform).slopes.tolist()
        for platform in ("gitlab", "github", "irc")
    )
    assert gitlab == github != irc


def test_a_text_is_the_mean_of_its_tokens_and_their_frame() -> None:
    reading = said_of("Why is this so slow?")
    assert len(reading.states) == reading.words[-1].end
    inner, outer = reading.states.mean(axis=0), reading.pooled
    said = shipped_encoder(1).words.labels
    assert np.corrcoef(inner[:-said], outer[:-said])[0, 1] > 0.9


def test_a_few_layers_read_the_same_words() -> None:
    encoder = shipped_encoder(1)
    begun = encoder.begin(["Why is this so slow?"])
    few, whole = (part(begun)[0].reading for part in (encoder.skim, encoder.finish))
    assert few.words == whole.words
    assert len(few.states) == len(whole.states)
    width = few.states.shape[1]
    assert np.abs(few.states - whole.states[:, :width]).max() > 0.1


def test_a_text_is_the_same_alone_and_in_company() -> None:
    encoder = shipped_encoder(1)
    texts = ["Why is this so slow?", "", "What a lovely day!", "word " * 500, "Thanks"]
    together = encoder.finish(encoder.begin(texts * 20))
    for number, text in enumerate(texts):
        alone = encoder.read(text)
        for read in together[number :: len(texts)]:
            assert np.array_equal(read.pooled, alone.pooled)
            assert np.array_equal(read.reading.states, alone.states)


def test_places_of_words_are_those_of_the_text() -> None:
    text = "İ😡 Thanks \ud800 ﬁne"
    words = [text[slice(*word.place)] for word in said_of(text).words]
    assert {"Thanks", "ﬁne"} <= set(words)


def test_long_texts_are_read_in_windows_up_to_a_bound() -> None:
    once = said_of("word " * 150)
    twice = said_of("word " * 300)
    assert (len(once.states), len(twice.states)) == (150, 300)
    bound = MAX_WINDOWS * (WINDOW - 2)
    assert len(said_of("word " * 10_000).states) == bound


def test_a_window_is_answered_as_a_text_alone() -> None:
    window = " ".join(["sad"] * (WINDOW - 2))
    both = said_of(f"{window} {window}")
    said, alone = shipped_encoder(1).words.labels, said_of(window)
    np.testing.assert_allclose(both.pooled[:-said], alone.pooled[:-said], atol=1e-5)


def reading_of(words: list[str], loudness: list[float]) -> Reading:
    """As if each word were a token; a "'" clings to its neighbours."""
    placed: list[Word] = []
    start = 0
    for n, word in enumerate(words):
        clings = "'" in words[max(0, n - 1) : n + 1]
        start += 0 if n == 0 or clings else 1
        placed.append(Word(n, n + 1, (start, start + len(word))))
        start += len(word)
    states = np.array(loudness, dtype=np.float32)[:, None]
    return Reading(states, states.mean(axis=0), placed)


def test_evidence_is_the_loudest_word_and_its_loud_neighbours() -> None:
    text = "ok so terribly angry . bye"
    reading = reading_of(text.split(), [0.0, 0.2, 6.0, 8.0, 9.0, 0.1])
    start, end = loudest_words(text, reading, HEAD) or (0, 0)
    assert text[start:end] == "terribly angry"


@pytest.mark.parametrize(
    ("text", "loudness", "expected"),
    [
        ("it has failed again", [-9.0, 9.0, 8.0, 6.0], "failed again"),
        ("hell is here", [8.0, 7.0, 0.0], "hell"),
        ("you and me", [1.0, 3.0, 2.0], "and"),
    ],
)
def test_words_that_say_nothing_are_no_evidence_beside_others(
    text: str, loudness: list[float], expected: str
) -> None:
    start, end = loudest_words(text, reading_of(text.split(), loudness), HEAD) or (0, 0)
    assert text[start:end] == expected


def test_evidence_cuts_no_word_at_its_apostrophe() -> None:
    text = "I can't believe"
    reading = reading_of(["I", "can", "'", "t", "believe"], [0.0, 0.0, 0.0, 9.0, 0.0])
    start, end = loudest_words(text, reading, HEAD) or (0, 0)
    assert text[start:end] == "can't"


@pytest.mark.parametrize(
    "block",
    ["> I hate this library, it is garbage\n\n", "```\nI am so angry and sad\n```\n"],
)
@pytest.mark.parametrize("tier", ["full", "balanced", "fast"])
def test_what_is_quoted_is_not_what_the_author_feels(tier: Tier, block: str) -> None:
    tagger = load_tagger(TaggingSettings(tier=tier), suicidality=False)
    assert not {"anger", "uncivil"} & flagged(tagger, f"{block}Please see the docs.")
    angry = f"{block}I hate this library, too!"
    found = [m for m in marks(tagger, angry) if m.label == "anger" and m.flagged]
    assert found
    assert all(m.evidence and m.evidence[0] >= len(block) for m in found)


def test_the_cause_of_an_outcry_is_shown_in_its_thread(tagger: Tagger) -> None:
    thread = ("Here is the log.", "CI fails again with out-of-memory, I hate it.")
    (found,) = tagger.tag(
        [TextToTag("Argh, this is so annoying!", "en", "github", thread)]
    )
    (mark,) = (m for m in found if m.label == "in-context")
    assert mark.flagged
    assert mark.context == 1
    assert "out-of-memory" in thread[1][slice(*(mark.evidence or (0, 0)))]


def test_a_text_without_words_has_no_evidence() -> None:
    states = np.ones((1, 1), dtype=np.float32)
    reading = Reading(states, states[0], [Word(0, 1, (0, 1))])
    assert loudest_words("?", reading, HEAD) is None


def test_marks_do_not_depend_on_what_else_is_in_a_batch() -> None:
    texts = [
        TextToTag(text, language, "github", context)
        for text, language, context in (
            (
                "Why does this never work?! I am sick of it",
                "en",
                ("It is broken again",),
            ),
            ("Thanks, that did it", "en", ()),
            ("Thanks, that did it", "en", ("Try the other branch",)),
            ("Ich hasse das", "de", ()),
            ("Estoy harto de este error", "es", ()),
            ("", None, ()),
            ("so slow " * 3_000, "en", ()),
        )
    ]
    alone = load_tagger(TaggingSettings(tier="full"), suicidality=False)
    expected = [alone.tag([text])[0] for text in texts]
    fresh = load_tagger(TaggingSettings(tier="full"), suicidality=False)
    assert fresh.tag(texts * 8) == expected * 8


def test_threads_do_not_change_the_marks(tagger: Tagger) -> None:
    two = load_tagger(TaggingSettings(tier="full", threads=2), suicidality=False)
    text = "This is so annoying, it never works. " * 20
    assert marks(two, text) == marks(tagger, text)


def test_the_model_leaves_room_in_the_package() -> None:
    package = Path(SHIPPED).parents[2]
    size = sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
    assert size <= 60 * MEGABYTES


def test_the_encoder_is_loaded_once_in_a_process() -> None:
    first, second = (
        EncoderTagger.load(suicidality=False, tier=tier) for tier in ("fast", "full")
    )
    assert first._cascade.encoder is second._cascade.encoder


@pytest.mark.parametrize("text", ["привет, как дела", "你好 ok 世界很大", "שלום abc"])
def test_what_is_not_in_latin_letters_is_not_read_as_english(
    tagger: Tagger, text: str
) -> None:
    assert not [mark for mark in marks(tagger, text, None) if mark.label == "stress"]
    assert "neutral" not in flagged(tagger, text)


@pytest.mark.parametrize("tier", ["fast", "balanced", "full"])
def test_what_is_said_outright_is_heard_by_every_tier(tier: str) -> None:
    tagger = EncoderTagger.load(suicidality=False, tier=tier)
    said = "new release tomorrow and I'm really stressed about the deadline"
    (marks,) = tagger.tag([TextToTag(said, "en", "irc", ())])
    flagged = {mark.label: mark for mark in marks if mark.flagged}
    assert "neutral" not in flagged
    start, end = flagged["stress"].evidence or (0, 0)
    assert "stressed" in said[start:end]
    assert len({(mark.task, mark.label) for mark in marks}) == len(marks)
