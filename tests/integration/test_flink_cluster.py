"""The Flink that tests use is a real one: its parts can be killed, and jobs go on."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import looping_job
import pytest
from flink_cluster import FlinkCluster
from process_tree import alive, eventually, tree

pytestmark = pytest.mark.timeout(600)
"""Whoever comes first installs Flink, too."""


@pytest.fixture
def cluster(flink_cluster: FlinkCluster) -> Iterator[FlinkCluster]:
    yield flink_cluster
    flink_cluster.tidy()


def submit(cluster: FlinkCluster, folder: Path) -> str:
    known = cluster.jobs()
    options = cluster.beam_options("--checkpointing_interval=1000")
    command = [sys.executable, looping_job.__file__, folder, json.dumps(options)]
    subprocess.run(command, check=True, timeout=120)
    cluster.wait(lambda: cluster.jobs().keys() > known.keys(), "the job")
    (job,) = cluster.jobs().keys() - known.keys()
    return job


def counts(folder: Path) -> list[list[int]]:
    texts = [path.read_text() for path in folder.iterdir()]
    return [[int(line) for line in text.splitlines()] for text in texts if text]


def go_on(cluster: FlinkCluster, folder: Path) -> None:
    """Wait until every key has counted further than it has now."""
    farthest = max(map(max, counts(folder)), default=0)

    def gone_on() -> bool:
        found = counts(folder)
        keys = len(looping_job.KEYS)
        return len(found) == keys and min(map(max, found)) > farthest + 1

    cluster.wait(gone_on, "the job to go on", 200)


def test_a_job_goes_on_when_a_taskmanager_and_the_workers_are_killed(
    cluster: FlinkCluster, tmp_path: Path
) -> None:
    job = submit(cluster, tmp_path)
    go_on(cluster, tmp_path)
    restored = cluster.checkpoints(job)["counts"]["restored"]
    cluster.wait(
        lambda: cluster.checkpoints(job)["counts"]["completed"] > 0, "a checkpoint"
    )
    workers = list(tree(cluster.pid("workers")))
    killed = cluster.pid("taskmanager-0")

    cluster.kill("taskmanager-0")
    cluster.kill("workers")
    # Workers are the pool's children, and nobody's now: they go in their own time.
    assert eventually(lambda: not any(map(alive, [killed, *workers])), 10)
    cluster.start("taskmanager-0", "workers")
    go_on(cluster, tmp_path)

    assert cluster.checkpoints(job)["counts"]["restored"] > restored
    assert cluster.exceptions(job)
    for counted in counts(tmp_path):
        assert counted.count(1) == 1, "it remembered how far it was"
        assert set(counted) == set(range(1, max(counted) + 1)), "it left nothing out"
    cluster.wait(lambda: bool(cluster.metrics(job, "looping_ticks")), "Beam's metrics")
    savepoint = cluster.stop_job(job)
    assert Path(urlsplit(savepoint).path, "_metadata").exists()
    assert cluster.jobs()[job] == "FINISHED"
