"""What one author wrote, or single messages, taken back everywhere.

Of each message that lies on the log a deletion is appended, as a connector does it: so
whoever reads the log drops it. The load job is asked, on the log too, to take what the
log has no longer. All of it may be repeated, and other jobs may run meanwhile.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from connectors.pseudonym import Pseudonyms
from pipeline.clock import utc_now
from pipeline.config import Config, secret
from pipeline.errors import BusyError, InputError
from pipeline.jobs.blank import NOBODY, blank, portions
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.log.message_log import Entry, MessageLog, Stored, Topic
from pipeline.log.open import open_log
from pipeline.log.slices import read_slice
from pipeline.log.sqlite import SqliteLog
from pipeline.records import (
    CLOCK_SKEW,
    EARLIEST,
    Message,
    TaggedMessage,
    decode,
    encode,
)
from pipeline.transforms.positions import committed
from pipeline.warehouse.database import explained
from pipeline.warehouse.erasure import erasure_entries

_HOLDING: tuple[Topic, ...] = ("messages", "history", "tagged")
_IN_WAREHOUSE = """
SELECT DISTINCT id FROM messages
WHERE source = ?
    AND (
        author IN (SELECT unnest(?::UBIGINT[]))
        OR id IN (SELECT unnest(?::VARCHAR[]))
    )
