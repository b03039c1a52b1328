import pytest

from pipeline.tagging.lexicon import MAX_CHARACTERS, Lexicon

ENTRIES = [
    ("joy", "happy"),
    ("joy", "so happy"),
    ("fear", "worr{y,ied}"),
    ("care", "don't worry"),
    ("anger", "not really"),
    ("sadness", ":("),
    ("surprise", "happy"),
    ("bug", "fail{s,ing}"),
    ("test", "tests keep failing"),
    ("stress", "i feel so"),
    ("lonely", "feel so alone"),
    ("lonely", "alone"),
    ("stress", "so alone again"),
    ("bug", "failing on"),
    ("test", "on path"),
]
LEXICON = Lexicon(
    ENTRIES,
    negations=["not", "no longer", "don't", "never"],
    technical=["happy path", "not only"],
    exclusive={"bug", "test"},
)


def labels(text: str) -> list[str]:
    return [ENTRIES[feature][0] for feature in LEXICON.read(text).places]


def test_a_phrase_switches_on_each_label_it_speaks_for() -> None:
    assert labels("happy") == ["joy", "surprise"]


def test_a_longer_phrase_is_lent_the_labels_it_has_not() -> None:
    features = LEXICON.read("so happy").places
    assert [ENTRIES[feature] for feature in features] == [
        ("joy", "so happy"),
        ("surprise", "happy"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "not happy",
        "I am NOT very happy",
        "don’t be happy",  # noqa: RUF001 - as people type it
        "no longer worried",
        "never been so worried",
    ],
)
def test_what_is_denied_is_not_found(text: str) -> None:
    assert labels(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "not yet. happy",
        "it is not here, happy",
        "why not? happy",
        "it does not work happy",
        "not only happy",
    ],
)
def test_a_denial_reaches_over_small_words_only(text: str) -> None:
    assert labels(text) == ["joy", "surprise"]


def test_emoticons_cannot_be_denied() -> None:
    assert labels("not :(") == ["sadness"]


def test_a_phrase_that_ends_in_a_denial_denies_what_follows() -> None:
    assert labels("not really happy") == ["anger"]


def test_a_denial_within_a_phrase_lends_nothing() -> None:
    assert labels("don't worry") == ["care"]


def test_technical_phrases_hide_the_words_in_them() -> None:
    assert labels("the happy path") == []


def test_a_phrase_takes_no_words_from_another_labels() -> None:
    places = LEXICON.read("I feel so alone").places
    found = {ENTRIES[feature][1]: place for feature, place in places.items()}
    assert found == {"i feel so": [(0, 9)], "feel so alone": [(2, 15)]}


def test_of_one_label_the_leftmost_phrase_takes_the_words() -> None:
    places = LEXICON.read("I feel so alone again").places
    assert [ENTRIES[feature][1] for feature in places] == ["feel so alone", "i feel so"]


@pytest.mark.parametrize(
    "text", ["I don't feel so alone", "I've never been so alone again"]
)
def test_a_denial_is_heard_for_every_label(text: str) -> None:
    assert labels(text) == []


def test_of_exclusive_labels_the_leftmost_takes_the_words() -> None:
    assert labels("failing on path") == ["bug"]


def test_of_exclusive_labels_a_phrase_keeps_its_own() -> None:
    assert labels("tests keep failing") == ["test"]
    assert labels("it fails") == ["bug"]


def test_every_place_of_a_feature_is_kept() -> None:
    assert list(LEXICON.read("worry, worried").places.values()) == [[(0, 5), (7, 14)]]


def test_sentences_end_at_stops_and_lines_but_not_within_names() -> None:
    text = "In node.js v1.2 it fails. Happy?\nSo happy"
    reading = LEXICON.read(text)
    starts = [text.index(word) for word in ("it", "Happy", "So")]
    assert [reading.sentence((start, start + 1)) for start in starts] == [0, 1, 2]


def test_only_the_head_of_a_long_text_is_read() -> None:
    assert labels("x" * MAX_CHARACTERS + " happy") == []
