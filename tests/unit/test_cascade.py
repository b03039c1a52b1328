"""The cheap steps agree with the whole encoder where they are believed."""

import numpy as np
import pytest

from pipeline.records import Mark
from pipeline.tagging.cascade import Cascade, Step
from pipeline.tagging.cascade_cache import MOST_CHARACTERS, Answers
from pipeline.tagging.encoder import SHIPPED, shipped_encoder
from pipeline.tagging.gate import LENGTHS, Bag, Gate, bag, weights
from pipeline.tagging.hashed_words import MOST_WORDS, hashed
from pipeline.tagging.tagger import TextToTag

CALM = "the file is in the second folder of the archive"
MIXED = "I honestly cannot tell whether that was meant as an insult or as a joke"
JOY = Mark(task="basic-emotion", label="joy", score=0.9, flagged=True, tagger="t-1")


def cascade(tier: str) -> Cascade:
    return Cascade(shipped_encoder(1), SHIPPED, tier)


def bag_of(text: str) -> Bag:
    return bag(hashed(text), 1_000)


def text(words: str, *context: str) -> TextToTag:
    return TextToTag(words, "en", "irc", context)


def test_what_is_clearly_neutral_never_reaches_the_encoder() -> None:
    for tier in ("fast", "balanced"):
        (found,) = cascade(tier).read([(CALM, "irc")])
        assert found.step == "words"
        keys = cascade(tier).heads("irc").keys
        assert found.scores[keys.index(("fine-emotion", "neutral"))] > 0.5


def test_what_words_leave_open_is_read_further() -> None:
    (found,) = cascade("balanced").read([(MIXED, "irc")])
    assert found.step in {"shallow", "whole"}


def test_full_reads_everything_whole_and_each_tier_more_than_a_cheaper_one() -> None:
    texts = [
        (f"{words} {n}", "irc") for words in (CALM, MIXED, "ugh") for n in range(9)
    ]
    whole = {
        tier: sum(found.step == "whole" for found in cascade(tier).read(texts))
        for tier in ("fast", "balanced", "full")
    }
    assert whole["fast"] <= whole["balanced"] < whole["full"] == len(texts)


@pytest.mark.parametrize("tier", ["fast", "balanced", "full"])
def test_texts_are_answered_in_their_order_and_as_alone(tier: str) -> None:
    one = cascade(tier)
    texts = [(MIXED, "irc"), (CALM, "github"), ("ugh, no!", "irc"), (MIXED, "reddit")]
    for text, found in zip(texts, one.read(texts), strict=True):
        (alone,) = one.read([text])
        assert found.step == alone.step
        assert found.scores.tolist() == alone.scores.tolist()
    assert one.read([]) == []


def test_a_text_can_be_read_whole_whatever_the_tier() -> None:
    (found,) = cascade("fast").read([(CALM, "irc")], wholly=True)
    (whole,) = cascade("full").read([(CALM, "irc")])
    assert found.step == "whole"
    assert found.scores.tolist() == whole.scores.tolist()


def test_doubt_is_the_number_of_labels_that_may_yet_turn() -> None:
    one = np.ones(3, dtype=np.float32)
    none = np.zeros((3, 0), dtype=np.float32)
    step = Step(np.eye(3, dtype=np.float32), none, one * 0, one * 0, one, one)
    on_edge = np.array([0.0, 0.0, 9.0], dtype=np.float32)
    assert step.doubt(on_edge, 0.0) == pytest.approx(1.0, abs=0.01)
    near = np.array([2.0, 2.0, 2.0], dtype=np.float32)
    assert step.doubt(near, 0.0) < step.doubt(near, 1.0) < 1.5
    assert step.doubt(near, 500.0) == pytest.approx(1.5)
    assert step._replace(counted=one * 0).doubt(near, 0.0) == 0.0


def test_a_bag_holds_each_word_each_pair_and_the_length() -> None:
    found = bag_of("It's broken, again")
    assert [slice(*place) for place in found.words] == [
        slice(0, 4),
        slice(5, 11),
        slice(11, 12),
        slice(13, 18),
    ]
    assert len(found.rows) == 4 + 3 + 1
    assert found.rows[-1] >= 1_000 - LENGTHS > found.rows[:-1].max()
    assert (bag_of("IT'S BROKEN, AGAIN").rows == found.rows).all()


@pytest.mark.parametrize("words", ["", "a", "\ud800", "?! " * 5_000])
def test_any_text_has_a_bag(words: str) -> None:
    found = bag_of(words)
    assert len(found.words) <= MOST_WORDS
    assert len(weights(found)) == len(found.rows)


def test_what_words_add_is_the_place_less_the_lengths_share() -> None:
    table = np.random.default_rng(1).integers(-127, 127, (1_000, 4)).astype(np.int8)
    gate = Gate(table, np.full(4, 0.1, np.float32), np.zeros(4, np.float32))
    place, found = gate.read(hashed("one two three"))
    added, words = gate.by_word(found)
    length = table[found.rows[-1]] * np.float32(0.1)
    assert added.sum(axis=0) + length == pytest.approx(place, abs=1e-3)
    assert [word.place for word in words] == found.words


def test_what_was_answered_is_known_whatever_went_before_it() -> None:
    answers = Answers()
    answers.keep(text("thanks"), [JOY])
    assert answers.get(text("thanks", "here you are")) == [JOY]
    assert answers.get(text("Thanks")) is None


def test_only_so_many_short_texts_are_kept_and_the_oldest_goes() -> None:
    answers = Answers(most=2)
    answers.keep(text("x" * (MOST_CHARACTERS + 1)), [])
    for words in ("one", "two"):
        answers.keep(text(words), [])
    answers.get(text("one"))
    answers.keep(text("three"), [])
    assert len(answers) == 2
    assert answers.get(text("two")) is None
    assert answers.get(text("one")) == []