"""


class Asked(msgspec.Struct, frozen=True):
    """Whose messages of a source are to be forgotten, or which.

    `source` is its name in the configuration, or that of a replay; `author` the name,
    or whatever else the platform tells people apart by.
    """

    source: str
    author: str | None = None
    messages: tuple[str, ...] = ()


class Wanted(msgspec.Struct, frozen=True):
    """The same, with the author's pseudonyms."""

    source: str
    authors: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()

    def covers(self, message: Message) -> bool:
        """Whether `message` is one of them."""
        return (
            message.author in self.authors or message.id in self.messages
        ) and message.source == self.source


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What was found and done.

    `messages` were found in all, `on_log` and `in_warehouse` of them there; None is a
    warehouse that another process has open. `waiting` were not tagged yet. `blanked`
    counts the records of the log that hold nothing of theirs any more; None is a log
    that cannot be written over.
    """

    source: str
    messages: int
    on_log: int
    in_warehouse: int | None
    waiting: int
    blanked: int | None
    dry_run: bool


class _OnLog(msgspec.Struct):
    """The newest revision of each message found, and how many are not tagged yet."""

    newest: dict[str, Message] = msgspec.field(default_factory=dict)
    texts: list[Message] = msgspec.field(default_factory=list)
    waiting: set[str] = msgspec.field(default_factory=set)

    def add(self, message: Message, *, waits: bool) -> None:
        self.texts.append(message)
        known = self.newest.setdefault(message.id, message)
        if message.revision > known.revision:
            self.newest[message.id] = message
        if waits:
            self.waiting.add(message.id)


def forget(
    config: Config,
    environ: Mapping[str, str],
    asked: Asked,
    *,
    dry_run: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> Forgotten:
    """Take back what is asked for, as far as it has been written until now.

    Args:
        config: which log and warehouse.
        environ: may hold the secret.
        asked: whose messages, or which.
        dry_run: count, and change nothing.
        clock: what time it is.

    Raises:
        ConfigError: an author is given, and there is no secret to know them by.
        InputError: there is no such source, or nothing of the kind in it.
        LogError: the log cannot be used; ask again.
        WarehouseError: the warehouse cannot be read.
    """
    now = clock()
    wanted = _wanted(asked, config, environ, now)
    with closing(open_log(config.log)) as log:
        _check_source(config, log, asked.source)
        on_log = _found_on(log, wanted)
        loaded = _found_in_warehouse(config, wanted)
        found = set(on_log.newest) | (loaded or set())
        if not found and loaded is not None:
            raise InputError(_nothing(asked))
        blanked = None
        if not dry_run:
            ids = found | wanted.messages
            _take_back(log, wanted, on_log, ids, now)
            if isinstance(log, SqliteLog):
                blanked = blank(log, asked.source, ids, on_log.texts)
    return Forgotten(
        source=asked.source,
        messages=len(found),
        on_log=len(on_log.newest),
        in_warehouse=None if loaded is None else len(loaded),
        waiting=len(on_log.waiting),
        blanked=blanked,
        dry_run=dry_run,
    )


def render(forgotten: Forgotten) -> str:
    """What was found and done, for a person, and what is left to do."""
    found = f"{forgotten.messages:,} messages found, {forgotten.on_log:,} on the log"
    if forgotten.in_warehouse is not None:
        found += f", {forgotten.in_warehouse:,} in the warehouse"
    lines = [f"{forgotten.source}: {found}"]
    if forgotten.in_warehouse is None:
        lines.append(
            "the warehouse is in use, or elsewhere: `load` finds what it holds, and "
            "logs how much as messages-erased"
        )
    if forgotten.dry_run:
        return "\n".join([*lines, "nothing was changed"])
    lines.append("`process` and `load` take them from the counts when they next run")
    if forgotten.blanked is None:
        lines.append("their texts stay on Kafka until its retention: docs/operation.md")
    else:
        lines.append(f"{forgotten.blanked:,} records of the log no longer hold them")
    if forgotten.waiting:
        lines.append(
            f"{forgotten.waiting:,} were not tagged yet: ask again when `groundswell "
            "status` shows none waiting, lest a copy stays on the log"
        )
    return "\n".join(lines)


def _wanted(
    asked: Asked, config: Config, environ: Mapping[str, str], now: datetime
) -> Wanted:
    names: Iterable[str] = ()
    if asked.author is not None:
        pseudonyms = Pseudonyms(secret(config, environ))
        until = now + CLOCK_SKEW
        names = pseudonyms.names(asked.source, asked.author, EARLIEST, until)
    return Wanted(asked.source, frozenset(names), frozenset(asked.messages))


def _check_source(config: Config, log: MessageLog, source: str) -> None:
    kept = (key.partition("/") for key in log.latest("cursors"))
    read = {name for kind, _, name in kept if kind == "source"}
    known = read | {settings.name for settings in config.sources}
    if source not in known:
        names = ", ".join(sorted(known)) or "none: nothing has been read yet"
        raise InputError(f"there is no source {source!r}: give one of {names}")


def _nothing(asked: Asked) -> str:
    if asked.author is None:
        return (
            f"source {asked.source!r} has no such messages: give their ids as the "
            "platform does"
        )
    return (
        f"nothing by this author was found in source {asked.source!r}: give the name "
        "as the platform does, and check that the secret is the one it was read with"
    )


def _found_on(log: MessageLog, wanted: Wanted) -> _OnLog:
    done, found = committed(log), _OnLog()
    for topic in _HOLDING:
        for partition, (first, end) in log.bounds(topic).items():
            tagged = end if topic == "tagged" else done.get((topic, partition), first)
            for stored in read_slice(log, topic, partition, first, end):
                message = _message_in(stored, wanted.source)
                if message and not message.deleted and wanted.covers(message):
                    found.add(message, waits=stored.offset >= tagged)
    return found


def _message_in(stored: Stored, source: str) -> Message | None:
    if not stored.key.startswith(f"{source}/"):
        return None
    try:
        if stored.topic == "tagged":
            return decode(stored.value, TaggedMessage).message
        return decode(stored.value, Message)
    except ValueError:
        return None  # whoever reads it in its turn makes it a dead letter


def _found_in_warehouse(config: Config, wanted: Wanted) -> set[str] | None:
    """The ids there; None if another process has it open, here or elsewhere."""
    path = Path(config.warehouse.path)
    if not path.exists():
        return None if config.log.file is None else set()
    authors = [int(name, 16) for name in wanted.authors]
    given = [wanted.source, authors, list(wanted.messages)]
    try:
        with (
            exclusive(lock_path(config, "load"), "load", grace_s=0.0),
            explained(path),
            duckdb.connect(str(path), read_only=True) as connection,
        ):
            return {
                name for (name,) in connection.execute(_IN_WAREHOUSE, given).fetchall()
            }
    except BusyError:
        return None


def _take_back(
    log: MessageLog, wanted: Wanted, on_log: _OnLog, ids: set[str], now: datetime
) -> None:
    deletions = [_deletion(message, now) for message in on_log.newest.values()]
    _append(log, "messages", deletions)
    _append(log, "tagged", erasure_entries(wanted.source, wanted.authors, ids))


def _deletion(message: Message, now: datetime) -> Entry:
    deletion = msgspec.structs.replace(
        message,
        deleted=True,
        author=NOBODY,
        language=None,
        text="",
        context=(),
        seen_at=max(now, message.seen_at),
    )
    return Entry(deletion.partition_key, encode(deletion))


def _append(log: MessageLog, topic: Topic, entries: Iterable[Entry]) -> None:
    for some in portions(entries):
        log.append(topic, some)
