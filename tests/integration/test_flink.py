"""The tagging job on a real Flink, over a real Kafka."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from flink_cluster import FlinkCluster
from kafka import KafkaAdminClient, KafkaProducer
from kafka_server import KafkaServer
from log_contents import append, message, read_all
from process_tree import eventually
from streaming_stack import Stack

from pipeline.log.message_log import MessageLog
from pipeline.records import DeadLetter, TaggedMessage, decode, encode

pytestmark = pytest.mark.timeout(360)

PATIENCE_S = 150.0


def tagged_ids(log: MessageLog) -> list[str]:
    tagged = [decode(stored.value, TaggedMessage) for stored in read_all(log, "tagged")]
    return [each.message.id for each in tagged]


class Running:
    """A stack whose tagging job runs."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.log = stack.open_log()
        self._process = stack.start("process")

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(60) == 0, self.stack.said("process")

    def restart(self) -> None:
        self.stop()
        self._process = self.stack.start("process")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    kafka_server: KafkaServer,
    flink_cluster: FlinkCluster,
) -> Iterator[Running]:
    """The job, up and tagging."""
    prefix = f"flink-{uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("job")
    running = Running(Stack(folder, kafka_server.url, flink_cluster, prefix))
    try:
        append(running.log, range(100))
        came = eventually(lambda: len(tagged_ids(running.log)) >= 100, PATIENCE_S)
        assert came, running.stack.said("process") + flink_cluster.output("workers")
        yield running
    finally:
        running.stack.end()
        running.log.close()
        # Else the job, which goes on by itself, would make the topics again.
        flink_cluster.tidy()
        kafka_server.forget(prefix)


def test_messages_are_tagged_once_and_lag_ends(running: Running) -> None:
    stack, log = running.stack, running.log
    append(log, range(1_000, 1_500))
    append(log, range(2_000, 2_500), "history")
    assert eventually(lambda: stack.status().waiting_to_be_tagged == 0, PATIENCE_S)
    ids = tagged_ids(log)
    assert {str(number) for number in range(1_000, 1_500)} <= set(ids)
    assert {str(number) for number in range(2_000, 2_500)} <= set(ids)
    assert len(ids) == len(set(ids))
    marks = {
        mark.label
        for stored in read_all(log, "tagged")
        for mark in decode(stored.value, TaggedMessage).marks
    }
    assert "anger" in marks


def test_poison_becomes_dead_letters_and_the_job_goes_on(
    running: Running, kafka_server: KafkaServer
) -> None:
    stack, log, prefix = running.stack, running.log, running.stack.prefix
    fifteen_mb = b"x" * 15_000_000
    future = b'{"source": "s", "id": {"org": 1, "nr": 2}, "schema": 99}'
    poison = [b"\xff\xfe garbage", b"", future, fifteen_mb]
    producer = KafkaProducer(
        bootstrap_servers=kafka_server.bootstrap, max_request_size=16 * 2**20
    )
    for value in poison:
        producer.send(f"{prefix}.messages", value, key=b"\xffno utf-8").get(30)
    producer.send(f"{prefix}.messages", None, key=b"k").get(30)
    producer.close()
    append(log, range(3_000, 3_010))
    assert eventually(lambda: "3009" in tagged_ids(log), PATIENCE_S)

    def buried() -> int:
        letters = [decode(s.value, DeadLetter) for s in read_all(log, "dead-letters")]
        return sum(letter.stage == "decode" for letter in letters)

    assert eventually(lambda: buried() == 5, PATIENCE_S), buried()
    assert stack.told()["dead_letters"] == 5


def test_a_partition_that_is_added_is_read(
    running: Running, kafka_server: KafkaServer
) -> None:
    log, prefix = running.log, running.stack.prefix
    admin = KafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)
    admin.create_partitions({f"{prefix}.messages": 7})
    admin.close()
    assert eventually(lambda: len(log.bounds("messages")) == 7, PATIENCE_S)
    producer = KafkaProducer(bootstrap_servers=kafka_server.bootstrap)
    for partition in (4, 5, 6):
        value = encode(message(4_000 + partition))
        topic = f"{prefix}.messages"
        producer.send(topic, value, key=b"k", partition=partition).get(30)
    producer.close()
    wanted = {"4004", "4005", "4006"}
    assert eventually(lambda: wanted <= set(tagged_ids(log)), PATIENCE_S)


def test_flink_shows_what_was_read_tagged_and_buried(
    running: Running, flink_cluster: FlinkCluster
) -> None:
    (job,) = [j for j, state in flink_cluster.jobs().items() if state == "RUNNING"]

    def shown(name: str) -> int:
        found = flink_cluster.metrics(job, name)
        return sum(int(value) for value in found.values())

    append(running.log, range(6_000, 6_050))
    for name in ("groundswell_read", "groundswell_tagged", "groundswell_decoded"):
        assert eventually(lambda name=name: shown(name) >= 50, PATIENCE_S), name


def test_a_savepoint_is_made_on_stop_and_used_on_start(
    running: Running, flink_cluster: FlinkCluster
) -> None:
    def found() -> list[str]:
        ids = tagged_ids(running.log)
        return [id_ for id_ in ids if 7_000 <= int(id_) < 9_000]

    append(running.log, range(7_000, 7_300))
    assert eventually(lambda: len(found()) == 300, PATIENCE_S)
    running.restart()
    append(running.log, range(8_000, 8_300))
    assert eventually(lambda: len(set(found())) == 600, PATIENCE_S)
    (job,) = [j for j, state in flink_cluster.jobs().items() if state == "RUNNING"]
    restored = flink_cluster.checkpoints(job)["latest"]["restored"]
    assert restored["is_savepoint"]
    assert restored["external_path"] in running.stack.said("process")
    assert len(found()) == 600


def test_without_flink_it_waits_and_says_so(
    tmp_path: Path,
    kafka_server: KafkaServer,
    flink_cluster: FlinkCluster,
    request: pytest.FixtureRequest,
) -> None:
    prefix = f"flink-{uuid4().hex[:8]}"
    stack = Stack(tmp_path, kafka_server.url, flink_cluster, prefix)
    request.addfinalizer(stack.end)
    text = stack.path.read_text().replace(flink_cluster.rest, "http://127.0.0.1:9")
    stack.path.write_text(text)
    process = stack.start("process")
    assert eventually(lambda: "flink-unreachable" in stack.said("process"), 30)
    time.sleep(1)
    assert process.poll() is None
    process.terminate()
    assert process.wait(20) == 0
    assert "Traceback" not in stack.said("process")
    kafka_server.forget(prefix)
