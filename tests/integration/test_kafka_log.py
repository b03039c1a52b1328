"""The log on a real Kafka, with whatever may go wrong around it."""

import json
import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import kafka_security
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourceType,
)
from kafka_security import LISTENERS, OWNER, PASSWORD, READER, STRANGER, Authority
from kafka_server import KafkaServer
from loopback_ports import free_ports
from maven_jars import NotInstalledError
from process_tree import eventually
from structlog.testing import capture_logs

from pipeline.config import (
    KAFKA_PASSWORD_VARIABLE,
    Config,
    KafkaSettings,
    LogSettings,
    ReplaySettings,
    WarehouseSettings,
)
from pipeline.errors import LogError, LogStoppedError
from pipeline.jobs.dead_letters import newest
from pipeline.jobs.replay import ReplaySummary, replay
from pipeline.jobs.status import read_status
from pipeline.jobs.stop import Stop
from pipeline.log import kafka_brokers, kafka_reader, kafka_topics, kafka_writer
from pipeline.log import open as opening
from pipeline.log.kafka import KafkaLog
from pipeline.log.kafka_writer import MAX_RECORD_BYTES
from pipeline.log.message_log import Entry, Stored, Topic
from pipeline.log.open import open_log
from pipeline.records import DeadLetter, decode, encode

pytestmark = pytest.mark.timeout(120)

JOBS = ("connect", "process", "load")
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def module_server(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaServer]:
    folder = tmp_path_factory.mktemp("own-kafka")
    try:
        server = KafkaServer(
            folder,
            listeners=LISTENERS,
            properties=kafka_security.properties(authority, folder),
            scram_users={OWNER: PASSWORD, READER: PASSWORD, STRANGER: PASSWORD},
        )
    except NotInstalledError as error:
        pytest.skip(str(error))
    yield server
    server.remove()


@pytest.fixture
def own_server(module_server: KafkaServer) -> KafkaServer:
    """A broker of this module's own, to be killed, and with doors that are closed."""
    if not module_server.running:
        module_server.start()
    return module_server


