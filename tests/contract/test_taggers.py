"""What every tagger promises, whatever it is made of."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from chat_endpoint import judging, saying
from tiny_classifier import make_classifier

from pipeline.config import TaggingSettings
from pipeline.records import Mark
from pipeline.tagger_settings import LlmSettings, TransformersSettings
from pipeline.tagging.labels import load_labels
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag

HARD_TEXTS = {
    "nothing": "",
    "one space": " ",
    "one letter": "a",
    "no letters": "?! 42",
    "emoji only": "😡" * 1_000,
    "joined emoji": "🤦🏽‍♀️👍🏿",
    "right to left": "أنا حزين جدا اليوم " * 50,
    "letters that grow in lower case": "İİİ I hate this İİİ :(",
    "mixed languages": "No funciona, I hate this so much, 全部坏了, спасибо anyway",
    "a little of another script": "привет 你好 ok",
    "code only": "```\nraise SystemExit('I hate this')\n```",
    "half a character": "I hate\ud800 this",
    "control characters": "I hate\x00 this\x07\x1b[31m",
    "one long word": "a" * 1_000_000,
    "a megabyte of spaces": " " * 1_000_000,
    "a megabyte of complaints": "I hate this broken build so much. " * 30_000,
    "a megabyte of openings": "<`(_@/" * 170_000,
    "a megabyte of lines": "> a\n" * 250_000,
}
FILES = TemporaryDirectory()
ENDPOINT = {"url": "http://127.0.0.1:1"}


@cache
def tiny_model() -> str:
    """The folder of a model that guesses at random."""
    return str(make_classifier(Path(FILES.name) / "tiny", ["anger", "joy"]))


def with_transformers() -> Tagger:
    own = TransformersSettings(model=tiny_model(), threshold=0.01, base="lexicon")
    settings = TaggingSettings(tagger="transformers", transformers=own)
    return load_tagger(settings, suicidality=True)


def with_llm() -> Tagger:
    file = f"{FILES.name}/llm.sqlite"
    own = LlmSettings(**ENDPOINT, model="tiny", file=file, base="lexicon")
    return load_tagger(TaggingSettings(tagger="llm", llm=own), suicidality=True)


TAGGERS: dict[str, Callable[[], Tagger]] = {
    "lexicon": lambda: load_tagger(TaggingSettings(tagger="lexicon"), suicidality=True),
    "fast": lambda: load_tagger(TaggingSettings(tier="fast"), suicidality=True),
    "balanced": lambda: load_tagger(TaggingSettings(tier="balanced"), suicidality=True),
    "full": lambda: load_tagger(TaggingSettings(tier="full"), suicidality=True),
    "transformers": with_transformers,
    "llm": with_llm,
}
PATIENCE_S = 5.0


@pytest.fixture(scope="module", autouse=True)
def endpoint() -> Iterator[None]:
    with saying(judging("this", "other", "sure", "hate")) as started:
        ENDPOINT["url"] = started.url
        yield


@pytest.fixture(params=TAGGERS)
def tagger(request: pytest.FixtureRequest) -> Tagger:
    return TAGGERS[request.param]()


def english(text: str) -> TextToTag:
    return TextToTag(text, "en", "github", ())


def test_its_name_carries_a_version(tagger: Tagger) -> None:
    name, _, version = tagger.name.rpartition("-")
    assert name
    assert version.replace(".", "").isdigit()


def test_every_text_is_answered_in_its_place(tagger: Tagger) -> None:
    texts = [english("I hate this"), english("thanks!"), english("I hate this")]
    first, second, third = tagger.tag(texts)
    assert first == third != second
    assert tagger.tag([]) == []


def test_a_text_is_tagged_the_same_alone_and_in_company(tagger: Tagger) -> None:
    texts = [english(text) for text in HARD_TEXTS.values() if len(text) < 2_000]
    assert tagger.tag(texts) == [tagger.tag([text])[0] for text in texts]


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_hard_texts_get_sound_marks_in_bounded_time(tagger: Tagger, name: str) -> None:
    text = HARD_TEXTS[name]
    tagger.tag([english("warm up")])
    start = time.process_time()
    (marks,) = tagger.tag([english(text)])
    assert time.process_time() - start < PATIENCE_S
    check_marks(text, marks, tagger)


def check_marks(text: str, marks: list[Mark], tagger: Tagger) -> None:
    known = {label.key for label in load_labels()}
    keys = [(mark.task, mark.label) for mark in marks]
    assert len(keys) == len(set(keys))
    assert known.issuperset(keys)
    for mark in marks:
        assert 0 < mark.score <= 1
        assert mark.tagger == tagger.name
        if mark.evidence is not None:
            start, end = mark.evidence
            assert 0 <= start < end <= len(text)


def test_evidence_holds_the_words_themselves(tagger: Tagger) -> None:
    text = "İ😡 Thanks, but I am so frustrated ﬁ"
    (marks,) = tagger.tag([english(text)])
    flagged = {mark.label: mark for mark in marks if mark.flagged and mark.evidence}
    assert "gratitude" in flagged
    start, end = flagged["gratitude"].evidence or (0, 0)
    assert "thanks" in text[start:end].lower()


def test_a_text_in_another_language_gets_no_marks_from_english(tagger: Tagger) -> None:
    spanish = TextToTag("No funciona, I hate esto", "qqq", "github", ())
    assert tagger.tag([spanish]) == [[]]


def test_what_only_counts_keeps_no_words(tagger: Tagger) -> None:
    (marks,) = tagger.tag([english("I want to kill myself")])
    (mark,) = [mark for mark in marks if mark.label == "suicidality"]
    assert mark.flagged
    assert mark.evidence is None


def test_threads_may_share_it(tagger: Tagger) -> None:
    texts = [english(f"I hate this, {n} times. Thanks!") for n in range(50)]
    expected = tagger.tag(texts)
    with ThreadPoolExecutor(4) as pool:
        assert all(answer == expected for answer in pool.map(tagger.tag, [texts] * 8))


def test_a_second_one_gives_the_same_marks(
    tagger: Tagger, request: pytest.FixtureRequest
) -> None:
    again = TAGGERS[request.node.callspec.params["tagger"]]()
    texts = [english("the build is broken again, I give up :(")]
    assert again.tag(texts) == tagger.tag(texts)
