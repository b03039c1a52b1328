from datetime import UTC, datetime, timedelta

from connectors.pseudonym import Pseudonyms, period

SECRET = b"a secret of more than 32 characters"
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
NOW = datetime(2024, 5, 15, 12, tzinfo=UTC)


def test_a_name_is_sixteen_hex_digits() -> None:
    name = Pseudonyms(SECRET).name("github", "jo", NOW)
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")


def test_a_name_is_the_same_after_a_restart() -> None:
    assert Pseudonyms(SECRET).name("github", "jo", NOW) == Pseudonyms(SECRET).name(
        "github", "jo", NOW
    )


def test_secret_source_author_and_period_each_change_the_name() -> None:
    names = {
        Pseudonyms(SECRET).name("github", "jo", NOW),
        Pseudonyms(SECRET + b"!").name("github", "jo", NOW),
        Pseudonyms(SECRET).name("slack", "jo", NOW),
        Pseudonyms(SECRET).name("github", "eve", NOW),
        Pseudonyms(SECRET).name("github", "jo", NOW + timedelta(weeks=13)),
    }
    assert len(names) == 5


def test_source_and_author_cannot_be_confused() -> None:
    pseudonyms = Pseudonyms(SECRET)
    assert pseudonyms.name("a", "bc", NOW) != pseudonyms.name("ab", "c", NOW)


def test_no_week_straddles_two_periods() -> None:
    for week in range(4_000):
        start = MONDAY + timedelta(weeks=week)
        assert period(start) == period(start + timedelta(days=7, microseconds=-1))
        assert period(start) == week // 13


def test_the_days_before_the_first_monday_have_a_period_too() -> None:
    assert period(datetime(1970, 1, 1, tzinfo=UTC)) == -1


def test_an_author_with_half_a_character_gets_a_name() -> None:
    assert Pseudonyms(SECRET).name("slack", "jo\ud800", NOW)
