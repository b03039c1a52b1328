"""What themes are made of, and what they are."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

MOST_CAUSES = 20_000
"""Looked at together; some seconds' work."""

Weights = Mapping[str, float]
"""How characteristic each word is of a theme; above 0, at most 1."""


class Cause(NamedTuple):
    """The words in which somebody named what frustrates, once.

    `week` is the Monday on which the ISO week began, `author` a pseudonym.
    """

    week: date
    author: str
    words: str


class Week(NamedTuple):
    """How often a theme came up in a week, and with how many distinct authors."""

    week: date
    messages: int
    authors: int


class Theme(NamedTuple):
    """Causes that are alike.

    `name` holds its most characteristic words, the first one foremost; `weights` more
    of them, to know it again by.
    """

    name: tuple[str, ...]
    weights: Weights
    weeks: tuple[Week, ...]
