"""Counts cells anew where messages changed, and tells the gate what it may publish."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipeline.config import WarehouseSettings
from pipeline.tagging.labels import Label
from pipeline.warehouse.database import explained, script, transaction


def recount(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Bring the cells in line with the messages; whether there was anything to do.

    Args:
        connection: to the warehouse at `path`, from `open_warehouse`.
        path: for messages.

    Raises:
        WarehouseError: the cells are as they were.
    """
    changes = (
        "SELECT EXISTS (FROM touched_days) OR EXISTS (FROM edits WHERE NOT settled)"
    )
    with explained(path):
        if not connection.execute(changes).fetchall()[0][0]:
            return False
        with transaction(connection):
            connection.execute(script("cells.sql"))
        return True


def set_labels(
    connection: duckdb.DuckDBPyConnection,
    labels: Sequence[Label],
    settings: WarehouseSettings,
) -> None:
    """Let the gate publish `labels`, and no others.

    The settings may ask for more authors than labels.toml does, never for fewer.

    Raises:
        WarehouseError: the labels are as they were.
    """
    rows = [
        (
            label.task,
            label.label,
            label.parent,
            label.definition,
            label.reference,
            max(label.min_authors, _configured(label, settings)),
            label.finest,
        )
        for label in labels
    ]
    with explained(Path(settings.path)), transaction(connection):
        connection.execute("DELETE FROM labels")
        for row in rows:
            connection.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _configured(label: Label, settings: WarehouseSettings) -> int:
    if label.task == "marker":
        return settings.min_authors_markers
    return settings.min_authors
