"""Files are shown to a tagger that sends texts elsewhere as the log would hold them.

What comes through a connector is redacted before it reaches the log; what `groundswell
tag` and `groundswell evaluate` read comes from a file, and nobody redacted that.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from connectors.redact import PLACEHOLDERS, redact
from pipeline.config import TaggingSettings
from pipeline.jobs.tag import Finishing
from pipeline.records import Mark
from pipeline.tagging.lexicon import Span
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag

_PLACEHOLDER = re.compile(f"<(?:{'|'.join(sorted(PLACEHOLDERS))})>")
_NO_CHATS = frozenset(
    ("github", "gitlab", "stackexchange", "stackoverflow", "reddit", "twitter")
)


def load_for_files(settings: TaggingSettings, *, suicidality: bool) -> Tagger:
    """The configured tagger, which sends no more of a file than of the log.

    Raises:
        ConfigError: its packages are not installed, or its settings cannot be used.
    """
    tagger = load_tagger(settings, suicidality=suicidality)
    return RedactedTagger(tagger) if settings.tagger == "llm" else tagger


class RedactedTagger:
    """Shows another tagger redacted texts; its evidence lies in the texts as given.

    On platforms that may be chats names before `name: ...` are taken out, too.

    Args:
        tagger: sees no text that was not redacted.
    """

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger

    @property
    def name(self) -> str:
        """The other tagger's."""
        return self._tagger.name

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text; see `Tagger`."""
        shown = [_redacted(text) for text in texts]
        answers = self._tagger.tag(shown)
        return [
            [_moved(mark, text, seen) for mark in marks]
            for text, seen, marks in zip(texts, shown, answers, strict=True)
        ]

    def finish(self) -> None:
        """Let the other tagger have its last word."""
        if isinstance(self._tagger, Finishing):
            self._tagger.finish()


def _redacted(text: TextToTag) -> TextToTag:
    chat = text.platform not in _NO_CHATS
    return text._replace(
        text=redact(text.text, chat=chat),
        context=tuple(redact(earlier, chat=chat) for earlier in text.context),
    )


def _moved(mark: Mark, text: TextToTag, seen: TextToTag) -> Mark:
    """A mark of what was seen, its evidence where it lies in the text as given."""
    if mark.evidence is None:
        return mark
    given, shown = text.text, seen.text
    if mark.context is not None:
        given, shown = text.context[mark.context], seen.context[mark.context]
    if given == shown:
        return mark
    return msgspec.structs.replace(
        mark, evidence=unredacted(mark.evidence, given, shown)
    )


class _Piece(NamedTuple):
    """What stands in a text and in the redacted one alike, and from where on."""

    shown: int
    given: int
    size: int


def unredacted(place: Span, given: str, shown: str) -> Span:
    """Where in `given` a place of `shown` is, which is `given` redacted.

    A placeholder stands for all that is not around it.
    """
    pieces = [_Piece(0, 0, 0), *_pieces(given, shown)]
    starts = [piece.shown for piece in pieces]
    first = pieces[bisect_right(starts, place[0]) - 1]
    number = bisect_right(starts, place[1] - 1) - 1
    last = pieces[number]
    start = first.given + min(place[0] - first.shown, first.size)
    if place[1] - last.shown <= last.size:
        return (start, last.given + place[1] - last.shown)
    after = pieces[number + 1].given if number + 1 < len(pieces) else len(given)
    return (start, after)


def _pieces(given: str, shown: str) -> Iterator[_Piece]:
    """The parts of `shown` between its placeholders, each at its first place."""
    before = end = 0
    ends = [match.span() for match in _PLACEHOLDER.finditer(shown)]
    for start, after in [*ends, (len(shown), len(shown))]:
        part = shown[before:start]
        # A placeholder stands for a character at least.
        at = (
            given.find(part, end + (before > 0))
            if start < len(shown)
            else (len(given) - len(part))
        )
        if part and at >= 0:
            yield _Piece(before, at, len(part))
            end = at + len(part)
        before = after
