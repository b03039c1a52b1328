"""What a source of messages is to the runner: pages to publish, one after another.

A source knows its platform and nothing else. What it yields is still as the platform
gave it, names in clear; it goes through the edge before it reaches the log, and never
into a log line.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from pipeline.records import Kind

Cursor = str
"""Where to go on, in JSON that only the source understands."""


class RawMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message as its platform gave it.

    `author` is the platform's own id of its author. `where` and `number` say where it
    was read: a file and its line, or an address and a position. `platform` and `kind`
    are the source's own unless given; `bot` True is the platform's word, else the
    author's name decides.
    """

    id: str
    revision: int = 0
    deleted: bool = False
    platform: str | None = None
    kind: str | None = None
    channel: str
    thread: str | None = None
    reply_to: str | None = None
    author: str
    bot: bool = False
    sent_at: datetime
    language: str | None = None
    text: str
    where: str = ""
    number: int = 0

    def __repr__(self) -> str:
        """Without what a message must not leave in a log or a traceback."""
        return f"RawMessage({self.where!r}, {self.number})"


class Refusal(NamedTuple):
    """What a source read but could not understand; it becomes a dead letter.

    `raw` may be the beginning only; `error` then says how long the whole was.
    """

    where: str
    number: int
    error: str
    raw: bytes


class Page(NamedTuple):
    """What is published together, and the cursor to go on from once it is.

    `pause_s` is how long the source wants to be left alone after this page. `drained`
    says that there is nothing more to read for now.
    """

    messages: list[RawMessage]
    refusals: list[Refusal]
    cursor: Cursor
    pause_s: float = 0.0
    drained: bool = False


class Source(Protocol):
    """One configured place that messages come from."""

    @property
    def name(self) -> str:
        """Its configured name, the `source` of its messages."""

    @property
    def platform(self) -> str:
        """The platform of its messages."""

    @property
    def kind(self) -> Kind:
        """What its messages are."""

    @property
    def every_s(self) -> float:
        """Seconds between two requests when it is well; 0 where none are made."""

    def pages(self, cursor: Cursor | None) -> AsyncGenerator[Page, None]:
        """The pages after `cursor`, oldest first, from the beginning without one.

        It ends where nothing more will ever come. It may be closed after any page, and
        a new call with that page's cursor goes on behind it.

        Its errors are told to the operator, so they hold no secret and no text.

        Raises:
            SourceError: it cannot be read now; the runner asks again later.
            GroundswellError: it cannot be read until a person changes something.
        """
