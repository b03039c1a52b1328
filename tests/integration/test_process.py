"""The tagging job over a real log, with whatever may go wrong around it."""

import gc
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest
from apache_beam.utils import shared
from structlog import get_logger
from structlog.testing import capture_logs

from pipeline.config import Config, LogSettings, TaggingSettings
from pipeline.errors import BusyError, LogFullError
from pipeline.jobs import lock
from pipeline.jobs import process as job
from pipeline.jobs.micro_batch import MicroBatch
from pipeline.jobs.process import process
from pipeline.jobs.stop import Stop
from pipeline.log.message_log import Entry, MessageLog, Topic
from pipeline.log.open import open_log
from pipeline.log.sqlite import SqliteLog
from pipeline.records import DeadLetter, Message, TaggedMessage, decode, encode
from pipeline.testing import FakeTagger, MemoryLog

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def _fake_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "load_tagger_to_stay", lambda *_, **__: FakeTagger())


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        log=LogSettings(url=f"sqlite:{tmp_path}/log.sqlite"),
        tagging=TaggingSettings(batch=10_000, poll_s=0.05),
    )


@pytest.fixture
def log(config: Config) -> Iterator[MessageLog]:
    log = open_log(config.log)
    yield log
    log.close()


def raw(number: int, **fields: Any) -> bytes:
    known = {
        "source": "irc",
        "platform": "irc",
        "id": f"m{number}",
        "channel": "ubuntu",
        "author": "0123456789abcdef",
        "sent_at": "2026-03-01T12:00:00Z",
        "seen_at": "2026-03-01T12:00:00Z",
        "language": "en",
        "text": f"message {number}",
    }
    return msgspec.json.encode(known | fields)


def append(log: MessageLog, *values: bytes, topic: Topic = "messages") -> None:
    log.append(topic, [Entry("irc/ubuntu/", value) for value in values])


def run_once(config: Config) -> None:
    process(config, Stop(), once=True)


def values(log: MessageLog, topic: Topic, start: int = 0) -> list[bytes]:
    found = []
    while chunk := log.read(topic, 0, start, 10_000):
        found += [record.value for record in chunk]
        start = chunk[-1].offset + 1
    return found


def tagged(log: MessageLog, start: int = 0) -> list[TaggedMessage]:
    return [decode(value, TaggedMessage) for value in values(log, "tagged", start)]


def dead_letters(log: MessageLog) -> list[DeadLetter]:
    return [decode(value, DeadLetter) for value in values(log, "dead-letters")]


def ids(log: MessageLog, start: int = 0) -> list[str]:
    return [record.message.id for record in tagged(log, start)]


def position(log: MessageLog, topic: Topic = "messages") -> int:
    cursor = log.latest("cursors")["process"]
    return int(msgspec.json.decode(cursor)[topic]["0"])


@contextmanager
def running(config: Config) -> Iterator[Stop]:
    stop = Stop()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            process(config, stop)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert failures == []


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def test_every_message_is_tagged_once_and_in_order(
    config: Config, log: MessageLog
) -> None:
    append(log, *(raw(n, text="angry" if n % 7 == 0 else "calm") for n in range(3000)))
    run_once(config)
    records = tagged(log)
    assert [r.message.id for r in records] == [f"m{n}" for n in range(3000)]
    assert all(len(r.marks) == (n % 7 == 0) for n, r in enumerate(records))
    assert position(log) == 3000
    assert dead_letters(log) == []


class Talking(FakeTagger):
    """Says at the end how many texts it tagged."""

    def finish(self) -> None:
        get_logger().info("last-word", tagged=sum(map(len, self.calls)))


@pytest.mark.parametrize("messages", [0, 3])
def test_the_tagger_that_tagged_has_its_last_word(
    config: Config,
    log: MessageLog,
    monkeypatch: pytest.MonkeyPatch,
    messages: int,
) -> None:
    monkeypatch.setattr(job, "load_tagger_to_stay", lambda *_, **__: Talking())
    append(log, *(raw(n) for n in range(messages)))
    with capture_logs() as logs:
        run_once(config)
    assert logs[-1] == {"event": "last-word", "log_level": "info", "tagged": messages}


def test_tagged_messages_keep_the_key_of_their_thread(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1, thread="t9"))
    run_once(config)
    assert log.read("tagged", 0, 0, 1)[0].key == "irc/ubuntu/t9"


def test_a_second_job_goes_on_where_the_first_ended(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1))
    run_once(config)
    append(log, raw(2))
    run_once(config)
    run_once(config)
    assert ids(log) == ["m1", "m2"]


