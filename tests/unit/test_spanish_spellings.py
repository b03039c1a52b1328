from pathlib import Path

import numpy as np
import pytest

from pipeline.tagging.spanish_spellings import MAX_CHARACTERS, Spellings, runs_of
from pipeline.training.spanish_spellings import fit_spellings

SAD = ["qué pena me da", "que pena tan grande", "me da peeena todo", "pena y más pena"]
GLAD = ["qué risa jajaja", "jajaja muy bueno", "me da risa jaja", "pura risa jajajaja"]


@pytest.fixture(scope="module")
def spellings() -> Spellings:
    truth = np.array([[n < len(SAD)] for n in range(len(SAD + GLAD))])
    return fit_spellings(SAD + GLAD, truth)


def spelt(text: str) -> set[str]:
    return {run.spelling for run in runs_of(text)}


def test_runs_stay_within_words_whose_edges_count() -> None:
    assert spelt("yo no") == {
        *(" ", "y", "o", " y", "yo", "o ", " yo", "yo ", " yo "),
        *("n", " n", "no", " no", "no ", " no "),
    }


def test_case_accents_and_third_repetitions_make_no_difference() -> None:
    assert spelt("QUÉ ASCOOOOO") == spelt("que ascoo")


def test_runs_know_where_they_stand() -> None:
    text = "¡Ay, qué PENAAAA!"
    for run in runs_of(text):
        if run.spelling == "pena":
            assert text[slice(*run.places)] == "PENA"
            break
    else:
        pytest.fail("there is no such run")


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert spelt("no " * MAX_CHARACTERS + "zas") == spelt("no")


def test_words_never_seen_are_judged_by_what_they_share(spellings: Spellings) -> None:
    assert spellings.read("penita").logits[0] > 0 > spellings.read("jajaj").logits[0]


@pytest.mark.parametrize(
    "text", ["", "   ", "日本", "😡", "pena", "Me da PENAAAA jaja"]
)
def test_what_the_characters_add_is_the_logit(spellings: Spellings, text: str) -> None:
    said = spellings.read(text)
    nothing = spellings.read("").logits
    added = said.logits - nothing
    assert said.by_character.shape == (len(text), 1)
    assert said.by_character.sum(axis=0) == pytest.approx(added, abs=1e-5)


def test_they_are_the_same_read_from_a_file(
    spellings: Spellings, tmp_path: Path
) -> None:
    spellings.save(tmp_path / "spellings.weights")
    again = Spellings.load(tmp_path / "spellings.weights")
    for text in SAD + GLAD:
        expected = spellings.read(text).logits
        assert again.read(text).logits == pytest.approx(expected, abs=0.01)
