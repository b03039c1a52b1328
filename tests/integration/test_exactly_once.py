"""Kafka, Flink and every job of ours killed in turn: the published tables are equal.

They are compared, cell by cell, with those of an undisturbed run on the embedded log
and engine: so it is shown, too, that both paths publish the same.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from flink_cluster import FlinkCluster
from kafka_server import KafkaServer
from process_tree import eventually, job_of, tree
from published_tables import LONG, published, sources
from streaming_stack import Stack

from pipeline.log.message_log import MessageLog

SHORT_VICTIMS = ("taskmanager-0", "broker", "load")
VICTIMS = (
    "broker",
    "jobmanager",
    "taskmanager-0",
    "taskmanager-1",
    "job-server",
    "workers",
    "connect",
    "process",
    "load",
    "run",
)
DRAIN_S = 1_500 if LONG else 150
PUBLISH_EVERY_S = 5.0 if LONG else 15.0
"""In the short form, forecasts that the next round makes void would cost the most."""


@pytest.mark.timeout(3_600 if LONG else 400)
def test_killed_in_turn_kafka_and_flink_publish_what_one_machine_does(
    tmp_path: Path,
    undisturbed: Path,
    kafka_server: KafkaServer,
    flink_cluster: FlinkCluster,
    request: pytest.FixtureRequest,
) -> None:
    stack = Stack(
        tmp_path / "disturbed",
        kafka_server.url,
        flink_cluster,
        f"once-{uuid4().hex[:8]}",
        sources=sources(undisturbed),
        publish_every_s=PUBLISH_EVERY_S,
    )
    request.addfinalizer(stack.end)
    stack.share_secret(undisturbed)
    expected = published(undisturbed)

    supervisor = stack.start("run")
    done = expected["about"][0][1]
    choose = random.Random(7)
    victims = [*VICTIMS, *VICTIMS] if LONG else list(SHORT_VICTIMS)
    if LONG:
        choose.shuffle(victims)
    fell_amid_work = 0
    with closing(stack.open_log()) as log:
        for number, victim in enumerate(victims):
            # One kill a share of the work: each falls while something is left to do.
            share = done * number // (len(victims) + 1)
            came = eventually(lambda share=share: tagged(log) > share, DRAIN_S)
            assert came, stack.said("run")
            time.sleep(choose.uniform(0.0, 2.0))
            fell_amid_work += tagged(log) < done
            if victim == "broker":
                kafka_server.kill()
                kafka_server.start()
            elif victim in flink_cluster.parts:
                flink_cluster.restart(victim)
            else:
                supervisor = kill_job(stack, supervisor, victim)
    assert fell_amid_work >= len(victims) * 2 // 3
    settled = eventually(lambda: is_settled(stack, done), DRAIN_S, every_s=0.5)
    assert settled, f"{stack.status()}\n{stack.said('run')}"
    supervisor.terminate()
    assert supervisor.wait(90) == 0
    stack.finish("load", "--once")

    found = published(stack.path)
    assert expected["about"][0][1] > 20_000
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name] == rows, name
    flink_cluster.tidy()
    kafka_server.forget(stack.prefix)


def tagged(log: MessageLog) -> int:
    """Records on the topic `tagged`, repetitions included."""
    return sum(end for _, end in log.bounds("tagged").values())


def is_settled(stack: Stack, messages: int) -> bool:
    """Whether all is on the log, tagged and loaded."""
    status = stack.status()
    waiting = (status.waiting_to_be_tagged, status.waiting_to_be_loaded)
    # Repeated pages count, too: only a source that has ended has nothing more to say.
    ended = all(source.state == "stopped" for source in status.sources)
    return ended and (status.messages or 0) >= messages and waiting == (0, 0)


def kill_job(
    stack: Stack, supervisor: subprocess.Popen[bytes], job: str
) -> subprocess.Popen[bytes]:
    """SIGKILL one of our processes; the supervisor that runs afterwards."""
    if job == "run":
        supervisor.kill()
        supervisor.wait()
        return stack.start("run")
    find: Callable[[], list[int]] = lambda: [  # noqa: E731 - asked again and again
        pid for pid in tree(supervisor.pid) if job_of(pid) == job
    ]
    assert eventually(lambda: bool(find()), 60), job
    os.kill(find()[0], signal.SIGKILL)
    return supervisor
