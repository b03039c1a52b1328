"""Forecasts beside the loading: series go to a process of their own, rows come back.

What is forecast depends on nothing but the published days of a series, so it does not
matter how often this is killed and done again.
"""

import hashlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import msgspec
import structlog

from pipeline.config import ForecastSettings
from pipeline.errors import InputError
from pipeline.jobs import beside
from pipeline.warehouse.forecasts import DailyCells, ForecastStore

PATIENCE = 3
"""A series whose forecasts end their process this often is put off."""

NICENESS = 5
"""Messages are tagged and loaded first."""

Rows = Mapping[str, Sequence[msgspec.Struct]]
"""Table -> rows to keep."""

Forecaster = Callable[[DailyCells, ForecastSettings], Rows]

log = structlog.get_logger()


def forecast(cells: DailyCells, settings: ForecastSettings) -> Rows:
    """Forecasts, alarms, periods and track record of one series.

    None of each where the series cannot be used.
    """
    # Imported where it is needed: only the worker pays for the models' libraries.
    from pipeline.forecast.run import forecast_series  # noqa: PLC0415
    from pipeline.forecast.series import Series  # noqa: PLC0415

    try:
        series = Series.of_days(*cells)
        found = forecast_series(
            series,
            horizon=settings.horizon_days,
            backtest_days=settings.backtest_days,
        )
    except InputError:
        return {}
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
        forecaster: what forecasts a series; it runs in another process.
    """

    def __init__(
        self,
        store: ForecastStore,
        settings: ForecastSettings,
        forecaster: Forecaster = forecast,
    ) -> None:
        self._store = store
        self._settings = settings
        self._forecaster = forecaster
        self._waiting: list[DailyCells] = []
        self._failures = 0
        self._worker: BaseProcess | None = None
        self._results: Connection | None = None

    @property
    def busy(self) -> bool:
        """Whether a round is under way."""
        return bool(self._waiting)

    def begin(self, today: date) -> None:
        """Start a round over the series that changed, unless one is under way.

        Raises:
            WarehouseError: the warehouse cannot be read or written.
        """
        if self.busy:
            return
        series = self._store.series(today) if self._settings.enabled else []
        known = self._store.digests()
        self._store.drop_all_but([cells.name for cells in series])
        self._waiting = [
            cells for cells in series if known.get(cells.name) != self._digest(cells)
        ]
        if self._waiting:
            log.info("forecasting-started", series=len(self._waiting))
            self._start_worker()

    def collect(self, wait_s: float = 0.0) -> None:
        """Keep what the worker has finished; replace the worker if it died.

        Args:
            wait_s: how long to wait for something to be finished.

        Raises:
            WarehouseError: rows cannot be kept.
        """
        while self._results is not None and self._results.poll(wait_s):
            try:
                rows = self._results.recv()
            except (EOFError, OSError):  # the worker ended, between or within rows
                self._replace_worker()
                return
            self._keep(rows)
            wait_s = 0.0

    def stop(self) -> None:
        """End the worker at once; its work is redone later."""
        self._waiting = []
        self._end_worker()

    def _keep(self, rows: Rows) -> None:
        cells = self._waiting.pop(0)
        self._failures = 0
        self._store.keep(cells.name, self._digest(cells), rows)
        if not self._waiting:
            self._end_worker()
            log.info("forecasting-finished")

    def _replace_worker(self) -> None:
        self._end_worker()
        self._failures += 1
        if self._failures >= PATIENCE:
            # Not kept, so it is tried again in the next round.
            cells = self._waiting.pop(0)
            log.error("series-not-forecast", series="/".join(cells.name))
            self._failures = 0
        if self._waiting:
            self._start_worker()

    def _start_worker(self) -> None:
        self._worker, self._results = beside.start(
            _work, self._waiting, self._settings, self._forecaster
        )

    def _end_worker(self) -> None:
        if self._worker is not None and self._results is not None:
            beside.end(self._worker, self._results)
        self._worker = self._results = None

    def _digest(self, cells: DailyCells) -> str:
        everything = (cells, self._settings, version("groundswell"))
        return hashlib.sha256(msgspec.json.encode(everything)).hexdigest()


def _work(
    sender: Connection,
    series: Sequence[DailyCells],
    settings: ForecastSettings,
    forecaster: Forecaster,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ours is the parent's to stop
    os.nice(NICENESS)
    # Without a reader there is nothing left to do.
    with suppress(BrokenPipeError):
        for cells in series:
            sender.send(forecaster(cells, settings))
