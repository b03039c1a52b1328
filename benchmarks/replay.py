"""Messages a second from a JSONL archive into a log, beside dlt and a plain loop.

All read the demo's 20,000 lines of Ubuntu's IRC channels, gzip, and keep them in a file
on this machine. dlt, a common Python loader of such files, normalises them into DuckDB;
the loop is json.loads and sqlite3's executemany, synced every 5,000 lines. Only ours
redacts, pseudonymises and validates; the rate of its redaction alone is shown too. They
take turns, so that whatever else the machine does falls on all.

    uv pip install "dlt[duckdb]"
    python benchmarks/replay.py
"""

import gzip
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from itertools import islice
from pathlib import Path
from statistics import median

import dlt
from dlt.sources.filesystem import filesystem, read_jsonl

from connectors.redact import redact
from pipeline.config import Config, LogSettings, ReplaySettings
from pipeline.jobs.replay import replay
from pipeline.jobs.stop import Stop

ROUNDS = 3
BATCH = 5_000
TARGET = 20_000
TARGET_REDACTED = 30_000
SECRET = {"GROUNDSWELL_SECRET": "0123456789abcdef" * 2}
SAMPLE = files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"


def main() -> int:
    """Print all rates and their ratios; 1 when ours misses its targets."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "sample.jsonl.gz"
        archive.write_bytes(SAMPLE.read_bytes())
        lines = gzip.decompress(archive.read_bytes()).splitlines()
        texts = [json.loads(line)["text"] for line in lines]
        works = {"replay": ours, "dlt": theirs, "loop": loop}
        rates: dict[str, list[float]] = {name: [] for name in [*works, "redaction"]}
        for _ in range(ROUNDS):
            for name, work in works.items():
                place = Path(folder) / name
                place.mkdir()
                rates[name].append(rate(len(texts), work, archive, place))
                shutil.rmtree(place)
            rates["redaction"].append(rate(len(texts), redacted, texts))
    figures = {name: median(found) for name, found in rates.items()}
    for name, figure in figures.items():
        print(f"{name:10} {figure:10,.0f}/s")
    print(f"replay / dlt   {figures['replay'] / figures['dlt']:6.2f}")
    print(f"replay / loop  {figures['replay'] / figures['loop']:6.2f}")
    print(f"targets: replay {TARGET:,}/s, redaction {TARGET_REDACTED:,}/s")
    met = figures["replay"] >= TARGET and figures["redaction"] >= TARGET_REDACTED
    return int(not met)


def rate(count: int, work: Callable[..., None], *given: object) -> float:
    """Messages a second of `work`, which handles `count` of them."""
    begun = time.perf_counter()
    work(*given)
    return count / (time.perf_counter() - begun)


def ours(archive: Path, folder: Path) -> None:
    """Replay into the SQLite log."""
    config = Config(log=LogSettings(url=f"sqlite:{folder}/log.sqlite"))
    settings = ReplaySettings(name="sample", files=[str(archive)], platform="irc")
    replay(config, SECRET, settings, Stop(), show_progress=False)


def theirs(archive: Path, folder: Path) -> None:
    """Load with dlt into DuckDB."""
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.duckdb(f"{folder}/messages.duckdb"),
        dataset_name="sample",
        pipelines_dir=str(folder),
    )
    found = filesystem(bucket_url=str(archive.parent), file_glob=archive.name)
    lines = (found | read_jsonl(chunksize=BATCH)).with_name("messages")
    pipeline.run(lines)


def loop(archive: Path, folder: Path) -> None:
    """Decode and insert, nothing else."""
    connection = sqlite3.connect(folder / "loop.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE messages (id, ts, channel, user, text)")
    with gzip.open(archive) as lines:
        while batch := list(islice(lines, BATCH)):
            rows = [tuple(json.loads(line).values()) for line in batch]
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
    connection.close()


def redacted(texts: list[str]) -> None:
    """Redact every text as one of a chat."""
    for text in texts:
        redact(text, chat=True)


if __name__ == "__main__":
    sys.exit(main())
