"""What every tagger promises: texts in, marks out."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pipeline.records import Mark


class TextToTag(NamedTuple):
    """A text and what is known of it.

    `language` is ISO 639-1, or None where it is not known; `context` holds earlier
    texts of the thread, oldest first.
    """

    text: str
    language: str | None
    platform: str
    context: tuple[str, ...]


class Tagger(Protocol):
    """Gives texts their marks; the same text always gets the same ones.

    A tagger may be used by several threads at once, and is cheap to build or to
    pickle, so that every process has its own.
    """

    @property
    def name(self) -> str:
        """Name and version, as every mark carries it: `lexicon-1`."""

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """The marks of each text, in the texts' order.

        Every mark that can be scored above 0 is returned, flagged or not, at most
        one for a label; a tagger may leave out what it scores below .01. A mark's
        evidence lies within its text, in characters, or in that one of `context` whose
        number it carries.
        """
