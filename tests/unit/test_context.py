from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors import context
from connectors.context import ThreadMemory, recall
from pipeline.log.message_log import Entry, Stored, Topic
from pipeline.records import Message, encode
from pipeline.testing import MemoryLog

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def message(text: str, **fields: Any) -> Message:
    known = {"source": "s", "id": text, "thread": "t", "seen_at": NOW}
    return Message(
        platform="p",
        channel="c",
        author="0" * 16,
        sent_at=NOW,
        text=text,
        **known | fields,
    )


def remembering(*messages: Message) -> ThreadMemory:
    memory = ThreadMemory()
    for one in messages:
        memory.remember(one)
    return memory


def test_the_context_is_the_last_three_texts_oldest_first() -> None:
    memory = remembering(*map(message, "abcd"))
    assert memory.context(message("e")) == ("b", "c", "d")


def test_threads_are_kept_apart() -> None:
    memory = remembering(message("a"), message("b", thread="other"))
    assert memory.context(message("c")) == ("a",)


def test_without_a_thread_there_is_no_context() -> None:
    memory = remembering(message("a", thread=None))
    assert memory.context(message("b", thread=None)) == ()


def test_the_context_has_a_thousand_characters_in_all_the_nearest_ones() -> None:
    memory = remembering(*(message(letter * 600) for letter in "abc"))
    assert memory.context(message("d")) == ("b" * 400, "c" * 600)
    assert remembering(message("x" * 5_000)).context(message("d")) == ("x" * 1_000,)


def test_a_message_that_comes_again_has_the_same_context() -> None:
    memory = remembering(*map(message, "abcd"))
    assert memory.context(message("d")) == ("a", "b", "c")
    memory.remember(message("d"))
    assert memory.context(message("e")) == ("b", "c", "d")


def test_an_edit_takes_the_place_of_what_it_edits() -> None:
    memory = remembering(*map(message, "ab"), message("A", id="a", revision=1))
    assert memory.context(message("c")) == ("A", "b")


def test_an_edit_of_what_is_forgotten_is_not_remembered() -> None:
    memory = remembering(message("A", id="a", revision=1))
    assert memory.context(message("b")) == ()


def test_a_deleted_text_is_forgotten() -> None:
    memory = remembering(*map(message, "ab"), message("", id="a", deleted=True))
    assert memory.context(message("c")) == ("b",)
    memory.remember(message("", id="b", deleted=True))
    assert memory.context(message("c")) == ()


def test_memory_reaches_back_over_a_number_of_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "REMEMBERED", 10)
    memory = remembering(message("a"), message("b"))
    for number in range(9):
        memory.remember(message(str(number), thread=f"t{number}"))
    assert memory.context(message("c")) == ("b",)
    memory.remember(message("9", thread="t9"))
    assert memory.context(message("c")) == ()
    assert len(memory._threads) == 10


def log_of(*messages: Message) -> MemoryLog:
    log = MemoryLog()
    entries = [Entry(one.partition_key, encode(one)) for one in messages]
    log.append("messages", entries)
    return log


def test_memory_is_rebuilt_from_the_log() -> None:
    log = log_of(*map(message, "abc"), message("x", source="other"), message("d"))
    assert recall(log, "s", {"messages": {"0": 5}}).context(message("e")) == (
        "b",
        "c",
        "d",
    )


def test_a_page_that_a_crash_cut_off_is_not_remembered() -> None:
    log = log_of(*map(message, "abcd"))
    assert recall(log, "s", {"messages": {"0": 2}}).context(message("c")) == ("a", "b")
    assert recall(log, "s", {"messages": {}}).context(message("a")) == ()


def test_a_page_that_was_published_twice_counts_once() -> None:
    log = log_of(*map(message, "wab"), *map(message, "ab"))
    assert recall(log, "s", {"messages": {"0": 5}}).context(message("c")) == (
        "w",
        "a",
        "b",
    )


def test_records_that_are_no_messages_are_passed_over() -> None:
    log = log_of(message("a"))
    log.append("messages", [Entry("s/c/t", b"rubbish")])
    assert recall(log, "s", {"messages": {"0": 2}}).context(message("b")) == ("a",)


def test_rebuilt_memory_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "REMEMBERED", 50)
    monkeypatch.setattr(context, "_CHUNK", 7)
    said = [message(str(n), thread=f"t{n * n % 13}") for n in range(200)]
    log = log_of(*said)
    for end in (1, 49, 50, 51, 120, 200):
        memory = remembering(*said[:end])
        rebuilt = recall(log, "s", {"messages": {"0": end}})
        for thread in range(13):
            probe = message("probe", thread=f"t{thread}")
            assert rebuilt.context(probe) == memory.context(probe)


