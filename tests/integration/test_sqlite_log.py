"""The SQLite log among other processes, full disks and damaged files."""

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config import LogSettings
from pipeline.errors import LogError, LogFullError
from pipeline.log import sqlite
from pipeline.log.message_log import Entry, Stored
from pipeline.log.open import open_log
from pipeline.log.sqlite import SqliteLog

BATCH = 50

WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from pipeline.log.message_log import Entry
from pipeline.log.sqlite import SqliteLog

path, name, batches = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = SqliteLog(path, "test", max_age=timedelta(days=1), max_bytes=10**9)
for number in range(batches):
    log.append("messages", [Entry(name, b"%06d" % number + bytes(300))] * 50)
    print(number, flush=True)
"""

FILLER = """
import resource
import sys
from datetime import timedelta
from pathlib import Path
from pipeline.errors import LogFullError
from pipeline.log.message_log import Entry
from pipeline.log.sqlite import SqliteLog

log = SqliteLog(Path(sys.argv[1]), "test", max_age=timedelta(days=1), max_bytes=10**9)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
for number in range(10_000):
    try:
        log.append("messages", [Entry("k", b"%06d" % number + bytes(300))] * 50)
    except LogFullError as error:
        print(error)
        break
    print(number, flush=True)
print(len(log.read("messages", 0, 0, 10)))
"""


def open_at(path: Path, max_bytes: int = 10**9, prefix: str = "test") -> SqliteLog:
    return SqliteLog(path, prefix, max_age=timedelta(days=1), max_bytes=max_bytes)


def read_all(log: SqliteLog) -> list[Stored]:
    records: list[Stored] = []
    while chunk := log.read("messages", 0, len(records), 10_000):
        records += chunk
    return records


def start_writer(path: Path, name: str, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_writer_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    chance = random.Random(7)
    for turn in range(4):
        with start_writer(path, f"w{turn}", 100_000) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.3))
            writer.kill()
            told = [0, *map(int, writer.stdout.read().split())]
        log = open_at(path)
        mine = [stored for stored in read_all(log) if stored.key == f"w{turn}"]
        numbers = [int(stored.value[:6]) for stored in mine]
        # The last batch may have been durable before it could be told.
        assert numbers in (
            [n for n in range(told[-1] + 1) for _ in range(BATCH)],
            [n for n in range(told[-1] + 2) for _ in range(BATCH)],
        )
        records = read_all(log)
        assert [s.offset for s in records] == list(range(len(records)))
        assert log.bounds("messages") == {0: (0, len(records))}
        log.close()


def test_several_processes_write_and_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    writers = [start_writer(path, f"w{n}", 30) for n in range(3)]
    log = open_at(path)
    try:
        for _ in range(30):
            log.append("messages", [Entry("me", b"000000")])
            log.read("messages", 0, 0, 100)
    finally:
        for writer in writers:
            writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    records = read_all(log)
    log.close()
    assert [s.offset for s in records] == list(range(3 * 30 * BATCH + 30))
    for name in ("w0", "w1", "w2"):
        numbers = [int(s.value[:6]) for s in records if s.key == name]
        assert numbers == [n for n in range(30) for _ in range(BATCH)]


def test_a_full_disk_is_told_and_nothing_is_half_appended(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    command = [sys.executable, "-c", FILLER, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    *numbers, error, readable = told.stdout.splitlines()
    assert "no space is left" in error
    assert "free some" in error
    assert readable == "10"
    log = open_at(path)
    assert len(read_all(log)) == BATCH * len(numbers)
    log.append("messages", [Entry("k", b"there is space again")])
    assert read_all(log)[-1].value == b"there is space again"
    log.close()


def test_a_log_that_may_not_grow_is_full(tmp_path: Path) -> None:
    log = open_at(tmp_path / "log.sqlite")
    log.append("messages", [Entry("k", b"kept")])
    log._connection.execute("PRAGMA max_page_count = 30")
    with pytest.raises(LogFullError):
        log.append("messages", [Entry("k", bytes(1000)) for _ in range(1000)])
    assert [s.value for s in read_all(log)] == [b"kept"]
    log.append("messages", [Entry("k", b"small")])
    assert log.bounds("messages") == {0: (0, 2)}
    log.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes\n" * 1000)
    with pytest.raises(LogError, match=r"set another \[log\] url"):
        open_at(path)
    assert path.read_text().startswith("these are my notes")


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(LogError, match="another program"):
        open_at(path)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]
    other.close()


def test_a_damaged_file_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log = open_at(path)
    log.append("messages", [Entry("k", bytes(500)) for _ in range(2000)])
    log.close()
    with path.open("r+b") as file:
        file.seek(8192 * 8)
        file.write(os.urandom(path.stat().st_size - 8192 * 8))
    with pytest.raises(LogError, match="damaged"):
        read_all(open_at(path))


@pytest.mark.parametrize("path", ["file/log.sqlite", "folder"])
def test_a_path_that_cannot_be_written_is_told_of(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LogError, match=r"url|exists and is writable"):
        open_at(tmp_path / path)


def test_the_logs_folder_is_made(tmp_path: Path) -> None:
    log = open_log(LogSettings(url=f"sqlite:{tmp_path}/a/b/log.sqlite"))
    log.append("messages", [Entry("k", b"v")])
    log.close()
    assert (tmp_path / "a/b/log.sqlite").exists()


def test_a_process_that_holds_the_log_too_long_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    path = tmp_path / "log.sqlite"
    log = open_at(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogError, match="another process holds it"):
        log.append("messages", [Entry("k", b"v")])
    other.close()
    log.append("messages", [Entry("k", b"v")])
    assert len(read_all(log)) == 1
    log.close()


def test_it_has_one_partition(tmp_path: Path) -> None:
    log = open_at(tmp_path / "log.sqlite")
    log.append("messages", [Entry("a", b"1"), Entry("b", b"2")])
    assert log.bounds("messages") == {0: (0, 2)}
    assert log.read("messages", 1, 0, 10) == []
    log.close()


def test_a_closed_log_is_not_used_again(tmp_path: Path) -> None:
    log = open_at(tmp_path / "log.sqlite")
    log.close()
    with pytest.raises(LogError, match="open it again"):
        log.bounds("messages")


def test_logs_with_different_prefixes_share_a_file_but_no_record(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.sqlite"
    mine, other = open_at(path, prefix="mine"), open_at(path, 1, prefix="other")
    mine.append("messages", [Entry("k", b"mine")])
    other.append("messages", [Entry("k", b"other")])
    assert other.enforce_retention(datetime.now(UTC)) == 1
    assert [s.value for s in read_all(mine)] == [b"mine"]
    assert read_all(other) == []
    mine.close()
    other.close()


def test_size_retention_gives_the_space_back(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log = open_at(path, max_bytes=4_000_000)
    for _ in range(20):
        log.append("messages", [Entry("k", bytes(1000)) for _ in range(1000)])
    dropped = log.enforce_retention(datetime.now(UTC))
    first, end = log.bounds("messages")[0]
    log.close()
    assert first == dropped
    assert end - first == pytest.approx(4_000_000 / 1033, rel=0.01)
    assert path.stat().st_size < 4_000_000 * 1.25


def test_retention_keeps_writers_waiting_only_briefly(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log, writer = open_at(path, max_bytes=10_000), open_at(path)
    for _ in range(15):
        log.append("messages", [Entry("k", bytes(1000)) for _ in range(2000)])
    retention = threading.Thread(target=log.enforce_retention, args=[datetime.now(UTC)])
    retention.start()
    longest = 0.0
    while retention.is_alive():
        begun = time.monotonic()
        writer.append("pulses", [Entry("k", b"v")])
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.02)
    retention.join()
    log.close()
    writer.close()
    assert longest < 2.0
