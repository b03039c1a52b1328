"""Loads the log into the warehouse: what was read and how far, in one transaction.

A record counts once, by its key, however often it comes and in whatever order; so
the connectors, the Beam job and this loader may all repeat themselves.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import structlog

from pipeline.log.message_log import Entry, MessageLog, Stored, Topic
from pipeline.records import (
    DeadLetter,
    Pulse,
    Record,
    TaggedMessage,
    decode,
    encode,
)
from pipeline.warehouse import batches
from pipeline.warehouse.database import explained, transaction
from pipeline.warehouse.erasure import (
    ERASURE_KEY,
    Erasure,
    decode_erasure,
    drop_deleted,
    erase,
)

STAGE = "load"
LOADED: tuple[Topic, ...] = ("tagged", "pulses", "dead-letters")

Positions = dict[tuple[Topic, int], int]
"""(topic, partition) -> the next offset to read."""

# The join has no bounds on sent_at, though they would let zone maps skip most of the
# table: a source may date one message anew each time it is read.
_INSERT_MESSAGES = """
CREATE OR REPLACE TEMP TABLE new_messages AS
FROM batch ANTI JOIN messages USING (source, id, revision);
INSERT INTO messages BY NAME FROM new_messages;
INSERT INTO touched_days SELECT DISTINCT sent_at::DATE FROM new_messages;
DROP TABLE new_messages;
"""
_INSERT_EDITS = """
INSERT INTO edits BY NAME
SELECT *, false AS settled
FROM batch ANTI JOIN edits USING (source, id, revision, deleted);
"""
_INSERT_TAGGERS = """
INSERT INTO taggers BY NAME FROM batch ANTI JOIN taggers USING (tagger);
"""
_INSERT_PULSES = """
INSERT INTO pulses BY NAME FROM batch ANTI JOIN pulses USING (source, day, state);
"""
_INSERT_DEAD_LETTERS = """
INSERT INTO dead_letters BY NAME
FROM batch ANTI JOIN dead_letters USING (origin, stage);
"""

log = structlog.get_logger()


class Loader:
    """Writes records of the log into the warehouse.

    Args:
        connection: to the warehouse, from `open_warehouse`.
        path: the warehouse's file, for messages.
        message_log: where records that do not decode are buried.
        clock: what time it is.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        message_log: MessageLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._path = path
        self._log = message_log
        self._clock = clock
        self._swept = False

    def positions(self) -> Positions:
        """How far each partition has been loaded."""
        with explained(self._path):
            rows = self._connection.execute("FROM positions").fetchall()
        return {(topic, partition): following for topic, partition, following in rows}

    def rewind(self, topic: Topic, partition: int) -> None:
        """Forget how far a partition has been loaded: another log has begun.

        Raises:
            WarehouseError: it is not forgotten.
        """
        sql = 'DELETE FROM positions WHERE topic = ? AND "partition" = ?'
        with explained(self._path):
            self._connection.execute(sql, [topic, partition])

    def load(self, records: Sequence[Stored]) -> None:
        """Load records of the topics `LOADED`, in any order.

        Rows of messages that are deleted go; the days that lose some are touched.
        Those that do not decode become dead letters, and loading goes on.

        Raises:
            WarehouseError: nothing of `records` was loaded.
            LogError: dead letters could not be buried; nothing was loaded.
        """
        with _uncollected():
            tagged = self._decoded(records, "tagged", TaggedMessage)
            pulses = self._decoded(records, "pulses", Pulse)
            letters = self._dead_letters(records)
            erasures = self._erasures(records)
            tables = {
                _INSERT_MESSAGES: batches.messages_table(tagged),
                _INSERT_EDITS: batches.edits_table(tagged),
                _INSERT_TAGGERS: batches.taggers_table(tagged),
                _INSERT_PULSES: batches.pulses_table(pulses),
                _INSERT_DEAD_LETTERS: batches.dead_letters_table(letters),
            }
        with explained(self._path), transaction(self._connection):
            for sql, table in tables.items():
                self._insert(sql, table)
            erase(self._connection, erasures)
            keys = (record.message.key[:2] for record in tagged)
            # Once a start: earlier versions kept the rows of what was deleted.
            erased = drop_deleted(self._connection, keys, every=not self._swept)
            self._advance(records)
        self._swept = True
        if erased:
            log.info("messages-erased", count=erased)

    def _decoded(
        self, records: Sequence[Stored], topic: Topic, type_: type[Record]
    ) -> list[Record]:
        decoded, letters = [], []
        for record in records:
            if record.topic == topic and record.key != ERASURE_KEY:
                try:
                    decoded.append(decode(record.value, type_))
                except ValueError as error:
                    letters.append(self._letter(record, error))
        if letters:
            self._bury(letters)
        return decoded

    def _erasures(self, records: Sequence[Stored]) -> list[Erasure]:
        erasures, letters = [], []
        for record in records:
            if record.key == ERASURE_KEY:
                try:
                    erasures.append(decode_erasure(record.value))
                except ValueError as error:
                    letters.append(self._letter(record, error))
        if letters:
            self._bury(letters)
        return erasures

    def _dead_letters(self, records: Sequence[Stored]) -> list[DeadLetter]:
        letters = []
        for record in records:
            if record.topic == "dead-letters":
                try:
                    letters.append(decode(record.value, DeadLetter))
                except ValueError as error:
                    # It lies among the dead letters already: it only has to count.
                    letters.append(self._letter(record, error))
        return letters

    def _letter(self, record: Stored, error: ValueError) -> DeadLetter:
        return DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            stage=STAGE,
            error=str(error),
            raw=record.value,
            at=self._clock(),
        )

    def _bury(self, letters: Sequence[DeadLetter]) -> None:
        # Before the positions move on: a crash in between buries them twice, and
        # the second time they do not count.
        entries = [Entry(letter.topic, encode(letter)) for letter in letters]
        self._log.append("dead-letters", entries)
        log.warning("records-not-loaded", count=len(letters), topic=letters[0].topic)

    def _insert(self, sql: str, batch: pa.Table) -> None:
        if batch.num_rows:
            self._connection.register("batch", batch)
            self._connection.execute(sql)
            self._connection.unregister("batch")

    def _advance(self, records: Sequence[Stored]) -> None:
        positions = self.positions()
        for record in records:
            partition = (record.topic, record.partition)
            following = max(positions.get(partition, 0), record.offset + 1)
            positions[partition] = following
        self._connection.execute("DELETE FROM positions")
        rows = [(*partition, following) for partition, following in positions.items()]
        for row in rows:
            self._connection.execute("INSERT INTO positions VALUES (?, ?, ?)", row)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pause the search for cycles, which would take most of the block's time.

    Records hold none, so everything that the block leaves goes by itself.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
