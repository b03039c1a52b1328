"""What the jobs share: how they end, and that each runs once."""

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from pipeline.errors import BusyError
from pipeline.jobs.lock import exclusive
from pipeline.jobs.stop import Stop


def test_a_signal_stops_a_job() -> None:
    stop = Stop()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        stop.watch_signals()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(1.0)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def test_waiting_ends_when_its_time_is_over() -> None:
    assert not Stop().wait(0.01)


def test_a_word_stops_a_job() -> None:
    stop = Stop()
    stop.set()
    assert stop.is_set()


def test_the_death_of_the_parent_stops_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    stop.watch_parent(os.getppid())
    assert not stop.is_set()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert stop.is_set()


def test_a_second_process_of_a_job_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with (
        exclusive(path, "load"),
        pytest.raises(BusyError, match="another `groundswell load`"),
        exclusive(path, "load", grace_s=0.2),
    ):
        pass


def _hold(path: Path, held: Event) -> None:
    with exclusive(path, "load"):
        held.set()
        time.sleep(60)


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "x.lock", held))
    process.start()
    assert held.wait(30)
    process.kill()
    with exclusive(tmp_path / "x.lock", "load", grace_s=10):
        process.join()