@pytest.fixture
def _short_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers that hang are found out sooner, and asked more often."""
    for module in (kafka_brokers, kafka_writer):
        monkeypatch.setattr(module, "TRY_S", 0.5)
    monkeypatch.setattr(kafka_brokers, "PAUSE_S", 0.1)


@pytest.fixture
def prefix() -> str:
    return f"log-{uuid4().hex}"


Opener = Callable[..., KafkaLog]


@pytest.fixture
def open_on(prefix: str) -> Iterator[Opener]:
    """Opens logs on a broker, and closes them."""
    opened: list[KafkaLog] = []

    def open_there(
        address: str, *, log: dict[str, Any] | None = None, **kafka: Any
    ) -> KafkaLog:
        given = {"partitions": 2, "give_up_after_s": 60.0} | kafka
        stopped = given.pop("stopped", lambda: False)
        settings = LogSettings(
            url=f"kafka://{address}",
            prefix=prefix,
            kafka=KafkaSettings(**given),
            **(log or {}),
        )
        opened.append(KafkaLog(settings, stopped=stopped))
        return opened[-1]

    yield open_there
    for log in opened:
        log.close()


@pytest.fixture
def log(kafka_server: KafkaServer, open_on: Opener) -> KafkaLog:
    return open_on(kafka_server.bootstrap)


def nobody() -> str:
    """An address where nobody listens."""
    return f"127.0.0.1:{free_ports(1)[0]}"


def everything(log: KafkaLog, topic: Topic = "messages") -> list[Stored]:
    found: list[Stored] = []
    for partition, (first, end) in log.bounds(topic).items():
        start = first
        while start < end and (chunk := log.read(topic, partition, start, 10_000)):
            found += chunk
            start = chunk[-1].offset + 1
    return found


def letters(log: KafkaLog) -> list[DeadLetter]:
    return [
        decode(stored.value, DeadLetter) for stored in everything(log, "dead-letters")
    ]


# ── brokers that go away ────────────────────────────────────────────────────────


def test_what_is_appended_while_the_broker_is_killed_is_all_there_in_order(
    own_server: KafkaServer, open_on: Opener
) -> None:
    log, done = open_on(own_server.bootstrap), threading.Event()
    appended = {"a": 0, "b": 0, "c": 0}

    def write() -> None:
        while not done.is_set():
            batch = []
            for key, number in appended.items():
                batch += [Entry(key, b"%d" % (number + n)) for n in range(20)]
            log.append("messages", batch)
            for key in appended:
                appended[key] += 20

    writer = threading.Thread(target=write)
    with capture_logs() as lines:
        writer.start()
        time.sleep(1.0)
        own_server.kill()
        before = dict(appended)
        own_server.start()
        assert eventually(lambda: appended["a"] > before["a"] + 200, 30.0)
        done.set()
        writer.join(30.0)
    assert not writer.is_alive()
    records = everything(log)
    for key, count in appended.items():
        mine = [int(stored.value) for stored in records if stored.key == key]
        assert list(dict.fromkeys(mine)) == list(range(count))
    events = [line["event"] for line in lines]
    assert events == ["log-unreachable", "log-reachable"]


@pytest.mark.usefixtures("_short_tries")
def test_brokers_that_hang_are_waited_for_and_told_of_once(
    own_server: KafkaServer, open_on: Opener
) -> None:
    log = open_on(own_server.bootstrap)
    log.append("messages", [Entry("k", b"before")])
    own_server.pause()
    with capture_logs() as lines:
        waiting = threading.Thread(
            target=log.append, args=["messages", [Entry("k", b"after")]]
        )
        waiting.start()
        assert eventually(lambda: bool(lines), 20.0)
        waiting.join(2.0)  # time for more attempts
        assert waiting.is_alive()
        own_server.resume()
        waiting.join(30.0)
    assert not waiting.is_alive()
    assert [stored.value for stored in everything(log)] == [b"before", b"after"]
    unreachable = [line for line in lines if line["event"] == "log-unreachable"]
    assert len(unreachable) == 1
    assert own_server.bootstrap in unreachable[0]["log"]


def test_readers_go_on_where_they_were_after_the_broker_was_killed(
    own_server: KafkaServer, open_on: Opener
) -> None:
    log = open_on(own_server.bootstrap)
    log.append("messages", [Entry("k", b"%d" % n) for n in range(50)])
    partition = next(p for p, (first, end) in log.bounds("messages").items() if end)
    first = log.read("messages", partition, 0, 20)
    own_server.kill()
    restart = threading.Thread(target=own_server.start)
    restart.start()
    rest = log.read("messages", partition, first[-1].offset + 1, 100)
    restart.join()
    assert [int(stored.value) for stored in [*first, *rest]] == list(range(50))


@pytest.mark.usefixtures("_short_tries")
def test_brokers_that_stay_away_are_given_up(open_on: Opener) -> None:
    log = open_on(nobody(), give_up_after_s=0.4)
    begun = time.monotonic()
    with pytest.raises(LogError, match=r"could not be reached for \d s \(.*REFUSED"):
        log.append("messages", [Entry("k", b"v")])
    assert 0.4 < time.monotonic() - begun < 5.0
    for question in (
        lambda: log.bounds("messages"),
        lambda: log.read("messages", 0, 0, 1),
        lambda: log.latest("cursors"),
        lambda: log.enforce_retention(NOW),
    ):
        with pytest.raises(LogError, match="start it, or set another"):
            question()


@pytest.mark.usefixtures("_short_tries")
def test_a_broker_that_dies_for_good_while_it_is_written_to_is_given_up(
    own_server: KafkaServer, open_on: Opener
) -> None:
    log = open_on(own_server.bootstrap, give_up_after_s=2.0)
    log.append("messages", [Entry("k", b"kept")])
    own_server.pause()
    try:
        with pytest.raises(LogError, match="could not be reached"):
            log.append("messages", [Entry("k", b"given up")])
    finally:
        own_server.resume()
    log.append("messages", [Entry("k", b"next")])
    # What was given up may have reached the broker before it hung, or not at all.
    found = [stored.value for stored in everything(log)]
    assert [value for value in found if value != b"given up"] == [b"kept", b"next"]
    assert found[-1] == b"next"


def test_a_wait_ends_when_the_process_must(open_on: Opener) -> None:
    stop = threading.Event()
    log = open_on(nobody(), stopped=stop.is_set)
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(LogStoppedError):
        log.append("messages", [Entry("k", b"v")])
    assert time.monotonic() - begun < 5.0


def test_a_process_that_must_end_may_still_use_a_log_that_is_there(
    kafka_server: KafkaServer, open_on: Opener
) -> None:
    log = open_on(kafka_server.bootstrap, stopped=lambda: True)
    log.append("messages", [Entry("k", b"last")])
    assert [stored.value for stored in everything(log)] == [b"last"]


@pytest.mark.usefixtures("_short_tries")
def test_a_wait_is_told_once_a_minute(
    open_on: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_brokers, "TELL_EVERY_S", 0.6)
    log = open_on(nobody(), give_up_after_s=1.5)
    with capture_logs() as lines, pytest.raises(LogError):
        log.bounds("messages")
    assert {line["event"] for line in lines} == {"log-unreachable"}
    assert 2 <= len(lines) <= 3


def test_nothing_is_asked_of_brokers_before_it_must_be(open_on: Opener) -> None:
    begun = time.monotonic()
    log = open_on(nobody())
    log.append("messages", [])
    log.close()
    assert time.monotonic() - begun < 0.5


def test_the_client_keeps_its_own_lines_to_itself(open_on: Opener) -> None:
    log = open_on(nobody(), give_up_after_s=0.5)
    with pytest.raises(LogError):
        log.bounds("messages")
    assert not logging.getLogger("kafka.net.manager").isEnabledFor(logging.ERROR)


# ── what cannot be written or read ──────────────────────────────────────────────


def test_a_record_of_20_mb_becomes_a_dead_letter_and_the_rest_goes_on(
    log: KafkaLog,
) -> None:
    large = Entry("k", random.Random(1).randbytes(20_000_000))
    log.append("messages", [Entry("k", b"a"), large, Entry("k", b"b")])
    log.append("messages", [large])
    assert [stored.value for stored in everything(log)] == [b"a", b"b"]
    first, again = letters(log)
    assert (first.topic, first.partition, first.stage) == ("messages", -1, "append")
    assert first.raw == large.value[:65_536]
    assert "20,000,001 bytes are more than the log takes" in first.error
    assert first.offset == again.offset > 0


def test_the_largest_record_that_fits_is_read_again(log: KafkaLog) -> None:
    largest = Entry("k", random.Random(1).randbytes(MAX_RECORD_BYTES - 1))
    log.append("messages", [largest])
    (stored,) = everything(log)
    assert stored.value == largest.value
    assert letters(log) == []


def test_a_topic_that_takes_less_buries_what_it_does_not_take(
    kafka_server: KafkaServer, log: KafkaLog, prefix: str
) -> None:
    log.bounds("messages")
    change(kafka_server, f"{prefix}.messages", "max.message.bytes", "100000")
    noise = random.Random(1).randbytes(60_000)
    large = random.Random(2).randbytes(150_000)
    values = [b"a" + noise, b"b" + noise, large, b"c" + noise]
    log.append("messages", [Entry("k", value) for value in values])
    assert [stored.value[:1] for stored in everything(log)] == [b"a", b"b", b"c"]
    (letter,) = letters(log)
    assert letter.raw == large[:65_536]


def test_a_dead_letter_that_is_too_large_is_shortened(log: KafkaLog) -> None:
    letter = DeadLetter(
        topic="messages",
        partition=3,
        offset=7,
        stage="decode",
        error="no valid Message",
        raw=bytes(20_000_000),
        at=NOW,
    )
    log.append("dead-letters", [Entry("messages/3", encode(letter))])
    log.append("dead-letters", [Entry("x", bytes(20_000_000))])
    shortened, buried = letters(log)
    assert (shortened.offset, shortened.stage) == (7, "decode")
    assert shortened.raw == bytes(65_536)
    assert (buried.topic, buried.stage) == ("dead-letters", "append")


def test_a_position_that_is_too_large_is_an_error_and_not_forgotten(
    log: KafkaLog,
) -> None:
    with pytest.raises(LogError, match="position 'source/x' of 20,"):
        log.append("cursors", [Entry("source/x", bytes(20_000_000))])


def test_what_others_wrote_is_read_whatever_it_is(
    kafka_server: KafkaServer, log: KafkaLog, prefix: str
) -> None:
    log.bounds("messages")
    with closing(KafkaProducer(bootstrap_servers=kafka_server.bootstrap)) as producer:
        for key, value in ((b"\xff\xfe", b"x"), (None, b"y"), (b"k", None), (b"", b"")):
            producer.send(f"{prefix}.messages", key=key, value=value, partition=0)
            producer.send(f"{prefix}.cursors", key=key or b"k", value=value)
        producer.flush()
    found = [(stored.key, stored.value) for stored in everything(log)]
    assert found == [(r"\xff\xfe", b"x"), ("", b"y"), ("k", b""), ("", b"")]
    assert log.latest("cursors") == {r"\xff\xfe": b"x", "k": b""}


def test_a_tombstone_removes_its_key(
    kafka_server: KafkaServer, log: KafkaLog, prefix: str
) -> None:
    log.append("cursors", [Entry("a", b"1"), Entry("b", b"2")])
    assert log.latest("cursors") == {"a": b"1", "b": b"2"}
    with closing(KafkaProducer(bootstrap_servers=kafka_server.bootstrap)) as producer:
        producer.send(f"{prefix}.cursors", key=b"a", value=None)
        producer.flush()
    assert log.latest("cursors") == {"b": b"2"}


def test_what_compaction_took_away_does_not_end_a_read(
    kafka_server: KafkaServer, open_on: Opener, prefix: str
) -> None:
    log = open_on(kafka_server.bootstrap)
    log.bounds("cursors")
    for key, value in (("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01")):
        change(kafka_server, f"{prefix}.cursors", key, value)

    def compacted() -> bool:
        log.append("cursors", [Entry("k", b"%d" % n) for n in range(50)])
        return len(log.read("cursors", 0, 0, 10_000)) < log.bounds("cursors")[0][1] - 60

    log.append("cursors", [Entry("first", b"0")])
    assert eventually(compacted, 60.0)
    end = log.bounds("cursors")[0][1]
    stored = everything(log, "cursors")
    assert stored[-1].offset == end - 1
    assert stored[-1].value == b"49"
    # A read may begin where nothing is left, too.
    assert log.read("cursors", 0, stored[0].offset + 1, 1)
    assert log.latest("cursors") == {"first": b"0", "k": b"49"}


def test_a_read_that_begins_beyond_the_end_never_falls_back(log: KafkaLog) -> None:
    log.append("messages", [Entry("k", b"a"), Entry("k", b"b")])
    for partition, (_, end) in log.bounds("messages").items():
        assert log.read("messages", partition, end + 5, 10) == []
        assert log.read("messages", partition, end, 10) == []
    assert log.read("messages", 99, 0, 10) == []
    assert log.read("messages", 0, 0, 0) == []


def test_more_partitions_than_are_kept_at_hand_are_read(
    kafka_server: KafkaServer, open_on: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "MOST_OPEN", 2)
    log = open_on(kafka_server.bootstrap, partitions=5)
    log.append("messages", [Entry(f"k{n}", b"%d" % n) for n in range(100)])
    for _ in range(2):
        assert sorted(int(s.value) for s in everything(log)) == list(range(100))


def test_threads_may_read_while_others_write(log: KafkaLog) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def write() -> None:
        for number in range(30):
            log.append("messages", [Entry(f"k{number}", b"x" * 100)] * 10)
            log.append("cursors", [Entry(f"k{number % 3}", b"%d" % number)])

    def read() -> None:
        for _ in range(15):
            everything(log)
            log.latest("cursors")

    threads = [guarded(work) for work in (write, write, read, read)]
    for thread in threads:
        thread.join(60.0)
    assert failures == []
    assert len(everything(log)) == 600


# ── topics ──────────────────────────────────────────────────────────────────────


def described(server: KafkaServer, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
        found = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    return {key: each["value"] for key, each in found.items()}


def change(server: KafkaServer, topic: str, key: str, value: str) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={key: value})
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
        admin.alter_configs([resource])


def counts(server: KafkaServer, prefix: str) -> dict[str, int]:
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
        return {
            topic["name"].removeprefix(f"{prefix}."): len(topic["partitions"])
            for topic in admin.describe_topics()
            if topic["name"].startswith(prefix)
        }


def test_topics_are_made_as_configured(
    kafka_server: KafkaServer, open_on: Opener, prefix: str
) -> None:
    log = open_on(
        kafka_server.bootstrap,
        partitions=3,
        log={"retention_days": 20.0, "retention_gb": 1.1},
    )
    log.bounds("messages")
    assert counts(kafka_server, prefix) == {
        "messages": 3,
        "history": 3,
        "tagged": 3,
        "pulses": 1,
        "dead-letters": 1,
        "cursors": 1,
    }
    messages = described(kafka_server, f"{prefix}.messages")
    assert messages["cleanup.policy"] == "delete"
    assert messages["retention.ms"] == str(20 * 86_400_000)
    assert messages["retention.bytes"] == "100000000"
    assert messages["segment.bytes"] == "12500000"
    assert messages["segment.ms"] == str(60 * 3_600_000)
    assert messages["max.message.bytes"] == str(16 * 2**20)
    cursors = described(kafka_server, f"{prefix}.cursors")
    assert cursors["cleanup.policy"] == "compact"
    assert cursors["segment.bytes"] == str(2**20)


def test_topics_that_are_there_are_adopted_with_the_new_retention(
    kafka_server: KafkaServer, open_on: Opener, prefix: str
) -> None:
    old = open_on(kafka_server.bootstrap, log={"retention_days": 20.0})
    old.append("messages", [Entry("k", b"v")])
    change(kafka_server, f"{prefix}.messages", "segment.ms", "12345")
    change(kafka_server, f"{prefix}.cursors", "cleanup.policy", "delete")
    new = open_on(kafka_server.bootstrap, partitions=9, log={"retention_days": 10.0})
    with capture_logs() as lines:
        assert [stored.value for stored in everything(new)] == [b"v"]
    assert {line["event"] for line in lines} == {"topic-changed"}
    messages = described(kafka_server, f"{prefix}.messages")
    assert messages["retention.ms"] == str(10 * 86_400_000)
    assert messages["segment.ms"] == "12345"
    assert counts(kafka_server, prefix)["messages"] == 2
    cursors = described(kafka_server, f"{prefix}.cursors")
    assert cursors["cleanup.policy"] == "compact"


def test_partitions_that_are_added_are_seen_while_reading(
    kafka_server: KafkaServer,
    open_on: Opener,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (kafka_brokers, kafka_topics):
        monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.5)
    log = open_on(kafka_server.bootstrap, partitions=1)
    log.append("messages", [Entry(f"k{n}", b"old") for n in range(10)])
    assert len(everything(log)) == 10
    with closing(KafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)) as admin:
        admin.create_partitions({f"{prefix}.messages": 4})
    assert eventually(lambda: len(log.bounds("messages")) == 4, 10.0)

    def is_spread() -> bool:
        log.append("messages", [Entry(f"k{n}", b"new") for n in range(40)])
        return len({s.partition for s in everything(log) if s.value == b"new"}) == 4

    assert eventually(is_spread, 15.0)


def test_a_topic_that_was_deleted_is_made_again(
    kafka_server: KafkaServer, open_on: Opener, prefix: str
) -> None:
    log = open_on(kafka_server.bootstrap)
    log.append("messages", [Entry("k", b"lost")])
    log.append("cursors", [Entry("a", b"1"), Entry("a", b"2")])
    assert log.latest("cursors") == {"a": b"2"}
    kafka_server.forget(prefix)
    log.append("messages", [Entry("k", b"new")])
    assert [stored.value for stored in everything(log)] == [b"new"]
    log.append("cursors", [Entry("b", b"3")])
    assert log.latest("cursors") == {"b": b"3"}


def test_more_replicas_than_brokers_are_refused_at_once(
    kafka_server: KafkaServer, open_on: Opener
) -> None:
    log = open_on(kafka_server.bootstrap, replication=3)
    with pytest.raises(LogError, match=r"lower \[log.kafka\] replication"):
        log.bounds("messages")


def test_old_records_are_deleted_to_the_millisecond(
    kafka_server: KafkaServer, prefix: str
) -> None:
    # The broker's own retention, which knows only segments, must not be first.
    settings = LogSettings(
        url=kafka_server.url, prefix=prefix, kafka=KafkaSettings(partitions=1)
    )
    times = iter([NOW, NOW + timedelta(milliseconds=1), NOW + timedelta(days=1)])
    with closing(KafkaLog(settings, clock=lambda: next(times))) as log:
        for value in (b"a", b"b", b"c"):
            log.append("messages", [Entry("k", value)])
        age = timedelta(days=30)
        assert log.enforce_retention(NOW + age) == 0
        assert log.enforce_retention(NOW + age + timedelta(milliseconds=1)) == 1
        assert [stored.value for stored in everything(log)] == [b"b", b"c"]
        assert log.enforce_retention(NOW + age + timedelta(days=9)) == 2
        assert log.bounds("messages") == {0: (3, 3)}


# ── doors that are closed ───────────────────────────────────────────────────────


@pytest.fixture
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KAFKA_PASSWORD_VARIABLE, PASSWORD)


def round_trip(log: KafkaLog) -> None:
    log.append("messages", [Entry("k", b"v")])
    assert [stored.value for stored in everything(log)] == [b"v"]
    log.append("cursors", [Entry("k", b"v")])
    assert log.latest("cursors") == {"k": b"v"}
    assert log.enforce_retention(NOW) == 0


def test_brokers_are_reached_in_tls(
    own_server: KafkaServer, authority: Authority, open_on: Opener
) -> None:
    certificate, key = authority.certificate("groundswell")
    round_trip(
        open_on(
            own_server.address("MUTUAL"),
            security="tls",
            ca_file=str(authority.ca_file),
            cert_file=str(certificate),
            key_file=str(key),
        )
    )


@pytest.mark.usefixtures("_password")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_brokers_are_logged_in_at(
    own_server: KafkaServer, open_on: Opener, mechanism: str
) -> None:
    address = own_server.address("LOGIN")
    login = {"username": OWNER, "sasl_mechanism": mechanism}
    round_trip(open_on(address, security="sasl-plaintext", **login))


@pytest.mark.usefixtures("_password")
def test_brokers_are_logged_in_at_in_tls(
    own_server: KafkaServer, authority: Authority, open_on: Opener
) -> None:
    ca_file = str(authority.ca_file)
    address = own_server.address("TLSLOGIN")
    round_trip(open_on(address, security="sasl-tls", username=OWNER, ca_file=ca_file))


def refused(log: KafkaLog) -> str:
    """What is said, at once, of brokers that do not let us in."""
    begun = time.monotonic()
    with pytest.raises(LogError) as caught:
        log.append("messages", [Entry("k", b"v")])
    assert time.monotonic() - begun < 5.0
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_said_at_once(
    own_server: KafkaServer,
    open_on: Opener,
    monkeypatch: pytest.MonkeyPatch,
    mechanism: str,
) -> None:
    monkeypatch.setenv(KAFKA_PASSWORD_VARIABLE, "wrong")
    log = open_on(
        own_server.address("LOGIN"),
        security="sasl-plaintext",
        username=OWNER,
        sasl_mechanism=mechanism,
    )
    assert "check [log.kafka] security, username" in refused(log)


def test_a_broker_that_asks_for_a_login_is_told_from_one_that_is_away(
    own_server: KafkaServer, open_on: Opener
) -> None:
    assert "lets nobody in" in refused(open_on(own_server.address("LOGIN")))


@pytest.mark.usefixtures("_password")
def test_a_broker_that_asks_for_no_login_is_told_so(
    own_server: KafkaServer, open_on: Opener
) -> None:
    log = open_on(own_server.bootstrap, security="sasl-plaintext", username=OWNER)
    assert "does not ask for a login there" in refused(log)


def test_an_authority_that_is_unknown_is_said_at_once(
    own_server: KafkaServer, open_on: Opener, tmp_path: Path
) -> None:
    other = str(Authority(tmp_path).ca_file)
    address = own_server.address("TLS")
    for ca_file in (None, other):
        said = refused(open_on(address, security="tls", ca_file=ca_file))
        assert "certificate that cannot be trusted" in said
        assert "[log.kafka] ca_file" in said


def test_a_certificate_that_the_broker_does_not_know_is_said_at_once(
    own_server: KafkaServer, authority: Authority, open_on: Opener, tmp_path: Path
) -> None:
    address, ca_file = own_server.address("MUTUAL"), str(authority.ca_file)
    assert "cert_file and key_file" in refused(
        open_on(address, security="tls", ca_file=ca_file)
    )
    certificate, key = map(str, Authority(tmp_path).certificate("groundswell"))
    mine = {"cert_file": certificate, "key_file": key}
    assert "cert_file and key_file" in refused(
        open_on(address, security="tls", ca_file=ca_file, **mine)
    )


def test_certificates_that_are_none_are_said(open_on: Opener, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("a diary", encoding="utf-8")
    log = open_on(nobody(), security="tls", ca_file=str(tmp_path / "ca.pem"))
    assert "certificates of [log.kafka] cannot be used" in refused(log)


def test_a_port_of_another_kind_is_hinted_at(
    own_server: KafkaServer, authority: Authority, open_on: Opener
) -> None:
    ca_file = str(authority.ca_file)
    for log in (
        open_on(own_server.address("TLS"), give_up_after_s=1.0),
        open_on(
            own_server.bootstrap, security="tls", ca_file=ca_file, give_up_after_s=1.0
        ),
    ):
        assert "does [log.kafka] security fit the port?" in refused(log)


@pytest.mark.usefixtures("_password")
def test_who_may_do_nothing_is_told_what_to_ask_for(
    own_server: KafkaServer, open_on: Opener
) -> None:
    log = open_on(
        own_server.address("LOGIN"), security="sasl-plaintext", username=STRANGER
    )
    assert "grant it Create" in refused(log)


@pytest.mark.usefixtures("_password")
def test_who_may_only_read_and_write_does_so_and_is_told_what_was_not_changed(
    own_server: KafkaServer, open_on: Opener, prefix: str
) -> None:
    open_on(own_server.bootstrap).append("messages", [Entry("k", b"v")])
    grant(own_server, prefix, ACLOperation.READ, ACLOperation.WRITE)
    log = open_on(
        own_server.address("LOGIN"),
        security="sasl-plaintext",
        username=READER,
        log={"retention_days": 3.0},
    )
    with capture_logs() as lines:
        log.append("messages", [Entry("k", b"w")])
    assert {line["event"] for line in lines} == {"topic-not-changed"}
    assert [stored.value for stored in everything(log)] == [b"v", b"w"]
    with pytest.raises(LogError, match="grant it Create"):
        log.enforce_retention(NOW + timedelta(days=400))


def grant(server: KafkaServer, prefix: str, *operations: ACLOperation) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
        names = [name for name in admin.list_topics() if name.startswith(prefix)]
        admin.create_acls(
            [
                ACL(
                    f"User:{READER}",
                    "*",
                    operation,
                    ACLPermissionType.ALLOW,
                    ResourcePattern(ResourceType.TOPIC, name),
                )
                for name in names
                for operation in operations
            ]
        )


# ── the engine that the configuration names ─────────────────────────────────────


def test_a_url_with_brokers_opens_a_log_on_kafka() -> None:
    settings = LogSettings(url="kafka://127.0.0.1:9092")
    with closing(open_log(settings)) as log:
        assert isinstance(log, KafkaLog)


def test_a_missing_package_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "kafka", None)
    for name in [name for name in sys.modules if name.startswith("pipeline.log.kafka")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(LogError, match=r"run pip install groundswell\[kafka\]"):
        opening.open_log(LogSettings(url="kafka://127.0.0.1:9092"))


# ── the command line ────────────────────────────────────────────────────────────


def configured(folder: Path, address: str, give_up_after_s: float = 600.0) -> Path:
    archive = folder / "archive.jsonl"
    archive.write_text("", encoding="utf-8")
    path = folder / "groundswell.toml"
    path.write_text(
        f'[log]\nurl = "kafka://{address}"\n'
        f"[log.kafka]\ngive_up_after_s = {give_up_after_s}\n"
        '[tagging]\ntagger = "lexicon"\n'
        '[[sources]]\ntype = "replay"\nname = "archive"\nfiles = ["archive.jsonl"]\n',
        encoding="utf-8",
    )
    (folder / "data").mkdir()
    secret = folder / "data" / "secret"
    secret.touch(0o600)
    secret.write_text("s" * 40, encoding="utf-8")
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli", *arguments]


def test_a_job_without_brokers_ends_with_one_sentence(tmp_path: Path) -> None:
    path = configured(tmp_path, nobody(), give_up_after_s=1.0)
    ended = subprocess.run(
        command("load", "--config", str(path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("groundswell: Kafka at 127.0.0.1:")
    assert "could not be reached" in last
    assert "Traceback" not in ended.stderr


def test_jobs_that_wait_for_brokers_end_soon_when_asked_to(tmp_path: Path) -> None:
    path, ended = configured(tmp_path, nobody()), {}
    with ExitStack() as stack:
        # Side by side: what takes long is each interpreter's start.
        started = {job: stack.enter_context(begun(job, path)) for job in JOBS}
        for job, process in started.items():
            await_event(process, "log-unreachable")
            ended[job] = asked_to_end(process)
    for job, (seconds, said) in ended.items():
        assert seconds < 5.0, job
        assert "Traceback" not in said, job


def begun(job: str, path: Path) -> subprocess.Popen[str]:
    asked = command(job, "--config", str(path))
    return subprocess.Popen(asked, stderr=subprocess.PIPE, text=True)


def await_event(process: subprocess.Popen[str], event: str) -> None:
    assert process.stderr is not None
    said = ""
    while event not in said:
        said = process.stderr.readline()
        assert said, "it ended by itself"


def asked_to_end(process: subprocess.Popen[str]) -> tuple[float, str]:
    """The seconds that a good end took, and what was said."""
    assert process.stderr is not None
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said = process.stderr.read()
    assert process.wait(30) == 0, said
    return time.monotonic() - since, said


def test_the_status_says_soon_that_brokers_are_away(tmp_path: Path) -> None:
    path = configured(tmp_path, nobody())
    with duckdb.connect(str(tmp_path / "data" / "published.duckdb")) as connection:
        connection.execute("CREATE TABLE about (published_at TIMESTAMP)")
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=3)
        connection.execute("INSERT INTO about VALUES (?)", [at])
    asked = command("status", "--config", str(path))
    since = time.monotonic()
    with (
        subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as shown,
        subprocess.Popen([*asked, "--json"], stdout=subprocess.PIPE) as told,
    ):
        text, answer = shown.communicate(timeout=60)[0], told.communicate(timeout=60)[0]
    assert time.monotonic() - since < 20.0  # most of it, the interpreters' start
    assert shown.returncode == 1
    first, second = text.splitlines()
    assert first.startswith("log           Kafka at 127.0.0.1:")
    assert second == "published     3 hours ago"
    status = json.loads(answer)
    assert "could not be reached" in status["log_error"]
    assert 3 * 3_600 <= status["published_age_s"] < 3 * 3_600 + 60
    assert status["messages"] is None


def test_a_job_in_the_middle_of_its_work_ends_soon_when_brokers_die(
    own_server: KafkaServer, open_on: Opener, tmp_path: Path, prefix: str
) -> None:
    done = threading.Event()
    log = open_on(own_server.bootstrap, stopped=done.is_set)
    path = configured(tmp_path, own_server.bootstrap)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[log]\n", f'[log]\nprefix = "{prefix}"\n'))

    def write() -> None:
        with suppress(LogStoppedError):
            while not done.wait(0.1):
                log.append("messages", [Entry("k", b"garbage")] * 100)

    def buried() -> int:
        return log.bounds("dead-letters")[0][1]

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with begun("process", path) as process:
            assert eventually(lambda: buried() > 1_000, 60.0)
            own_server.kill()
            await_event(process, "log-unreachable")
            seconds, said = asked_to_end(process)
    finally:
        done.set()
        writer.join(30.0)
    assert seconds < 8.0
    assert "Traceback" not in said


def test_an_archive_leaves_on_kafka_what_it_leaves_in_a_file(
    kafka_server: KafkaServer, tmp_path: Path, prefix: str
) -> None:
    archive = tmp_path / "archive.jsonl"
    line = {"ts": "2024-05-01T10:00:00Z", "channel": "c", "user": "u", "text": "t"}
    lines = [json.dumps({"id": f"{number}"} | line) for number in range(300)]
    archive.write_text("\n".join([*lines, "not JSON", ""]), encoding="utf-8")
    source = ReplaySettings(name="archive", files=[str(archive)])
    # The locks lie beside it.
    warehouse = WarehouseSettings(
        path=f"{tmp_path}/warehouse.duckdb", published=f"{tmp_path}/published.duckdb"
    )
    found = []
    for url in (f"sqlite:{tmp_path}/log.sqlite", kafka_server.url):
        config = Config(log=LogSettings(url=url, prefix=prefix), warehouse=warehouse)
        for expected in (ReplaySummary(300, 1), ReplaySummary(0, 0)):
            environ = {"GROUNDSWELL_SECRET": "s" * 40}
            summary = replay(config, environ, source, Stop(), show_progress=False)
            assert summary == expected
        status = read_status(config, NOW)
        (letter,) = newest(config, 10)
        found.append(
            (
                *(status.messages, status.history_waiting, status.dead_letters),
                *(status.waiting_to_be_tagged, status.waiting_to_be_loaded),
                [(each.source, each.state, each.messages) for each in status.sources],
                *(letter.stage, letter.topic, letter.offset, letter.error, letter.raw),
            )
        )
    in_a_file, on_kafka = found
    assert on_kafka == in_a_file
    assert on_kafka[:3] == (300, 300, 1)
    assert b"not JSON" in letter.raw
