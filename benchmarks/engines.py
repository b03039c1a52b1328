"""Messages a second, CPU time, memory and delay of the tagging job on each engine.

The same real messages lie on the log, and `groundswell process --once` tags them: in
SQLite and by Beam's runner in the job's own process; on Kafka by that runner, by Flink
with two TaskManagers, and by Prism where it is on the PATH. The peer is a plain loop
that decodes, tags and encodes the same messages and does nothing else: what an engine
needs beyond it are the log, Beam, and the engine itself. Rates and CPU time are those
between the first tagged message and the last; start-up is shown apart. A rate comes
with the cores that the engine got for it, as others may use the machine.

    .venv/bin/python benchmarks/engines.py --messages 100000
"""

import argparse
import gzip
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from flink_cluster import FlinkCluster
from kafka_server import KafkaServer
from parts.process_meter import ProcessMeter
from parts.servers import end_where_missing
from streaming_stack import WORKERS, Stack

from connectors.archive_line import parse
from pipeline.config import TaggingSettings
from pipeline.log.message_log import Entry, MessageLog, Stored
from pipeline.records import Message, decode, encode
from pipeline.tagging.load import load_tagger
from pipeline.transforms.decode import Decoded
from pipeline.transforms.held import Held
from pipeline.transforms.tag import BATCH, Model, Tagged, TaggerHandler

