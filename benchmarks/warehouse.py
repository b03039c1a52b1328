"""Messages a second into the warehouse, beside SQLite and row by row into DuckDB.

All decode the same records, batch by batch, and write each key once, with the position,
in one transaction a batch. SQLite has the key as its primary key and the marks as JSON.
The peers take turns with ours, so that whatever else the machine does falls on all.
Then a million messages of two years are counted and published, and the memory shown.

    python benchmarks/warehouse.py
"""

import json
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

import duckdb

from pipeline.log.message_log import Stored
from pipeline.records import TaggedMessage, decode, encode
from pipeline.tagging.labels import load_labels
from pipeline.warehouse.cells import recount
from pipeline.warehouse.database import script
from pipeline.warehouse.publisher import publish
from pipeline.warehouse.testing import SmallWarehouse, tagged

ROUNDS = 3
MESSAGES = 50_000
ROW_BY_ROW = 1_000
BATCH = 10_000
LARGE = 1_000_000
TARGET = 40_000
MEGABYTE = 1024
START = datetime(2024, 1, 1, tzinfo=UTC)


def main() -> int:
    """Print all rates, their ratios, and the times; 1 when the target is missed."""
    records = list(islice(synthetic(MESSAGES), MESSAGES))
    works: dict[str, tuple[Callable[[Path, list[Stored]], None], int]] = {
        "ours": (ours, MESSAGES),
        "sqlite": (sqlite, MESSAGES),
        "duckdb executemany": (row_by_row, ROW_BY_ROW),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, (work, count) in works.items():
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                work(Path(folder), records[:count])
                rates[name].append(count / (time.perf_counter() - begun))
    figures = {name: median(found) for name, found in rates.items()}
    for name, figure in figures.items():
        print(f"{name:20} {figure:10,.0f} messages/s")
    for name in ("sqlite", "duckdb executemany"):
        print(f"ours / {name:20} {figures['ours'] / figures[name]:8.2f}")
    measure_large()
    print(f"target: {TARGET:,} messages/s")
    return int(figures["ours"] < TARGET)


def synthetic(count: int) -> Iterator[Stored]:
    """Messages of two years: chats by 3,000 people in 20 channels, a third marked."""
    choose = random.Random(1)
    labels = [label.key for label in load_labels() if not label.default_off]
    pace = timedelta(days=730) / count
    text = "Has anybody seen this before? It worked yesterday, and now it does not. "
    for number in range(count):
        carried = choose.sample(labels, choose.choice((0, 0, 0, 0, 1, 2)))
        record = tagged(
            f"message-{number}",
            START + number * pace,
            carried,
            channel=f"channel-{min(int(choose.expovariate(0.3)), 19)}",
            author=int(choose.paretovariate(0.6)) % 3000,
            text=text,
            language="en",
        )
        yield Stored("tagged", 0, number, "key", encode(record), START)


def ours(folder: Path, records: list[Stored]) -> None:
    """The loader."""
    small = SmallWarehouse(folder)
    for start in range(0, len(records), BATCH):
        small.loader.load(records[start : start + BATCH])
    small.close()


def sqlite(folder: Path, records: list[Stored]) -> None:
    """sqlite3's executemany, synced at each commit."""
    with sqlite3.connect(folder / "peer.sqlite") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE messages (source, platform, id, revision, kind, channel, "
            "author, bot, sent_at, language, marks, "
            "PRIMARY KEY (source, id, revision)) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE positions (following)")
        for start in range(0, len(records), BATCH):
            batch = records[start : start + BATCH]
            rows = [row(decode(record.value, TaggedMessage)) for record in batch]
            marks = ", ".join("?" * 11)
            connection.executemany(
                f"INSERT OR IGNORE INTO messages VALUES ({marks})", rows
            )
            connection.execute("INSERT INTO positions VALUES (?)", [start])
            connection.commit()


def row_by_row(folder: Path, records: list[Stored]) -> None:
    """DuckDB's executemany into the warehouse's own table, which forgoes keys."""
    with duckdb.connect(str(folder / "peer.duckdb")) as connection:
        connection.execute(script("schema.sql"))
        rows = [row(decode(record.value, TaggedMessage)) for record in records]
        marks = ", ".join("?" * 10)
        connection.executemany(
            f"INSERT INTO messages VALUES ({marks}, CAST(? AS JSON)::"
            "STRUCT(task VARCHAR, label VARCHAR, score FLOAT)[])",
            rows,
        )


def row(record: TaggedMessage) -> tuple[object, ...]:
    """A row of the table `messages`."""
    message = record.message
    return (
        message.source,
        message.platform,
        message.id,
        message.revision,
        message.kind,
        message.channel,
        int(message.author, 16),
        message.bot,
        message.sent_at.replace(tzinfo=None).isoformat(),
        message.language,
        json.dumps(
            [
                {"task": mark.task, "label": mark.label, "score": mark.score}
                for mark in record.marks
            ]
        ),
    )


def measure_large() -> None:
    """Print what a million messages take to load, count and publish."""
    with tempfile.TemporaryDirectory() as folder:
        small = SmallWarehouse(Path(folder))
        records = synthetic(LARGE)
        spent = 0.0
        while batch := list(islice(records, BATCH)):
            begun = time.perf_counter()
            small.loader.load(batch)
            spent += time.perf_counter() - begun
        print(f"{LARGE:,} loaded          {LARGE / spent:8,.0f} messages/s")
        print(f"all cells counted in {timed(recount, small.connection, small.path)}")
        settings = small.settings
        taken = timed(publish, small.connection, settings, START)
        print(f"published in         {taken}")
        small.load(tagged("one more", START + timedelta(days=729)), start=LARGE)
        print(f"a day counted in     {timed(recount, small.connection, small.path)}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
        sizes = [path.stat().st_size / 10**6 for path in (small.path, small.published)]
        print(f"{peak:,.0f} MB of memory at the most")
        print(f"{sizes[0]:.0f} MB of warehouse, {sizes[1]:.0f} MB published")
        small.close()


def timed(work: Callable[..., object], *given: object) -> str:
    """How long `work` takes."""
    begun = time.perf_counter()
    work(*given)
    return f"{time.perf_counter() - begun:8.2f} s"


if __name__ == "__main__":
    sys.exit(main())