class Partitions(MemoryLog):
    """A log of several partitions, each of which holds what a test puts there."""

    def __init__(self, kept: dict[tuple[Topic, int], list[Message]]) -> None:
        super().__init__()
        self._records = {
            (topic, partition): [
                Stored(topic, partition, offset, "s/c/t", encode(message), NOW)
                for offset, message in enumerate(messages)
            ]
            for (topic, partition), messages in kept.items()
        }

    def read(
        self, topic: Topic, partition: int, start: int, limit: int
    ) -> list[Stored]:
        return self._records[topic, partition][start : start + limit]

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        return {
            partition: (0, len(records))
            for (of, partition), records in self._records.items()
            if of == topic
        }

    def published(self) -> dict[Topic, dict[str, int]]:
        return {
            topic: {str(p): end for p, (_, end) in self.bounds(topic).items()}
            for topic in ("messages", "history")
        }


def seen(said: list[Message]) -> list[Message]:
    """The same, each seen a microsecond after the one before it."""
    return [
        msgspec.structs.replace(one, seen_at=NOW + timedelta(microseconds=number))
        for number, one in enumerate(said)
    ]


def spread(said: list[Message]) -> Partitions:
    """A log that has them all over two topics of two partitions each."""
    kept: dict[tuple[Topic, int], list[Message]] = {
        ("messages", 0): [],
        ("messages", 1): [],
        ("history", 0): [],
        ("history", 1): [],
    }
    places = list(kept)
    for number, one in enumerate(said):
        kept[places[number * number % 7 % 4]].append(one)
    return Partitions(kept)


def test_memory_is_rebuilt_over_topics_and_partitions_in_the_order_of_reading() -> None:
    said = seen([*map(message, "abcde")])
    log = spread(said)
    assert len(log.bounds("messages")) == len(log.bounds("history")) == 2
    memory = recall(log, "s", log.published())
    assert memory.context(message("f")) == ("c", "d", "e")


def test_what_was_not_published_to_a_topic_is_not_remembered_from_it() -> None:
    first, live, old = seen([*map(message, "abc")])
    log = Partitions({("messages", 0): [first, live], ("history", 0): [old]})
    without = recall(log, "s", {"messages": {"0": 2}, "history": {}})
    assert without.context(message("d")) == ("a", "b")
    beside = recall(log, "s", {"messages": {"0": 2}, "history": {"0": 1}})
    assert beside.context(message("d")) == ("a", "b", "c")


def test_a_message_that_was_live_and_then_history_counts_where_it_was_last() -> None:
    """A crash cut its page off, and when the page came again a day had passed."""
    first, twice, last = seen([*map(message, "abc")])
    later = timedelta(hours=1)
    again = [
        msgspec.structs.replace(one, seen_at=one.seen_at + later)
        for one in (twice, last)
    ]
    log = Partitions({("messages", 0): [first, twice], ("history", 0): again})
    memory = recall(log, "s", log.published())
    assert memory.context(message("d")) == ("a", "b", "c")


@pytest.mark.parametrize("end", [1, 49, 50, 51, 120, 200])
def test_memory_rebuilt_over_topics_and_partitions_is_what_it_was(
    end: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "REMEMBERED", 50)
    monkeypatch.setattr(context, "_CHUNK", 7)
    said = seen([message(str(n), thread=f"t{n * n % 13}") for n in range(end)])
    log = spread(said)
    memory, rebuilt = remembering(*said), recall(log, "s", log.published())
    for thread in range(13):
        probe = message("probe", thread=f"t{thread}")
        assert rebuilt.context(probe) == memory.context(probe)


def test_a_deletion_counts_beside_what_it_deletes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "REMEMBERED", 3)
    said = [message("a"), message("b"), message("", id="b", deleted=True)]
    assert remembering(*said, message("c")).context(message("d")) == ("c",)
    memory = recall(log_of(*said), "s", {"messages": {"0": 3}})
    memory.remember(message("c"))
    assert memory.context(message("d")) == ("c",)


def test_the_search_for_a_source_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_SCANNED", 4)
    log = log_of(message("a"), *(message("x", source="other") for _ in range(4)))
    assert recall(log, "s", {"messages": {"0": 5}}).context(message("b")) == ()
    assert recall(log, "s", {"messages": {"0": 4}}).context(message("b")) == ("a",)