STREAMS = Path(__file__).resolve().parents[2] / "shared" / "data" / "streams"
SAMPLE = Path(str(files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"))
TARGET = 5_000
"""Messages a second on Kafka and Flink."""
PARTITIONS = 8
APPEND = 10_000
LIVE = 20
IDLE_S = 10.0
LOOK_S = 0.005
READY_S = 180.0
RUN_S = 900.0
NOW = datetime.now(UTC)


class Engine(NamedTuple):
    """What runs a tagging job."""

    name: str
    runner: str
    has_kafka: bool = True


class Figures(NamedTuple):
    """What was measured of an engine; CPU seconds by role."""

    tagged: int
    per_s: float
    start_s: float
    cpu_s: Counter[str]
    start_cpu_s: float
    resident: int
    idle: Counter[str]
    delays: list[float]


EMBEDDED = Engine("SQLite, FnApiRunner", "local", has_kafka=False)
FLINK = Engine("Kafka, Flink", "flink")
ENGINES = (
    EMBEDDED,
    Engine("Kafka, FnApiRunner", "local"),
    FLINK,
    Engine("Kafka, Prism", "prism"),
)


def main() -> int:
    """Print a table; 1 when Flink misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    names = [engine.name for engine in ENGINES]
    parser.add_argument("--only", choices=names, help="measure one engine")
    given = parser.parse_args()
    end_where_missing()
    entries = entries_of(given.messages)
    loop = loop_cpu_s(entries)
    print(f"{len(entries):,} messages; plain loop {loop:.1f} CPU-s")
    found: dict[str, Figures] = {}
    for engine in ENGINES:
        if given.only not in {None, engine.name}:
            continue
        if engine.runner == "prism" and shutil.which("prism") is None:
            print("Prism is not on the PATH: it is left out")
            continue
        with tempfile.TemporaryDirectory() as folder:
            found[engine.name] = measured(engine, entries, Path(folder))
        tell(engine.name, found[engine.name], loop, len(entries))
    compare(found)
    return int(FLINK.name in found and found[FLINK.name].per_s < TARGET)


def entries_of(wanted: int) -> list[Entry]:
    """Messages as connectors append them, evenly of each archive."""
    archives = sorted(STREAMS.glob("*.jsonl.gz")) or [SAMPLE]
    share = -(-wanted // len(archives))
    parts = [list(islice(messages_of(archive), share)) for archive in archives]
    # In turns, as they would arrive.
    mixed = [message for turn in zip(*parts, strict=True) for message in turn]
    return [Entry(m.partition_key, encode(m)) for m in mixed[:wanted]]


def messages_of(archive: Path) -> Iterator[Message]:
    """The messages of an archive, again and again, each time under new ids."""
    for turn in count():
        with gzip.open(archive) as lines:
            for number, line in enumerate(lines):
                message = message_of(archive, line, f"{turn}-{number}")
                if message is not None:
                    yield message


def message_of(archive: Path, line: bytes, name: str) -> Message | None:
    """The message in a line, as if it were said now; None where it is refused."""
    raw = parse(line, archive.name, 0)
    try:
        return Message(
            source=archive.name.partition(".")[0],
            platform="archive",
            id=name,
            channel=raw.channel,
            thread=raw.thread,
            author=f"{crc32(raw.author.encode()):016x}",
            sent_at=NOW,
            seen_at=NOW,
            text=raw.text,
        )
    except ValueError:
        return None


def loop_cpu_s(entries: Sequence[Entry]) -> float:
    """CPU seconds of decoding, tagging and encoding, and of nothing else."""

    def load() -> Any:
        return load_tagger(TaggingSettings(tagger="lexicon"), suicidality=False)

    model, handler = Model(load()), TaggerHandler(Held(load))
    tag(entries[:BATCH], handler, model)  # what is loaded by the first use
    begun = time.process_time()
    done = sum(
        tag(entries[first : first + BATCH], handler, model)
        for first in range(0, len(entries), BATCH)
    )
    assert done == len(entries)
    return time.process_time() - begun


def tag(entries: Sequence[Entry], handler: TaggerHandler, model: Model) -> int:
    """Tag a batch as the job does; how many were encoded again."""
    decoded = [
        Decoded(Stored("messages", 0, 0, key, value, NOW), decode(value, Message))
        for key, value in entries
    ]
    results = handler.run_inference(decoded, model)
    return len([encode(each.tagged) for each in results if isinstance(each, Tagged)])


def measured(engine: Engine, entries: Sequence[Entry], folder: Path) -> Figures:
    """Tag all of `entries`, then a few messages that come one by one."""
    with installation(engine, folder) as stack, closing(stack.open_log()) as log:
        for first in range(0, len(entries), APPEND):
            log.append("messages", entries[first : first + APPEND])
        with ProcessMeter() as meter:
            begun = time.time()
            stack.finish("process", "--once", seconds=RUN_S)
        times = sorted(stored.at.timestamp() for stored in tagged(log))
        first, last = times[0], times[-1]
        with ProcessMeter() as idle, running(stack, log):
            time.sleep(IDLE_S)
            resting = idle.cpu_s(time.time() - IDLE_S, time.time())
            delays = [delay(log) for _ in range(LIVE)]
    return Figures(
        tagged=len(times),
        # What came with the first is not the work of the time after it.
        per_s=sum(at > first for at in times) / (last - first),
        start_s=first - begun,
        cpu_s=meter.cpu_s(first, last),
        start_cpu_s=sum(meter.cpu_s(begun, first).values()),
        resident=meter.resident_at_most,
        idle=resting,
        delays=delays,
    )


@contextmanager
def installation(engine: Engine, folder: Path) -> Iterator[Stack]:
    """An installation, with the servers that its engine needs for itself."""
    with ExitStack() as servers:
        url = f"sqlite:{folder}/log.sqlite"
        if engine.has_kafka:
            kafka = KafkaServer(folder / "kafka")
            servers.callback(kafka.remove)
            kafka.start()
            url = kafka.url
        flink = FlinkCluster(folder / "flink", workers=WORKERS)
        if engine.runner == "flink":
            servers.enter_context(flink)
        yield Stack(
            folder / "job",
            url,
            flink,
            "bench",
            runner=engine.runner,
            partitions=PARTITIONS,
            checkpoint_s=10.0,
        )


def tagged(log: MessageLog) -> Iterator[Stored]:
    """All records on the topic `tagged`."""
    for partition, (start, end) in log.bounds("tagged").items():
        at = start
        while at < end:
            chunk = log.read("tagged", partition, at, APPEND)
            yield from chunk
            at = chunk[-1].offset + 1


@contextmanager
def running(stack: Stack, log: MessageLog) -> Iterator[None]:
    """The job, from its first tagged message on."""
    process = stack.start("process")
    try:
        delay(log)
        yield
    finally:
        process.terminate()
        process.wait(READY_S)


def delay(log: MessageLog) -> float:
    """Seconds from a message's append until it can be read as tagged."""
    time.sleep(random.uniform(1.0, 2.0))  # at any moment between two looks of a job
    entry = live_entry()
    before = end_of(log)
    begun = time.monotonic()
    log.append("messages", [entry])
    while end_of(log) == before:
        if time.monotonic() - begun > READY_S:
            raise TimeoutError("a live message was not tagged")
        time.sleep(LOOK_S)
    return time.monotonic() - begun


def live_entry() -> Entry:
    """A message said now, in a thread of its own."""
    now, name = datetime.now(UTC), str(time.time_ns())
    message = Message(
        source="live",
        platform="live",
        id=name,
        channel="live",
        thread=name,
        author="0123456789abcdef",
        sent_at=now,
        seen_at=now,
        text="the build is broken again and I am tired of it",
    )
    return Entry(message.partition_key, encode(message))


def end_of(log: MessageLog) -> int:
    """Records that were ever tagged."""
    return sum(end for _, end in log.bounds("tagged").values())


def tell(name: str, found: Figures, loop: float, messages: int) -> None:
    """Print what was measured of one engine."""
    cpu_s = sum(found.cpu_s.values())
    million = 1e6 / messages
    print(
        f"{name:20} {found.per_s:8,.0f}/s on {found.per_s * cpu_s / messages:.2f} "
        f"cores   {cpu_s * million:5,.0f} CPU-s/million   "
        f"engine's share {1 - loop / cpu_s:4.0%}   {found.resident / 2**20:6,.0f} MB   "
        f"delay median {median(found.delays):.2f} s, longest {max(found.delays):.2f} s"
    )
    parts = "   ".join(
        f"{role} {used * million:,.0f}" for role, used in found.cpu_s.most_common()
    )
    resting = "   ".join(
        f"{role} {used / IDLE_S:.1%}" for role, used in found.idle.most_common()
    )
    print(
        f"  CPU-s/million: {parts}\n"
        f"  first tagged after {found.start_s:.1f} s and {found.start_cpu_s:.1f} CPU-s"
        f"   tagged {found.tagged:,}\n"
        f"  idle, of a core: {sum(found.idle.values()) / IDLE_S:.1%} ({resting})",
        flush=True,
    )


def compare(found: dict[str, Figures]) -> None:
    """Print how each engine does beside the embedded one."""
    if EMBEDDED.name not in found:
        return
    base = found[EMBEDDED.name]
    for name, figures in found.items():
        rate = figures.per_s / base.per_s
        cpu = sum(figures.cpu_s.values()) / sum(base.cpu_s.values())
        memory = figures.resident / base.resident
        print(
            f"{name} / {EMBEDDED.name}: rate {rate:.2f}   CPU {cpu:.2f}   "
            f"memory {memory:.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
