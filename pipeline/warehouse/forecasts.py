"""What forecasts are made from, and where they are kept until they are published."""

import zlib
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import pyarrow as pa

from pipeline.warehouse.database import explained, script, transaction

WINDOW_DAYS = 730
"""Days of a long series, at least; a year more before its start moves on."""

MIN_KNOWN_DAYS = 28
MIN_MARKED_A_DAY = 0.5
MAX_SILENT_DAYS = 14
WITHHELD_MARKED = 1.5
"""Messages that count as marked on a day whose share the gate withholds."""
MAX_SERIES = 500
"""Of which a night takes less than a minute on two cores; the fullest come first."""

_YEAR = 365

TABLES = ("forecasts", "alarms", "periods", "backtests")

# The last complete day: one that is over, or that a later published day follows.
_LAST = """
WITH days AS (
    SELECT DISTINCT starts::DATE AS day
    FROM publishable
    WHERE grain = 'day' AND scope = 'all'
)
SELECT max(day) FROM days WHERE day < greatest($today, (SELECT max(day) FROM days))
"""

SeriesName = tuple[str, str, str]
"""Scope, task and label."""

Digests = dict[SeriesName, str]
"""What the forecasts of each series were computed from."""


class DailyCells(NamedTuple):
    """The published days of one series, in order; days not in it are unknown.

    A withheld share counts as `WITHHELD_MARKED` messages.
    """

    name: SeriesName
    days: list[date]
    messages: list[int]
    marked: list[float]


class ForecastStore:
    """Reads series from the warehouse, and keeps what was forecast of them.

    Args:
        connection: to the warehouse at `path`, from `open_warehouse`.
        path: for messages.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @property
    def folder(self) -> Path:
        """Where forecasting may keep what takes time to make again."""
        return self._path.with_name(self._path.name + ".kept")

    def series(self, today: date) -> list[DailyCells]:
        """The series worth a forecast, at most `MAX_SERIES`, most marked first."""
        with explained(self._path):
            last = self._connection.execute(_LAST, {"today": today}).fetchall()[0][0]
            if last is None:
                return []
            limits = {
                "first": last - timedelta(days=WINDOW_DAYS + _YEAR - 2),
                "last": last,
                "alive": last - timedelta(days=MAX_SILENT_DAYS),
                "min_known_days": MIN_KNOWN_DAYS,
                "min_marked_a_day": MIN_MARKED_A_DAY,
                "withheld_marked": WITHHELD_MARKED,
                "max_series": MAX_SERIES,
            }
            rows = self._connection.execute(script("series.sql"), limits).fetchall()
        return [
            _windowed(DailyCells((scope, task, label), days, messages, marked), last)
            for scope, task, label, days, messages, marked in rows
        ]

    def digests(self) -> Digests:
        """Of each series that has forecasts, what they were computed from."""
        with explained(self._path):
            rows = self._connection.execute("FROM forecast_inputs").fetchall()
        return {(scope, task, label): digest for scope, task, label, digest in rows}

    def keep(
        self,
        name: SeriesName,
        digest: str,
        tables: Mapping[str, Sequence[msgspec.Struct]],
    ) -> None:
        """Replace what is kept of a series.

        Args:
            name: the series.
            digest: what the rows were computed from.
            tables: rows of each of `TABLES`, whose fields are its columns.

        Raises:
            WarehouseError: what was kept is unchanged.
        """
        with explained(self._path), transaction(self._connection):
            self._drop(name)
            row = [*name, digest]
            self._connection.execute(
                "INSERT INTO forecast_inputs VALUES (?, ?, ?, ?)", row
            )
            for table, rows in tables.items():
                self._insert(table, rows)

    def drop_all_but(self, names: Collection[SeriesName]) -> None:
        """Forget the series that are worth a forecast no longer.

        Raises:
            WarehouseError: what was kept is unchanged.
        """
        gone = self.digests().keys() - set(names)
        with explained(self._path), transaction(self._connection):
            for name in gone:
                self._drop(name)

    def _drop(self, name: SeriesName) -> None:
        for table in ("forecast_inputs", *TABLES):
            self._connection.execute(
                f"DELETE FROM {table} "  # noqa: S608 - one of our own
                "WHERE (scope, task, label) = (?, ?, ?)",
                name,
            )

    def _insert(self, table: str, rows: Sequence[msgspec.Struct]) -> None:
        if rows:
            batch = pa.Table.from_pylist([msgspec.structs.asdict(row) for row in rows])
            self._connection.register("batch", batch)
            self._connection.execute(f"INSERT INTO {table} BY NAME FROM batch")
            self._connection.unregister("batch")


def family(name: SeriesName) -> tuple[str, str]:
    """What series have in common that say something of each other.

    The scope, and whether it is an emotion, basic or fine, or a marker.
    """
    scope, task, _ = name
    return scope, task.rpartition("-")[2]


def _windowed(cells: DailyCells, last: date) -> DailyCells:
    """The days from the series' present start on.

    The start moves on by a year once a year, so that last night's work serves tonight;
    that of a family in the same night, since its series listen to each other.
    """
    phase = zlib.crc32("/".join(family(cells.name)).encode()) % _YEAR
    days = WINDOW_DAYS + (last.toordinal() + phase) % _YEAR
    first = bisect_left(cells.days, last - timedelta(days=days - 1))
    return DailyCells(
        name=cells.name,
        days=cells.days[first:],
        messages=cells.messages[first:],
        marked=cells.marked[first:],
    )
