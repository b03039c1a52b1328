"""Forecasts beside the loading: series go to other processes, rows come back.

What is forecast depends on nothing but the published days of a series, so it does not
matter how often this is killed and done again. What took time is kept in a folder
beside the warehouse, so that a night only adds a day; without it the rows are the same.
"""

import hashlib
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from pipeline.config import ForecastSettings
from pipeline.errors import InputError
from pipeline.jobs import beside
from pipeline.warehouse.forecasts import (
    DailyCells,
    ForecastStore,
    Inputs,
    SeriesName,
    family,
    last_day,
    moved_on,
)

PATIENCE = 3
"""A series whose forecasts end their process this often is put off."""

WORKERS = min(2, len(os.sched_getaffinity(0)))
"""Processes that share a round; each holds the models' libraries in memory."""

NICENESS = 5
"""Messages are tagged and loaded first."""

Rows = Mapping[str, Sequence[msgspec.Struct]]
"""Table -> rows to keep."""


class Asked(NamedTuple):
    """A series to forecast, those it may listen to, and the digests of all of it."""

    cells: DailyCells
    related: list[DailyCells]
    inputs: Inputs


Forecaster = Callable[[Asked, ForecastSettings, Path], Rows]
"""What forecasts a series; the path is where it may keep what took time."""

log = structlog.get_logger()


def forecast(asked: Asked, settings: ForecastSettings, kept_at: Path) -> Rows:
    """Forecasts, alarms, periods and track record of one series.

    None of each where the series cannot be used. What was kept at the path is used,
    and replaced.
    """
    # Imported where it is needed: only the worker pays for the models' libraries.
    from pipeline.forecast.kept import read, write  # noqa: PLC0415
    from pipeline.forecast.run import resume_series  # noqa: PLC0415
    from pipeline.forecast.series import Series  # noqa: PLC0415

    try:
        series = Series.of_days(*asked.cells)
        found, kept = resume_series(
            series,
            read(kept_at),
            related=[Series.of_days(*cells) for cells in asked.related],
            horizon=settings.horizon_days,
            backtest_days=settings.backtest_days,
        )
    except InputError:
        return {}
    write(kept_at, kept)
    return {
        "forecasts": found.forecasts,
        "alarms": found.alarms,
        "periods": found.periods,
        "backtests": found.backtests,
    }


class Forecasting:
    """Keeps forecasts up to date with the published days, one round after the other.

    Args:
        store: where series come from and rows go to.
        settings: how far to look ahead, and back for the track record.
        forecaster: what forecasts a series; it runs in other processes.
        workers: how many of them share a round.
    """

    def __init__(
        self,
        store: ForecastStore,
        settings: ForecastSettings,
        forecaster: Forecaster = forecast,
        workers: int = WORKERS,
    ) -> None:
        self._store = store
        self._settings = settings
        self._forecaster = forecaster
        self._number = workers
        self._workers: list[_Worker] = []

    @property
    def busy(self) -> bool:
        """Whether a round is under way."""
        return bool(self._workers)

    def begin(self, today: date) -> None:
        """Start a round over the series that changed, unless one is under way.

        Raises:
            WarehouseError: the warehouse cannot be read or written.
        """
        if self.busy:
            return
        series = self._store.series(today) if self._settings.enabled else []
        known = self._store.digests()
        names = [cells.name for cells in series]
        self._store.drop_all_but(names)
        _clear(self._store.folder, names)
        waiting = [
            asked
            for asked in self._asked(series)
            if known.get(asked.cells.name) != asked.inputs.digest
        ]
        if waiting:
            log.info("forecasting-started", series=len(waiting))
            number = min(self._number, len(waiting))
            shares = [waiting[start::number] for start in range(number)]
            given = (self._settings, self._forecaster, self._store.folder)
            self._workers = [_Worker(share, *given) for share in shares]

    def collect(self, wait_s: float = 0.0) -> None:
        """Keep what the workers have finished; replace those that died.

        Args:
            wait_s: how long to wait for something to be finished.

        Raises:
            WarehouseError: rows cannot be kept.
        """
        if not self._workers:
            return
        wait([worker.results for worker in self._workers], wait_s)
        for worker in self._workers:
            for asked, rows in worker.finished():
                self._store.keep(asked.cells.name, asked.inputs, rows)
        self._workers = [worker for worker in self._workers if worker.waiting]
        if not self.busy:
            log.info("forecasting-finished")

    def stop(self) -> None:
        """End the workers at once; their work is redone later."""
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _asked(self, series: Sequence[DailyCells]) -> Iterator[Asked]:
        """Each series with the others of its family, by name."""
        families = defaultdict(list)
        for cells in sorted(series):
            families[family(cells.name)].append(cells)
        inputs = {of: self._inputs(members) for of, members in families.items()}
        for cells in series:
            of = family(cells.name)
            related = [other for other in families[of] if other is not cells]
            digest, since, past = inputs[of]
            digest, past = (_digest((cells.name, said)) for said in (digest, past))
            yield Asked(cells, related, Inputs(digest, since, past))

    def _inputs(self, members: Sequence[DailyCells]) -> Inputs:
        """What the forecasts of a family are computed from."""
        since = moved_on(members[0].name, last_day(members))
        digest, past = (
            _digest(
                (sorted(map(_digest, days)), self._settings, version("groundswell"))
            )
            for days in (members, [cells.before(since) for cells in members])
        )
        return Inputs(digest, since, past)


class _Worker:
    """A share of a round's series, and the process that forecasts them in turn."""

    def __init__(
        self,
        series: Sequence[Asked],
        settings: ForecastSettings,
        forecaster: Forecaster,
        folder: Path,
    ) -> None:
        self.waiting = list(series)
        self._given = (settings, forecaster, folder)
        self._failures = 0
        self._start()

    def finished(self) -> Iterator[tuple[Asked, Rows]]:
        """The series done since the last call; if the process died, a new one goes on.

        It ends with the last series.
        """
        while self.waiting and self.results.poll():
            try:
                rows = self.results.recv()
            except (EOFError, OSError):  # the process ended, between or within rows
                self._replace()
                return
            asked = self.waiting.pop(0)
            self._failures = 0
            if not self.waiting:
                self.end()
            yield asked, rows

    def end(self) -> None:
        """End the process at once."""
        beside.end(self.process, self.results)

    def _replace(self) -> None:
        self.end()
        self._failures += 1
        if self._failures >= PATIENCE:
            # Not kept, so it is tried again in the next round.
            asked = self.waiting.pop(0)
            log.error("series-not-forecast", series="/".join(asked.cells.name))
            self._failures = 0
        if self.waiting:
            self._start()

    def _start(self) -> None:
        self.process, self.results = beside.start(_work, self.waiting, *self._given)


def _work(
    sender: Connection,
    series: Sequence[Asked],
    settings: ForecastSettings,
    forecaster: Forecaster,
    folder: Path,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ours is the parent's to stop
    os.nice(NICENESS)
    # Without a reader there is nothing left to do.
    with suppress(BrokenPipeError):
        for asked in series:
            kept_at = folder / file_name(asked.cells.name)
            sender.send(forecaster(asked, settings, kept_at))


def _digest(content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def _clear(folder: Path, names: Sequence[SeriesName]) -> None:
    """Remove what is kept of other series, and what a killed process left."""
    wanted = {file_name(name) for name in names}
    for path in folder.glob("*"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def file_name(name: SeriesName) -> str:
    """Of what is kept of a series: a scope may hold what a file name may not."""
    return hashlib.sha256(msgspec.json.encode(name)).hexdigest()[:32]
