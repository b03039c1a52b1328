"""The tagging job on Flink: submitted, watched, and stopped with a savepoint.

Flink runs the job; this process only looks after it. When it dies, the job goes on,
and its successor finds it by its name. When the JobManager forgets the job, it is
submitted anew and starts where the log says that tagging had come to: a moment's
messages may be tagged twice, and the warehouse counts each once.
"""

import hashlib
import socket
import time
from contextlib import closing
from importlib.metadata import version

import grpc
import msgspec
import structlog
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.config import Config
from pipeline.errors import EngineError
from pipeline.jobs.flink_rest import (
    ENDED,
    FlinkJob,
    FlinkRest,
    RefusedError,
    UnreachableError,
)
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.pace import Pace
from pipeline.jobs.retention import Retention
from pipeline.jobs.stop import Stop
from pipeline.jobs.streaming import build
from pipeline.log.message_log import Entry, MessageLog
from pipeline.log.open import open_log
from pipeline.transforms.positions import Place, adopt, bounds_of, committed, reached

SAVEPOINT_KEY = "flink-savepoint"
POLL_S = 1.0
SUBMIT_S = 60.0
"""How long a job may take to appear, and a job server to answer."""
CONNECT_S = 5.0
STUCK_S = 300.0
"""A job that did nothing for so long, with messages waiting, is started anew."""
SAVEPOINT_S = 30.0
COMPLAIN_S = 60.0
BUNDLE_MS = 50
"""A shard reads again when its bundle has ended."""
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 60.0
DIGEST = 8
"""Characters of a job's name that stand for its configuration."""

log = structlog.get_logger()


def process_on_flink(config: Config, stop: Stop, *, once: bool = False) -> None:
    """Keep the tagging job running on Flink until `stop`.

    With `once`: until what is on the log now is tagged.

    Raises:
        BusyError: another process looks after this job.
        EngineError: Flink was away for longer than the log's `give_up_after_s`.
        LogError: the log cannot be used.
    """
    with (
        exclusive(lock_path(config, "process"), "process"),
        closing(open_log(config.log, stop.is_set)) as message_log,
    ):
        _Launcher(config, message_log, stop).run(once=once)


