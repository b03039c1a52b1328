"""A night's forecasts of many series, resumed and anew, on two processes.

Simulated series of two years, with days missing, in a real warehouse. First all are
forecast anew, then one day comes, then once more anew with that day; the two last must
agree in every row. At the end as many series as are published at most are resumed at
once: copies of the simulated ones, under names of their own.

    python benchmarks/nightly.py
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np

from pipeline.config import ForecastSettings
from pipeline.jobs.forecasting import Forecasting, file_name
from pipeline.warehouse.database import open_warehouse
from pipeline.warehouse.forecasts import (
    MAX_SERIES,
    TABLES,
    WINDOW_DAYS,
    DailyCells,
    ForecastStore,
)

SERIES = 20
LABELS = 5
"""Of a scope; they listen to each other."""
DAYS = WINDOW_DAYS
START = date(2024, 1, 1)
LIMIT_S = 60.0
SETTINGS = ForecastSettings()


class Simulated(ForecastStore):
    """Keeps what is forecast of series that are given."""

    given: Sequence[DailyCells] = ()

    def series(self, today: date) -> list[DailyCells]:
        """Those given, whatever the day."""
        del today
        return list(self.given)


def main() -> None:
    """Print the times of a night, their ratio, and whether the rows agree."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        with closing(open_warehouse(path)) as connection:
            measured(connection, Simulated(connection, path))


def measured(connection: duckdb.DuckDBPyConnection, store: Simulated) -> None:
    """Two nights, the second twice, and one of as many series as there may be."""
    first = night(store, [cells(number, DAYS) for number in range(SERIES)])
    print(f"{SERIES} series x {DAYS} days anew: {first:.1f} s")
    yesterday = store.folder.with_name("yesterday")
    shutil.copytree(store.folder, yesterday)
    tonight = [cells(number, DAYS + 1) for number in range(SERIES)]
    resumed = night(store, tonight)
    rows = everything(connection)
    shutil.rmtree(store.folder)
    connection.execute("DELETE FROM forecast_inputs")
    anew = night(store, tonight)
    if everything(connection) != rows:
        sys.exit("resumed and anew say different things")
    print(f"a day later: {resumed:.1f} s resumed, {anew:.1f} s anew, same rows")
    print(f"resumed / anew: {resumed / anew:.2f}")
    many = [
        copied(tonight[copy % SERIES], copy // SERIES) for copy in range(MAX_SERIES)
    ]
    for copy, one in enumerate(many):
        kept = yesterday / file_name(tonight[copy % SERIES].name)
        shutil.copy(kept, store.folder / file_name(one.name))
    size = sum(path.stat().st_size for path in store.folder.iterdir())
    every = night(store, many)
    print(f"{MAX_SERIES} series resumed: {every:.1f} s, {size / 1e6:.0f} MB kept")
    if every > LIMIT_S:
        sys.exit(f"a night takes more than {LIMIT_S:.0f} s")


def night(store: Simulated, series: Sequence[DailyCells]) -> float:
    """Seconds of a round, the start of its processes among them."""
    store.given = series
    forecasting = Forecasting(store, SETTINGS)
    started = time.monotonic()
    forecasting.begin(START)
    while forecasting.busy:
        forecasting.collect(wait_s=1.0)
    return time.monotonic() - started


def cells(number: int, days: int) -> DailyCells:
    """Around 165 messages a day, a share that wanders; the first days stay the same."""
    random = np.random.default_rng(number)
    length = DAYS + 1
    messages = random.poisson(165, length)
    wander = np.cumsum(random.normal(0.0, 0.03, length))
    season = 0.3 * np.sin(np.arange(length) / (10.0 + number))
    share = 1.0 / (1.0 + np.exp(2.5 - wander - season))
    marked = random.binomial(messages, share)
    known = [day for day in range(length) if day % 50 != number or day == DAYS]
    known = [day for day in known if day < days]
    return DailyCells(
        name=(f"scope-{number // LABELS}", "basic-emotion", f"label-{number}"),
        days=[START + timedelta(days=day) for day in known],
        messages=[int(messages[day]) for day in known],
        marked=[float(marked[day]) for day in known],
    )


def copied(series: DailyCells, copy: int) -> DailyCells:
    """The same days under another name."""
    scope, task, label = series.name
    return series._replace(name=(f"{scope}-{copy}", task, label))


def everything(connection: duckdb.DuckDBPyConnection) -> list[list[tuple[object, ...]]]:
    """All rows of all tables, in order."""
    return [
        connection.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in TABLES
    ]


if __name__ == "__main__":
    main()
