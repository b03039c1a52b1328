"""Reads JSONL archives: all at once, or at a multiple of their own pace.

The cursor tells the last line read and its digest, and a digest of the files before,
so that a replay goes on in the midst of a file, or where the last one has grown, and
begins again when an archive has changed; the messages' keys make what is then read
twice harmless.
"""

import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from connectors.archive_line import parse
from connectors.lines import Line, LineReader, format_fault
from connectors.offload import in_thread
from connectors.source import Cursor, Page, RawMessage, Refusal
from pipeline.config import ReplaySettings
from pipeline.errors import InputError, SourceError
from pipeline.records import CLOCK_SKEW, EARLIEST, Kind

PAGE_MESSAGES = 5_000
PAGE_BYTES = 4 * 2**20
SOON_S = 0.05
"""Messages due within this many seconds are published together."""

_BOM = b"\xef\xbb\xbf"
_END = Page([], [], "")

log = structlog.get_logger()


class _Position(msgspec.Struct, frozen=True):
    """Behind `line` of file number `file`; line 0 is before its first.

    `start` is where that line starts and `digest` is its; `before` is that of all
    files before, by path and size.
    """

    file: int = 0
    before: str = ""
    line: int = 0
    start: int = 0
    digest: str = ""


class ReplaySource:
    """The archives of `settings`; each is read from its beginning to its end once.

    Args:
        settings: which files, and how fast.
        clock: what time it is, to keep the archives' pace.
    """

    def __init__(self, settings: ReplaySettings, clock: Callable[[], datetime]) -> None:
        self.name = settings.name
        self.platform = settings.platform
        self.kind: Kind = settings.kind
        self.every_s = 0.0
        self.bytes_read = 0
        self._files = [Path(file) for file in settings.files]
        self._speed = settings.speed
        self._clock = clock

    @property
    def bytes_total(self) -> int:
        """The size of all files, as they lie on disk."""
        return sum(_size(path) for path in self._files)

    def check(self) -> None:
        """Refuse what can never be read.

        Raises:
            InputError: a file is missing, is no file, or may not be read.
        """
        for path in self._files:
            _check(path)

    async def pages(self, cursor: Cursor | None) -> AsyncGenerator[Page, None]:
        """Pages of up to 5,000 lines or about 4 MiB; see `Source`."""
        steps = self._steps(cursor)
        try:
            while (page := await in_thread(next, steps, _END)) is not _END:
                if page is not None:
                    yield page
        finally:
            steps.close()

    def _steps(self, cursor: Cursor | None) -> Generator[Page | None]:
        """Pages, and None after each moment in which no page got full."""
        position = self._valid(cursor)
        pace = _Pace(self._speed, self._clock)
        batch = _Batch(position)
        self.bytes_read = sum(map(_size, self._files[: position.file]))
        for path in self._files[position.file :]:
            for line in self._lines(path, position):
                if line is None:
                    yield None
                    continue
                item = _understood(line, path)
                if isinstance(item, Refusal) and _is_unfinished(line):
                    log.warning("last-line-unfinished", source=self.name)
                    continue
                wait_s = pace.wait_s(item)
                if batch.is_full or wait_s:
                    yield batch.page(wait_s)
                batch.add(line, item)
            # The last file is never left behind, since it may grow.
            if path is not self._files[-1]:
                batch.next_file(path)
                position = batch.position
        if batch.moved:
            yield batch.page()

    def _valid(self, cursor: Cursor | None) -> _Position:
        if cursor is None:
            return _Position()
        position = msgspec.json.decode(cursor, type=_Position)
        before = ""
        for path in self._files[: position.file]:
            before = _chained(before, path)
        if before != position.before:
            log.warning("archives-changed", source=self.name)
            return _Position()
        return position

    def _lines(self, path: Path, position: _Position) -> Iterator[Line | None]:
        """The lines of `path` behind `position`, or all if it has changed."""
        expected = position.digest
        for line in self._read(path, position):
            if line is None or not expected:
                yield line
            elif _digest(line.data) == expected:
                expected = ""
            else:
                break
        if expected:
            log.warning("archives-changed", source=self.name, file=str(path))
            yield from self._read(path, _Position())

    def _read(self, path: Path, position: _Position) -> Iterator[Line | None]:
        _check(path)
        read_before = self.bytes_read
        try:
            if fault := format_fault(path):
                yield Line(0, 0, 0, b"", fault)
                return
            reader = LineReader(path, position.start, max(0, position.line - 1))
            with closing(reader):
                while (lines := reader.read()) is not None:
                    self.bytes_read = read_before + reader.consumed
                    yield None
                    yield from lines
        except OSError as error:
            raise SourceError(
                f"{path} cannot be read on ({error.strerror}): check its disk"
            ) from error


