"""How large the checkpoints of the job on Flink are, hour after hour.

Real Kafka, Flink with two TaskManagers and Python workers run as in the tests. Minutes
of load and of idleness take turns. Beside groundswell's job, in a cluster of its own,
runs a splittable DoFn that defers its remainder when there is nothing to read, as most
sources in Python do: its checkpoints grow with each deferral
(https://github.com/apache/beam/issues/27648).

    .venv/bin/python benchmarks/checkpoints.py --minutes 30
"""

import argparse
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from deferring_job import submit
from flink_cluster import FlinkCluster
from kafka_server import KafkaServer
from parts.servers import end_where_missing
from streaming_stack import WORKERS, Stack

from pipeline.log.message_log import Entry, MessageLog
from pipeline.records import Message, encode

LOAD_PER_S = 200
TURN_S = 60.0
SAMPLE_S = 5.0


def main() -> None:
    """Measure, and print a line for each tenth of the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    seconds = parser.parse_args().minutes * 60
    end_where_missing()
    tests = str(Path(__file__).resolve().parents[1] / "tests")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kafka = KafkaServer(folder / "kafka")
        kafka.start()
        ours = FlinkCluster(folder / "ours", workers=WORKERS)
        usual = FlinkCluster(
            folder / "usual",
            task_managers=1,
            workers=WORKERS,
            environment={"PYTHONPATH": tests},
        )
        try:
            with ours, usual:
                stack = Stack(folder / "job", kafka.url, ours, "bench", partitions=8)
                submit(usual.beam_options("--checkpointing_interval=2000"))
                sizes = measured(stack, [ours, usual], seconds)
        finally:
            kafka.remove()
    for job, found in sizes.items():
        tenth = max(1, len(found) // 10)
        parts = [found[i : i + tenth] for i in range(0, len(found), tenth)]
        medians = " ".join(f"{statistics.median(part):,.0f}" for part in parts)
        print(f"{job}: {len(found)} samples, bytes by tenths: {medians}")
        print(f"  last tenth/first tenth {medians_ratio(parts):.3f}")


def medians_ratio(parts: list[list[int]]) -> float:
    """The median of the last part over that of the first."""
    return statistics.median(parts[-1]) / statistics.median(parts[0])


def measured(
    stack: Stack, clusters: list[FlinkCluster], seconds: float
) -> dict[str, list[int]]:
    """The size of the newest checkpoint of each cluster's job, now and again."""
    log = stack.open_log()
    process = stack.start("process")
    sizes: dict[str, list[int]] = {}
    begun = sampled = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - begun) < seconds:
        if passed // TURN_S % 2:
            append(log, sent)
            sent += LOAD_PER_S
        time.sleep(1.0)
        if time.monotonic() - sampled >= SAMPLE_S:
            sampled = time.monotonic()
            for flink in clusters:
                sample(flink, sizes)
    process.terminate()
    process.wait()
    log.close()
    print(f"messages appended {sent:,}; tagged {stack.tagged():,}")
    return sizes


def sample(flink: FlinkCluster, sizes: dict[str, list[int]]) -> None:
    """Add the size of the newest checkpoint of each job."""
    for job in flink.jobs():
        latest = flink.checkpoints(job)["latest"]["completed"]
        if latest:
            name = flink.job(job)["name"].split("-")[0]
            sizes.setdefault(name, []).append(latest["state_size"])


def append(log: MessageLog, start: int) -> None:
    """A second's messages, in many threads."""
    now = datetime.now(UTC)
    messages = [
        Message(
            source="bench",
            platform="bench",
            id=str(number),
            channel="c",
            thread=str(number % 50),
            author=f"{number % 40:016x}",
            sent_at=now,
            seen_at=now,
            text="the build is broken again and I am tired of it",
        )
        for number in range(start, start + LOAD_PER_S)
    ]
    log.append("messages", [Entry(m.partition_key, encode(m)) for m in messages])


if __name__ == "__main__":
    main()