POISON = {
    "garbage": b"\x00\x01garbage",
    "not UTF-8": raw(0).replace(b"message", b"\xff\xfe"),
    "missing fields": b"{}",
    "a NUL": raw(0, text="a\0b"),
    "a lone surrogate": raw(0).replace(b"message", b"\\ud800"),
    "year 1": raw(0, sent_at="0001-01-01T00:00:00+05:00"),
    "year 9999": raw(0, seen_at="9999-12-31T23:59:59-05:00"),
    "a 5 MB text": raw(0, text="x" * 5_000_000),
    "a text the tagger fails on": raw(99, text="explode"),
    "nothing": b"",
}


def test_what_cannot_be_processed_becomes_a_dead_letter_and_the_rest_goes_on(
    config: Config, log: MessageLog
) -> None:
    for number, poison in enumerate(POISON.values()):
        append(log, raw(number), poison)
    run_once(config)
    assert ids(log) == [f"m{n}" for n in range(len(POISON))]
    letters = sorted(dead_letters(log), key=lambda letter: letter.offset)
    assert [letter.raw for letter in letters] == list(POISON.values())
    assert [letter.offset for letter in letters] == list(range(1, 20, 2))
    assert {letter.stage for letter in letters} == {"decode", "tag"}
    assert position(log) == 2 * len(POISON)


def test_a_large_text_within_bounds_passes(config: Config, log: MessageLog) -> None:
    append(log, raw(1, text="ä" * 1_000_000))
    run_once(config)
    assert ids(log) == ["m1"]


def test_repetitions_are_dropped_within_a_job(config: Config, log: MessageLog) -> None:
    append(log, raw(1), raw(2), raw(1), raw(1, revision=5))
    run_once(config)
    assert ids(log) == ["m1", "m2", "m1"]


def test_a_crash_between_append_and_commit_repeats_the_slice(
    config: Config, log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, *(raw(n) for n in range(5)))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job._Job, "_commit", crash)
        with pytest.raises(KeyboardInterrupt):
            run_once(config)
    assert ids(log) == ["m0", "m1", "m2", "m3", "m4"]
    run_once(config)
    assert ids(log) == ["m0", "m1", "m2", "m3", "m4"] * 2
    assert position(log) == 5


