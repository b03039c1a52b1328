"""A source that yields what a test tells it to; it keeps the sources' contract."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

import msgspec

from connectors.source import Cursor, Page, RawMessage, Refusal
from pipeline.records import Kind

_SENT = datetime(2024, 5, 31, 12, tzinfo=UTC)


class FakeSource:
    """Yields each step in turn: a page's messages, or an error to raise, once.

    The cursor counts the pages behind it, so that it resumes after any of them.
    """

    platform = "fake"
    kind: Kind = "chat"

    def __init__(
        self,
        steps: Sequence[Sequence[RawMessage | Refusal] | Exception],
        *,
        name: str = "fake",
        pause_s: float = 0.0,
        every_s: float = 0.0,
    ) -> None:
        self.name = name
        self.every_s = every_s
        self.asked: list[Cursor | None] = []
        self._steps = [step for step in steps if not isinstance(step, Exception)]
        self._pause_s = pause_s
        self._errors: dict[int, list[Exception]] = {}
        pages = 0
        for step in steps:
            if isinstance(step, Exception):
                self._errors.setdefault(pages, []).append(step)
            else:
                pages += 1

    async def pages(self, cursor: Cursor | None) -> AsyncGenerator[Page, None]:
        """The pages behind `cursor`; see `Source`."""
        self.asked.append(cursor)
        first = msgspec.json.decode(cursor, type=int) if cursor else 0
        for number in range(first, len(self._steps) + 1):
            if self._errors.get(number):
                raise self._errors[number].pop(0)
            if number < len(self._steps):
                yield self._page(number)

    def _page(self, number: int) -> Page:
        step = self._steps[number]
        return Page(
            messages=[item for item in step if isinstance(item, RawMessage)],
            refusals=[item for item in step if isinstance(item, Refusal)],
            cursor=str(number + 1),
            pause_s=self._pause_s,
        )


def raw_message(text: str, **fields: object) -> RawMessage:
    """A message that says `text`; `fields` replace what else it says."""
    given: dict[str, object] = {
        "id": text,
        "channel": "#test",
        "author": "someone",
        "sent_at": _SENT,
        "text": text,
        "where": "test",
    }
    return msgspec.convert(given | fields, RawMessage)
