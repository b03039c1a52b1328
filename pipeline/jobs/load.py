"""The load job: the log into the warehouse, forecasts, and the published file."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path

import duckdb
import structlog

from pipeline.clock import utc_now
from pipeline.config import Config
from pipeline.jobs.forecasting import Forecaster, Forecasting, forecast
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.pace import Pace
from pipeline.jobs.stop import Stop
from pipeline.jobs.theming import Theming
from pipeline.log.message_log import Entry, MessageLog
from pipeline.log.open import open_log
from pipeline.tagging.labels import Label, load_labels
from pipeline.transforms.positions import encode_positions
from pipeline.warehouse.cells import recount, set_labels
from pipeline.warehouse.database import open_warehouse
from pipeline.warehouse.forecasts import ForecastStore
from pipeline.warehouse.loader import LOADED, Loader, Positions
from pipeline.warehouse.publisher import publish
from pipeline.warehouse.themes import ThemeStore

BATCH = 10_000
POLL_S = 1.0
REPORT_EVERY_S = 1.0
REST = 4.0
"""After publishing, this many times as long passes before it is done again."""

log = structlog.get_logger()


def load(config: Config, stop: Stop, *, once: bool = False) -> None:
    """Load what is tagged, forecast and publish until `stop`.

    With `once`: load all there is, forecast, publish, return.

    Raises:
        WarehouseError: the warehouse or the published file cannot be used.
        LogError: the log cannot be used.
        BusyError: another process does this job.
    """
    path = Path(config.warehouse.path)
    with (
        exclusive(lock_path(config, "load"), "load"),
        _private_files(),
        closing(open_log(config.log, stop.is_set)) as message_log,
        closing(open_warehouse(path)) as connection,
    ):
        job = LoadJob(config, message_log, connection)
        if once:
            job.drain(stop)
        else:
            job.follow(stop)


@contextmanager
def _private_files() -> Iterator[None]:
    """What DuckDB makes, now and later, is for its owner only; publishing opens it."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


class LoadJob:
    """The job's state while it runs.

    Args:
        config: what to load into and where to publish.
        message_log: what to load from.
        connection: to the warehouse, from `open_warehouse`.
        clock: what time it is.
        forecaster: what forecasts a series.
    """

    def __init__(
        self,
        config: Config,
        message_log: MessageLog,
        connection: duckdb.DuckDBPyConnection,
        *,
        clock: Callable[[], datetime] = utc_now,
        forecaster: Forecaster = forecast,
    ) -> None:
        self._settings = config.warehouse
        self._path = Path(config.warehouse.path)
        self._log = message_log
        self._connection = connection
        self._clock = clock
        self._loader = Loader(connection, self._path, message_log, clock)
        self._positions = self._positions_in(message_log)
        self._reported: Positions = {}
        store = ForecastStore(connection, self._path)
        self._forecasting = Forecasting(store, config.forecast, forecaster)
        self._theming = Theming(
            ThemeStore(connection, self._path), config.log, config.warehouse.min_authors
        )
        self._looked_on: date | None = None
        set_labels(connection, _published_labels(config), config.warehouse)

    def drain(self, stop: Stop) -> None:
        """Load all there is, forecast to the end, publish."""
        try:
            while not stop.is_set() and self._load_batches():
                pass
            self._report()
            self._recount()
            self._look_further()
            while not stop.is_set() and (self._forecasting.busy or self._theming.busy):
                self._forecasting.collect(wait_s=0.1)
                self._theming.go_on(wait_s=0.1)
            if not stop.is_set():
                publish(self._connection, self._settings, self._clock())
        finally:
            self._end_workers()

    def follow(self, stop: Stop) -> None:
        """Load what comes, forecast and publish now and then, until `stop`."""
        publication = Pace(self._settings.publish_every_s)
        report = Pace(REPORT_EVERY_S)
        try:
            while not stop.is_set():
                more = self._load_batches()
                self._forecasting.collect()
                self._theming.go_on()
                if publication.due():
                    started = time.monotonic()
                    self._recount()
                    publish(self._connection, self._settings, self._clock())
                    publication.rest(REST * (time.monotonic() - started))
                    if not more:
                        self._look_further()
                if report.due():
                    self._report()
                if not more:
                    stop.wait(POLL_S)
        finally:
            self._end_workers()

    def _positions_in(self, message_log: MessageLog) -> Positions:
        positions = self._loader.positions()
        for (topic, partition), following in list(positions.items()):
            _, end = message_log.bounds(topic).get(partition, (0, 0))
            if following > end:
                log.warning("log-was-replaced", topic=topic, partition=partition)
                self._loader.rewind(topic, partition)
                del positions[topic, partition]
        return positions

    def _load_batches(self) -> bool:
        """Load one batch of each partition; whether there is more."""
        more = False
        for topic in LOADED:
            for partition, (first, end) in self._log.bounds(topic).items():
                start = self._positions.get((topic, partition), first)
                if start < first:
                    log.error("records-missed", topic=topic, count=first - start)
                if start < end:
                    records = self._log.read(topic, partition, start, BATCH)
                    self._loader.load(records)
                    following = records[-1].offset + 1 if records else end
                    self._positions[topic, partition] = following
                    more = more or following < end
        return more

    def _recount(self) -> None:
        if recount(self._connection, self._path):
            self._looked_on = None

    def _look_further(self) -> None:
        """Forecast and find themes, where days changed or a new one has begun."""
        today = self._clock().date()
        if self._looked_on != today and not self._forecasting.busy:
            self._forecasting.begin(today)
            self._theming.ask()
            self._looked_on = today

    def _end_workers(self) -> None:
        self._forecasting.stop()
        self._theming.stop()

    def _report(self) -> None:
        if self._reported != self._positions:
            entry = Entry("load", encode_positions(self._positions))
            self._log.append("cursors", [entry])
            self._reported = dict(self._positions)


def _published_labels(config: Config) -> list[Label]:
    return [
        label
        for label in load_labels()
        if not label.default_off or config.privacy.suicidality
    ]
