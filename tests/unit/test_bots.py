import pytest

from connectors.bots import is_bot


@pytest.mark.parametrize(
    ("platform", "author"),
    [
        ("github", "dependabot[bot]"),
        ("github", "acme-bot"),
        ("github", "k8s-ci-robot"),
        ("github", "Codecov"),
        ("gitlab", "renovate"),
        ("irc", "ubottu"),
        ("irc", "fogBot_"),
        ("irc", "ChanServ"),
        ("slack", "slackbot"),
        ("gitter", "matrixbot"),
    ],
)
def test_programs_are_known_by_their_names(platform: str, author: str) -> None:
    assert is_bot(platform, author)


@pytest.mark.parametrize(
    ("platform", "author"),
    [("github", "abbot"), ("github", "jo"), ("irc", "botany"), ("irc", "robotnik")],
)
def test_people_are_not_taken_for_programs(platform: str, author: str) -> None:
    assert not is_bot(platform, author)
