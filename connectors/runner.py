"""Drives every source at once: publishes a page, then saves its cursor.

A crash between the two repeats one page, which the messages' keys make harmless. A
source that fails is asked again, later and later; the others do not notice. What a
source does, its pulses say at every change and at least once a minute.

What is said live goes to the topic `messages`, what was old when it was read to
`history`: so a backfill stands in nobody's way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from connectors.context import Positions, ThreadMemory, recall
from connectors.edge import Edge
from connectors.offload import in_thread
from connectors.source import Cursor, Page, Source
from pipeline.errors import (
    GroundswellError,
    LogError,
    LogFullError,
    SourceError,
    origin,
)
from pipeline.log.message_log import Entry, MessageLog, Topic
from pipeline.records import Message, Pulse, PulseState, encode

PULSE_EVERY_S = 50.0
FULL_RETRY_S = 5.0
FULL_WARNING_S = 60.0
FIRST_BACK_OFF_S = 2.0
LONGEST_BACK_OFF_S = 900.0
BRIEF_FAILURES = 3
"""After more in a row, a source is asked no more often than when it is well."""
LONGEST_REST_S = 24 * 3600.0
"""No source is left alone for longer, whatever it asks for."""
LIVE_WITHIN = timedelta(days=1)
"""What was sent longer ago when it is seen is history.

A day, because no source that is followed lags that far behind, be it that it was left
alone or that an outage took the night; and what comes a day late can wait a while more.
"""

_STOP_POLL_S = 0.1
_MICROSECOND = timedelta(microseconds=1)
_LAST_PAGE_S = 1.5
"""What a page that is being published gets to end when asked to stop."""

log = structlog.get_logger()


class Tally(msgspec.Struct):
    """What was published of a source in one run."""

    messages: int = 0
    dead_letters: int = 0


class SavedCursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the log keeps of a source, under the key `source/NAME`.

    `published` says, per partition, behind which offset of `messages` nothing of the
    source was written when the cursor was saved; `published_history` says it of
    `history`.
    """

    cursor: Cursor | None = None
    messages: int = 0
    dead_letters: int = 0
    published: dict[str, int] = msgspec.field(default_factory=dict)
    published_history: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def positions(self) -> dict[Topic, Positions]:
        """What was published, as `recall` wants it."""
        return {"messages": self.published, "history": self.published_history}


class _Batch(msgspec.Struct):
    """A page as it goes to the log."""

    messages: list[Entry] = msgspec.field(default_factory=list)
    history: list[Entry] = msgspec.field(default_factory=list)
    dead_letters: list[Entry] = msgspec.field(default_factory=list)
    newest: datetime | None = None

    @property
    def count(self) -> int:
        """Messages of either topic."""
        return len(self.messages) + len(self.history)

    def add(self, message: Message, entry: Entry) -> None:
        """Add `message` to the topic that its age makes its own."""
        late = message.seen_at - message.sent_at > LIVE_WITHIN
        (self.history if late else self.messages).append(entry)
        self.newest = _latest(self.newest, message.sent_at)


class _Drive:
    """A source and how it is doing."""

    def __init__(self, source: Source, saved: SavedCursor) -> None:
        self.source = source
        self.saved = saved
        self.tally = Tally()
        self.memory: ThreadMemory | None = None
        self.state: PulseState | None = None
        self.error: str | None = None
        self.failure: GroundswellError | None = None
        self.failures = 0
        self.unpulsed = 0
        self.newest: datetime | None = None


