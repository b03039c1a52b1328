from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import TaggingSettings
from pipeline.records import Mark
from pipeline.tagging.language import detect
from pipeline.tagging.load import load_tagger
from pipeline.tagging.masking import mask
from pipeline.tagging.phrases import plain
from pipeline.tagging.tagger import TextToTag

TAGGER = load_tagger(TaggingSettings(tagger="lexicon"), suicidality=True)
PIECES = [
    "I hate this",
    "not happy",
    "thanks",
    "tests keep failing",
    "can’t wait",  # noqa: RUF001 - as people type it
    "kill the process",
    "so stressed out",
    "`sad`",
    "```",
    "İ",
    "ẞ",
    "😡",
    ":(",
    "\n",
    ". ",
    " but ",
    "<email>",
    "> sad",
]
any_text = st.text(max_size=300) | st.lists(
    st.sampled_from(PIECES) | st.text(max_size=5), max_size=12
).map(" ".join)
surrogates = st.text(st.characters(categories=["Cs", "Lu"]), max_size=20)


def marks_of(text: str) -> list[Mark]:
    return TAGGER.tag([TextToTag(text, None, "slack", ())])[0]


@given(any_text | surrogates)
@settings(deadline=None)
def test_marks_are_sound_whatever_the_text(text: str) -> None:
    marks = marks_of(text)
    assert marks == marks_of(text)
    for mark in marks:
        assert 0 < mark.score <= 1
        if mark.evidence is not None:
            start, end = mark.evidence
            assert 0 <= start < end <= len(text)
            assert text[start:end] == text[start:end].strip()


@given(any_text)
@settings(deadline=None)
def test_ascii_capitals_change_nothing(text: str) -> None:
    shouted = "".join(c.upper() if c.isascii() else c for c in text)
    if mask(shouted) == "".join(c.upper() if c.isascii() else c for c in mask(text)):
        assert marks_of(shouted) == marks_of(text)


@given(any_text | surrogates)
def test_masking_and_lower_case_keep_every_place(text: str) -> None:
    assert len(plain(mask(text))) == len(text)


@given(any_text | surrogates)
@settings(deadline=None)
def test_a_language_is_a_code_or_unknown(text: str) -> None:
    language = detect(text)
    assert language is None or (language.islower() and 2 <= len(language) <= 3)


@given(st.sampled_from(["happy", "angry", "afraid", "frustrated", "disgusted"]))
def test_a_denied_feeling_is_never_likelier_than_a_stated_one(feeling: str) -> None:
    def score(text: str) -> float:
        found = [m.score for m in marks_of(text) if m.evidence and m.task != "marker"]
        return max(found, default=0.0)

    assert score(f"I am not {feeling}") < score(f"I am {feeling}")
