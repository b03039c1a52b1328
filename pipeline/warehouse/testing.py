"""A warehouse in a folder of its own, for tests that load records and read tables."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline.config import WarehouseSettings
from pipeline.log.message_log import Stored, Topic
from pipeline.records import Mark, Message, TaggedMessage, encode
from pipeline.tagging.labels import Label, load_labels
from pipeline.testing import MemoryLog
from pipeline.warehouse.cells import recount, set_labels
from pipeline.warehouse.database import open_warehouse
from pipeline.warehouse.loader import Loader
from pipeline.warehouse.publisher import publish

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

Tables = dict[str, list[tuple[Any, ...]]]
"""Table -> its rows, sorted."""


def tagged(
    name: str,
    at: datetime = NOW,
    labels: Iterable[tuple[str, str]] = (),
    **fields: Any,
) -> TaggedMessage:
    """A message with the id `name`, sent at `at`, that carries `labels`.

    Args:
        name: the id.
        at: when it was sent.
        labels: task and label of each mark.
        fields: any other fields of the message; `author` may be a small number.
    """
    author = fields.pop("author", 0)
    given: dict[str, Any] = {
        "source": "ubuntu",
        "platform": "irc",
        "channel": "#ubuntu",
        "text": "",
        "seen_at": at,
        **fields,
    }
    digits = f"{author:016x}" if isinstance(author, int) else author
    return TaggedMessage(
        message=Message(id=name, sent_at=at, author=digits, **given),
        marks=tuple(
            Mark(task=task, label=label, score=0.5, flagged=True, tagger="fake-1")
            for task, label in labels
        ),
    )


def stored(
    records: Iterable[Any], topic: Topic = "tagged", start: int = 0
) -> list[Stored]:
    """Records as they lie on partition 0 of a log; bytes go as they are."""
    return [
        Stored(topic, 0, offset, "key", _raw(record), NOW)
        for offset, record in enumerate(records, start)
    ]


def _raw(record: Any) -> bytes:
    return record if isinstance(record, bytes) else encode(record)


class SmallWarehouse:
    """A warehouse and its published file in `folder`.

    Args:
        folder: an empty one.
        labels: what may be published; all but the default-off if not given.
        settings: further settings of the warehouse.
    """

    def __init__(
        self, folder: Path, labels: Sequence[Label] | None = None, **settings: Any
    ) -> None:
        self.settings = WarehouseSettings(
            path=str(folder / "warehouse.duckdb"),
            published=str(folder / "published.duckdb"),
            **settings,
        )
        self.path = Path(self.settings.path)
        self.published = Path(self.settings.published)
        self.log = MemoryLog(clock=lambda: NOW)
        self.connection = open_warehouse(self.path)
        self.loader = Loader(self.connection, self.path, self.log, lambda: NOW)
        if labels is None:
            labels = [label for label in load_labels() if not label.default_off]
        set_labels(self.connection, labels, self.settings)

    def load(self, *records: Any, topic: Topic = "tagged", start: int = 0) -> None:
        """Load records, or bytes that are none, from offset `start` on."""
        self.loader.load(stored(records, topic, start))

    def publish(self, now: datetime = NOW) -> None:
        """Count what changed, and publish."""
        recount(self.connection, self.path)
        publish(self.connection, self.settings, now)

    def tables(self) -> Tables:
        """All that is published."""
        return published_tables(self.published)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What `sql` finds in the published file."""
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


def published_tables(path: Path) -> Tables:
    """Every table of the published file at `path`."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        return {
            name: sorted(connection.table(name).fetchall(), key=repr)
            for (name,) in names
        }