class _Batch:
    """What was read since the last page, and how far that was."""

    def __init__(self, position: _Position) -> None:
        self.position = position
        self._told = position
        self._last: Line | None = None
        self._empty()

    @property
    def is_full(self) -> bool:
        lines = len(self._messages) + len(self._refusals)
        return lines >= PAGE_MESSAGES or self._bytes >= PAGE_BYTES

    @property
    def moved(self) -> bool:
        return self._last is not None or self.position != self._told

    def add(self, line: Line, item: RawMessage | Refusal | None) -> None:
        self._last = line
        self._bytes += len(line.data)
        if isinstance(item, RawMessage):
            self._messages.append(item)
        elif item is not None:
            self._refusals.append(item)

    def next_file(self, path: Path) -> None:
        before = _chained(self.position.before, path)
        self.position = _Position(file=self.position.file + 1, before=before)
        self._last = None

    def page(self, pause_s: float = 0.0) -> Page:
        if self._last is not None:
            self.position = msgspec.structs.replace(
                self.position,
                line=self._last.number,
                start=self._last.start,
                digest=_digest(self._last.data),
            )
        self._told = self.position
        cursor = msgspec.json.encode(self.position).decode()
        page = Page(self._messages, self._refusals, cursor, pause_s)
        self._empty()
        return page

    def _empty(self) -> None:
        self._messages: list[RawMessage] = []
        self._refusals: list[Refusal] = []
        self._bytes = 0
        self._last = None


class _Pace:
    """When a message is due, so that an archive goes on at `speed` times its pace."""

    def __init__(self, speed: float, clock: Callable[[], datetime]) -> None:
        self._speed = speed
        self._clock = clock
        self._began: tuple[datetime, datetime] | None = None

    def wait_s(self, item: RawMessage | Refusal | None) -> float:
        """Seconds until `item` is due; 0 when it is, or will be in a moment."""
        if not self._speed or not isinstance(item, RawMessage):
            return 0.0
        now = self._clock()
        if not EARLIEST <= item.sent_at <= now + CLOCK_SKEW:
            # The edge will refuse it; nothing must wait for the year 9999.
            return 0.0
        if self._began is None:
            self._began = (now, item.sent_at)
        began, first = self._began
        wait_s = (item.sent_at - first).total_seconds() / self._speed
        wait_s -= (now - began).total_seconds()
        return wait_s if wait_s > SOON_S else 0.0


def _understood(line: Line, path: Path) -> RawMessage | Refusal | None:
    data = line.data.removeprefix(_BOM) if line.number == 1 else line.data
    if line.fault:
        return Refusal(str(path), line.number, line.fault, data)
    if not data.strip():
        return None
    try:
        return parse(data, str(path), line.number)
    except ValueError as error:
        return Refusal(str(path), line.number, str(error), data)


def _is_unfinished(line: Line) -> bool:
    """Whether it lacks its end: whoever writes the file may go on with it."""
    return line.fault is None and 0 < len(line.data) == line.end - line.start


def _check(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path} does not exist: check the path")
    if not path.is_file():
        raise InputError(f"{path} is no file: name the files in it one by one")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read: check its permissions")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _chained(before: str, path: Path) -> str:
    text = f"{before}\n{path.absolute()}\n{_size(path)}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
