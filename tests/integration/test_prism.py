"""The tagging job on a real Prism, over SQLite and over a real Kafka."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_server import KafkaServer
from log_contents import append, read_all
from process_tree import alive, eventually, tree

from pipeline.config import load
from pipeline.errors import EngineError
from pipeline.jobs.prism import COMMAND, process_on_prism
from pipeline.jobs.stop import Stop
from pipeline.log.message_log import Entry, MessageLog, Topic
from pipeline.log.open import open_log
from pipeline.records import TaggedMessage, decode

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]
PRISM = ROOT / ".cache" / f"prism-{version('apache-beam')}"
PATIENCE_S = 200.0
FATES = 3
"""What is done to jobs over SQLite; each of them meets one fate."""
CONFIGURATION = """
[log]
url = "{url}"
prefix = "{prefix}"
[log.kafka]
partitions = 3
[tagging]
tagger = "lexicon"
poll_s = 0.2
"""


class Job:
    """The tagging job of one configuration, and its log."""

    def __init__(self, folder: Path, url: str, prefix: str = "prism") -> None:
        self._path = folder / "groundswell.toml"
        self._path.write_text(CONFIGURATION.format(url=url, prefix=prefix))
        self._output = folder / "said"
        self.config = load(self._path)
        self.log: MessageLog = open_log(self.config.log)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pipeline.cli", "process", *options]
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [*command, "--config", self._path],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"PATH": f"{PRISM}:/usr/bin:/bin"},
            )

    def finish(self, runner: str) -> None:
        process = self.start("--runner", runner, "--once")
        assert process.wait(PATIENCE_S) == 0, self.said()

    def said(self) -> str:
        return self._output.read_text()

    def append(self, numbers: range, topic: Topic = "messages") -> None:
        append(self.log, numbers, topic)

    def tagged(self) -> list[int]:
        values = (stored.value for stored in read_all(self.log, "tagged"))
        return sorted(int(decode(each, TaggedMessage).message.id) for each in values)

    def tags(self, count: int) -> bool:
        """Whether so many different messages are tagged in good time."""
        return eventually(lambda: len(set(self.tagged())) == count, PATIENCE_S)


@pytest.fixture(scope="module", autouse=True)
def _prism() -> None:
    if not (PRISM / "prism").exists():
        pytest.skip("no Prism here: `make test` builds it where there is Go 1.26")


Running = tuple[Job, subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    """Jobs over SQLite, side by side: most of a start keeps one core busy."""
    with ExitStack() as stack:
        started = []
        for _ in range(FATES):
            folder = tmp_path_factory.mktemp("job")
            job = Job(folder, f"sqlite:{folder}/log.sqlite")
            stack.enter_context(closing(job.log))
            job.append(range(10))
            process = stack.enter_context(job.start("--runner", "prism"))
            stack.callback(process.kill)
            started.append((job, process))
        yield [*started]


@pytest.fixture
def running(started: list[Running]) -> Running:
    """One of them, up and tagging, to do with as one likes."""
    job, process = started.pop()
    assert job.tags(10), job.said()
    return job, process


@pytest.fixture
def on_kafka(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[Job]:
    prefix = f"prism-{uuid4().hex[:8]}"
    job = Job(tmp_path, kafka_server.url, prefix)
    with closing(job.log):
        yield job
    kafka_server.forget(prefix)


def test_prism_and_the_local_runner_go_on_where_the_other_stopped(
    on_kafka: Job,
) -> None:
    job = on_kafka
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
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in processes]
        assert not any("/torch/" in each for each in maps)
        process.terminate()
        assert process.wait(30) == 0, job.said()
        assert not [pid for pid in processes if alive(pid)]
    finally:
        process.kill()
        process.wait()


def test_a_killed_job_leaves_no_process_behind(running: Running) -> None:
    _, process = running
    processes = list(tree(process.pid))
    process.kill()
    process.wait()
    gone = eventually(lambda: not [pid for pid in processes if alive(pid)], 20)
    assert gone


@pytest.mark.parametrize("victim", [b"worker_process", b"prism"])
def test_a_job_that_lost_a_part_ends_and_says_so(
    running: Running, victim: bytes
) -> None:
    job, process = running
    os.kill(process_of(process.pid, victim), signal.SIGKILL)
    assert process.wait(30) == 1, job.said()
    last = job.said().splitlines()[-1]
    assert last.startswith("groundswell: Prism ended the job")
    assert "Traceback" not in job.said()


def process_of(parent: int, name: bytes) -> int:
    """The process below `parent` that runs a module or program of this name."""
    for pid in tree(parent):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        module = command[2] if command[1] == b"-m" else command[0]
        if re.search(rb"(^|[./])" + name + rb"$", module):
            return pid
    raise AssertionError(name)


def test_without_prism_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(tmp_path, f"sqlite:{tmp_path}/log.sqlite")
    job.log.close()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError) as caught:
        process_on_prism(job.config, Stop())
    said = str(caught.value)
    assert said.startswith("Prism is not on the PATH: install it with")
    assert f"`go install {COMMAND}@v{version('apache-beam')}`" in said


def test_the_prism_that_is_built_is_of_the_beam_that_is_installed() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"go install {COMMAND}@v{version('apache-beam')}\n" in text
    assert f"PRISM_BUILT := .cache/{PRISM.name}/prism\n" in text
