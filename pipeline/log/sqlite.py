"""The embedded message log: one SQLite file that several processes share.

Every topic is a table and has one partition, 0. The write-ahead log is synced at
each commit, so what `append` returned from survives `kill -9` and a power cut. The
offset to give next is kept apart from the records, so that none is given twice,
even after retention took everything.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.clock import utc_now
from pipeline.errors import LogError, LogFullError
from pipeline.log.message_log import COMPACTED, TOPICS, Entry, Stored, Topic

BUSY_S = 60.0
"""How long a writer waits for its turn."""

_APPLICATION_ID = 0x67737764
_VERSION = 1
_PAGE_BYTES = 8192
_RECORD_OVERHEAD = 32
"""Bytes a record takes on disk beside its key and value, measured."""

_READ_BYTES = 16 * 2**20
_READ_RECORDS = 16
_WAL_BYTES = 64 * 2**20
_SLICE_RECORDS = 2_000
_SLICE_BYTES = 16 * 2**20
_SLICE_PAGES = 2_000
_SAME_AGE = timedelta(hours=1)
"""Size retention is oldest first across topics to about this precision."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FULL_CODES = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
_REMEDIES = {
    sqlite3.SQLITE_NOTADB: "it is no message log; set another [log] url",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a backup or move it away",
    sqlite3.SQLITE_BUSY: "another process holds it; end that process",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "make sure its folder exists and is writable",
}


