"""`groundswell forget`: nothing of an author is left but what it says that stays."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.pseudonym import Pseudonyms
from pipeline.config import Config, LogSettings, PrivacySettings, WarehouseSettings
from pipeline.errors import ConfigError, InputError, LogError
from pipeline.jobs import forget as job
from pipeline.jobs.blank import NOBODY
from pipeline.jobs.forget import Asked, Forgotten, forget, render
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.log.message_log import Entry, MessageLog, Topic
from pipeline.log.open import open_log
from pipeline.log.slices import read_slice
from pipeline.log.sqlite import SqliteLog
from pipeline.records import DeadLetter, Mark, Message, TaggedMessage, decode, encode
from pipeline.testing import MemoryLog
from pipeline.warehouse.cells import recount
from pipeline.warehouse.database import open_warehouse
from pipeline.warehouse.loader import Loader

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "s" * 40
ENVIRON = {"GROUNDSWELL_SECRET": SECRET}
HERS = Asked("chat", "alice")
WORDS = "nothing works and nobody helps"


def config_in(folder: Path) -> Config:
    return Config(
        log=LogSettings(url=f"sqlite:{folder}/log.sqlite"),
        warehouse=WarehouseSettings(
            path=str(folder / "warehouse.duckdb"),
            published=str(folder / "published.duckdb"),
        ),
        privacy=PrivacySettings(secret_file=str(folder / "secret")),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_in(tmp_path)


@pytest.fixture
def log(config: Config) -> Iterator[MessageLog]:
    with closing(open_log(config.log)) as opened:
        yield opened


def said(
    name: str,
    who: str = "alice",
    at: datetime = NOW,
    text: str = WORDS,
    **fields: object,
) -> Message:
    return Message(
        **{  # type: ignore[arg-type]
            "source": "chat",
            "platform": "irc",
            "id": name,
            "channel": "c",
            "author": Pseudonyms(SECRET.encode()).name("chat", who, at),
            "sent_at": at,
            "seen_at": at,
            "text": text,
            **fields,
        }
    )


def tagged(message: Message, *marks: Mark) -> TaggedMessage:
    return TaggedMessage(message=message, marks=marks)


def put(log: MessageLog, topic: Topic, *records: Message | TaggedMessage) -> None:
    entries = [
        Entry(r.partition_key if isinstance(r, Message) else "chat/c/", encode(r))
        for r in records
    ]
    log.append(topic, entries)
    log.append("cursors", [Entry("source/chat", b"{}")])


def all_on(log: MessageLog, topic: Topic) -> list[bytes]:
    ((_, end),) = log.bounds(topic).values()
    return [stored.value for stored in read_slice(log, topic, 0, 0, end)]


def ask(config: Config, asked: Asked = HERS, *, dry_run: bool = False) -> Forgotten:
    return forget(config, ENVIRON, asked, dry_run=dry_run, clock=lambda: NOW)


def load(config: Config, log: MessageLog) -> list[tuple[str, int]]:
    """Load all that is tagged; the ids and revisions whose rows are left."""
    path = Path(config.warehouse.path)
    with closing(open_warehouse(path)) as connection:
        loader = Loader(connection, path, log, lambda: NOW)
        loader.load(log.read("tagged", 0, 0, 10_000))
        recount(connection, path)
        rows = "SELECT id, revision FROM messages ORDER BY ALL"
        return connection.execute(rows).fetchall()


def process(log: MessageLog) -> None:
    """Tag what nobody has tagged yet, as the tagging job does it with a deletion."""
    for value in all_on(log, "messages"):
        message = decode(value, Message)
        if message.deleted:
            put(log, "tagged", tagged(message))


def test_all_that_an_author_wrote_goes_whatever_the_quarter(
    config: Config, log: MessageLog
) -> None:
    old = NOW - timedelta(weeks=60)
    messages = [said("1"), said("2", at=old), said("3", "bob")]
    assert messages[0].author != messages[1].author
    put(log, "messages", messages[0], messages[2])
    put(log, "history", messages[1])
    put(log, "tagged", *map(tagged, messages))
    assert load(config, log) == [("1", 0), ("2", 0), ("3", 0)]
    forgotten = ask(config)
    assert (forgotten.messages, forgotten.on_log, forgotten.in_warehouse) == (2, 2, 2)
    process(log)
    assert load(config, log) == [("3", 0)]


def test_a_log_in_a_file_holds_no_words_of_theirs_at_once(
    config: Config, log: MessageLog
) -> None:
    put(log, "messages", said("1"), said("1", revision=7, text=f"{WORDS} at all"))
    put(log, "tagged", tagged(said("1")), tagged(said("2", "bob", text="and I?")))
    letter = DeadLetter(
        topic="messages",
        partition=0,
        offset=0,
        stage="tag",
        error="",
        at=NOW,
        raw=encode(said("1")),
    )
    log.append("dead-letters", [Entry("messages/0", encode(letter))])
    pseudonym = said("1").author.encode()
    assert ask(config).blanked == 4
    for topic in ("messages", "tagged", "dead-letters"):
        kept = b"".join(all_on(log, topic))
        assert WORDS.encode() not in kept
    assert pseudonym not in b"".join(all_on(log, "messages"))
    files = Path(config.warehouse.path).parent.glob("log.sqlite*")
    assert not any(WORDS.encode() in file.read_bytes() for file in files)


def test_the_size_that_retention_goes_by_stays_right(
    config: Config, log: MessageLog
) -> None:
    put(log, "messages", said("1"), said("2", "bob"))
    ask(config)
    path = Path(config.warehouse.path).with_name("log.sqlite")
    with closing(sqlite3.connect(path)) as file:
        sql = "SELECT name, bytes FROM topics WHERE name LIKE '%.messages'"
        ((table, counted),) = file.execute(sql).fetchall()
        sizes = f'SELECT sum(length(key) + length(value) + 32) FROM "{table}"'
        assert file.execute(sizes).fetchall() == [(counted,)]


def test_what_others_were_told_of_it_goes_with_the_marks_that_point_there(
    config: Config, log: MessageLog
) -> None:
    def mark(context: int | None) -> Mark:
        return Mark(
            task="cause-span",
            label="span",
            score=0.9,
            flagged=True,
            evidence=(0, 2),
            context=context,
            tagger="fake-1",
        )

    answer = said("2", "bob", text="same", thread="t", context=("hello", WORDS[-9:]))
    put(log, "messages", said("1", thread="t"), answer)
    put(log, "tagged", tagged(answer, mark(None), mark(0), mark(1)))
    ask(config)
    after = decode(all_on(log, "tagged")[0], TaggedMessage)
    assert after.message.context == ("hello", "")
    assert after.marks == (mark(None), mark(0))
    assert after.message.text == "same"


def test_a_request_that_was_cut_off_is_ended_by_the_next(
    config: Config, log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = said("2", "bob", text="same", thread="t", context=(WORDS,))
    put(log, "messages", said("1", thread="t"), answer)
    put(log, "tagged", tagged(said("1", thread="t")), tagged(answer))
    replace, calls = SqliteLog.replace, iter(range(9))

    def cut_off(self: SqliteLog, topic: Topic, values: Mapping[int, bytes]) -> None:
        if next(calls) == 3:
            raise LogError("cut off")
        replace(self, topic, values)

    monkeypatch.setattr(SqliteLog, "replace", cut_off)
    with pytest.raises(LogError):
        ask(config)
    ask(config)
    for topic in ("messages", "tagged"):
        assert WORDS.encode() not in b"".join(all_on(log, topic))


def test_single_messages_go_by_id_and_need_no_secret(
    config: Config, log: MessageLog
) -> None:
    put(log, "messages", said("1"), said("2"))
    asked = Asked("chat", messages=("2",))
    assert forget(config, {}, asked, clock=lambda: NOW).messages == 1
    kept = [decode(value, Message) for value in all_on(log, "messages")]
    assert [(m.id, m.deleted) for m in kept] == [
        ("1", False),
        ("2", True),
        ("2", True),
    ]


def test_a_message_that_comes_again_counts_no_more_not_even_edited(
    config: Config, log: MessageLog
) -> None:
    put(log, "tagged", tagged(said("1")))
    load(config, log)
    ask(config)
    again = [tagged(said("1")), tagged(said("1", revision=9))]
    put(log, "tagged", *again, tagged(said("4", "bob")))
    assert load(config, log) == [("4", 0)]


def test_what_the_log_has_dropped_goes_from_the_warehouse(
    config: Config, log: MessageLog
) -> None:
    put(log, "tagged", tagged(said("1")), tagged(said("2", "bob")))
    load(config, log)
    log.enforce_retention(NOW + timedelta(days=10_000))
    forgotten = ask(config)
    assert (forgotten.messages, forgotten.on_log, forgotten.in_warehouse) == (1, 0, 1)
    assert load(config, log) == [("2", 0)]
    with pytest.raises(InputError, match="nothing by this author"):
        ask(config)


def test_a_warehouse_in_use_takes_them_when_it_loads(
    config: Config, log: MessageLog
) -> None:
    put(log, "tagged", tagged(said("1")), tagged(said("2", "bob")))
    load(config, log)
    log.enforce_retention(NOW + timedelta(days=10_000))
    with exclusive(lock_path(config, "load"), "load"):
        forgotten = ask(config)
    assert forgotten.in_warehouse is None
    assert "messages-erased" in render(forgotten)
    assert load(config, log) == [("2", 0)]


def test_a_dry_run_counts_and_changes_nothing(config: Config, log: MessageLog) -> None:
    put(log, "messages", said("1"))
    put(log, "tagged", tagged(said("1")))
    topics: tuple[Topic, ...] = ("messages", "tagged", "cursors")
    before = [all_on(log, topic) for topic in topics]
    forgotten = ask(config, dry_run=True)
    assert forgotten.messages == 1
    assert render(forgotten).endswith("nothing was changed")
    assert [all_on(log, topic) for topic in topics] == before


def test_a_log_that_cannot_be_written_over_says_that_texts_stay(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = MemoryLog(clock=lambda: NOW)
    monkeypatch.setattr(job, "open_log", lambda _settings: memory)
    put(memory, "messages", said("1"))
    forgotten = ask(config)
    assert forgotten.blanked is None
    assert "stay on Kafka" in render(forgotten)
    deletion = decode(all_on(memory, "messages")[-1], Message)
    assert (deletion.deleted, deletion.text, deletion.author) == (True, "", NOBODY)


def test_an_edited_message_is_deleted_at_its_highest_revision(
    config: Config, log: MessageLog
) -> None:
    put(log, "messages", said("1", revision=9), said("1"))
    ask(config)
    assert decode(all_on(log, "messages")[-1], Message).revision == 9


def test_what_is_being_tagged_is_told(config: Config, log: MessageLog) -> None:
    put(log, "messages", said("1"))
    forgotten = ask(config)
    assert forgotten.waiting == 1
    assert "ask again" in render(forgotten)


def test_neither_name_nor_text_is_told(config: Config, log: MessageLog) -> None:
    put(log, "messages", said("1"))
    told = render(ask(config))
    assert "alice" not in told
    assert WORDS not in told
    with pytest.raises(InputError) as caught:
        ask(config, Asked("chat", "bob"))
    assert "bob" not in str(caught.value)


def test_what_cannot_be_is_said_in_a_sentence(config: Config, log: MessageLog) -> None:
    put(log, "messages", said("1"))
    log.append("messages", [Entry("chat/c/", b"no message")])
    with pytest.raises(InputError, match="no source 'chta': give one of chat"):
        ask(config, Asked("chta", "alice"))
    with pytest.raises(InputError, match="has no such messages"):
        ask(config, Asked("chat", messages=("17",)))
    with pytest.raises(ConfigError, match="secret for pseudonyms is missing"):
        forget(config, {}, HERS)


def test_many_messages_are_taken_back_in_several_appends(
    config: Config, log: MessageLog
) -> None:
    put(log, "messages", *(said(str(n)) for n in range(1_500)))
    assert ask(config).blanked == 1_500
    assert log.bounds("messages") == {0: (0, 3_000)}
