from pathlib import Path

import numpy as np
import pytest

from pipeline.tagging.cause_features import (
    HEADS,
    LONGEST,
    Candidates,
    candidates,
    tells_little,
    word_features,
)
from pipeline.tagging.cause_model import SpanModel, best_answer, load_model, overlap
from pipeline.tagging.cause_words import Prose, read_prose
from pipeline.tagging.encoder import SHIPPED, shipped_encoder
from pipeline.training.causes import measure

TEXT = "The old parser dropped my comments again, and I am so tired of it"


def prose(text: str = TEXT) -> Prose:
    return Prose.read(text, len(text))


def run(found: Candidates, first: int, last: int) -> int:
    (number,) = np.flatnonzero((found.first == first) & (found.last == last))
    return int(number)


def test_every_run_of_words_up_to_the_longest_is_a_candidate() -> None:
    found = candidates(prose("a b c"))
    pairs = set(zip(found.first.tolist(), found.last.tolist(), strict=True))
    assert pairs == {(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)}
    assert candidates(prose("word " * 100)).sizes.max() == LONGEST


def test_features_are_numbers_and_as_many_for_any_text() -> None:
    widths = set()
    for text in ("a", "Oh no!", TEXT, "What?\nWhy?\nI see. 😀"):
        read = prose(text)
        features = word_features(read, np.zeros((len(read.words), len(HEADS)), "f"))
        assert all(np.isfinite(part).all() for part in features)
        widths.add(tuple(part.shape[1] for part in features))
    assert len(widths) == 1


def test_common_and_short_words_tell_little() -> None:
    assert [tells_little(word) for word in ("sorry", "ok", "parser")] == [1, 1, 0]


def test_the_overlap_of_runs_is_nearly_what_the_score_says() -> None:
    read = prose()
    found = candidates(read)
    marked = (np.array([1]), np.array([6]))
    guessed = overlap(read, (found.first, found.last), marked)
    span = TEXT[read.places[1][0] : read.places[6][1]]
    for number in range(0, len(found.first), 7):
        ends = found.first[number], found.last[number]
        said = TEXT[read.places[ends[0]][0] : read.places[ends[1]][1]]
        true = np.mean(measure(span, said))
        assert guessed[number] == pytest.approx(true, abs=0.15)
    assert guessed[run(found, 1, 6)] == pytest.approx(1.0)


def test_runs_without_a_common_word_have_little_in_common() -> None:
    read = prose()
    apart = overlap(
        read, (np.array([0]), np.array([1])), (np.array([3]), np.array([4]))
    )
    assert 0 < apart[0] < 0.15


def test_of_uncertain_ends_the_answer_is_the_middle() -> None:
    read = prose()
    found = candidates(read)
    scores = np.full(len(found.first), -50.0)
    for last in (4, 6, 8):
        scores[run(found, 0, last)] = 0.0
    answer = best_answer(read, found, scores)
    assert TEXT[slice(*answer.place)] == "The old parser dropped my comments again"
    assert 0.7 < answer.overlap < 0.95


def test_what_is_certain_is_answered_as_it_is() -> None:
    read = prose()
    found = candidates(read)
    scores = np.where(np.arange(len(found.first)) == run(found, 2, 3), 50.0, -50.0)
    answer = best_answer(read, found, scores)
    assert TEXT[slice(*answer.place)] == "parser dropped"
    assert answer.overlap == pytest.approx(1.0)


def test_a_saved_model_answers_as_before(tmp_path: Path) -> None:
    text = "Sorry, I forgot to update the parser. The rest is fine."
    reading = shipped_encoder(1).read(text)
    load_model(SHIPPED).save(tmp_path / "m.npz")
    read = read_prose(text, reading)
    again = SpanModel.load(tmp_path / "m.npz").answer(read, reading)
    assert again == load_model(SHIPPED).answer(read, reading)
    assert (tmp_path / "m.npz").stat().st_size < 100_000


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Thanks for the quick review!", "Thanks for the quick review"),
        ("Not sure why this file is here. We ship it elsewhere.", "why this file"),
        ("Done. Sadly, the parser still drops comments.", "parser still drops"),
    ],
)
def test_the_shipped_model_names_causes(text: str, cause: str) -> None:
    reading = shipped_encoder(1).read(text)
    answer = load_model(SHIPPED).answer(read_prose(text, reading), reading)
    assert cause in text[slice(*answer.place)]
    assert 0.3 < answer.overlap <= 1
