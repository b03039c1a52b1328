"""Messages a second through the SQLite log, beside diskcache's Deque.

Both keep 600 bytes a message in an SQLite file, sync it at every batch of 1,000, and
take turns, so that whatever else the machine does falls on both.

    uv pip install diskcache
    python benchmarks/log.py
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

from diskcache import Cache, Deque

from pipeline.log.message_log import Entry
from pipeline.log.sqlite import SqliteLog

BATCH = 1_000
BATCHES = 20
ROUNDS = 5
VALUE = b"x" * 600


def main() -> int:
    """Print both rates and their ratio; 1 when the log misses its own targets."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(measure_log(Path(folder)))
        with tempfile.TemporaryDirectory() as folder:
            theirs.append(measure_deque(Path(folder)))
    missed = False
    for step, what, target in ((0, "append", 20_000), (1, "read", 100_000)):
        log = median(rates[step] for rates in ours)
        deque = median(rates[step] for rates in theirs)
        missed |= log < target
        print(
            f"{what:7} log {log:10,.0f}/s   diskcache.Deque {deque:10,.0f}/s   "
            f"ratio {log / deque:6.1f}   (target {target:,}/s)"
        )
    return int(missed)


def measure_log(folder: Path) -> tuple[float, float]:
    """Messages a second appended to and read from the SQLite log."""
    log = SqliteLog(
        folder / "log.sqlite", "bench", max_age=timedelta(days=1), max_bytes=10**12
    )
    batch = [Entry(f"irc/ubuntu/{number % 50}", VALUE) for number in range(BATCH)]

    def append() -> None:
        for _ in range(BATCHES):
            log.append("messages", batch)

    def read() -> Iterator[bytes]:
        start = 0
        while chunk := log.read("messages", 0, start, BATCH):
            yield from (stored.value for stored in chunk)
            start = chunk[-1].offset + 1

    rates = rate(append), rate(lambda: exhaust(read()))
    log.close()
    return rates


def measure_deque(folder: Path) -> tuple[float, float]:
    """Messages a second appended to and read from a Deque as durable as the log."""
    full_sync = {"sqlite_synchronous": 2, "disk_min_file_size": 10**6}
    cache = Cache(str(folder), eviction_policy="none", **full_sync)
    deque = Deque.fromcache(cache)

    def append() -> None:
        for _ in range(BATCHES):
            with deque.transact():
                deque.extend([VALUE] * BATCH)

    rates = rate(append), rate(lambda: exhaust(iter(deque)))
    cache.close()
    return rates


def exhaust(values: Iterator[bytes]) -> None:
    """Read everything, and make sure that it was all."""
    assert sum(len(value) for value in values) == BATCH * BATCHES * len(VALUE)


def rate(work: Callable[[], None]) -> float:
    """Messages a second of `work`, which handles all of them."""
    begun = time.perf_counter()
    work()
    return BATCH * BATCHES / (time.perf_counter() - begun)


if __name__ == "__main__":
    sys.exit(main())
