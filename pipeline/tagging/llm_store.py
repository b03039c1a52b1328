"""What a chat endpoint answered before, and how often it was asked today.

One SQLite file, which the processes of a machine share. It holds no text: an answer is
a category and places, kept by the hash of all that was asked.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from pipeline.clock import utc_now
from pipeline.errors import ConfigError
from pipeline.tagging.llm_answer import Judgement

MAX_ANSWERS = 100_000
"""Kept, some 15 MB; the oldest are dropped."""

BUSY_S = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, judgement BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (day TEXT PRIMARY KEY, sent INTEGER NOT NULL);
"""
_KEEP = """
INSERT OR REPLACE INTO answers (key, judgement) VALUES (?, ?)
"""
_DROP = """
DELETE FROM answers WHERE number <= (SELECT max(number) FROM answers) - ?
"""
_SPEND = """
INSERT INTO requests VALUES (?, 1)
ON CONFLICT (day) DO UPDATE SET sent = sent + 1 WHERE sent < ?
"""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Judgement | None).decode


class LlmStore:
    """Answers and the budget; threads and processes may share the file.

    Every method may raise `sqlite3.Error`.

    Args:
        path: the file; it and its folder are made when missing.
        requests_a_day: how many may be sent, in days of UTC.
        max_answers: kept at most.
        clock: the time, in UTC.

    Raises:
        ConfigError: the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        requests_a_day: int,
        *,
        max_answers: int = MAX_ANSWERS,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._path, self._requests_a_day = path, requests_a_day
        self._max_answers, self._clock = max_answers, clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            with self._opened() as file:
                file.execute("PRAGMA journal_mode = WAL").fetchall()
                file.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"[tagging.llm] file: {path} cannot be used ({error}); name another"
            ) from error

    def answers(self, keys: Iterable[bytes]) -> dict[bytes, Judgement | None]:
        """Of `keys` those that were answered; None where the answer was of no use."""
        with self._opened() as file:
            select = "SELECT judgement FROM answers WHERE key = ?"
            rows = {key: file.execute(select, [key]).fetchone() for key in keys}
        return {key: _decode(row[0]) for key, row in rows.items() if row is not None}

    def keep(self, key: bytes, judgement: Judgement | None) -> None:
        """Remember an answer."""
        with self._opened() as file:
            file.execute(_KEEP, [key, _encode(judgement)])
            file.execute(_DROP, [self._max_answers])

    def spend(self) -> bool:
        """Take one of the day's requests; False where there is none left."""
        today = self._clock().date().isoformat()
        with self._opened() as file:
            file.execute("DELETE FROM requests WHERE day < ?", [today])
            spent = file.execute(_SPEND, [today, self._requests_a_day])
            return spent.rowcount == 1

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection; what is done with it is one transaction."""
        with closing(sqlite3.connect(self._path, timeout=BUSY_S)) as file, file:
            yield file