def test_what_a_failed_run_met_is_no_reason_to_drop_its_repetition(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would wait for the history in which it was met first."""
    memory = AlmostFull()
    memory.refusals = 1
    append(memory, raw(1), topic="history")
    tagged_after = []
    real = MicroBatch.run

    def with_a_repetition(self: MicroBatch, claim: Any) -> Any:
        try:
            counts = real(self, claim)
        except LogFullError:
            append(memory, raw(1))
            raise
        tagged_after.append((next(iter(claim)), ids(memory)))
        return counts

    monkeypatch.setattr(MicroBatch, "run", with_a_repetition)
    monkeypatch.setattr(job, "open_log", lambda *_: memory)
    monkeypatch.setattr(job, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(job, "FIRST_SIZE", 1)
    run_once(config)
    assert tagged_after == [(("messages", 0), ["m1"]), (("history", 0), ["m1"])]


def test_a_crash_within_a_run_loses_nothing(
    config: Config, log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, *(raw(n) for n in range(5)))
    real = SqliteLog.append

    def crash_on_tagged(self: SqliteLog, topic: Topic, entries: list[Entry]) -> None:
        if topic == "tagged":
            raise MemoryError("no memory left")
        real(self, topic, entries)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteLog, "append", crash_on_tagged)
        with pytest.raises(MemoryError):
            run_once(config)
    assert ids(log) == []
    run_once(config)
    assert ids(log) == ["m0", "m1", "m2", "m3", "m4"]


def test_the_job_follows_the_log_and_ends_soon_after_it_is_told(
    config: Config, log: MessageLog
) -> None:
    with running(config) as stop:
        for number in range(3):
            append(log, raw(number))
            eventually(lambda number=number: len(tagged(log)) == number + 1)
        begun = time.monotonic()
        stop.set()
    assert time.monotonic() - begun < 5
    assert ids(log) == ["m0", "m1", "m2"]


def test_a_full_log_is_waited_for_with_one_line_and_nothing_is_lost(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = MemoryLog()
    append(memory, raw(1), raw(2))
    monkeypatch.setattr(job, "open_log", lambda *_: memory)
    monkeypatch.setattr(job, "FIRST_PAUSE_S", 0.05)
    memory.full = True
    with capture_logs() as events, running(config):
        time.sleep(1.0)
        assert ids(memory) == []
        memory.full = False
        eventually(lambda: ids(memory) == ["m1", "m2"])
    told = [event for event in events if event["event"] == "log-full"]
    assert len(told) == 1
    assert "message" not in str(told)


class AlmostFull(MemoryLog):
    """Has space for claims and positions but, at first, for no tagged messages."""

    refusals = 2

    def append(self, topic: Topic, entries: Any) -> None:
        if topic == "tagged" and self.refusals:
            self.refusals -= 1
            raise LogFullError("full for now: wait")
        super().append(topic, entries)


def test_a_log_that_fills_within_a_run_is_waited_for_too(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = AlmostFull()
    append(memory, raw(1), raw(2))
    monkeypatch.setattr(job, "open_log", lambda *_: memory)
    monkeypatch.setattr(job, "FIRST_PAUSE_S", 0.05)
    with capture_logs() as events, running(config):
        eventually(lambda: ids(memory) == ["m1", "m2"])
    assert [event["event"] for event in events].count("log-full") == 1


def test_what_retention_took_before_it_was_read_is_counted(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1))
    run_once(config)
    append(log, raw(2), raw(3))
    in_a_year = datetime.now(UTC) + timedelta(days=365)
    assert log.enforce_retention(in_a_year) > 0
    append(log, raw(4))
    with capture_logs() as events:
        run_once(config)
    assert ids(log) == ["m4"]
    (lost,) = [event for event in events if event["event"] == "messages-lost"]
    assert (lost["topic"], lost["partition"], lost["lost"]) == ("messages", 0, 2)


def test_a_log_made_anew_is_read_from_its_start(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1))
    value = msgspec.json.encode({"messages": {"0": 500}})
    log.append("cursors", [Entry("process", value)])
    with capture_logs() as events:
        run_once(config)
    assert ids(log) == ["m1"]
    assert "position-beyond-log" in [event["event"] for event in events]


def test_a_job_goes_on_from_positions_of_before_there_was_history(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1), raw(2))
    append(log, raw(3), topic="history")
    value = msgspec.json.encode({"messages": {"0": 1}})
    log.append("cursors", [Entry("process", value)])
    run_once(config)
    assert ids(log) == ["m2", "m3"]
    assert (position(log), position(log, "history")) == (2, 1)


def test_a_job_goes_on_where_a_streaming_engine_stopped(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1), raw(2))
    append(log, raw(3), raw(4), topic="history")
    for key, value in (
        ("process", {"messages": {"0": 1}}),
        ("process/3", {"messages": {"0": 2}, "history": {"0": 1}}),
    ):
        log.append("cursors", [Entry(key, msgspec.json.encode(value))])
    run_once(config)
    assert ids(log) == ["m4"]
    assert (position(log), position(log, "history")) == (2, 2)


def test_a_repetition_across_topics_is_tagged_once(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1), raw(2))
    append(log, raw(2), raw(3), topic="history")
    run_once(config)
    assert ids(log) == ["m1", "m2", "m3"]


def test_a_dead_letter_of_history_says_that_it_came_from_there(
    config: Config, log: MessageLog
) -> None:
    append(log, b"rubbish", topic="history")
    run_once(config)
    (letter,) = dead_letters(log)
    assert (letter.topic, letter.partition, letter.offset) == ("history", 0, 0)


A_YEAR = 30_000
"""Messages of a year's history."""


@pytest.mark.timeout(120)
def test_a_year_of_history_makes_no_live_message_wait_longer_than_a_slice(
    config: Config, log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = msgspec.structs.replace(config, tagging=TaggingSettings(batch=2_000))
    append(log, *(raw(n) for n in range(A_YEAR)), topic="history")
    slices: list[list[str]] = []
    real = MicroBatch.run

    def run(self: MicroBatch, claim: Any) -> Any:
        if len(slices) < 12:
            # It is said just after the slice was claimed: the worst moment.
            append(log, raw(0, id=f"live-{len(slices)}"))
        known = log.bounds("tagged")[0][1]
        counts = real(self, claim)
        slices.append(ids(log, known))
        return counts

    monkeypatch.setattr(MicroBatch, "run", run)
    run_once(config)
    for number in range(12):
        assert slices[number + 1][0] == f"live-{number}"
    assert max(map(len, slices)) <= 2_000
    old = [name for name in chain(*slices) if not name.startswith("live")]
    assert old == [f"m{n}" for n in range(A_YEAR)]


def test_history_waits_while_what_is_live_fills_the_slices(
    config: Config, log: MessageLog
) -> None:
    config = msgspec.structs.replace(config, tagging=TaggingSettings(batch=100))
    append(log, *(raw(n, id=f"old-{n}") for n in range(100)), topic="history")
    append(log, *(raw(n) for n in range(250)))
    run_once(config)
    live, old = [f"m{n}" for n in range(250)], [f"old-{n}" for n in range(100)]
    assert ids(log) == [*live, *old]


def test_the_job_enforces_retention(config: Config, log: MessageLog) -> None:
    append(log, raw(1))
    run_once(config)
    in_a_year = datetime.now(UTC) + timedelta(days=365)
    with capture_logs() as events:
        process(config, Stop(), once=True, clock=lambda: in_a_year)
    assert values(log, "messages") == []
    assert "retention-enforced" in [event["event"] for event in events]


def test_counts_and_rates_are_logged_without_a_word_of_the_messages(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1), raw(2), raw(1), raw(3, text="explode secretly"), b"rubbish")
    with capture_logs() as events:
        run_once(config)
    (event,) = [e for e in events if e["event"] == "messages-processed"]
    rate = event.pop("messages_per_s")
    assert rate > 0
    assert event == {
        "event": "messages-processed",
        "log_level": "info",
        "read": 5,
        "tagged": 2,
        "duplicates": 1,
        "dead_letters": 2,
    }
    assert "secretly" not in str(events)


def test_reports_come_while_the_job_runs(
    config: Config, log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "REPORT_S", 0.01)
    append(log, raw(1))
    with capture_logs() as events, running(config):
        eventually(lambda: len(events) > 0)
    assert events[0]["event"] == "messages-processed"


def test_only_one_job_works_on_a_log(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "exclusive", partial(lock.exclusive, grace_s=0.1))
    with (
        lock.exclusive(tmp_path / "log.sqlite.process.lock", "process", grace_s=0),
        pytest.raises(BusyError),
    ):
        run_once(config)


def test_runs_grow_and_shrink_with_the_taggers_speed(
    config: Config, log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FakeTagger):
        def tag(self, texts: Any) -> Any:
            time.sleep(0.001 * len(texts))
            return super().tag(texts)

    claimed = []
    real = MicroBatch.run

    def watched(self: MicroBatch, claim: Any) -> Any:
        claimed.extend(end - start for start, end in claim.values())
        return real(self, claim)

    monkeypatch.setattr(job, "load_tagger_to_stay", lambda *_, **__: Slow())
    monkeypatch.setattr(job, "RUN_S", 0.2)
    monkeypatch.setattr(job, "FIRST_SIZE", 800)
    monkeypatch.setattr(MicroBatch, "run", watched)
    append(log, *(raw(n) for n in range(1500)))
    run_once(config)
    assert claimed[0] == 800
    assert 50 <= claimed[1] <= 250
    assert sum(claimed) == 1500


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def grown(config: Config) -> tuple[float, int]:
    """Of 300 runs: megabytes that they leave behind, and what Beam keeps of them."""
    batch = MicroBatch(lambda: open_log(config.log), FakeTagger)
    calls = batch._tagger.get()
    for _ in range(20):
        batch.run({("messages", 0): (0, 100)})
    gc.collect()
    before = resident_mb()
    for _ in range(300):
        batch.run({("messages", 0): (0, 100)})
        calls.calls.clear()
    gc.collect()
    left = (resident_mb() - before, len(shared._shared_map._cache_map))
    batch.close()
    return left


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_hundreds_of_runs_leave_nothing_behind_in_memory(
    config: Config, log: MessageLog
) -> None:
    append(log, *(raw(n) for n in range(100)))
    # In a process of its own: what other tests left in this one comes and goes.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        megabytes, kept = fresh.submit(grown, config).result()
    assert megabytes < 8
    assert kept < 50


def test_no_folder_is_left_behind(
    config: Config,
    log: MessageLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    append(log, raw(1))
    run_once(config)
    assert len(tagged(log)) == 1
    assert list(folder.iterdir()) == []


def test_tagged_messages_are_valid_records_again(
    config: Config, log: MessageLog
) -> None:
    append(log, raw(1, context=["earlier"], reply_to="m0", bot=True, deleted=True))
    run_once(config)
    (record,) = tagged(log)
    assert record.message == decode(values(log, "messages")[0], Message)
    assert encode(record) == values(log, "tagged")[0]
