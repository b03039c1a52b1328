import numpy as np

from pipeline.tagging.cause_words import SIGNS, Prose, average, read_prose
from pipeline.tagging.encoder import Reading, Word


def prose(text: str) -> Prose:
    return Prose.read(text, len(text))


def test_words_know_their_sentence_and_where_clauses_end() -> None:
    read = prose("Oh no, it broke. Why? (again)")
    assert read.words == ["oh", "no", "it", "broke", "why", "again"]
    assert read.sentences.tolist() == [0, 0, 0, 0, 1, 2]
    assert read.breaks.tolist() == [True, False, False, False, True, True, True]
    assert read.pauses.tolist() == [True, False, True, False, True, True, True]
    asks = read.signs[:, SIGNS.index("?")]
    assert asks.tolist() == [False] * 5 + [True, False]


def test_of_a_gap_its_signs_are_told_and_pauses_pictures_and_nothing() -> None:
    read = prose("so - far (\U0001f622) 'done'")
    told = [[*SIGNS, "pause", "picture", "nothing"][n] for n in np.where(read.signs)[1]]
    assert told == ["nothing", "pause", "(", "picture", "nothing"]


def test_a_dot_within_a_name_ends_nothing() -> None:
    assert not prose("ts.isArrow fails").breaks[1:-1].any()


def test_a_face_ends_a_sentence_and_a_line_does() -> None:
    assert prose("so sad 😢 fix it\nplease").sentences.tolist() == [0, 0, 1, 1, 2]


def test_blocks_of_code_have_no_words_and_code_in_a_sentence_has() -> None:
    read = prose("Calling `kill` fails:\n```\nraise it\n```\nsadly")
    assert read.words == ["calling", "kill", "fails", "sadly"]
    assert read.sentences.tolist() == [0, 0, 0, 1]


def test_a_text_without_words_has_one_gap() -> None:
    read = prose("?! 😡")
    assert (read.words, len(read.signs)) == ([], 1)


def test_places_are_those_of_the_text() -> None:
    text = "İ😡 Don't_worry, über-cool"
    read = prose(text)
    assert [text[a:b] for a, b in read.places] == ["İ", "Don't_worry", "über", "cool"]


def test_a_word_is_the_mean_of_its_tokens() -> None:
    places = [("don", 0), ("'", 3), ("t", 4), ("panic", 6)]
    words = [Word(n, n + 1, (at, at + len(w))) for n, (w, at) in enumerate(places)]
    states = np.array([[1.0], [2.0], [6.0], [5.0]], dtype=np.float32)
    reading = Reading(states, states.mean(axis=0), words)
    read = read_prose("don't panic now", reading)
    assert read.words == ["don't", "panic"], "what was not read has no state"
    assert average(read, reading, states).ravel().tolist() == [3.0, 5.0]
