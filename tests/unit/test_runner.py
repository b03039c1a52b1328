import asyncio
import itertools
import random
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from connectors.edge import Edge
from connectors.runner import (
    LONGEST_BACK_OFF_S,
    LONGEST_REST_S,
    PULSE_EVERY_S,
    Runner,
    SavedCursor,
    Tally,
)
from connectors.source import Cursor, Page, Refusal, Source
from connectors.testing import FakeSource, raw_message
from pipeline.errors import (
    GroundswellError,
    InputError,
    LogError,
    LogFullError,
    SourceError,
)
from pipeline.log.message_log import Entry, Topic
from pipeline.records import DeadLetter, Message, Pulse, decode
from pipeline.testing import MemoryLog

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=300)
SECRET = b"a secret of more than 32 characters"


class Time:
    """Passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds == PULSE_EVERY_S:
            await asyncio.Event().wait()
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def never() -> bool:
    return False


def run(
    log: MemoryLog,
    *sources: Source,
    time: Time | None = None,
    stop: Callable[[], bool] = never,
    once: bool = True,
) -> dict[str, Tally]:
    time = time or Time()
    runner = Runner(
        log,
        Edge(SECRET),
        clock=time.clock,
        jitter=random.Random(7),
        sleep=time.sleep,
    )
    return asyncio.run(runner.run(sources, stop, once=once))


def texts(log: MemoryLog, topic: Topic = "messages") -> list[str]:
    return [message.text for message in messages(log, topic)]


def messages(log: MemoryLog, topic: Topic = "messages") -> list[Message]:
    return [decode(r.value, Message) for r in log.read(topic, 0, 0, 10_000)]


def pulses(log: MemoryLog) -> list[Pulse]:
    return [decode(r.value, Pulse) for r in log.read("pulses", 0, 0, 10_000)]


def letters(log: MemoryLog) -> list[DeadLetter]:
    return [decode(r.value, DeadLetter) for r in log.read("dead-letters", 0, 0, 100)]


def saved(log: MemoryLog, name: str = "fake") -> SavedCursor:
    return msgspec.json.decode(
        log.latest("cursors")[f"source/{name}"], type=SavedCursor
    )


def steps(*texts: str) -> list[Sequence[Refusal]]:
    return [[raw_message(text)] for text in texts]  # type: ignore[list-item]


def test_pages_are_published_in_order_and_the_cursor_saved() -> None:
    log = MemoryLog()
    tallies = run(log, FakeSource(steps("a", "b", "c")))
    assert texts(log) == ["a", "b", "c"]
    assert tallies == {"fake": Tally(messages=3, dead_letters=0)}
    assert saved(log) == SavedCursor("3", 3, 0, {"0": 3}, {})


def test_a_message_is_filed_under_its_thread() -> None:
    log = MemoryLog()
    run(log, FakeSource([[raw_message("a", thread="t")]]))
    assert log.read("messages", 0, 0, 1)[0].key == "fake/#test/t"


@pytest.mark.parametrize(
    ("hours", "topic"), [(0, "messages"), (24, "messages"), (24.001, "history")]
)
def test_what_was_sent_more_than_a_day_before_it_was_seen_is_history(
    hours: float, topic: Topic
) -> None:
    log = MemoryLog()
    sent_at = NOW - timedelta(hours=hours)
    run(log, FakeSource([[raw_message("a", sent_at=sent_at)]]))
    found = {t: texts(log, t) for t in ("messages", "history")}
    assert found == {"messages": [], "history": []} | {topic: ["a"]}


@pytest.mark.parametrize("change", [{"revision": 7}, {"deleted": True}])
def test_edits_and_deletions_go_by_the_same_rule(change: dict[str, Any]) -> None:
    log = MemoryLog()
    old = raw_message("old", sent_at=LONG_AGO, **change)
    run(log, FakeSource([[old, raw_message("new", **change)]]))
    assert (texts(log), texts(log, "history")) == (["new"], ["old"])


def test_a_cursor_of_before_there_was_history_still_counts() -> None:
    log = MemoryLog()
    said = [[raw_message(text, thread="t")] for text in "abc"]
    run(log, FakeSource(said[:2]))
    before = msgspec.json.decode(log.latest("cursors")["source/fake"])
    del before["published_history"]
    log.append("cursors", [Entry("source/fake", msgspec.json.encode(before))])
    run(log, FakeSource(said))
    assert messages(log)[2].context == ("a", "b")


def test_history_counts_as_published() -> None:
    log = MemoryLog()
    page = [raw_message("old", sent_at=LONG_AGO), raw_message("new")]
    assert run(log, FakeSource([page])) == {"fake": Tally(2, 0)}
    assert saved(log) == SavedCursor("1", 2, 0, {"0": 1}, {"0": 1})
    assert pulses(log)[0].messages == 2


def test_a_second_run_goes_on_behind_the_first() -> None:
    log = MemoryLog()
    run(log, FakeSource(steps("a", "b")))
    source = FakeSource(steps("a", "b", "c"))
    assert run(log, source) == {"fake": Tally(1, 0)}
    assert source.asked == ["2"]
    assert texts(log) == ["a", "b", "c"]
    assert saved(log).messages == 3


def test_several_sources_are_driven_side_by_side() -> None:
    log = MemoryLog()
    run(log, *(FakeSource(steps("a", "b"), name=name) for name in ("one", "two")))
    assert sorted(texts(log)) == ["a", "a", "b", "b"]
    assert saved(log, "one").cursor == saved(log, "two").cursor == "2"


def test_what_cannot_be_read_or_passed_becomes_a_dead_letter() -> None:
    log = MemoryLog()
    step = [raw_message("a"), raw_message("b\0"), Refusal("file", 3, "why", b"raw")]
    tallies = run(log, FakeSource([[*step, raw_message("half \ud800")]]))
    assert texts(log) == ["a"]
    assert [letter.error.split()[0] for letter in letters(log)] == [
        "why",
        "text",
        "'utf-8'",
    ]
    assert tallies == {"fake": Tally(1, 3)}
    assert saved(log).dead_letters == 3


def test_context_is_what_was_said_before_in_the_thread() -> None:
    log = MemoryLog()
    said = [[raw_message(text, thread="t")] for text in "abcde"]
    run(log, FakeSource(said))
    assert messages(log)[4].context == ("b", "c", "d")


def test_context_is_the_same_after_a_restart() -> None:
    undisturbed, restarted = MemoryLog(), MemoryLog()
    said = [[raw_message(text, thread="t")] for text in "abcdefgh"]
    run(undisturbed, FakeSource(said))
    for end in range(1, 9):
        run(restarted, FakeSource(said[:end]))
    assert messages(restarted) == messages(undisturbed)


class CrashingLog(MemoryLog):
    """Fails, once, before it appends to `topic` for the `nth` time."""

    def __init__(self, topic: Topic, nth: int) -> None:
        super().__init__()
        self.crash: tuple[Topic, int] | None = (topic, nth)

    def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
        if self.crash and topic == self.crash[0]:
            self.crash = (topic, self.crash[1] - 1) if self.crash[1] > 1 else None
            if self.crash is None:
                raise LogError("it crashed: start again")
        super().append(topic, entries)


@pytest.mark.parametrize("nth", range(1, 5))
def test_a_crash_between_publish_and_cursor_repeats_one_page(nth: int) -> None:
    said = [[raw_message(f"{n}{x}", thread="t") for x in "ab"] for n in range(4)]
    undisturbed, log = MemoryLog(), CrashingLog("cursors", nth)
    run(undisturbed, FakeSource(said))
    with pytest.raises(LogError, match="crashed"):
        run(log, FakeSource(said))
    run(log, FakeSource(said))
    found = messages(log)
    assert len(found) == 10
    assert set(found) == set(messages(undisturbed))


def mixed(pages: int) -> list[Sequence[Refusal]]:
    """Pages in which what is old and what is new speak by turns in two threads."""
    return [
        [  # type: ignore[misc]
            raw_message(
                f"{page}{letter}",
                thread="t" if letter in "abd" else "u",
                sent_at=LONG_AGO if letter in "bce" else NOW - timedelta(hours=1),
            )
            for letter in "abcdef"
        ]
        for page in range(pages)
    ]


def told(log: MemoryLog) -> set[tuple[str, tuple[str, ...]]]:
    """Each text with its context, of both topics."""
    return {
        (message.text, message.context)
        for topic in ("messages", "history")
        for message in messages(log, topic)  # type: ignore[arg-type]
    }


def test_context_does_not_mind_which_topic_a_message_goes_to() -> None:
    log = MemoryLog()
    run(log, FakeSource(mixed(1)))
    assert ("0d", ("0a", "0b")) in told(log)
    assert ("0f", ("0c", "0e")) in told(log)


@pytest.mark.parametrize("topic", ["messages", "history", "cursors"])
@pytest.mark.parametrize("nth", range(1, 4))
def test_a_crash_amid_old_and_new_changes_no_context(topic: Topic, nth: int) -> None:
    undisturbed, log, time = MemoryLog(), CrashingLog(topic, nth), Time()
    run(undisturbed, FakeSource(mixed(4)))
    with pytest.raises(LogError, match="crashed"):
        run(log, FakeSource(mixed(4), pause_s=1.0), time=time)
    run(log, FakeSource(mixed(4), pause_s=1.0), time=time)
    assert told(log) == told(undisturbed)


@pytest.mark.parametrize("nth", range(1, 4))
def test_a_page_that_turned_to_history_while_nobody_ran_changes_no_context(
    nth: int,
) -> None:
    undisturbed, log, time = MemoryLog(), CrashingLog("cursors", nth), Time()
    run(undisturbed, FakeSource(mixed(4)))
    with pytest.raises(LogError, match="crashed"):
        run(log, FakeSource(mixed(4), pause_s=1.0), time=time)
    time.now += timedelta(days=2)
    run(log, FakeSource(mixed(4), pause_s=1.0), time=time)
    assert "3a" in texts(log, "history")
    assert told(log) == told(undisturbed)


def test_a_crash_before_publishing_repeats_nothing() -> None:
    log = CrashingLog("messages", 2)
    with pytest.raises(LogError, match="crashed"):
        run(log, FakeSource(steps("a", "b", "c")))
    run(log, FakeSource(steps("a", "b", "c")))
    assert texts(log) == ["a", "b", "c"]


def test_a_broken_log_ends_the_run_even_while_other_sources_wait() -> None:
    log = CrashingLog("messages", 2)
    waiting = Polled(name="waiting")
    with pytest.raises(LogError, match="crashed"):
        run(log, waiting, FakeSource(steps("b")), once=False)


def test_a_cursor_that_is_not_understood_is_an_error_and_kept() -> None:
    log = MemoryLog()
    log.append("cursors", [Entry("source/fake", b'{"later": 1}')])
    with pytest.raises(LogError, match="another name"):
        run(log, FakeSource(steps("a")))


def test_a_failing_source_is_asked_again_from_its_cursor() -> None:
    log, time = MemoryLog(), Time()
    failing = SourceError("it fails: wait")
    source = FakeSource([*steps("a"), failing, failing, *steps("b")])
    run(log, source, time=time, once=False, stop=lambda: texts(log) == ["a", "b"])
    assert source.asked[:3] == [None, "1", "1"]


def test_back_off_doubles_up_to_a_limit_and_is_spread_at_random() -> None:
    log, time = MemoryLog(), Time()
    errors = [SourceError("it fails: wait")] * 40
    run(log, FakeSource(errors), time=time, once=False, stop=lambda: _stopped(log))
    least = [min(2.0 * 2**n, LONGEST_BACK_OFF_S) for n in range(40)]
    for slept, limit in zip(time.slept, least, strict=True):
        assert limit <= slept <= 1.5 * limit
    assert len(set(time.slept)) == 40


def _stopped(log: MemoryLog) -> bool:
    return bool(pulses(log)) and pulses(log)[-1].state == "stopped"


@pytest.mark.parametrize(
    ("asked_s", "least_s", "most_s"),
    [(30.0, 30.0, 30.0), (0.0, 2.0, 3.0), (1e9, LONGEST_REST_S, LONGEST_REST_S)],
)
def test_a_source_that_asks_to_be_left_alone_is(
    asked_s: float, least_s: float, most_s: float
) -> None:
    log, time = MemoryLog(), Time()
    limited = SourceError("too many requests: wait", retry_after_s=asked_s)
    source = FakeSource([limited, *steps("a")])
    run(log, source, time=time, once=False, stop=lambda: _stopped(log))
    assert len(time.slept) == 1
    assert least_s <= time.slept[0] <= most_s
    assert [p.state for p in pulses(log)] == ["rate-limited", "ok", "stopped"]


@pytest.mark.parametrize("asked_s", [None, 0.0, 1.0])
def test_an_error_that_lasts_is_met_no_more_often_than_a_source_that_is_well(
    asked_s: float | None,
) -> None:
    log, time = MemoryLog(), Time()
    errors = [SourceError("it refuses: wait", retry_after_s=asked_s)] * 8
    source = FakeSource(errors, every_s=3600.0)
    run(log, source, time=time, once=False, stop=lambda: _stopped(log))
    assert sum(time.slept[:3]) < 60.0
    assert time.slept[3:] == [3600.0] * 5


def test_one_failing_source_does_not_stop_another() -> None:
    log = MemoryLog()
    failing = FakeSource([InputError("no file: check it")], name="failing")
    with pytest.raises(InputError, match="no file"):
        run(log, failing, FakeSource(steps("a", "b")))
    assert texts(log) == ["a", "b"]
    states = [(pulse.source, pulse.state) for pulse in pulses(log)]
    assert ("failing", "failing") in states
    assert states[-1] == ("failing", "stopped") or states[-1] == ("fake", "stopped")


def test_an_error_that_nobody_foresaw_is_told_without_its_words() -> None:
    log = MemoryLog()
    source = FakeSource([*steps("a"), TypeError("jo said secret words")])
    with capture_logs() as logs, pytest.raises(GroundswellError) as raised:
        run(log, source)
    assert "TypeError at testing.py:" in str(raised.value)
    told = str(raised.value) + str(logs) + str(pulses(log))
    assert "secret" not in told
    assert texts(log) == ["a"]


class Polled(FakeSource):
    """Has one page, and then nothing new, again and again."""

    def __init__(self, *, name: str = "fake") -> None:
        super().__init__([], name=name)
        self.rounds = 0

    async def pages(self, cursor: Cursor | None) -> AsyncGenerator[Page, None]:
        if cursor is None:
            yield Page([raw_message("a")], [], "1")
        while True:
            self.rounds += 1
            yield Page([], [], "1", pause_s=60.0, drained=True)


def test_once_ends_where_a_polled_source_has_nothing_more() -> None:
    log, time = MemoryLog(), Time()
    source = Polled()
    run(log, source, time=time)
    assert (texts(log), source.rounds, time.slept) == (["a"], 1, [])


def test_a_polled_source_is_asked_again_after_the_pause_it_wants() -> None:
    log, time = MemoryLog(), Time()
    source = Polled()
    run(log, source, time=time, once=False, stop=lambda: source.rounds > 3)
    assert set(time.slept) == {60.0}


def test_a_cursor_that_did_not_move_is_not_written_again() -> None:
    log = MemoryLog()
    source = Polled()
    run(log, source, once=False, stop=lambda: source.rounds > 3)
    assert log.bounds("cursors")[0][1] == 1


def test_pulses_tell_each_change_and_what_was_published() -> None:
    log = MemoryLog()
    source = FakeSource([*steps("a"), SourceError("it fails: wait"), *steps("b", "c")])
    run(log, source, once=False, stop=lambda: _stopped(log))
    told = pulses(log)
    assert [pulse.state for pulse in told] == ["ok", "failing", "ok", "stopped"]
    assert [pulse.messages for pulse in told] == [1, 0, 1, 1]
    assert told[1].error == "it fails: wait"
    assert told[2].error is None
    age = NOW - messages(log)[0].sent_at
    assert told[0].delay_s == age.total_seconds()
    assert told[1].delay_s is None


def test_pulses_come_at_least_once_a_minute() -> None:
    log = MemoryLog()
    assert PULSE_EVERY_S < 60
    source = FakeSource(steps("a", "b"), pause_s=3_600)
    now = NOW

    async def sleep(seconds: float) -> None:
        nonlocal now
        if seconds != PULSE_EVERY_S:
            await asyncio.Event().wait()
        now += timedelta(seconds=seconds)
        await asyncio.sleep(0.01)

    runner = Runner(
        log, Edge(SECRET), clock=lambda: now, jitter=random.Random(7), sleep=sleep
    )
    asyncio.run(runner.run([source], lambda: len(pulses(log)) > 5))
    times = [pulse.at for pulse in pulses(log)]
    assert max(b - a for a, b in itertools.pairwise(times)) <= timedelta(seconds=60)
    assert [pulse.messages for pulse in pulses(log)][:3] == [1, 0, 0]


def test_a_full_log_is_waited_for_without_loss_and_told_once_a_minute() -> None:
    log, time = MemoryLog(), Time()
    log.full = True

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        log.full = len(time.slept) < 30

    runner = Runner(
        log, Edge(SECRET), clock=time.clock, jitter=random.Random(7), sleep=sleep
    )
    with capture_logs() as logs:
        asyncio.run(runner.run([FakeSource(steps("a", "b"))], never, once=True))
    assert texts(log) == ["a", "b"]
    assert sum(time.slept) == 150
    assert [entry["event"] for entry in logs] == ["log-full"] * 3


def test_messages_that_a_full_log_kept_from_a_pulse_are_told_by_the_next() -> None:
    log = CrashingLog("pulses", 99)
    full_once = iter([True])
    append = log.append

    def appending(topic: Topic, entries: Sequence[Entry]) -> None:
        log.full = topic == "pulses" and next(full_once, False)
        append(topic, entries)

    log.append = appending  # type: ignore[method-assign]
    run(log, FakeSource(steps("a", "b")))
    assert [pulse.messages for pulse in pulses(log)] == [2]


@pytest.mark.parametrize("full", [False, True])
def test_pulses_side_by_side_tell_each_message_once(full: bool) -> None:  # noqa: FBT001
    """A beat comes while the pulse of a change is on its way to the log."""
    together = threading.Barrier(2)
    to_come = iter([True, True])
    refusing = iter([full])

    class SlowLog(MemoryLog):
        def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
            if topic == "pulses":
                if next(to_come, False):
                    together.wait(10.0)
                told = decode(entries[0].value, Pulse).messages
                if told and next(refusing, False):
                    raise LogFullError("it is full: wait")
            super().append(topic, entries)

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0.02)

    log = SlowLog()
    runner = Runner(
        log, Edge(SECRET), clock=lambda: NOW, jitter=random.Random(7), sleep=sleep
    )
    source = FakeSource(steps("a", "b"), pause_s=1.0)
    asyncio.run(
        runner.run([source], lambda: any(p.state == "stopped" for p in pulses(log)))
    )
    assert sorted(p.messages for p in pulses(log) if p.messages) in ([1, 1], [2])
    assert all(pulse.messages >= 0 for pulse in pulses(log))


def test_with_once_every_source_is_told_stopped_before_the_first_failure() -> None:
    log = MemoryLog()
    sources = [
        FakeSource([InputError(f"no {name}: check it")], name=name)
        for name in ("one", "two")
    ]
    with pytest.raises(InputError, match="no one"):
        run(log, *sources, FakeSource(steps("a")))
    stopped = {pulse.source for pulse in pulses(log) if pulse.state == "stopped"}
    assert stopped == {"one", "two", "fake"}


def test_a_stop_ends_within_two_seconds_whatever_sources_do() -> None:
    log = MemoryLog()

    class Slow(FakeSource):
        async def pages(self, cursor: Cursor | None) -> AsyncGenerator[Page, None]:
            yield Page([raw_message("a")], [], cursor or "1")
            await asyncio.sleep(3_600)

    async def timed() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        runner = Runner(log, Edge(SECRET), clock=lambda: NOW, jitter=random.Random(7))
        sources = [
            Slow([]),
            FakeSource(steps("b", "c"), name="paced", pause_s=3_600),
            FakeSource([SourceError("no", retry_after_s=3_600)], name="limited"),
        ]
        await runner.run(sources, lambda: loop.time() - began > 0.3)
        return loop.time() - began

    assert asyncio.run(timed()) < 2.0
    assert sorted(texts(log)) == ["a", "b"]
    assert [pulse.state for pulse in pulses(log)[-3:]] == ["stopped"] * 3


def test_a_stop_lets_a_page_that_is_being_published_end() -> None:
    class SlowLog(MemoryLog):
        def append(self, topic: Topic, entries: Sequence[Entry]) -> None:
            if topic == "messages":
                asyncio.run(asyncio.sleep(0.5))
            super().append(topic, entries)

    log = SlowLog()
    asked = iter([False])
    run(log, FakeSource(steps("a")), once=False, stop=lambda: next(asked, True))
    assert texts(log) == ["a"]
    assert saved(log).cursor == "1"


def test_a_stop_does_not_wait_for_a_full_log() -> None:
    log = MemoryLog()
    log.full = True
    runner = Runner(log, Edge(SECRET), clock=lambda: NOW, jitter=random.Random(7))
    asked = iter([False] * 3)
    tallies = asyncio.run(
        runner.run([FakeSource(steps("a"))], lambda: next(asked, True))
    )
    assert tallies == {"fake": Tally(0, 0)}


def test_sources_read_to_their_end_stay_quiet_until_the_stop() -> None:
    log = MemoryLog()
    asked = iter([False] * 5)
    run(log, FakeSource(steps("a")), once=False, stop=lambda: next(asked, True))
    assert [pulse.state for pulse in pulses(log)] == ["ok", "stopped"]


def test_without_sources_there_is_nothing_to_do() -> None:
    assert run(MemoryLog()) == {}


def test_each_page_is_reported() -> None:
    log = MemoryLog()
    told: list[tuple[str, int]] = []
    runner = Runner(
        log,
        Edge(SECRET),
        clock=lambda: NOW,
        jitter=random.Random(7),
        on_page=lambda name, tally: told.append((name, tally.messages)),
    )
    asyncio.run(runner.run([FakeSource(steps("a", "b"))], never, once=True))
    assert told == [("fake", 1), ("fake", 2)]
