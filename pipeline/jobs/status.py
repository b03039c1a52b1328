"""How the parts are: what waits, how fast it goes, how old what is seen is."""

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec

from pipeline.config import Config
from pipeline.errors import LogError, WarehouseError
from pipeline.log.message_log import MessageLog, Stored, Topic
from pipeline.log.open import open_impatiently
from pipeline.log.slices import read_slice
from pipeline.records import Message, Pulse, Record, decode
from pipeline.transforms.positions import (
    SOURCES,
    Positions,
    bounds_of,
    committed,
    decode_positions,
)

RATE_WINDOW = timedelta(minutes=1)
PULSES_READ = 5_000


class SourceStatus(msgspec.Struct, frozen=True):
    """The newest pulse of a source; ages in seconds."""

    source: str
    state: str
    pulse_age_s: float
    messages: int
    delay_s: float | None
    error: str | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of records, rates a second over the last minute, ages in seconds.

    `messages` are those of live and history. `history_waiting` is the part of
    `waiting_to_be_tagged` that is tagged only while nothing live waits. With a
    `log_error` nothing is known but the age of the published file; with a
    `published_error` all but that.
    """

    log_error: str | None = None
    published_error: str | None = None
    messages: int | None = None
    waiting_to_be_tagged: int | None = None
    history_waiting: int | None = None
    waiting_to_be_loaded: int | None = None
    messages_per_s: float | None = None
    tagged_per_s: float | None = None
    dead_letters: int | None = None
    newest_message_age_s: float | None = None
    published_age_s: float | None
    sources: list[SourceStatus] = []


def read_status(config: Config, now: datetime) -> Status:
    """The state of the parts that `config` describes, at `now`.

    A log or a published file that cannot be read is said in it.
    """
    published_age_s = published_error = None
    try:
        published_age_s = _published_age_s(Path(config.warehouse.published), now)
    except WarehouseError as error:
        published_error = str(error)
    try:
        with closing(open_impatiently(config.log)) as log:
            status = _log_status(log, now)
    except LogError as error:
        status = Status(log_error=str(error), published_age_s=None)
    return msgspec.structs.replace(
        status, published_age_s=published_age_s, published_error=published_error
    )


def _log_status(log: MessageLog, now: datetime) -> Status:
    tagged = committed(log)
    loaded = decode_positions(log.latest("cursors").get("load", b"{}"))
    newest = _newest(log)
    return Status(
        messages=sum(_written(log, topic) for topic in SOURCES),
        waiting_to_be_tagged=sum(_lag(log, topic, tagged) for topic in SOURCES),
        history_waiting=_lag(log, "history", tagged),
        waiting_to_be_loaded=_lag(log, "tagged", loaded),
        messages_per_s=sum(_rate(log, topic, now) for topic in SOURCES),
        tagged_per_s=_rate(log, "tagged", now),
        dead_letters=_written(log, "dead-letters"),
        newest_message_age_s=(now - newest).total_seconds() if newest else None,
        published_age_s=None,
        sources=_sources(log, now),
    )


def render(status: Status) -> str:
    """The status as lines for a person."""
    published = status.published_error or _age(status.published_age_s)
    published = f"published     {published}"
    if status.log_error is not None:
        return f"log           {status.log_error}\n{published}"
    lines = [
        f"messages      {status.messages:,} ({status.messages_per_s:.1f}/s)",
        f"to be tagged  {status.waiting_to_be_tagged:,} ({status.tagged_per_s:.1f}/s)",
        f"  of history  {status.history_waiting:,}",
        f"to be loaded  {status.waiting_to_be_loaded:,}",
        f"dead letters  {status.dead_letters:,}",
        f"newest        {_age(status.newest_message_age_s)}",
        published,
    ]
    for source in status.sources:
        line = f"source        {source.source}: {source.state}, heard "
        line += _age(source.pulse_age_s)
        lines.append(line + (f", {source.error}" if source.error else ""))
    return "\n".join(lines)


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    units = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))
    for length, name in units:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name} ago"
    return f"{max(seconds, 0):.0f} seconds ago"


def _written(log: MessageLog, topic: Topic) -> int:
    return sum(end for _, end in log.bounds(topic).values())


def _lag(log: MessageLog, topic: Topic, positions: Positions) -> int:
    return sum(
        max(0, end - max(first, positions.get((topic, partition), 0)))
        for partition, (first, end) in log.bounds(topic).items()
    )


def _rate(log: MessageLog, topic: Topic, now: datetime) -> float:
    """Records a second over the last minute."""
    since = log.since(topic, now - RATE_WINDOW)
    ends = {partition: end for partition, (_, end) in log.bounds(topic).items()}
    recent = sum(end - since.get(partition, end) for partition, end in ends.items())
    return recent / RATE_WINDOW.total_seconds()


def _newest(log: MessageLog) -> datetime | None:
    """When the newest of what came last was sent, in any partition of any source."""
    sent = (
        message.sent_at
        for (topic, partition), (_, end) in bounds_of(log).items()
        for message in _decoded(log.read(topic, partition, max(0, end - 1), 1), Message)
    )
    return max(sent, default=None)


def _decoded(records: Iterable[Stored], record_type: type[Record]) -> Iterator[Record]:
    """What can be decoded; the jobs make dead letters of the rest."""
    for record in records:
        with suppress(ValueError):
            yield decode(record.value, record_type)


def _sources(log: MessageLog, now: datetime) -> list[SourceStatus]:
    newest: dict[str, Pulse] = {}
    messages: dict[str, int] = {}
    for partition, (_, end) in log.bounds("pulses").items():
        start = max(0, end - PULSES_READ)
        records = read_slice(log, "pulses", partition, start, end)
        for pulse in _decoded(records, Pulse):
            newest[pulse.source] = pulse
            messages[pulse.source] = messages.get(pulse.source, 0) + pulse.messages
    return [
        SourceStatus(
            source=name,
            state=pulse.state,
            pulse_age_s=(now - pulse.at).total_seconds(),
            messages=messages[name],
            delay_s=pulse.delay_s,
            error=pulse.error,
        )
        for name, pulse in sorted(newest.items())
    ]


def _published_age_s(published: Path, now: datetime) -> float | None:
    if not published.exists():
        return None
    try:
        with duckdb.connect(str(published), read_only=True) as connection:
            (row,) = connection.execute("SELECT published_at FROM about").fetchall()
    except (duckdb.Error, ValueError) as error:
        raise WarehouseError(
            f"{published} is no published file, or cannot be read: delete it if it was "
            "one, which is made anew, or set another [warehouse] published"
        ) from error
    at: datetime = row[0]
    return (now - at.replace(tzinfo=UTC)).total_seconds()
