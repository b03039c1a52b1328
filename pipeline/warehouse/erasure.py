"""Messages that must be forgotten: the request on the log, and the rows that go.

A request lies on the topic `tagged`, under a key that no message has, so that it is
loaded once, in one transaction with the log's positions, like what it takes back. What
it names can never count again: `edits` keeps the id of each message, as a deletion.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import duckdb
import msgspec
import pyarrow as pa
from msgspec import Meta

from pipeline.log.message_log import Entry
from pipeline.records import Identifier, Name

ERASURE_KEY = "/erasure"
"""No source's name begins with a slash."""

IDS = 1_000
"""Messages that one request names at most: Kafka takes no large records."""

Pseudonym = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]

# What is deleted without a number, 0, is deleted whatever revisions there are; else
# those up to it. None of these rows can ever count again.
_DROP = """
CREATE OR REPLACE TEMP TABLE gone AS
SELECT
    source,
    id,
    max(CASE revision WHEN 0 THEN 9223372036854775807 ELSE revision END) AS until
FROM edits
WHERE deleted AND ({every} OR NOT settled OR (source, id) IN (FROM batch))
GROUP BY ALL;

INSERT INTO touched_days
SELECT DISTINCT sent_at::DATE
FROM messages JOIN gone USING (source, id)
WHERE revision <= until;

DELETE FROM messages USING gone
WHERE messages.source = gone.source AND messages.id = gone.id AND revision <= until;
"""
_DELETE_MESSAGES = """
INSERT INTO edits BY NAME
SELECT *, false AS settled
FROM (SELECT DISTINCT source, id, 0::BIGINT AS revision, true AS deleted FROM {ids})
ANTI JOIN edits USING (source, id, revision, deleted);
"""
_OF_AUTHORS = "messages SEMI JOIN batch USING (source, author)"


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """All that these authors wrote so far in a source, and these of its messages."""

    source: Name
    authors: tuple[Pseudonym, ...] = ()
    messages: tuple[Identifier, ...] = ()


_decoder = msgspec.json.Decoder(Erasure)


def decode_erasure(raw: bytes) -> Erasure:
    """The request that `raw` encodes.

    Raises:
        ValueError: it is none.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        raise ValueError("no valid Erasure") from None  # it may name somebody


def erasure_entries(
    source: str, authors: Iterable[str], messages: Iterable[str]
) -> Iterator[Entry]:
    """The request as it is appended to `tagged`, in records of a bounded size."""
    ids, names = sorted(messages), tuple(authors)
    if names:
        yield _entry(Erasure(source=source, authors=names))
    for start in range(0, len(ids), IDS):
        yield _entry(Erasure(source=source, messages=tuple(ids[start : start + IDS])))


def _entry(erasure: Erasure) -> Entry:
    return Entry(ERASURE_KEY, msgspec.json.encode(erasure))


def erase(connection: duckdb.DuckDBPyConnection, erasures: Sequence[Erasure]) -> None:
    """Delete in `edits` what is asked for; `drop_deleted` then takes the rows."""
    authors = [(e.source, int(name, 16)) for e in erasures for name in e.authors]
    ids = [(e.source, name) for e in erasures for name in e.messages]
    if authors:
        batch = _table(authors, "author", pa.uint64())
        _execute(connection, _DELETE_MESSAGES.format(ids=_OF_AUTHORS), batch)
    if ids:
        batch = _table(ids, "id", pa.string())
        _execute(connection, _DELETE_MESSAGES.format(ids="batch"), batch)


def drop_deleted(
    connection: duckdb.DuckDBPyConnection,
    keys: Iterable[tuple[str, str]],
    *,
    every: bool,
) -> int:
    """Drop the rows that a deletion has made worthless, and touch their days.

    Args:
        connection: to the warehouse, in a transaction.
        keys: source and id of messages that were loaded, perhaps after a deletion.
        every: look at what was deleted long ago, too.

    Returns:
        How many rows went.
    """
    batch = _table(sorted(set(keys)), "id", pa.string())
    return _execute(connection, _DROP.format(every=every), batch)


def _execute(connection: duckdb.DuckDBPyConnection, sql: str, batch: pa.Table) -> int:
    connection.register("batch", batch)
    ((count,),) = connection.execute(sql).fetchall()
    connection.unregister("batch")
    return int(count)


def _table(
    rows: Sequence[tuple[str, object]], name: str, kind: pa.DataType
) -> pa.Table:
    return pa.table(
        {
            "source": pa.array([row[0] for row in rows], pa.string()),
            name: pa.array([row[1] for row in rows], kind),
        }
    )
