"""The tagging job: micro-batches of the Beam pipeline until asked to stop.

A slice of the log is claimed, processed, appended, and only then is the position
moved: a crash repeats a slice and loses none.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from pipeline.clock import utc_now
from pipeline.config import Config, TaggingSettings
from pipeline.errors import LogFullError
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.micro_batch import MicroBatch
from pipeline.jobs.pace import Pace
from pipeline.jobs.retention import Retention
from pipeline.jobs.stop import Stop
from pipeline.jobs.tag import finishing
from pipeline.log.message_log import Entry
from pipeline.log.open import open_log
from pipeline.tagging.load import load_tagger_to_stay
from pipeline.transforms.positions import (
    KEY,
    Bounds,
    Claim,
    Place,
    adopt,
    bounds_of,
    encode_positions,
    next_claim,
)

RUN_S = 2.0
"""How long a run should take: a stop, or what is said live, waits for its end."""
FIRST_SIZE = 1_000
LEAST_SIZE = 50
REPORT_S = 10.0
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 30.0
FULL_REPORT_S = 60.0

log = structlog.get_logger()


def process(
    config: Config,
    stop: Stop,
    *,
    once: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Tag the messages on the log until `stop`; with `once`, only what is there.

    Raises:
        BusyError: another process does this job on the same log.
        LogError: the log cannot be used.
    """
    with exclusive(lock_path(config, "process"), "process"):
        batch = MicroBatch(
            partial(open_log, config.log, stop.is_set),
            partial(
                load_tagger_to_stay,
                config.tagging,
                suicidality=config.privacy.suicidality,
            ),
        )
        try:
            retention = Retention(batch.log, clock)
            with finishing(batch.tagger):
                _Job(config.tagging, batch, stop, retention).run(once=once)
        finally:
            batch.close()


class _Job:
    def __init__(
        self,
        settings: TaggingSettings,
        batch: MicroBatch,
        stop: Stop,
        retention: Retention,
    ) -> None:
        self._settings = settings
        self._batch = batch
        self._stop = stop
        self._positions: dict[Place, int] = {}
        self._size = min(FIRST_SIZE, settings.batch)
        self._report = _Report()
        self._space = _Space(stop)
        self._retention = retention

    def run(self, *, once: bool) -> None:
        working = True
        while not self._stop.is_set() and (working or not once):
            try:
                working = self._step()
            except LogFullError as error:
                self._space.wait(error)
                continue
            self._space.found()
            if not working and not once:
                self._stop.wait(self._settings.poll_s)
        self._report.write()

    def _step(self) -> bool:
        """Process one slice; whether there was one."""
        self._retention.enforce_when_due()
        bounds = bounds_of(self._batch.log)
        positions = self._positions_within(bounds)
        claim = next_claim(positions, bounds, self._size)
        if claim:
            self._process(claim)
        self._report.write_when_due()
        return bool(claim)

    def _positions_within(self, bounds: Bounds) -> dict[Place, int]:
        if not self._positions:
            # Tagging goes on where it stopped, be it ours or a streaming engine's.
            self._positions = adopt(self._batch.log)
        for place, (first, end) in bounds.items():
            position = self._positions.setdefault(place, first)
            if not first <= position <= end:
                _tell_what_is_gone(place, position, first, end)
                self._positions[place] = first
        return self._positions

    def _process(self, claim: Claim) -> None:
        begun = time.monotonic()
        counts = self._batch.run(claim)
        self._commit(claim)
        seconds = time.monotonic() - begun
        self._report.add(counts, seconds)
        claimed = sum(end - start for start, end in claim.values())
        if claimed >= self._size or seconds > RUN_S:
            self._resize(claimed / seconds)

    def _commit(self, claim: Claim) -> None:
        ends = {place: end for place, (_, end) in claim.items()}
        positions = self._positions | ends
        self._batch.log.append("cursors", [Entry(KEY, encode_positions(positions))])
        self._positions = positions

    def _resize(self, messages_per_s: float) -> None:
        wanted = min(int(messages_per_s * RUN_S), 4 * self._size)
        self._size = max(LEAST_SIZE, min(wanted, self._settings.batch))


def _tell_what_is_gone(place: Place, position: int, first: int, end: int) -> None:
    where = {"topic": place[0], "partition": place[1]}
    if position > end:
        # The log was made anew or restored from a backup.
        log.warning("position-beyond-log", **where, position=position)
    else:
        log.warning("messages-lost", **where, lost=first - position)


class _Report:
    """One line of counts and rates now and then, however many runs there are."""

    def __init__(self) -> None:
        self._pace = Pace(REPORT_S, at_once=False)
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0

    def add(self, counts: Counter[str], seconds: float) -> None:
        self._counts += counts
        self._seconds += seconds

    def write_when_due(self) -> None:
        if self._pace.due():
            self.write()

    def write(self) -> None:
        if self._counts:
            names = ("read", "tagged", "duplicates", "dead_letters")
            rate = self._counts["read"] / self._seconds
            counts = {name: self._counts[name] for name in names}
            log.info("messages-processed", **counts, messages_per_s=round(rate))
        self._counts.clear()
        self._seconds = 0.0


class _Space:
    """Patience with a full disk: longer and longer pauses, one line a minute."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._pause_s = FIRST_PAUSE_S
        self._line = Pace(FULL_REPORT_S)

    def wait(self, error: LogFullError) -> None:
        if self._line.due():
            log.error("log-full", error=str(error))
        self._stop.wait(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)

    def found(self) -> None:
        self._pause_s = FIRST_PAUSE_S