class Runner:
    """Publishes what sources yield.

    Args:
        log: where to.
        edge: redacts and pseudonymises.
        clock: what time it is.
        jitter: spreads the attempts to reach a failing source.
        sleep: waits for some seconds.
        on_page: called with a source's name and tally after each of its pages.
    """

    def __init__(  # noqa: PLR0913 - what a test must be able to replace
        self,
        log: MessageLog,
        edge: Edge,
        *,
        clock: Callable[[], datetime],
        jitter: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_page: Callable[[str, Tally], None] = lambda _name, _tally: None,
    ) -> None:
        self._log = log
        self._edge = edge
        self._clock = clock
        self._jitter = jitter
        self._sleep = sleep
        self._on_page = on_page
        self._warned_full: datetime | None = None

    async def run(
        self, sources: Sequence[Source], stop: Callable[[], bool], *, once: bool = False
    ) -> dict[str, Tally]:
        """Drive `sources` until `stop`, or `once` until nothing is left for now.

        Returns:
            The tally of each source, by name.

        Raises:
            LogError: the log cannot be read or written.
            GroundswellError: with `once`, a source failed; the others were read.
        """
        drives = await in_thread(self._begin, sources)
        tasks = [asyncio.create_task(self._drive(drive, once)) for drive in drives]
        read = asyncio.create_task(_all(tasks, then_wait=not once))
        watch = asyncio.create_task(_until(stop))
        beat = asyncio.create_task(self._beat(drives))
        try:
            ended, _ = await asyncio.wait(
                {read, watch, beat}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await _cancel([read, watch, beat, *tasks])
        for task in ended:
            task.result()
        for drive in drives:
            await self._tell(drive, "stopped", drive.error)
        failures = [drive.failure for drive in drives if drive.failure]
        if once and failures:
            raise failures[0]
        return {drive.source.name: drive.tally for drive in drives}

    def _begin(self, sources: Sequence[Source]) -> list[_Drive]:
        cursors = self._log.latest("cursors")
        return [
            _Drive(source, _decoded(source.name, cursors.get(_key(source))))
            for source in sources
        ]

    async def _drive(self, drive: _Drive, once: bool) -> None:  # noqa: FBT001
        while True:
            try:
                await self._read(drive, once=once)
            except LogError:
                raise
            except Exception as error:  # noqa: BLE001 - told, and tried again
                await self._fail(drive, error)
                if once:
                    return
                await self._sleep(self._rest_s(drive, error))
            else:
                await self._tell(drive, "stopped")
                return

    async def _read(self, drive: _Drive, *, once: bool) -> None:
        async with aclosing(drive.source.pages(drive.saved.cursor)) as pages:
            async for page in pages:
                await _to_its_end(self._publish(drive, page))
                drive.failures = 0
                await self._tell(drive, "ok")
                if once and page.drained:
                    return
                if page.pause_s > 0:
                    await self._sleep(page.pause_s)

    async def _publish(self, drive: _Drive, page: Page) -> None:
        batch = await in_thread(self._prepared, drive, page)
        await self._append("messages", batch.messages)
        await self._append("history", batch.history)
        await self._append("dead-letters", batch.dead_letters)
        saved = await in_thread(self._saved, drive.saved, page, batch)
        if saved != drive.saved:
            entry = Entry(_key(drive.source), msgspec.json.encode(saved))
            await self._append("cursors", [entry])
        drive.saved = saved
        drive.tally.messages += batch.count
        drive.tally.dead_letters += len(batch.dead_letters)
        drive.unpulsed += batch.count
        drive.newest = _latest(drive.newest, batch.newest)
        self._on_page(drive.source.name, drive.tally)

    def _prepared(self, drive: _Drive, page: Page) -> _Batch:
        now, source = self._clock(), drive.source
        batch = _Batch()
        letters = [self._edge.unreadable(refusal, now) for refusal in page.refusals]
        for number, raw in enumerate(page.messages):
            # The log tells by it which came first, whatever topic each went to.
            seen_at = now + number * _MICROSECOND
            try:
                message = self._edge.message(raw, source, seen_at)
                batch.add(message, self._entry(drive, message))
            except ValueError as error:
                letters.append(self._edge.refused(raw, str(error), now))
        batch.dead_letters = [Entry(source.name, encode(letter)) for letter in letters]
        return batch

    def _entry(self, drive: _Drive, message: Message) -> Entry:
        if message.thread:
            if drive.memory is None:
                published = drive.saved.positions
                drive.memory = recall(self._log, drive.source.name, published)
            context = drive.memory.context(message)
            if context:
                message = msgspec.structs.replace(message, context=context)
            value = encode(message)
            drive.memory.remember(message)
        else:
            value = encode(message)
        return Entry(message.partition_key, value)

    def _saved(self, saved: SavedCursor, page: Page, batch: _Batch) -> SavedCursor:
        return SavedCursor(
            cursor=page.cursor,
            messages=saved.messages + batch.count,
            dead_letters=saved.dead_letters + len(batch.dead_letters),
            published=self._ends("messages") if batch.messages else saved.published,
            published_history=(
                self._ends("history") if batch.history else saved.published_history
            ),
        )

    def _ends(self, topic: Topic) -> dict[str, int]:
        bounds = self._log.bounds(topic)
        return {str(partition): end for partition, (_, end) in bounds.items()}

    async def _append(self, topic: Topic, entries: list[Entry]) -> None:
        """Append, however long the log has no room for it."""
        while entries:
            try:
                await in_thread(self._log.append, topic, entries)
            except LogFullError as error:
                self._warn_full(error)
                await self._sleep(FULL_RETRY_S)
            else:
                return

    def _warn_full(self, error: LogFullError) -> None:
        now = self._clock()
        warned = self._warned_full
        if warned is None or (now - warned).total_seconds() >= FULL_WARNING_S:
            self._warned_full = now
            log.warning("log-full", error=str(error))

    async def _fail(self, drive: _Drive, error: Exception) -> None:
        drive.failure = _explained(drive.source.name, error)
        drive.failures += 1
        rests = isinstance(error, SourceError) and error.retry_after_s is not None
        text = str(drive.failure)
        log.warning(
            "source-failing",
            source=drive.source.name,
            error=text,
            in_a_row=drive.failures,
        )
        await self._tell(drive, "rate-limited" if rests else "failing", text)

    def _rest_s(self, drive: _Drive, error: Exception) -> float:
        """The longest of what it asks for, a doubling time, and its usual pause.

        The doubling time is stretched by up to a half at random, so that sources of
        one server do not all come at once; the usual pause counts for lasting errors.
        """
        doubled = FIRST_BACK_OFF_S * 2.0 ** min(drive.failures - 1, 30)
        rest_s = min(doubled, LONGEST_BACK_OFF_S) * self._jitter.uniform(1.0, 1.5)
        if drive.failures > BRIEF_FAILURES:
            rest_s = max(rest_s, drive.source.every_s)
        asked_s = error.retry_after_s if isinstance(error, SourceError) else None
        return max(rest_s, min(asked_s or 0.0, LONGEST_REST_S))

    async def _beat(self, drives: list[_Drive]) -> None:
        while True:
            await self._sleep(PULSE_EVERY_S)
            for drive in drives:
                if drive.state not in (None, "stopped"):
                    await self._pulse(drive)

    async def _tell(
        self, drive: _Drive, state: PulseState, error: str | None = None
    ) -> None:
        changed = state != drive.state
        drive.state, drive.error = state, error
        if changed:
            await self._pulse(drive)

    async def _pulse(self, drive: _Drive) -> None:
        now = self._clock()
        assert drive.state is not None
        # Taken before the append, lest a pulse beside this one tells them too.
        unpulsed, newest = drive.unpulsed, drive.newest
        drive.unpulsed, drive.newest = 0, None
        age = (now - newest).total_seconds() if newest else None
        pulse = Pulse(
            source=drive.source.name,
            at=now,
            state=drive.state,
            messages=unpulsed,
            delay_s=None if age is None else max(0.0, age),
            error=drive.error,
        )
        try:
            await in_thread(
                self._log.append, "pulses", [Entry(pulse.source, encode(pulse))]
            )
        except LogFullError as error:
            # The next pulse tells these messages too.
            self._warn_full(error)
            drive.unpulsed += unpulsed
            drive.newest = _latest(drive.newest, newest)


def _key(source: Source) -> str:
    return f"source/{source.name}"


def _decoded(name: str, value: bytes | None) -> SavedCursor:
    if value is None:
        return SavedCursor()
    try:
        return msgspec.json.decode(value, type=SavedCursor)
    except msgspec.MsgspecError as error:
        raise LogError(
            f"the log's cursor of source {name!r} cannot be read: was it written by a "
            "later release? Give the source another name to read it anew"
        ) from error


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _explained(name: str, error: Exception) -> GroundswellError:
    """What may be told: of an error that nobody foresaw, only its type and place."""
    if isinstance(error, GroundswellError):
        return error
    return SourceError(f"source {name!r} failed with {origin(error)}: report it")


async def _all(tasks: list[asyncio.Task[None]], *, then_wait: bool) -> None:
    await asyncio.gather(*tasks)
    if then_wait:
        # Sources that were read to their end stay quiet until asked to end.
        await asyncio.Event().wait()


async def _until(stop: Callable[[], bool]) -> None:
    while not stop():  # noqa: ASYNC110 - signals and parents set no asyncio event
        await asyncio.sleep(_STOP_POLL_S)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; when cancelled, let it end if it soon does."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LAST_PAGE_S)
        await _cancel([task])
        raise


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
