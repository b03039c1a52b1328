import pytest

from pipeline.tagging.phrases import (
    PhraseFinder,
    cut_short,
    plain,
    spellings,
    without_overlaps,
)


def found(phrases: list[str], text: str) -> list[tuple[str, str]]:
    finder = PhraseFinder(phrases)
    hits = without_overlaps(finder.find_all(plain(text)))
    return [(phrases[hit.phrase], text[hit.start : hit.end]) for hit in hits]


def test_a_pattern_stands_for_all_its_alternatives() -> None:
    assert spellings("frustrat{ed,ing}") == ["frustrated", "frustrating"]
    assert spellings("so {very ,}sad") == ["so very sad", "so sad"]


def test_an_apostrophe_stands_for_the_spellings_without_it() -> None:
    assert spellings("don't care") == ["don't care", "do not care", "dont care"]
    assert spellings("can't") == ["can't", "cannot", "can not", "cant"]
    assert spellings("won't") == ["won't", "will not", "wont"]
    assert spellings("I'm sad") == ["i'm sad", "im sad"]
    assert spellings("'tis") == ["'tis"]


@pytest.mark.parametrize("pattern", ["", "  ", "{a", "a}", "{a{b,c}}", "{,sad}"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        spellings(pattern)


def test_phrases_are_found_as_whole_words_only() -> None:
    assert found(["rage"], "storage rages rage, (rage) rage") == [("rage", "rage")] * 3


def test_case_does_not_matter() -> None:
    assert found(["thank you"], "THANK You") == [("thank you", "THANK You")]


def test_typographic_apostrophes_and_spaces_are_plain_ones() -> None:
    assert found(["can't wait"], "I can’t\xa0wait") == [("can't wait", "can’t\xa0wait")]  # noqa: RUF001 - as people type it


def test_a_phrase_does_not_reach_over_lines() -> None:
    assert found(["so sad"], "so\nsad") == []


def test_the_leftmost_longest_phrase_wins() -> None:
    phrases = ["not happy", "happy", "happy path", "path finder"]
    assert found(phrases, "not happy path finder") == [
        ("not happy", "not happy"),
        ("path finder", "path finder"),
    ]


def test_a_phrase_that_reaches_beyond_the_one_kept_is_cut_short() -> None:
    phrases = ["i feel so", "feel so alone", "feel", "alone"]
    finder = PhraseFinder(phrases)
    cut = cut_short(finder.find_all("i feel so alone"))
    assert [phrases[one.phrase] for one in cut] == ["feel so alone"]


def test_a_longer_phrase_that_ends_within_a_word_hides_nothing() -> None:
    assert found(["fan boy", "fan", "boys cry"], "fan boys cry") == [
        ("fan", "fan"),
        ("boys cry", "boys cry"),
    ]


def test_emoticons_need_no_space_around_them() -> None:
    assert found([":(", ":d"], "no:( :D :Door") == [(":(", ":("), (":d", ":D")]


@pytest.mark.parametrize("letter", ["İ", "ẞ", "😡", "ﬁ", "Σ"])
def test_places_are_characters_whatever_lower_case_does(letter: str) -> None:
    text = f"{letter * 7} so SAD {letter}"
    assert found(["so sad"], text) == [("so sad", "so SAD")]


def test_an_unused_text_has_no_phrases() -> None:
    assert found(["sad"], "") == []
