import numpy as np
import pytest

from pipeline.tagging.cause_answers import ends_well, tell
from pipeline.tagging.cause_words import Prose


def prose(text: str) -> Prose:
    return Prose.read(text, len(text))


def last_words(text: str) -> list[str]:
    read = prose(text)
    return [
        word for word, well in zip(read.words, ends_well(read), strict=True) if well
    ]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("I pushed the wrong branch", ["pushed", "branch"]),
        ("Bad sleep because of the outage", ["outage"]),
        ("Lost my job, and your reply of today", ["job", "reply", "today"]),
        ("What is it for? No idea", ["for", "idea"]),
        ("it", ["it"]),
    ],
)
def test_a_run_ends_where_nothing_is_missing(text: str, ends: list[str]) -> None:
    assert set(ends) <= set(last_words(text))
    assert not {"the", "wrong", "of", "because", "my", "and", "your", "no"} & set(
        last_words(text)
    )


def test_a_run_does_not_stop_short_of_the_reason() -> None:
    assert "weeks" not in last_words("I slept badly for weeks because of the move")
    assert "weeks" in last_words("I slept badly for weeks. Because of the move.")


@pytest.mark.parametrize(
    "text",
    [
        "lol",
        "wtf",
        "thx",
        "hahahaha",
        "Nope.",
        "ok thanks",
        "Argh!!",
        "Thank you so much!",
        "I am so angry!",
        "Unfortunately",
    ],
)
def test_a_mere_outcry_tells_nothing(text: str) -> None:
    read = prose(text)
    assert not tell(read, np.array([0]), np.array([len(read.words) - 1])).any()


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for the fix",
        "wtf is this crash",
        "Great job!",
        "This is wrong",
        "lol no u2",
    ],
)
def test_whatever_is_praised_or_blamed_tells_something(text: str) -> None:
    read = prose(text)
    assert tell(read, np.array([0]), np.array([len(read.words) - 1])).all()
