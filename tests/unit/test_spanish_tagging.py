import subprocess
import sys

import pytest

from pipeline.config import TaggingSettings
from pipeline.records import Mark
from pipeline.tagging.load import load_tagger
from pipeline.tagging.spanish import SHIPPED, shipped_spanish
from pipeline.tagging.tagger import Tagger, TextToTag

MEGABYTES = 10**6
EMOTIONS = {"anger", "disgust", "fear", "joy", "sadness", "surprise"}


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger(TaggingSettings(tagger="encoder"), suicidality=False)


def marks(tagger: Tagger, text: str) -> list[Mark]:
    return tagger.tag([TextToTag(text, "es", "github", ())])[0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Me encanta cómo quedó, felicidades a todo el equipo", "joy"),
        ("qué asco de interfaz", "disgust"),
        ("tengo miedo de tocar este módulo", "fear"),
        ("me da mucha tristeza que cierren el proyecto, voy a llorar", "sadness"),
        ("ESTOY HARTA DE ESTOS IDIOTAS, LOS ODIO", "anger"),
    ],
)
def test_spanish_texts_are_judged(tagger: Tagger, text: str, label: str) -> None:
    assert label in {mark.label for mark in marks(tagger, text) if mark.flagged}


def test_what_flags_a_text_is_words_of_it(tagger: Tagger) -> None:
    text = "Hoy no compila nada. ¡Qué asco de código, por favor!"
    (mark,) = [mark for mark in marks(tagger, text) if mark.label == "disgust"]
    assert mark.evidence is not None
    words = text[slice(*mark.evidence)]
    assert words == words.strip(" ¡!.,")
    assert "asco" in words


def test_only_emotions_that_spanish_texts_were_labelled_for_are_judged(
    tagger: Tagger,
) -> None:
    found = {(mark.task, mark.label) for mark in marks(tagger, "qué día tan raro")}
    assert found <= {("basic-emotion", label) for label in EMOTIONS}


def test_markers_are_found_by_phrases(tagger: Tagger) -> None:
    found = marks(tagger, "llevo días con insomnio por la entrega")
    (mark,) = [mark for mark in found if mark.label == "sleep"]
    assert mark.flagged
    assert mark.tagger == tagger.name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "¡",
        "no " * 40_000,
        "😡" * 500,
        "`qué asco`",
        "ay \u202e\u05dd\u05d5\u05dc\u05e9 qué",
    ],
)
def test_whatever_the_text_there_is_an_answer(tagger: Tagger, text: str) -> None:
    for mark in marks(tagger, text):
        assert 0 <= mark.score <= 1


def test_spellings_add_up_to_what_they_say_of_the_text() -> None:
    reading = shipped_spanish().reading("me da ascooo esta cosa")
    spelt = reading.pooled[-len(EMOTIONS) :]
    nothing = shipped_spanish().reading("").pooled[-len(EMOTIONS) :]
    added = reading.states[:, -len(EMOTIONS) :].mean(axis=0)
    assert added == pytest.approx(spelt - nothing, abs=1e-3)


def test_nothing_spanish_is_loaded_for_english_texts() -> None:
    code = """
from pipeline.config import TaggingSettings
from pipeline.tagging.load import load_tagger
from pipeline.tagging.spanish import shipped_spanish
from pipeline.tagging.tagger import TextToTag
tagger = load_tagger(TaggingSettings(tagger="encoder"), suicidality=False)
tagger.tag([TextToTag("I hate this build", "en", "github", ())])
assert shipped_spanish.cache_info().currsize == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_files_fit_into_the_package() -> None:
    total = sum(path.stat().st_size for path in SHIPPED.iterdir())
    assert total <= 21 * MEGABYTES
