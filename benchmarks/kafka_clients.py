"""Records a second through kafka-python and confluent-kafka, in one run on one broker.

Both append as the log does, idempotent, acknowledged by all replicas, zstd, batches of
256 kB, waiting for every 5,000 records; and both read as it does, 1,000 at a time. They
take turns, so that whatever else the machine does falls on both. The log itself, which
is on kafka-python, is shown beside them. CPU time is the client's alone.

    .venv/bin/python -m pip install confluent-kafka
    .venv/bin/python benchmarks/kafka_clients.py
"""

import argparse
import gc
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import NamedTuple, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import confluent_kafka
from kafka import TopicPartition
from kafka_server import KafkaServer
from parts.servers import end_where_missing

from pipeline.config import KafkaSettings, LogSettings
from pipeline.log.kafka_brokers import MAX_REQUEST_BYTES, Brokers
from pipeline.log.message_log import Entry, MessageLog
from pipeline.log.open import open_log
from pipeline.transforms.read import CHUNK
from pipeline.transforms.write import FLUSH_ENTRIES

SAMPLE = Path(str(files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"))
ROUNDS = 3
PARTITIONS = 8
SIZE = 300
WAIT_MS = 5_000
GIVE_UP_S = 120.0


class Cost(NamedTuple):
    """What one way took: seconds, and of them CPU seconds."""

    seconds: float
    cpu_s: float


Costs = dict[tuple[str, str], list[Cost]]
"""Of a step and a client."""


class Client(Protocol):
    """A way to the broker."""

    def append(self, prefix: str, entries: Sequence[Entry]) -> None:
        """Append to the topic of messages; all is acknowledged when it returns."""

    def read(self, prefix: str, wanted: int) -> None:
        """Read so many records of the topic of messages."""


def main() -> int:
    """Print rates, CPU time and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    end_where_missing()
    # As the job does, lest the collector's walks through what stays be counted.
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        kafka = KafkaServer(Path(folder) / "kafka")
        kafka.start()
        try:
            costs = measured(kafka, entries_of(records))
        finally:
            kafka.remove()
    tell(costs, records)
    return 0


def entries_of(count: int) -> list[Entry]:
    """Records of real text, in 50 threads."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        text = " ".join(json.loads(line)["text"] for line in lines).encode()
    starts = islice(cycle(range(0, len(text) - SIZE, 97)), count)
    return [
        Entry(f"bench/c/{number % 50}", text[start : start + SIZE])
        for number, start in enumerate(starts)
    ]


def measured(kafka: KafkaServer, entries: Sequence[Entry]) -> Costs:
    """The costs of each step of each client, one a round; the first is for warmth."""
    costs: Costs = {}
    clients: dict[str, Client] = {
        "kafka-python": KafkaPython(kafka),
        "confluent-kafka": Confluent(kafka),
        "the log": Log(kafka),
    }
    for round_ in range(ROUNDS + 1):
        for name, client in clients.items():
            prefix = f"r{round_}-{name.replace(' ', '-')}"
            with closing(log_of(kafka, prefix)) as log:
                log.bounds("messages")  # makes the topics
            steps = {
                "append": timed(partial(client.append, prefix, entries)),
                "read": timed(partial(client.read, prefix, len(entries))),
            }
            for step, cost in steps.items():
                if round_:
                    costs.setdefault((step, name), []).append(cost)
    return costs


def timed(work: Callable[[], None]) -> Cost:
    """What `work` takes; the CPU time of all threads, the client's among them."""
    begun, cpu_begun = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - begun, time.process_time() - cpu_begun)


def log_of(kafka: KafkaServer, prefix: str) -> MessageLog:
    """The log as an installation opens it."""
    settings = KafkaSettings(partitions=PARTITIONS)
    return open_log(LogSettings(url=kafka.url, prefix=prefix, kafka=settings))


def flushes(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """As many as the job appends at once."""
    for first in range(0, len(entries), FLUSH_ENTRIES):
        yield entries[first : first + FLUSH_ENTRIES]


class KafkaPython:
    """kafka-python, with the very settings of the log.

    Args:
        kafka: the broker.
    """

    def __init__(self, kafka: KafkaServer) -> None:
        self._brokers = Brokers([kafka.bootstrap], KafkaSettings(), lambda: False)

    def append(self, prefix: str, entries: Sequence[Entry]) -> None:
        """See `Client`."""
        with closing(self._brokers.producer()) as producer:
            for part in flushes(entries):
                futures = [
                    producer.send(f"{prefix}.messages", value, key.encode())
                    for key, value in part
                ]
                for future in futures:
                    future.get(timeout=GIVE_UP_S)

    def read(self, prefix: str, wanted: int) -> None:
        """See `Client`."""
        with closing(self._brokers.consumer()) as consumer:
            places = [
                TopicPartition(f"{prefix}.messages", n) for n in range(PARTITIONS)
            ]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            count = 0
            while count < wanted:
                polled = consumer.poll(timeout_ms=WAIT_MS, max_records=CHUNK)
                assert polled, "records are missing"
                count += sum(len(records) for records in polled.values())


class Confluent:
    """confluent-kafka, with the same settings.

    Args:
        kafka: the broker.
    """

    def __init__(self, kafka: KafkaServer) -> None:
        self._servers = {"bootstrap.servers": kafka.bootstrap}

    def append(self, prefix: str, entries: Sequence[Entry]) -> None:
        """See `Client`."""
        producer = confluent_kafka.Producer(
            {
                **self._servers,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "zstd",
                "partitioner": "murmur2",
                "linger.ms": 5,
                "batch.size": 256 * 2**10,
                "message.max.bytes": MAX_REQUEST_BYTES,
            }
        )
        failures: list[object] = []

        def delivered(error: object, _message: object) -> None:
            if error is not None:
                failures.append(error)

        for part in flushes(entries):
            for key, value in part:
                producer.produce(
                    f"{prefix}.messages", value, key.encode(), on_delivery=delivered
                )
            assert producer.flush(GIVE_UP_S) == 0
            assert not failures, failures[0]

    def read(self, prefix: str, wanted: int) -> None:
        """See `Client`."""
        consumer = confluent_kafka.Consumer(
            {**self._servers, "group.id": "bench", "enable.auto.commit": False}
        )
        with closing(consumer):
            consumer.assign(
                [
                    confluent_kafka.TopicPartition(f"{prefix}.messages", n, 0)
                    for n in range(PARTITIONS)
                ]
            )
            count = 0
            while count < wanted:
                records = consumer.consume(CHUNK, timeout=WAIT_MS / 1_000)
                assert records, "records are missing"
                # Each is a method's call away, where kafka-python has a field.
                count += sum(record.value() is not None for record in records)


class Log:
    """The log: kafka-python, and what makes it safe.

    Args:
        kafka: the broker.
    """

    def __init__(self, kafka: KafkaServer) -> None:
        self._kafka = kafka

    def append(self, prefix: str, entries: Sequence[Entry]) -> None:
        """See `Client`."""
        with closing(log_of(self._kafka, prefix)) as log:
            for part in flushes(entries):
                log.append("messages", part)

    def read(self, prefix: str, wanted: int) -> None:
        """See `Client`."""
        with closing(log_of(self._kafka, prefix)) as log:
            count = 0
            for partition in log.bounds("messages"):
                offset = 0
                while found := log.read("messages", partition, offset, CHUNK):
                    offset = found[-1].offset + 1
                    count += len(found)
        assert count == wanted, "records are missing"


def tell(costs: Costs, records: int) -> None:
    """Print the medians of all rounds, and how kafka-python does beside the other."""
    middle = {
        way: Cost(*(median(each) for each in zip(*found, strict=True)))
        for way, found in costs.items()
    }
    for (step, name), cost in sorted(middle.items()):
        print(
            f"{step:7} {name:16} {records / cost.seconds:10,.0f}/s   "
            f"{cost.cpu_s / records * 1e6:6,.1f} CPU-s/million"
        )
    for step in ("append", "read"):
        ours, theirs = middle[step, "kafka-python"], middle[step, "confluent-kafka"]
        print(
            f"{step:7} kafka-python / confluent-kafka: rate "
            f"{theirs.seconds / ours.seconds:.2f}   CPU {ours.cpu_s / theirs.cpu_s:.1f}"
        )
    saved = sum(
        middle[step, "kafka-python"].cpu_s - middle[step, "confluent-kafka"].cpu_s
        for step in ("append", "read")
    )
    print(
        f"a message read and appended: {saved / records * 1e6:.1f} CPU-s/million less"
    )


if __name__ == "__main__":
    sys.exit(main())
