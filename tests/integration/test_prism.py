"""The tagging job on a real Prism, over SQLite and over a real Kafka."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_server import KafkaServer
from log_contents import read_all
from process_tree import alive, eventually, tree

from pipeline.config import load
from pipeline.jobs.prism import COMMAND
from pipeline.log.message_log import Entry, MessageLog, Topic
from pipeline.log.open import open_log
from pipeline.records import Message, TaggedMessage, decode, encode

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]
PRISM = ROOT / ".cache" / f"prism-{version('apache-beam')}"
PATIENCE_S = 100.0
CONFIGURATION = """
[log]
url = "{url}"
prefix = "{prefix}"
[log.kafka]
partitions = 3
[tagging]
poll_s = 0.2
"""


class Job:
    """The tagging job of one configuration, and its log."""

    def __init__(self, folder: Path, url: str, prefix: str = "prism") -> None:
        self._path = folder / "groundswell.toml"
        self._path.write_text(CONFIGURATION.format(url=url, prefix=prefix))
        self._output = folder / "said"
        self.log: MessageLog = open_log(load(self._path).log)

    def start(self, *options: str, path: Path = PRISM) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pipeline.cli", "process", *options]
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [*command, "--config", self._path],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"PATH": f"{path}:/usr/bin:/bin"},
            )

    def finish(self, runner: str) -> None:
        process = self.start("--runner", runner, "--once")
        assert process.wait(PATIENCE_S) == 0, self.said()

    def said(self) -> str:
        return self._output.read_text()

    def append(self, numbers: range, topic: Topic = "messages") -> None:
        entries = [Entry(f"{number}", encode(message(number))) for number in numbers]
        self.log.append(topic, entries)

    def tagged(self) -> list[int]:
        values = (stored.value for stored in read_all(self.log, "tagged"))
        return sorted(int(decode(each, TaggedMessage).message.id) for each in values)

    def tags(self, count: int) -> bool:
        """Whether so many different messages are tagged in good time."""
        return eventually(lambda: len(set(self.tagged())) == count, PATIENCE_S)


def message(number: int) -> Message:
    now = datetime.now(UTC)
    return Message(
        source="test",
        platform="test",
        id=f"{number}",
        channel="c",
        thread="t",
        author=f"{number % 9:016x}",
        sent_at=now,
        seen_at=now,
        text="This is so annoying, I hate this broken build",
    )


@pytest.fixture(scope="module", autouse=True)
def _prism() -> None:
    if not (PRISM / "prism").exists():
        pytest.skip("no Prism here: `make test` builds it where there is Go 1.26")


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Job]:
    job = Job(tmp_path, f"sqlite:{tmp_path}/log.sqlite")
    with closing(job.log):
        yield job


@pytest.fixture
def on_kafka(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[Job]:
    prefix = f"prism-{uuid4().hex[:8]}"
    job = Job(tmp_path, kafka_server.url, prefix)
    with closing(job.log):
        yield job
    kafka_server.forget(prefix)


def test_prism_and_the_local_runner_go_on_where_the_other_stopped(
    on_sqlite: Job,
) -> None:
    job = on_sqlite
    job.append(range(200))
    job.finish("local")
    job.append(range(200, 400))
    job.append(range(400, 600), "history")
    job.log.append("messages", [Entry("poison", b"\xff")])
    job.finish("prism")
    assert job.tagged() == list(range(600))
    assert len(read_all(job.log, "dead-letters")) == 1
    job.append(range(600, 700))
    job.finish("local")
    assert job.tagged() == list(range(700))
    lines = job.said().splitlines()
    assert [line for line in lines if line.endswith(" event=worker-started")]
    assert not [line for line in lines if not re.search(r" event=[a-z-]+$", line)]


def test_on_kafka_it_tags_until_it_is_asked_to_end(on_kafka: Job) -> None:
    job = on_kafka
    job.append(range(100))
    process = job.start("--runner", "prism")
    try:
        assert job.tags(100), job.said()
        job.append(range(100, 200))
        job.append(range(200, 300), "history")
        assert job.tags(300), job.said()
        processes = list(tree(process.pid))
        assert len(processes) == 3
        process.terminate()
        assert process.wait(30) == 0, job.said()
        assert not [pid for pid in processes if alive(pid)]
    finally:
        process.kill()
        process.wait()


def test_a_killed_job_leaves_no_process_behind(on_sqlite: Job) -> None:
    on_sqlite.append(range(10))
    process = on_sqlite.start("--runner", "prism")
    try:
        assert on_sqlite.tags(10), on_sqlite.said()
        processes = list(tree(process.pid))
    finally:
        process.kill()
        process.wait()
    gone = eventually(lambda: not [pid for pid in processes if alive(pid)], 20)
    assert gone


@pytest.mark.parametrize("victim", [b"worker_process", b"prism"])
def test_a_job_that_lost_a_part_ends_and_says_so(on_sqlite: Job, victim: bytes) -> None:
    on_sqlite.append(range(10))
    process = on_sqlite.start("--runner", "prism")
    try:
        assert on_sqlite.tags(10), on_sqlite.said()
        os.kill(process_of(process.pid, victim), signal.SIGKILL)
        assert process.wait(30) == 1, on_sqlite.said()
    finally:
        process.kill()
        process.wait()
    last = on_sqlite.said().splitlines()[-1]
    assert last.startswith("groundswell: Prism ended the job")
    assert "Traceback" not in on_sqlite.said()


def process_of(parent: int, name: bytes) -> int:
    """The process below `parent` that runs a module or program of this name."""
    for pid in tree(parent):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        module = command[2] if command[1] == b"-m" else command[0]
        if re.search(rb"(^|[./])" + name + rb"$", module):
            return pid
    raise AssertionError(name)


def test_without_prism_it_says_how_to_get_it(on_sqlite: Job) -> None:
    process = on_sqlite.start("--runner", "prism", path=Path("/nowhere"))
    assert process.wait(PATIENCE_S) == 1
    (line,) = on_sqlite.said().splitlines()
    assert line.startswith("groundswell: Prism is not on the PATH: install it with")
    assert f"`go install {COMMAND}@v{version('apache-beam')}`" in line


def test_the_prism_that_is_built_is_of_the_beam_that_is_installed() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"go install {COMMAND}@v{version('apache-beam')}\n" in text
    assert f"PRISM_BUILT := .cache/{PRISM.name}/prism\n" in text
