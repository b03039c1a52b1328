"""The tagging job: micro-batches of the Beam pipeline until asked to stop.

A slice of the log is claimed, processed, appended, and only then is the position
moved: a crash repeats a slice and loses none.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import msgspec
import structlog

from pipeline.config import Config, TaggingSettings
from pipeline.errors import LogFullError
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.micro_batch import MicroBatch
from pipeline.jobs.stop import Stop
from pipeline.log.message_log import Entry, MessageLog
from pipeline.log.open import open_log
from pipeline.tagging.load import load_tagger
from pipeline.transforms.read import Claim

CURSOR_KEY = "process"
RUN_S = 2.0
"""How long a run should take, so that a stop is never awaited for long."""
FIRST_SIZE = 1_000
LEAST_SIZE = 50
REPORT_S = 10.0
RETENTION_S = 60.0
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 30.0
FULL_REPORT_S = 60.0

log = structlog.get_logger()

Bounds = dict[int, tuple[int, int]]


def _now() -> datetime:
    return datetime.now(UTC)


def process(
    config: Config,
    stop: Stop,
    *,
    once: bool = False,
    clock: Callable[[], datetime] = _now,
) -> None:
    """Tag the messages on the log until `stop`; with `once`, only what is there.

    Raises:
        BusyError: another process does this job on the same log.
        LogError: the log cannot be used.
    """
    with exclusive(lock_path(config, "process"), "process"):
        batch = MicroBatch(
            partial(open_log, config.log),
            partial(
                load_tagger,
                config.tagging,
                suicidality=config.privacy.suicidality,
            ),
        )
        try:
            _Job(config.tagging, batch, stop, clock).run(once=once)
        finally:
            batch.close()


class _Job:
    def __init__(
        self,
        settings: TaggingSettings,
        batch: MicroBatch,
        stop: Stop,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._batch = batch
        self._stop = stop
        self._clock = clock
        self._positions = _committed(batch.log)
        self._size = min(FIRST_SIZE, settings.batch)
        self._report = _Report()
        self._space = _Space(stop)
        self._retention_due = time.monotonic()

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
        self._enforce_retention()
        bounds = self._batch.log.bounds("messages")
        self._skip_what_is_gone(bounds)
        claim = self._claim(bounds)
        if claim:
            self._process(claim)
        self._report.write_when_due()
        return bool(claim)

    def _enforce_retention(self) -> None:
        if time.monotonic() >= self._retention_due:
            dropped = self._batch.log.enforce_retention(self._clock())
            self._retention_due = time.monotonic() + RETENTION_S
            if dropped:
                log.info("retention-enforced", dropped=dropped)

    def _skip_what_is_gone(self, bounds: Bounds) -> None:
        for number, (first, end) in bounds.items():
            partition = str(number)
            position = self._positions.setdefault(partition, first)
            if position > end:
                # The log was made anew or restored from a backup.
                log.warning("position-beyond-log", partition=number, position=position)
            elif position < first:
                log.warning("messages-lost", partition=number, lost=first - position)
            if not first <= position <= end:
                self._positions[partition] = first

    def _claim(self, bounds: Bounds) -> Claim:
        """The next slice: an equal share of each partition that has more."""
        behind = {
            partition: (self._positions[partition], end)
            for partition, end in ((str(n), end) for n, (_, end) in bounds.items())
            if self._positions[partition] < end
        }
        share = max(1, self._size // max(1, len(behind)))
        return {
            partition: (start, min(start + share, end))
            for partition, (start, end) in behind.items()
        }

    def _process(self, claim: Claim) -> None:
        begun = time.monotonic()
        counts = self._batch.run(claim)
        self._commit(claim)
        seconds = time.monotonic() - begun
        self._report.add(counts, seconds)
        claimed = sum(end - start for start, end in claim.values())
        if claimed >= self._size:
            self._resize(claimed / seconds)

    def _commit(self, claim: Claim) -> None:
        positions = self._positions | {p: end for p, (_, end) in claim.items()}
        value = msgspec.json.encode({"messages": positions})
        self._batch.log.append("cursors", [Entry(CURSOR_KEY, value)])
        self._positions = positions

    def _resize(self, messages_per_s: float) -> None:
        wanted = min(int(messages_per_s * RUN_S), 4 * self._size)
        self._size = max(LEAST_SIZE, min(wanted, self._settings.batch))


class _Report:
    """One line of counts and rates now and then, however many runs there are."""

    def __init__(self) -> None:
        self._due = time.monotonic() + REPORT_S
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0

    def add(self, counts: Counter[str], seconds: float) -> None:
        self._counts += counts
        self._seconds += seconds

    def write_when_due(self) -> None:
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        self._due = time.monotonic() + REPORT_S
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
        self._line_due = 0.0

    def wait(self, error: LogFullError) -> None:
        if time.monotonic() >= self._line_due:
            log.error("log-full", error=str(error))
            self._line_due = time.monotonic() + FULL_REPORT_S
        self._stop.wait(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)

    def found(self) -> None:
        self._pause_s = FIRST_PAUSE_S


def _committed(message_log: MessageLog) -> dict[str, int]:
    """Partition -> the first offset that is not processed yet."""
    value = message_log.latest("cursors").get(CURSOR_KEY)
    if value is None:
        return {}
    return msgspec.json.decode(value, type=dict[str, dict[str, int]])["messages"]