class SqliteLog:
    """A message log in one SQLite file; safe between threads and processes.

    Args:
        path: the file; it and its folder are made when missing.
        prefix: keeps several logs apart in one file.
        max_age: retention drops what was appended longer ago.
        max_bytes: retention drops the oldest beyond this size of all topics.
        clock: what time it is when a record is appended.

    Raises:
        LogError: the file cannot be opened or is no message log.
    """

    def __init__(
        self,
        path: Path,
        prefix: str,
        *,
        max_age: timedelta,
        max_bytes: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._path = path
        self._tables = {topic: f"{prefix}.{topic}" for topic in TOPICS}
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.RLock()
        with self._explained():
            self._connection = self._connect()
        try:
            self._create()
        except BaseException:
            self.close()
            raise

    def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
        """Append all entries in one transaction; see `MessageLog`."""
        if not entries:
            return
        table = self._tables[topic]
        at = (self._clock() - _EPOCH) // _MICROSECOND
        with self._transaction() as connection:
            row = "SELECT next_offset FROM topics WHERE name = ?"
            start = connection.execute(row, [table]).fetchone()[0]
            connection.executemany(
                f'INSERT OR REPLACE INTO "{table}" VALUES (?, ?, ?, ?)',  # noqa: S608
                (
                    (offset, at, key, value)
                    for offset, (key, value) in enumerate(entries, start)
                ),
            )
            added = sum(_size(len(key.encode()), len(value)) for key, value in entries)
            connection.execute(
                "UPDATE topics SET next_offset = ?, bytes = bytes + ? WHERE name = ?",
                [start + len(entries), added, table],
            )

    def read(
        self, topic: Topic, partition: int, start: int, limit: int
    ) -> list[Stored]:
        """Records from `start` on; fewer than `limit` when they are large.

        An empty list means that there is none now.
        """
        if partition != 0:
            return []
        table = self._tables[topic]
        sql = (
            f'SELECT offset, at, key, value FROM "{table}" '  # noqa: S608
            "WHERE offset >= ? ORDER BY offset LIMIT ?"
        )
        with self._using() as connection:
            rows = _fetch(connection.execute(sql, [start, limit]))
        times = {at: _EPOCH + at * _MICROSECOND for at in {row[1] for row in rows}}
        return [
            Stored(topic, 0, offset, key, value, times[at])
            for offset, at, key, value in rows
        ]

    def replace(self, topic: Topic, values: Mapping[int, bytes]) -> None:
        """Put other values at offsets that are kept, and wipe out the old ones.

        Whoever reads meanwhile gets the old or the new. The file holds the old ones no
        longer when this returns, unless somebody has been reading all the time.

        Raises:
            LogError: nothing is replaced.
        """
        table = self._tables[topic]
        grown = f'SELECT ? - length(value) FROM "{table}" WHERE offset = ?'  # noqa: S608
        update = f'UPDATE "{table}" SET value = ? WHERE offset = ?'  # noqa: S608
        with self._using() as connection:
            connection.execute("PRAGMA secure_delete = ON")
        with self._transaction() as connection:
            added = 0
            for offset, value in values.items():
                for (more,) in connection.execute(grown, [len(value), offset]):
                    added += more
                connection.execute(update, [value, offset])
            size = "UPDATE topics SET bytes = bytes + ? WHERE name = ?"
            connection.execute(size, [added, table])
        with self._using() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        """The first offset kept and the next; the same when nothing is kept."""
        table = self._tables[topic]
        sql = (
            f'SELECT (SELECT min(offset) FROM "{table}"), next_offset '  # noqa: S608
            "FROM topics WHERE name = ?"
        )
        with self._using() as connection:
            first, following = connection.execute(sql, [table]).fetchone()
        return {0: (following if first is None else first, following)}

    def since(self, topic: Topic, at: datetime) -> dict[int, int]:
        """The first offset of that time or later, found by bisection."""
        earliest = (at - _EPOCH) // _MICROSECOND
        sql = (
            f'SELECT at FROM "{self._tables[topic]}" '  # noqa: S608
            "WHERE offset >= ? ORDER BY offset LIMIT 1"
        )
        ((low, high),) = self.bounds(topic).values()
        with self._using() as connection:
            while low < high:
                middle = (low + high) // 2
                row = connection.execute(sql, [middle]).fetchone()
                if row is not None and row[0] < earliest:
                    low = middle + 1
                else:
                    high = middle
        return {0: low}

    def latest(self, topic: Topic) -> Mapping[str, bytes]:
        """The newest value of each key."""
        table = self._tables[topic]
        sql = f'SELECT key, value FROM "{table}" ORDER BY offset'  # noqa: S608
        with self._using() as connection:
            return dict(connection.execute(sql).fetchall())

    def enforce_retention(self, now: datetime) -> int:
        """Drop what is too old or too much, in slices that let writers pass."""
        cutoff = (now - self._max_age - _EPOCH) // _MICROSECOND
        dropped = 0
        for table in self._retained():
            while count := self._drop(table, until=cutoff):
                dropped += count
        while (excess := self._excess()) > 0 and (oldest := self._oldest()):
            table, until = oldest
            dropped += self._drop(table, until=until, at_most_bytes=excess)
        self._give_space_back()
        return dropped

    def close(self) -> None:
        """Close the file; a thread that is in it ends its call first."""
        with self._lock:
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # It holds what people wrote; SQLite's side files take over its mode.
            self._path.touch(mode=0o600)
        except OSError as error:
            raise LogError(
                f"the log {self._path} cannot be made ({error.strerror}): set another "
                "[log] url, or make its folder writable"
            ) from error
        connection = sqlite3.connect(
            self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        # These three only take effect before the file's first page is written.
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        return connection

    def _create(self) -> None:
        with self._transaction() as connection:
            if not self._is_ours(connection):
                raise LogError(
                    f"{self._path} holds another program's data: set another [log] url"
                )
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, "
                "next_offset INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID"
            )
            for topic, table in self._tables.items():
                unique = "UNIQUE" if topic in COMPACTED else ""
                connection.execute(
                    f'CREATE TABLE IF NOT EXISTS "{table}" (offset INTEGER PRIMARY '
                    f"KEY, at INTEGER NOT NULL, key TEXT NOT NULL {unique}, "
                    "value BLOB NOT NULL)"
                )
                row = "INSERT OR IGNORE INTO topics VALUES (?, 0, 0)"
                connection.execute(row, [table])
        with self._using() as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if (application, version) == (_APPLICATION_ID, _VERSION):
            return True
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return (application, version, tables) == (0, 0, 0)

    def _excess(self) -> int:
        tables = self._retained()
        marks = ", ".join("?" * len(tables))
        sql = f"SELECT sum(bytes) FROM topics WHERE name IN ({marks})"  # noqa: S608
        with self._using() as connection:
            total: int = connection.execute(sql, tables).fetchone()[0]
        return total - self._max_bytes

    def _retained(self) -> list[str]:
        return [self._tables[topic] for topic in TOPICS if topic not in COMPACTED]

    def _oldest(self) -> tuple[str, int] | None:
        """The table with the oldest record, and the age at which others follow."""
        heads = []
        with self._using() as connection:
            for table in self._retained():
                sql = f'SELECT at FROM "{table}" ORDER BY offset LIMIT 1'  # noqa: S608
                heads += [(at, table) for (at,) in connection.execute(sql)]
        if not heads:  # another process was faster
            return None
        heads.sort()
        others = [at for at, _ in heads[1:]] or [heads[0][0]]
        return heads[0][1], others[0] + _SAME_AGE // _MICROSECOND

    def _drop(
        self, table: str, *, until: int, at_most_bytes: int = _SLICE_BYTES
    ) -> int:
        """Drop one slice from the head of a table, appended before `until`."""
        head = (
            "SELECT offset, at, length(CAST(key AS BLOB)), length(value) "  # noqa: S608
            f'FROM "{table}" ORDER BY offset LIMIT {_SLICE_RECORDS}'
        )
        count = freed = 0
        last = -1
        with self._transaction() as connection:
            for offset, at, key_bytes, value_bytes in connection.execute(head):
                if at >= until or freed >= min(at_most_bytes, _SLICE_BYTES):
                    break
                last, count = offset, count + 1
                freed += _size(key_bytes, value_bytes)
            sql = f'DELETE FROM "{table}" WHERE offset <= ?'  # noqa: S608
            connection.execute(sql, [last])
            update = "UPDATE topics SET bytes = bytes - ? WHERE name = ?"
            connection.execute(update, [freed, table])
        return count

    def _give_space_back(self) -> None:
        """Shrink the file while more than a tenth of it is empty.

        The rest is soon written again; moving pages for it would be wasted work.
        """
        while self._pragma("freelist_count") * 10 > self._pragma("page_count"):
            with self._using() as connection:
                # Each step frees one page, and `execute` takes a single step.
                connection.executescript(f"PRAGMA incremental_vacuum({_SLICE_PAGES})")
        self._pragma("wal_checkpoint(PASSIVE)")

    def _pragma(self, name: str) -> int:
        with self._using() as connection:
            value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            yield self._connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _explanation(self._path, error) from error


def _size(key_bytes: int, value_bytes: int) -> int:
    return key_bytes + value_bytes + _RECORD_OVERHEAD


def _fetch(cursor: sqlite3.Cursor) -> list[tuple[int, int, str, bytes]]:
    """Rows up to a bound of bytes, so that large records cannot fill the memory."""
    rows: list[tuple[int, int, str, bytes]] = []
    size = 0
    while size < _READ_BYTES and (more := cursor.fetchmany(_READ_RECORDS)):
        rows += more
        size += sum(len(row[3]) for row in more)
    cursor.close()
    return rows


def _explanation(path: Path, error: sqlite3.Error) -> LogError:
    code = getattr(error, "sqlite_errorcode", None)
    if code in _FULL_CODES:
        return LogFullError(
            f"no space is left for the log {path}: free some on its disk, "
            "or lower [log] retention_gb"
        )
    primary = None if code is None else code & 0xFF
    remedy = _REMEDIES.get(primary, "check its disk") if primary else "open it again"
    return LogError(f"the log {path} cannot be used ({error}): {remedy}")
