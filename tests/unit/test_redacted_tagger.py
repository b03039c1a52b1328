"""People in a file are not sent elsewhere; evidence lies in the text of the file."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_endpoint import judging, saying, told
from hypothesis import given
from hypothesis import strategies as st

from connectors.redact import redact
from pipeline.config import TaggingSettings
from pipeline.jobs.evaluate import load_asked
from pipeline.jobs.redacted import RedactedTagger, load_for_files, unredacted
from pipeline.jobs.tag import tag_file
from pipeline.records import Mark
from pipeline.tagger_settings import LlmSettings
from pipeline.tagging.tagger import TextToTag

MAIL = "jane.doe@example.org"
TOKEN = "ghp_" + "a1B2" * 9
ANGRY = f"@jdoe I hate that {MAIL} broke the build, token {TOKEN} is out"
SHOWN = "<mention> I hate that <email> broke the build, token <secret> is out"


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ("broke the build", "broke the build"),
        ("I hate", "I hate"),
        ("is out", "is out"),
        ("<email>", MAIL),
        ("mail", MAIL),
        ("<mention> I", "@jdoe I"),
        ("that <email> broke", f"that {MAIL} broke"),
        ("token <secret>", f"token {TOKEN}"),
    ],
)
def test_a_place_in_a_redacted_text_is_found_in_the_text(
    quote: str, words: str
) -> None:
    assert redact(ANGRY, chat=True) == SHOWN
    start = SHOWN.index(quote)
    place = unredacted((start, start + len(quote)), ANGRY, SHOWN)
    assert ANGRY[slice(*place)] == words


PARTS = [
    "@bob",
    MAIL,
    "+49 170 1234567",
    " ",
    "I hate it",
    "bob: ",
    "\n",
    "<email>",
    "x",
]


@given(st.lists(st.sampled_from(PARTS)), st.data())
def test_what_stands_between_placeholders_is_pointed_at_word_by_word(
    parts: Sequence[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    shown = redact(text, chat=True)
    start = data.draw(st.integers(0, len(shown)))
    end = data.draw(st.integers(start, len(shown)))
    if start == end:
        return
    low, high = unredacted((start, end), text, shown)
    assert 0 <= low < high <= len(text)
    if "<" not in shown[start:end] and shown[start:end].isalpha():
        inside = shown[:start].rfind("<") > shown[:start].rfind(">")
        assert inside or text[low:high] == shown[start:end]


class Pointing:
    """Marks `build` in a text, or in the last one of its context."""

    name = "pointing-1"

    def __init__(self) -> None:
        self.seen: list[TextToTag] = []

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        self.seen += texts
        return [[self._mark(text)] for text in texts]

    def _mark(self, text: TextToTag) -> Mark:
        number = len(text.context) - 1 if text.context else None
        where = text.text if number is None else text.context[number]
        start = where.find("build")
        return Mark(
            task="cause",
            label="build-or-ci",
            score=0.9,
            flagged=True,
            evidence=None if start < 0 else (start, start + len("build")),
            context=number,
            tagger=self.name,
        )


def test_the_tagger_sees_redacted_texts_and_its_evidence_is_moved_back() -> None:
    pointing = Pointing()
    texts = [
        TextToTag(ANGRY, "en", "irc", ()),
        TextToTag("no", "en", "irc", ("@ann: hm", ANGRY)),
        TextToTag("the build", "en", "irc", ()),
        TextToTag(f"{MAIL} left", "en", "irc", ()),
    ]
    (now,), (earlier,), (plain,), (nowhere,) = RedactedTagger(pointing).tag(texts)
    build = (ANGRY.index("build"), ANGRY.index("build") + 5)
    assert (now.evidence, now.context) == (build, None)
    assert (earlier.evidence, earlier.context) == (build, 1)
    assert plain.evidence == (4, 9)
    assert nowhere.evidence is None
    assert pointing.seen[1].context == ("<mention>: hm", SHOWN)
    assert MAIL not in str(pointing.seen)


def test_names_before_a_colon_are_taken_out_of_what_may_be_a_chat() -> None:
    pointing = Pointing()
    for platform in ("", "irc", "github"):
        RedactedTagger(pointing).tag([TextToTag("jdoe: look", "en", platform, ())])
    assert [text.text for text in pointing.seen] == [
        "<mention>: look",
        "<mention>: look",
        "jdoe: look",
    ]


def test_tag_sends_a_chat_endpoint_nothing_that_identifies_people(
    tmp_path: Path,
) -> None:
    line = {"id": 1, "text": ANGRY, "context": [f"ask {MAIL}"]}
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(line))
    output = io.BytesIO()
    with saying(judging("broke the build", "build-or-ci", feeling="I hate")) as end:
        own = LlmSettings(
            url=end.url, model="m", base="lexicon", file=str(tmp_path / "llm.sqlite")
        )
        settings = TaggingSettings(tagger="llm", llm=own)
        tagger = load_for_files(settings, suicidality=False)
        tag_file(path, output, tagger, every_mark=False)
        assert isinstance(
            load_asked(None, settings, suicidality=False).tagger, RedactedTagger
        )
    (question,) = end.questions
    assert told(question)["message"] == SHOWN
    assert told(question)["earlier_messages"] == ["ask <email>"]
    marks = json.loads(output.getvalue())["marks"]
    places = {mark["task"]: ANGRY[slice(*mark["evidence"])] for mark in marks}
    assert places["cause"] == "broke the build"
    assert places["basic-emotion"] == "I hate"


def test_a_tagger_that_sends_nothing_sees_texts_as_they_are() -> None:
    tagger = load_for_files(TaggingSettings(tagger="lexicon"), suicidality=False)
    assert not isinstance(tagger, RedactedTagger)
