"""`groundswell run` and `groundswell demo`: one process tree that keeps itself up."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from process_tree import alive, eventually, job_of, tree

from pipeline.jobs.demo import prepare

JOBS = {"connect", "process", "load", "view"}


def groundswell(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    path = prepare(tmp_path, datetime.now(UTC), port=0, live=True)
    process = subprocess.Popen(
        groundswell("run", "--config", path), stdout=subprocess.PIPE, text=True
    )
    yield process, path
    pids = list(tree(process.pid))
    process.terminate()
    process.communicate(timeout=20)
    assert eventually(lambda: not any(map(alive, pids)), 5)


def jobs(supervisor: int) -> dict[str, int]:
    found = {job_of(pid): pid for pid in tree(supervisor) if pid != supervisor}
    found.pop("", None)
    return found


@pytest.mark.timeout(180)
def test_what_dies_is_started_again_and_the_page_stays_up(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    process, path = running
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    assert eventually(lambda: jobs(process.pid).keys() == JOBS, 20)
    first = jobs(process.pid)
    for pid in first.values():
        os.kill(pid, signal.SIGKILL)
    assert eventually(
        lambda: (
            jobs(process.pid).keys() == JOBS
            and not set(jobs(process.pid).values()) & set(first.values())
        ),
        30,
    )
    published = path.parent / "data" / "published.duckdb"
    assert eventually(published.exists, 90)
    command = groundswell("status", "--config", path, "--json")

    def status() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(subprocess.check_output(command))
        return told

    # The first publication may come before the last message of the archive.
    assert eventually(lambda: status()["messages"] > 20_000, 60)
    sources = {source["source"] for source in status()["sources"]}
    assert sources >= {"ubuntu", "planted"}
    # The port is another one after the restart of the viewer.
    url = process.stdout.readline().split()[-1]
    with urllib.request.urlopen(f"{url.rstrip('/')}/healthz") as answer:
        assert answer.status == 200


@pytest.mark.timeout(120)
def test_sigterm_ends_every_process_within_ten_seconds(tmp_path: Path) -> None:
    path = prepare(tmp_path, datetime.now(UTC), port=0, live=True)
    process = subprocess.Popen(groundswell("run", "--config", path))
    assert eventually(lambda: jobs(process.pid).keys() == JOBS, 20)
    time.sleep(5)  # in the midst of the backlog
    pids = list(tree(process.pid))
    begun = time.monotonic()
    process.terminate()
    assert process.wait(10) == 0
    assert time.monotonic() - begun < 10
    assert not any(map(alive, pids))


@pytest.mark.timeout(120)
def test_children_of_a_killed_supervisor_end(tmp_path: Path) -> None:
    path = prepare(tmp_path, datetime.now(UTC), port=0, live=True)
    process = subprocess.Popen(groundswell("run", "--config", path))
    assert eventually(lambda: jobs(process.pid).keys() == JOBS, 20)
    pids = list(tree(process.pid))
    process.kill()
    process.wait()
    assert eventually(lambda: not any(map(alive, pids)), 60)


@pytest.mark.timeout(300)
def test_the_demo_publishes_the_planted_crisis_and_its_alarm(demo: Path) -> None:
    published = demo / "data" / "published.duckdb"
    with duckdb.connect(str(published), read_only=True) as connection:
        crisis = connection.execute(
            "SELECT min(started), max(peaked) FROM periods "
            "WHERE scope = 'all' AND label = 'frustration' "
            "AND peaked BETWEEN current_date - 22 AND current_date - 6"
        ).fetchone()
        assert crisis is not None
        assert None not in crisis
        before_the_peak = connection.execute(
            "SELECT count(*) FROM alarms WHERE scope = 'all' AND alarm "
            "AND label = 'frustration' AND origin BETWEEN ? AND current_date - 13",
            [crisis[0]],
        ).fetchone()
        assert before_the_peak is not None
        assert before_the_peak[0] > 0
        assert connection.execute(
            "SELECT notice LIKE '%PLANTED%' FROM about"
        ).fetchone() == (True,)
