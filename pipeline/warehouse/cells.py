"""Counts cells anew where messages changed, and tells the gate what it may publish."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipeline.config import WarehouseSettings
from pipeline.tagging.labels import Label
from pipeline.warehouse.database import explained, script, transaction
from pipeline.warehouse.forecasts import TABLES as FORECAST_TABLES
from pipeline.warehouse.slices import slices

# A row takes several times as much memory here as when it is published.
_WEEK_SIZES = """
SELECT
    week::DATE::VARCHAR,
    4 * (SELECT count(*) FROM labels) * (
        SELECT count(*)
        FROM cells
        WHERE starts >= week
            AND starts < week + INTERVAL 7 DAYS
            AND authors >= (SELECT min(min_authors) FROM labels)
    )
FROM touched_weeks
ORDER BY week
"""


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
            _withhold(connection)
        return True


def _withhold(connection: duckdb.DuckDBPyConnection) -> None:
    """Find what subtraction would tell in the counted weeks, some at a time."""
    for first, last in slices(connection.execute(_WEEK_SIZES).fetchall()):
        connection.execute("SET VARIABLE first_week = ?::TIMESTAMP", [first])
        connection.execute(
            "SET VARIABLE after_last_week = ?::TIMESTAMP + INTERVAL 7 DAYS", [last]
        )
        connection.execute(script("nested.sql"))


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
        _drop_forecasts_of_stricter(connection, rows)
        _touch_where_rules_changed(connection, rows)
        connection.execute("DELETE FROM labels")
        for row in rows:
            connection.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _configured(label: Label, settings: WarehouseSettings) -> int:
    if label.task == "marker":
        return settings.min_authors_markers
    return settings.min_authors


def _touch_where_rules_changed(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Have all cells judged anew by other rules."""
    before = connection.execute("SELECT task, label, min_authors, finest FROM labels")
    if set(before.fetchall()) != {(row[0], row[1], *row[5:]) for row in rows}:
        connection.execute(
            "INSERT INTO touched_days SELECT DISTINCT starts::DATE FROM cells "
            "WHERE grain = 'day'"
        )


def _drop_forecasts_of_stricter(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Forget what was forecast from cells that may be published no longer."""
    now = {(row[0], row[1]): row[5] for row in rows}
    before = connection.execute("SELECT task, label, min_authors FROM labels")
    for task, label, min_authors in before.fetchall():
        if now.get((task, label), math.inf) > min_authors:
            for table in ("forecast_inputs", *FORECAST_TABLES):
                sql = f"DELETE FROM {table} WHERE (task, label) = (?, ?)"  # noqa: S608
                connection.execute(sql, [task, label])
