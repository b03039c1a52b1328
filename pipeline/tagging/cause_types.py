"""Where the cause of what hurts lies: in the message, in its thread, or nowhere.

A rule, set by hand; docs/causes.md has it in words.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pipeline.records import Mark
from pipeline.tagging.encoder import Reading
from pipeline.tagging.lexicon import Span

NAME = "causes-1"
TYPE = "cause-type"
FLAGGED_FROM = 0.5

_SURE = 0.9
"""How likely the place of a cause is right at most: nothing was fitted for it."""


class Earlier(NamedTuple):
    """How likely an earlier text shows a negative emotion, and what gives its words."""

    hurting: float
    reading: Callable[[], Reading]


class Named(NamedTuple):
    """How surely words of the message name its cause, and which."""

    score: float
    place: Span


class Placed(NamedTuple):
    """An earlier text of a thread, and its number, counted from 0."""

    number: int
    text: str
    read: Earlier


SpanIn = Callable[[str, Reading], Span | None]
"""Finds the words of a text that name a cause."""


def types(
    own: Named,
    context: Sequence[str],
    earlier: Callable[[str], Earlier],
    span_in: SpanIn,
) -> list[Mark]:
    """The marks of all places, likely or not, that add up to what can be sure at most.

    Args:
        own: what the message itself says of the cause.
        context: earlier texts of its thread.
        earlier: reads one; asked only if the message tells little, once for each text.
        span_in: asked of the text that hurts most, if that is where the cause is.
    """
    placed = None if own.score >= FLAGGED_FROM else _worst(context, earlier)
    hurting = placed.read.hurting if placed else 0.0
    before = _place_mark("in-context", (1 - own.score) * hurting)
    if placed and before.flagged:
        before = _pointing(before, placed, span_in)
    return [
        _place_mark("no-context", own.score, own.place),
        before,
        _place_mark("latent", (1 - own.score) * (1 - hurting)),
    ]


def _worst(context: Sequence[str], earlier: Callable[[str], Earlier]) -> Placed | None:
    """The text that hurts most, the last of those that do as much."""
    last = {text: number for number, text in enumerate(context) if text.strip()}
    placed = [Placed(n, text, earlier(text)) for text, n in last.items()]
    return max(placed, key=lambda one: (one.read.hurting, one.number), default=None)


def _pointing(mark: Mark, placed: Placed, span_in: SpanIn) -> Mark:
    """A mark with the words of an earlier text that name the cause, if any do."""
    span = span_in(placed.text, placed.read.reading())
    if span is None:
        return mark
    return replace(mark, evidence=span, context=placed.number)


def _place_mark(label: str, score: float, place: Span | None = None) -> Mark:
    return made((TYPE, label), _SURE * score, FLAGGED_FROM, place)


def made(
    label: tuple[str, str], score: float, least: float, place: Span | None
) -> Mark:
    """A mark, flagged from a score of `least` on."""
    score = round(score, 4)
    return Mark(
        task=label[0],
        label=label[1],
        score=score,
        flagged=score >= least,
        evidence=place,
        tagger=NAME,
    )