class _Launcher:
    def __init__(self, config: Config, message_log: MessageLog, stop: Stop) -> None:
        self._config = config
        self._log = message_log
        self._stop = stop
        self._flink = FlinkRest(config.flink.rest)
        self._family = f"groundswell-{config.log.prefix}"
        self._name = f"{self._family}-{_digest(config)}"
        self._retention = Retention(message_log)
        self._complaint = Pace(COMPLAIN_S)
        self._away_since: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._restarts: int | None = None
        self._done: dict[Place, int] = {}
        self._moved_at = time.monotonic()

    def run(self, *, once: bool) -> None:
        wanted = bounds_of(self._log) if once else None
        if wanted is not None and reached(self._log, wanted):
            return
        while not self._stop.is_set():
            try:
                self._look_after()
            except UnreachableError as error:
                self._bear(error)
            else:
                self._away_since = None
            self._retention.enforce_when_due()
            if wanted is not None and reached(self._log, wanted):
                break
            self._stop.wait(POLL_S)
        self._end()

    def _look_after(self) -> None:
        """See that our job runs, and only ours."""
        running = [job for job in self._flink.jobs() if self._is_of_us(job)]
        ours = next((job for job in running if job.name == self._name), None)
        for job in running:
            if job is not ours:
                log.info("flink-job-replaced", job=job.id)
                self._save(job)
        if ours is None:
            self._submit()
        else:
            self._tell_restarts(ours)
            self._end_if_stuck(ours)

    def _is_of_us(self, job: FlinkJob) -> bool:
        family, _, digest = job.name.rpartition("-")
        ours = family == self._family and len(digest) == DIGEST
        return ours and job.state not in ENDED

    def _submit(self) -> None:
        adopt(self._log)
        savepoint = self._savepoint()
        self._restarts = None
        earlier = {job.id for job in self._flink.jobs()}
        self._start(savepoint)
        self._remember("")
        log.info("flink-job-submitted", job=self._name, savepoint=savepoint or None)
        if self._comes_up(earlier):
            self._pause_s = FIRST_PAUSE_S
            return
        if savepoint:
            # Another release's graph may not fit it; the positions always do.
            log.warning("savepoint-not-used", savepoint=savepoint)
            return
        log.error("flink-job-failed", job=self._name, again_in_s=self._pause_s)
        self._stop.wait(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)

    def _start(self, savepoint: str) -> None:
        server = self._config.flink.job_server
        options = _options(self._config, self._name, savepoint)
        try:
            # Beam itself would wait for it, and hear of no stop.
            host, _, port = server.rpartition(":")
            address = host.strip("[]"), int(port)
            socket.create_connection(address, CONNECT_S).close()
            build(self._config, options, hold_watermark=True).run()
        except (OSError, grpc.RpcError, grpc.FutureTimeoutError) as error:
            raise UnreachableError(
                f"the Beam job server does not answer at {server}: start it, or set "
                "another [flink] job_server"
            ) from error

    def _comes_up(self, earlier: set[str]) -> bool:
        """Whether the job that was just submitted runs; it waits for free slots."""
        deadline = time.monotonic() + SUBMIT_S
        while time.monotonic() < deadline:
            new = [job for job in self._flink.jobs() if job.id not in earlier]
            states = {job.state for job in new if job.name == self._name}
            if states & ENDED:
                return False
            # Asked to end, we still await it: it can be ended once it is there.
            if "RUNNING" in states or (states and self._stop.is_set()):
                return True
            time.sleep(POLL_S)
        return False

    def _tell_restarts(self, job: FlinkJob) -> None:
        try:
            restarts = self._flink.restarts(job.id)
        except RefusedError:
            return  # forgotten since we saw it; the next look finds that out
        if self._restarts is not None and restarts > self._restarts:
            log.warning("flink-job-restarted", job=job.id, restarts=restarts)
        self._restarts = restarts

    def _end_if_stuck(self, job: FlinkJob) -> None:
        """Jobs have been seen to run without a word; a new one takes over."""
        done, now = committed(self._log), time.monotonic()
        if done != self._done or reached(self._log, bounds_of(self._log)):
            self._done, self._moved_at = done, now
        elif now - self._moved_at > STUCK_S:
            log.error("flink-job-stuck", job=job.id, seconds=round(STUCK_S))
            self._flink.cancel(job.id)
            self._moved_at = now

    def _end(self) -> None:
        try:
            for job in self._flink.jobs():
                if self._is_of_us(job):
                    self._save(job)
        except UnreachableError as error:
            # The next start finds the job, or starts from the log's positions.
            log.warning("flink-job-left-running", error=str(error))

    def _save(self, job: FlinkJob) -> None:
        """End `job`, with a savepoint if it can make one."""
        folder = self._config.flink.savepoints
        try:
            savepoint = self._flink.stop(job.id, folder, SAVEPOINT_S, time.sleep)
        except UnreachableError:
            raise
        except EngineError as error:
            log.warning("savepoint-failed", job=job.id, error=str(error))
            self._flink.cancel(job.id)
        else:
            self._remember(savepoint)
            log.info("flink-job-stopped", job=job.id, savepoint=savepoint)

    def _savepoint(self) -> str:
        value = self._log.latest("cursors").get(SAVEPOINT_KEY, b'""')
        return msgspec.json.decode(value, type=str)

    def _remember(self, savepoint: str) -> None:
        """A savepoint is used once: later, the positions on the log are newer."""
        if savepoint != self._savepoint():
            value = msgspec.json.encode(savepoint)
            self._log.append("cursors", [Entry(SAVEPOINT_KEY, value)])

    def _bear(self, error: UnreachableError) -> None:
        now = time.monotonic()
        self._away_since = self._away_since or now
        if now - self._away_since > self._config.log.kafka.give_up_after_s:
            raise error
        if self._complaint.due():
            log.warning("flink-unreachable", error=str(error))


def _digest(config: Config) -> str:
    """Tells jobs apart that would do other work than this configuration asks for."""
    flink = config.flink
    settings = (config.log, config.tagging, config.privacy)
    work = (version("groundswell"), *settings, flink.workers, flink.parallelism)
    return hashlib.sha256(repr(work).encode()).hexdigest()[:DIGEST]


def _options(config: Config, name: str, savepoint: str) -> PipelineOptions:
    flink = config.flink
    flags = [
        "--runner=PortableRunner",
        f"--job_name={name}",
        f"--job_endpoint={flink.job_server}",
        f"--job_server_timeout={SUBMIT_S:.0f}",
        "--environment_type=EXTERNAL",
        f"--environment_config={flink.workers}",
        "--streaming",
        f"--parallelism={flink.parallelism}",
        f"--checkpointing_interval={flink.checkpoint_s * 1000:.0f}",
        f"--max_bundle_time_mills={BUNDLE_MS}",
    ]
    if savepoint:
        flags.append(f"--savepoint_path={savepoint}")
    return PipelineOptions(flags)
