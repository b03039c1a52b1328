"""Reads the published file, and follows it when a newer one takes its place.

DuckDB shares one instance between all connections of a process to one path, so a
second `connect` would go on showing the old file for as long as anyone reads it.
Attached to an in-memory database of its own, every file is read for what it is.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipeline.errors import WarehouseError

MEMORY = "512MB"
THREADS = 2
TIMEOUT_S = 5.0

_Signature = tuple[int, int, int, int]


class UnpublishedError(WarehouseError):
    """There is no published file yet."""


class SlowQueryError(WarehouseError):
    """A query took too long and was stopped."""


class Reading(NamedTuple):
    """A cursor of its own on one published file, and when that was published."""

    cursor: duckdb.DuckDBPyConnection
    published_at: datetime


class _File:
    """One published file, open for as long as it is the newest or someone reads it."""

    def __init__(self, path: Path, signature: _Signature) -> None:
        self.signature = signature
        self.root = _attached(path)
        self.readers = 0
        self.published_at = _published_at(self.root)


class Published:
    """The newest published file at `path`; safe to use from several threads.

    Args:
        path: where publications appear, each by `os.replace`.
        timeout_s: seconds after which a query is stopped.
    """

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._file: _File | None = None

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """Read the newest file for the duration of the block.

        Raises:
            UnpublishedError: nothing has been published yet.
            SlowQueryError: the block's queries took too long.
            WarehouseError: the file is not a published file of this version.
        """
        with self._lock:
            file = self._newest()
            cursor = file.root.cursor()
            file.readers += 1
        timer = threading.Timer(self._timeout_s, _interrupt, [cursor])
        timer.start()
        try:
            cursor.execute("USE published")
            yield Reading(cursor, file.published_at)
        except duckdb.InterruptException as error:
            raise SlowQueryError(
                f"the query took longer than {self._timeout_s:g} s: choose less time"
            ) from error
        except duckdb.Error as error:
            raise _unreadable() from error
        finally:
            timer.cancel()
            with self._lock:
                cursor.close()
                file.readers -= 1
                self._release(file)

    def close(self) -> None:
        """Let go of the file; readings under way may finish."""
        with self._lock:
            self._retire()

    def _newest(self) -> _File:
        signature = self._on_disk()
        if self._file is None or self._file.signature != signature:
            self._retire()
            # Replaced just now, the signature is too old: the next reader opens anew.
            self._file = _File(self._path, signature)
        return self._file

    def _on_disk(self) -> _Signature:
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            self._retire()
            raise UnpublishedError("nothing has been published yet") from error
        except OSError as error:
            raise _unreadable() from error
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)

    def _retire(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._release(file)

    def _release(self, file: _File) -> None:
        # Closing the root would close the cursors of those who still read.
        if file is not self._file and file.readers == 0:
            file.root.close()


def _attached(path: Path) -> duckdb.DuckDBPyConnection:
    root = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY,
            "threads": THREADS,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    try:
        quoted = str(path).replace("'", "''")
        root.execute(f"ATTACH '{quoted}' AS published (READ_ONLY)")
        root.execute("SET enable_external_access = false")
        root.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        root.close()
        raise _unreadable() from error
    return root


def _published_at(root: duckdb.DuckDBPyConnection) -> datetime:
    try:
        row = root.execute("SELECT published_at FROM published.about").fetchone()
    except duckdb.Error as error:
        root.close()
        raise _unreadable() from error
    if row is None:
        root.close()
        raise _unreadable()
    published_at: datetime = row[0].replace(tzinfo=UTC)
    return published_at


def _interrupt(cursor: duckdb.DuckDBPyConnection) -> None:
    # The block may have closed the cursor between the timer's end and this call.
    with suppress(duckdb.ConnectionException):
        cursor.interrupt()


def _unreadable() -> WarehouseError:
    return WarehouseError(
        "the published file cannot be read by this version: look at "
        "`groundswell status`, and publish anew"
    )
