from datetime import UTC, datetime
from typing import Any

import pytest

from connectors import context
from connectors.context import ThreadMemory, recall
from pipeline.log.message_log import Entry
from pipeline.records import Message, encode
from pipeline.testing import MemoryLog

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def message(text: str, **fields: Any) -> Message:
    given = {"source": "s", "id": text, "thread": "t"} | fields
    return Message(
        platform="p",
        channel="c",
        author="0" * 16,
        sent_at=NOW,
        seen_at=NOW,
        text=text,
        **given,
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
    assert recall(log, "s", {"0": 5}).context(message("e")) == ("b", "c", "d")


def test_a_page_that_a_crash_cut_off_is_not_remembered() -> None:
    log = log_of(*map(message, "abcd"))
    assert recall(log, "s", {"0": 2}).context(message("c")) == ("a", "b")
    assert recall(log, "s", {}).context(message("a")) == ()


def test_a_page_that_was_published_twice_counts_once() -> None:
    log = log_of(*map(message, "wab"), *map(message, "ab"))
    assert recall(log, "s", {"0": 5}).context(message("c")) == ("w", "a", "b")


def test_records_that_are_no_messages_are_passed_over() -> None:
    log = log_of(message("a"))
    log.append("messages", [Entry("s/c/t", b"rubbish")])
    assert recall(log, "s", {"0": 2}).context(message("b")) == ("a",)


def test_rebuilt_memory_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "REMEMBERED", 50)
    monkeypatch.setattr(context, "_CHUNK", 7)
    said = [message(str(n), thread=f"t{n * n % 13}") for n in range(200)]
    log = log_of(*said)
    for end in (1, 49, 50, 51, 120, 200):
        memory = remembering(*said[:end])
        rebuilt = recall(log, "s", {"0": end})
        for thread in range(13):
            probe = message("probe", thread=f"t{thread}")
            assert rebuilt.context(probe) == memory.context(probe)
