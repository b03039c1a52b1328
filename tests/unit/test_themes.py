"""Causes that are alike become themes, which keep their numbers and tell of no one."""

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.themes.find import find_themes, recognise
from pipeline.themes.found import Cause, Theme, Week

MONDAY = date(2026, 1, 5)
WEEK = timedelta(days=7)
REVIEW = [
    "review",
    "pull",
    "request",
    "waits",
    "stuck",
    "reviewer",
    "maintainer",
    "approval",
    "week",
]
FLAKY = [
    "flaky",
    "test",
    "runner",
    "fails",
    "rerun",
    "random",
    "timeout",
    "suite",
    "green",
]


def causes(words: list[str], count: int, week: date = MONDAY) -> list[Cause]:
    """Of as many authors, each in some of the words and one of the author's own."""
    choose = Random(count)
    return [
        Cause(week, f"{n:016x}", " ".join([*choose.sample(words, 6), f"own{n}"]))
        for n in range(count)
    ]


def test_what_is_alike_is_a_theme_named_by_its_words() -> None:
    found = find_themes(causes(REVIEW, 24) + causes(FLAKY, 16), 5)
    assert [sum(week.messages for week in theme.weeks) for theme in found] == [24, 16]
    review, flaky = found
    assert set(review.weights) == set(REVIEW)
    assert set(flaky.weights) == set(FLAKY)
    assert review.name == tuple(review.weights)[:5]


def test_themes_are_followed_by_week() -> None:
    early, late = causes(FLAKY, 8), causes(FLAKY, 12, MONDAY + WEEK)
    again = causes(FLAKY, 12, MONDAY + WEEK)[:2]
    found = find_themes([*early, *late, *again, *causes(REVIEW, 30)], 5)
    assert found[1].weeks == (Week(MONDAY, 8, 8), Week(MONDAY + WEEK, 14, 12))


def test_a_word_of_few_authors_names_nothing() -> None:
    secret = [
        cause._replace(words=f"{cause.words} zanzibar", author=f"{number % 4:016x}")
        for number, cause in enumerate(causes(FLAKY, 20))
    ]
    everybody = causes(REVIEW, 30)
    (review,) = find_themes(everybody + secret, 5)
    assert set(review.weights) == set(REVIEW)
    (_, flaky) = find_themes(everybody + secret + causes(FLAKY, 9), 5)
    assert set(flaky.weights) == set(FLAKY)


def test_a_theme_of_one_person_is_none() -> None:
    alone = [cause._replace(author="a" * 16) for cause in causes(FLAKY, 20)]
    (theme,) = find_themes(alone + causes(REVIEW, 30), 5)
    assert "review" in theme.weights


def test_the_order_of_causes_changes_nothing() -> None:
    given = causes(REVIEW, 24) + causes(FLAKY, 16)
    assert find_themes(given, 5) == find_themes(given[::-1], 5)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_of_few_causes_there_is_no_theme(count: int) -> None:
    assert not find_themes(causes(REVIEW, count), 5)


@given(some.lists(some.text(max_size=40), max_size=30))
def test_any_texts_are_borne(texts: list[str]) -> None:
    given = [Cause(MONDAY, f"{n:016x}", text) for n, text in enumerate(texts * 3)]
    for theme in find_themes(given, 5):
        assert theme.name
        assert all(0 < weight <= 1 for weight in theme.weights.values())


def theme(*words: str) -> Theme:
    return Theme(words, dict.fromkeys(words, 1.0), (Week(MONDAY, 5, 5),))


def test_a_theme_keeps_its_number_as_long_as_its_words_are_much_the_same() -> None:
    known = {3: dict.fromkeys(("flaky", "test"), 1.0), 7: {"review": 1.0}}
    today = [theme("review", "pull"), theme("cuda"), theme("test", "flaky", "runner")]
    numbers = [number for number, _ in recognise(today, known)]
    assert numbers == [7, 8, 3]


def test_of_two_alike_the_more_alike_keeps_the_number() -> None:
    today = [theme("flaky", "test", "slow", "x"), theme("flaky", "test")]
    known = {1: dict.fromkeys(("flaky", "test"), 1.0)}
    assert [number for number, _ in recognise(today, known)] == [2, 1]


def test_the_first_themes_are_numbered_from_one() -> None:
    assert [n for n, _ in recognise([theme("a"), theme("b")], {})] == [1, 2]
