"""All parts in one process tree: start them, restart what dies, stop them cleanly."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from pipeline import config as configuration
from pipeline.config import Config
from pipeline.errors import GroundswellError
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.stop import Stop

POLL_S = 0.1
STOP_S = 40.0
"""A part that has not ended so long after SIGTERM is killed; savepoints take time."""
FIRST_RESTART_S = 0.5
LAST_RESTART_S = 60.0
STEADY_S = 60.0
"""A part that ran this long is restarted as if it had never failed."""

log = structlog.get_logger()


@dataclass
class Part:
    """One job of ours in a process of its own."""

    job: str
    arguments: tuple[str, ...]
    restart_after_s: float = FIRST_RESTART_S
    started_at: float = 0.0
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "pipeline.cli", self.job, *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.started_at = time.monotonic()
        log.info("part-started", job=self.job, pid=self.process.pid)

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def end(self) -> None:
        """Ask the process to end, and make it end."""
        self.process.terminate()
        self.wait_or_kill(time.monotonic() + STOP_S)

    def wait_or_kill(self, deadline: float) -> None:
        """Wait until `deadline` on the monotonic clock, then kill."""
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("part-killed", job=self.job, pid=self.process.pid)
            self.process.kill()
            self.process.wait()

    def next_pause_s(self) -> float:
        """Seconds to wait before the next start; doubles while starts fail."""
        if time.monotonic() - self.started_at >= STEADY_S:
            self.restart_after_s = FIRST_RESTART_S
        pause = self.restart_after_s
        self.restart_after_s = min(2 * pause, LAST_RESTART_S)
        return pause


def run(
    path: Path, environ: Mapping[str, str], stop: Stop, *, once: bool = False
) -> None:
    """Run every part that the configuration `path` asks for until `stop`.

    With `once`: read the sources to their end, tag, load, forecast, publish, return.

    Raises:
        ConfigError: the configuration cannot be used.
        BusyError: another process runs the same configuration's parts.
        GroundswellError: with `once`, a part failed.
    """
    config = configuration.load(path)
    if config.sources:
        configuration.secret(config, environ)
    with exclusive(lock_path(config, "run"), "run"):
        if once:
            _drain(path, config, stop)
        else:
            _supervise(_parts(path, config), stop)


def _parts(path: Path, config: Config) -> list[Part]:
    jobs = ["process", "load"]
    if config.sources:
        jobs.insert(0, "connect")
    if config.viewer.enabled:
        jobs.append("view")
    return [_part(job, path) for job in jobs]


def _part(job: str, path: Path, *options: str) -> Part:
    supervised = ("--supervised", str(os.getpid()))
    return Part(job, ("--config", str(path), *supervised, *options))


def _supervise(parts: list[Part], stop: Stop) -> None:
    due: dict[str, float] = {}
    with _running(parts):
        while not stop.wait(POLL_S):
            for part in parts:
                if part.ended():
                    _restart_when_due(part, due)


def _restart_when_due(part: Part, due: dict[str, float]) -> None:
    if part.job not in due:
        pause = part.next_pause_s()
        due[part.job] = time.monotonic() + pause
        log.warning(
            "part-died",
            job=part.job,
            pid=part.process.pid,
            status=part.process.returncode,
            restart_after_s=pause,
        )
    elif time.monotonic() >= due[part.job]:
        del due[part.job]
        part.start()


def _drain(path: Path, config: Config, stop: Stop) -> None:
    # Each part works beside its predecessor, then once more after it has ended, so
    # that both cores are used and nothing is left behind.
    jobs = ["process", "load"]
    first = [_part("connect", path, "--once")] if config.sources else []
    with _running([_part(job, path) for job in jobs]) as later:
        with _running(first):
            _wait_for(first, stop)
        for part in later:
            part.end()
            last = [_part(part.job, path, "--once")]
            with _running(last):
                _wait_for(last, stop)


def _wait_for(parts: list[Part], stop: Stop) -> None:
    for part in parts:
        while not part.ended() and not stop.wait(POLL_S):
            pass
        if part.ended() and part.process.returncode != 0:
            raise GroundswellError(
                f"`groundswell {part.job}` failed: see what it said above"
            )


@contextmanager
def _running(parts: list[Part]) -> Iterator[list[Part]]:
    for part in parts:
        part.start()
    try:
        yield parts
    finally:
        for part in parts:
            if not part.ended():
                part.process.terminate()
        deadline = time.monotonic() + STOP_S
        for part in parts:
            part.wait_or_kill(deadline)
