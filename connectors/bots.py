"""Who is a program: by its name, as platforms and channels customarily name them."""

import re

_ANYWHERE = re.compile(r"\[bot\]$|[-_ ]bot$|^bot[-_]|[-_]robot$")
_CHANNEL_BOT = re.compile(r"bot[0-9]?[_`]*$")
_CHATS = frozenset({"irc", "matrix", "slack", "discord", "zulip", "gitter"})
_NAMES = frozenset(
    """
    allcontributors appveyor azure-pipelines bors chanserv circleci codeclimate codecov
    codecov-io copilot coveralls deepsource dependabot dependabot-preview devin-ai
    facebook-github-tools gemini-code-assist github-actions github-pages gitlab-ci
    gitter-badger greenkeeper homu imgbot jenkins kompewter lgtm-com meetingology
    memoserv mergify mneptok-logger nickserv operserv pre-commit-ci prow pull
    pyup-bot renovate renovate-bot semantic-release sentry-io slackbot snyk snyk-io
    sonarcloud stale supybot tc39-ci travis travis-ci typescript-automation ubottu
    ubotu ubot2 ubot3 ubot4 ubot5 vercel webhookbot whitesource-bolt zenhub
    """.split()  # noqa: SIM905 - names, as prose
)


def is_bot(platform: str, author: str) -> bool:
    """Whether `author` of `platform` is a program.

    In chats any name that ends in "bot" is one; elsewhere people are called Abbot.
    """
    name = author.lower()
    if "bot" not in name:
        return name in _NAMES
    return (
        name in _NAMES
        or _ANYWHERE.search(name) is not None
        or (platform in _CHATS and _CHANNEL_BOT.search(name) is not None)
    )
