"""Seconds until a live message is tagged: alone, and beside a year of history.

The job runs as an operator runs it, `groundswell process` on the log in SQLite or on
Kafka and Flink, while five messages a second are said live. The peer is the same job on
the same messages in one queue: there, what is live stands behind the history.

    python benchmarks/backfill.py
    python benchmarks/backfill.py --flink
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from flink_cluster import FlinkCluster
from kafka_server import KafkaServer
from parts.servers import end_where_missing
from streaming_stack import WORKERS, Stack

from pipeline.config import LogSettings
from pipeline.log.message_log import Entry, MessageLog, Stored, Topic
from pipeline.log.open import open_log
from pipeline.records import Message, TaggedMessage, decode, encode

SAMPLE = Path(str(files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"))
A_YEAR = 300_000
"""Messages: 800 a day."""
LIVE_S = 10.0
EVERY_S = 0.2
ALLOWED_S = 30.0
LIVE = "live-"
THREADS = 50


def main() -> int:
    """Print the delays; 1 when history delays what is live more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flink", action="store_true", help="on Kafka and Flink")
    engine = on_this_machine
    if parser.parse_args().flink:
        end_where_missing()
        engine = on_flink
    alone = delays(engine, history=None)
    beside = delays(engine, history="history")
    behind = delays(engine, history="messages")
    for name, seconds in (
        ("alone", alone),
        (f"beside {A_YEAR:,} of history", beside),
        (f"behind {A_YEAR:,} in one queue", behind),
    ):
        print(
            f"{name:32} median {median(seconds):6.2f} s   longest {max(seconds):6.2f} s"
        )
    delayed = max(beside) - max(alone)
    print(f"history delays by {delayed:.2f} s (allowed {ALLOWED_S:.0f} s)")
    return int(delayed > ALLOWED_S)


def delays(
    engine: Callable[[Path], AbstractContextManager[MessageLog]],
    history: Topic | None,
) -> list[float]:
    """Of each live message, the seconds from its arrival to its being tagged."""
    with tempfile.TemporaryDirectory() as folder, engine(Path(folder)) as log:
        # Something to begin with: its being tagged shows that the job is there.
        log.append("messages", entries("first-", 1, timedelta()))
        while not written(log, "tagged"):
            time.sleep(0.1)
        if history:
            log.append(history, entries("old-", A_YEAR, timedelta(days=100)))
        said = speak(log)
        tagged = wait_for(log, len(said))
        short = history == "history" and written(log, "tagged") > A_YEAR
        assert not short, "the history was too short"
    return [(tagged[name].at - at).total_seconds() for name, at in said.items()]


@contextmanager
def on_this_machine(folder: Path) -> Iterator[MessageLog]:
    """A log in a file, and the job on it until the block ends."""
    config = folder / "groundswell.toml"
    text = f'[log]\nurl = "sqlite:{folder}/log.sqlite"\n[tagging]\ntagger = "lexicon"\n'
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pipeline.cli", "process", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        with closing(open_log(LogSettings(url=f"sqlite:{folder}/log.sqlite"))) as log:
            yield log
    finally:
        process.terminate()
        process.wait()


@contextmanager
def on_flink(folder: Path) -> Iterator[MessageLog]:
    """A log on Kafka, and the job on Flink until the block ends."""
    kafka = KafkaServer(folder / "kafka")
    kafka.start()
    try:
        with FlinkCluster(folder / "flink", workers=WORKERS) as flink:
            stack = Stack(folder / "job", kafka.url, flink, "bench", partitions=8)
            process = stack.start("process")
            try:
                with closing(stack.open_log()) as log:
                    yield log
            finally:
                process.terminate()
                process.wait()
    finally:
        kafka.remove()


def written(log: MessageLog, topic: Topic) -> int:
    """Records that a topic has had."""
    return sum(end for _, end in log.bounds(topic).values())


def speak(log: MessageLog) -> dict[str, datetime]:
    """Append messages at their pace; when each was there."""
    for entry in entries(LIVE, int(LIVE_S / EVERY_S), timedelta()):
        log.append("messages", [entry])
        time.sleep(EVERY_S)
    return {
        name: stored.at
        for stored in records(log, "messages")
        if (name := decode(stored.value, Message).id).startswith(LIVE)
    }


def wait_for(log: MessageLog, count: int) -> dict[str, Stored]:
    """The live messages as they were tagged, once all of them are."""
    tagged: dict[str, Stored] = {}
    positions: dict[int, int] = {}
    while len(tagged) < count:
        time.sleep(EVERY_S)
        for stored in records(log, "tagged", positions):
            name = decode(stored.value, TaggedMessage).message.id
            if name.startswith(LIVE):
                tagged[name] = stored
    return tagged


def records(
    log: MessageLog, topic: Topic, positions: dict[int, int] | None = None
) -> Iterator[Stored]:
    """What is on a topic from `positions` on, which are moved."""
    moved = {} if positions is None else positions
    for partition, (first, _) in log.bounds(topic).items():
        start = moved.get(partition, first)
        while chunk := log.read(topic, partition, start, 10_000):
            yield from chunk
            start = moved[partition] = chunk[-1].offset + 1


def entries(prefix: str, count: int, age: timedelta) -> list[Entry]:
    """Texts of the sample, again and again, each with an id of its own."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    now = datetime.now(UTC)
    return [
        Entry(
            f"irc/ubuntu/{number % THREADS}",
            encode(
                Message(
                    source="irc",
                    platform="irc",
                    id=f"{prefix}{number}",
                    channel="ubuntu",
                    author="0123456789abcdef",
                    sent_at=now - age,
                    seen_at=now,
                    text=text,
                )
            ),
        )
        for number, text in enumerate(islice(cycle(texts), count))
    ]


if __name__ == "__main__":
    sys.exit(main())
