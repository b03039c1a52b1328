"""What forecasts are made from, and where they are kept until they are published."""

import zlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import pyarrow as pa

from pipeline.warehouse.database import explained, script, transaction
from pipeline.warehouse.slices import slices

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

_SAID = ("forecasts", "alarms")
"""Tables of what was said at the end of a day, their `origin`."""

TABLES = (*_SAID, "periods", "backtests")

# Messages may come dated ahead: what follows yesterday is not there yet.
_LAST = """
SELECT max(starts::DATE)
FROM publishable
WHERE grain = 'day' AND scope = 'all' AND starts < $today
"""
_SIZES = """
SELECT scope, count(*) * (SELECT count(*) FROM labels)
FROM cells
SEMI JOIN heard_spans USING (scope)
WHERE grain = 'day'
GROUP BY scope
ORDER BY scope
"""

# Of an origin of which something is said, nothing else is; and what is older than the
# track record is forgotten.
_ADD_SAID = """
INSERT INTO {0} BY NAME FROM batch ANTI JOIN {0} USING (scope, task, label, origin);
DELETE FROM {0}
WHERE (scope, task, label) IN (SELECT (scope, task, label) FROM batch)
    AND origin < (SELECT min(origin) FROM batch);
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

    def since(self, day: date) -> "DailyCells":
        """From `day` on."""
        first = bisect_left(self.days, day)
        return DailyCells(
            name=self.name,
            days=self.days[first:],
            messages=self.messages[first:],
            marked=self.marked[first:],
        )

    def before(self, day: date) -> "DailyCells":
        """What lies before `day`."""
        end = bisect_left(self.days, day)
        return DailyCells(
            name=self.name,
            days=self.days[:end],
            messages=self.messages[:end],
            marked=self.marked[:end],
        )


class Inputs(NamedTuple):
    """What forecasts are computed from.

    Args:
        digest: of all of it.
        since: the day from which on the window starts where it does.
        past: digest of what lies before that day.
    """

    digest: str
    since: date
    past: str


class _Found(NamedTuple):
    alive: bool
    weight: int
    cells: DailyCells


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
        """The series worth a forecast, at most `MAX_SERIES`, most marked first.

        Behind them come those that are silent, but were forecast before.
        """
        with explained(self._path):
            last = self._connection.execute(_LAST, {"today": today}).fetchall()[0][0]
            if last is None:
                return []
            alive = last - timedelta(days=MAX_SILENT_DAYS)
            self._prepare(last, alive)
            kept: list[_Found] = []
            for found in self._found(alive):
                kept = _fullest([*kept, *found])
        series = [found.cells for found in kept]
        families = defaultdict(list)
        for cells in series:
            families[family(cells.name)].append(cells)
        lasts = {of: last_day(members) for of, members in families.items()}
        return [_windowed(cells, lasts[family(cells.name)]) for cells in series]

    def _prepare(self, last: date, alive: date) -> None:
        """Tell the days that are known from those that are not."""
        self._connection.execute("SET VARIABLE last_day = ?", [last])
        self._connection.execute("SET VARIABLE alive_day = ?", [alive])
        self._connection.execute(script("known.sql"))

    def _found(self, alive: date) -> Iterator[list[_Found]]:
        """All series that have days and marks enough, some scopes at a time."""
        limits = {
            "alive": alive,
            "longest": WINDOW_DAYS + _YEAR - 1,
            "min_known_days": MIN_KNOWN_DAYS,
            "min_marked_a_day": MIN_MARKED_A_DAY,
            "withheld_marked": WITHHELD_MARKED,
        }
        query = script("series.sql")
        for first, last in slices(self._connection.execute(_SIZES).fetchall()):
            scopes = {"first_scope": first, "last_scope": last}
            rows = self._connection.execute(query, limits | scopes).fetchall()
            yield [
                _Found(is_alive, weight, DailyCells((scope, task, label), *days))
                for is_alive, weight, scope, task, label, *days in rows
            ]

    def digests(self) -> Digests:
        """Of each series that has forecasts, what they were computed from."""
        with explained(self._path):
            rows = self._connection.execute(
                "SELECT scope, task, label, digest FROM forecast_inputs"
            ).fetchall()
        return {(scope, task, label): digest for scope, task, label, digest in rows}

    def keep(
        self,
        name: SeriesName,
        inputs: Inputs,
        tables: Mapping[str, Sequence[msgspec.Struct]],
    ) -> None:
        """Replace what is kept of a series.

        What was said before its window moved on is not said again: it stays, as long
        as the days are the same that it was said from.

        Args:
            name: the series.
            inputs: what the rows were computed from.
            tables: rows of each of `TABLES`, whose fields are its columns.

        Raises:
            WarehouseError: what was kept is unchanged.
        """
        with explained(self._path), transaction(self._connection):
            held = bool(tables.get("forecasts")) and self._holds(name, inputs)
            self._drop(name, since=inputs.since if held else date.min)
            self._connection.execute(
                "INSERT INTO forecast_inputs VALUES (?, ?, ?, ?, ?, ?)",
                [*name, *inputs],
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

    def _holds(self, name: SeriesName, inputs: Inputs) -> bool:
        """Whether what was said before the window moved on still stands."""
        before = self._connection.execute(
            "SELECT since, past FROM forecast_inputs "
            "WHERE (scope, task, label) = (?, ?, ?)",
            name,
        ).fetchone()
        if before is None:
            return False
        since, past = before
        return bool(since < inputs.since or (since, past) == inputs[1:])

    def _drop(self, name: SeriesName, since: date = date.min) -> None:
        """Forget a series, but not what was said before `since`."""
        for table in ("forecast_inputs", *TABLES):
            sql = f"DELETE FROM {table} WHERE (scope, task, label) = (?, ?, ?)"  # noqa: S608 - one of our own
            if table in _SAID:
                self._connection.execute(f"{sql} AND origin >= ?", [*name, since])
            else:
                self._connection.execute(sql, name)

    def _insert(self, table: str, rows: Sequence[msgspec.Struct]) -> None:
        if rows:
            batch = pa.Table.from_pylist([msgspec.structs.asdict(row) for row in rows])
            self._connection.register("batch", batch)
            add = _ADD_SAID if table in _SAID else "INSERT INTO {} BY NAME FROM batch"
            self._connection.execute(add.format(table))
            self._connection.unregister("batch")


def family(name: SeriesName) -> tuple[str, str]:
    """What series have in common that say something of each other.

    The scope, and whether it is an emotion, basic or fine, or a marker.
    """
    scope, task, _ = name
    return scope, task.rpartition("-")[2]


def last_day(series: Iterable[DailyCells]) -> date:
    """The last known day of any of the series."""
    return max(cells.days[-1] for cells in series)


def moved_on(name: SeriesName, last: date) -> date:
    """The day, up to the last one, from which on the window starts where it does.

    It moves on by a year once a year, so that last night's work serves tonight; that of
    a family in the same night, since its series listen to each other.
    """
    phase = zlib.crc32("/".join(family(name)).encode()) % _YEAR
    return last - timedelta(days=(last.toordinal() + phase) % _YEAR)


def _fullest(found: Sequence[_Found]) -> list[_Found]:
    """The fullest of those alive, and all that are not; in this order."""
    ranked = sorted(found, key=lambda one: (-one.weight, one.cells.name))
    alive = [one for one in ranked if one.alive]
    return alive[:MAX_SERIES] + [one for one in ranked if not one.alive]


def _windowed(cells: DailyCells, last: date) -> DailyCells:
    """The days from the series' present start on."""
    return cells.since(moved_on(cells.name, last) - timedelta(days=WINDOW_DAYS - 1))
