"""Who looks after the job on Flink, beside a stand-in of its REST interface."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from process_tree import eventually
from structlog.testing import capture_logs

from pipeline.config import (
    Config,
    FlinkSettings,
    KafkaSettings,
    LogSettings,
    WarehouseSettings,
)
from pipeline.errors import EngineError
from pipeline.jobs import flink as launcher
from pipeline.jobs import flink_rest
from pipeline.jobs.flink_rest import FlinkRest, RefusedError, UnreachableError
from pipeline.jobs.stop import Stop
from pipeline.log.message_log import Entry
from pipeline.testing import MemoryLog
from pipeline.transforms.positions import KEY, encode_positions

pytestmark = pytest.mark.timeout(60)
PATIENCE_S = 20.0


class FakeFlink(ThreadingHTTPServer):
    """A JobManager, and a job server that it accepts connections for.

    `begins` are the states in which the next jobs that are submitted come up.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jobs: list[dict[str, Any]] = []
        self.begins: list[str] = []
        self.saves = True
        self.answers: dict[str, int] = {}
        self.asked: list[str] = []
        self.submitted: list[dict[str, str]] = []
        self.restored = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def submit(self, flags: list[str]) -> None:
        options = dict(flag.lstrip("-").split("=", 1) for flag in flags if "=" in flag)
        self.submitted.append(options)
        self.add(options["job_name"], self.begins.pop(0) if self.begins else "RUNNING")

    def add(self, name: str, state: str = "RUNNING") -> str:
        count = len(self.jobs)
        job = {"jid": f"j{count}", "name": name, "state": state, "start-time": count}
        self.jobs.append(job)
        return f"j{count}"

    def states(self) -> list[str]:
        return [job["state"] for job in self.jobs]

    def end(self, job_id: str, state: str) -> None:
        for job in self.jobs:
            if job["jid"] == job_id:
                job["state"] = state

    def answer(self, method: str, path: str) -> Any:
        match method, path.partition("?")[0].strip("/").split("/"):
            case "GET", ["jobs", "overview"]:
                return {"jobs": self.jobs}
            case "GET", ["jobs", _, "checkpoints"]:
                return {"counts": {"restored": self.restored}}
            case "POST", ["jobs", job_id, "stop"]:
                if self.saves:
                    self.end(job_id, "FINISHED")
                return {"request-id": "t"}
            case "GET", ["jobs", job_id, "savepoints", "t"]:
                location = {"location": f"file:/saved/{job_id}"} if self.saves else {}
                return {"status": {"id": "COMPLETED"}, "operation": location}
            case "PATCH", ["jobs", job_id]:
                self.end(job_id, "CANCELED")
                return {}
        return None


class _Handler(BaseHTTPRequestHandler):
    server: FakeFlink

    def do_GET(self) -> None:
        asked = f"{self.command} {self.path}"
        self.server.asked.append(asked)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = next(
            (code for part, code in self.server.answers.items() if part in asked), 200
        )
        answer = self.server.answer(self.command, self.path) if status == 200 else {}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_GET  # noqa: N815 - named by http.server

    def log_message(self, *_: object) -> None:
        pass


class Running:
    """The launcher in a thread of its own."""

    def __init__(self, config: Config, *, once: bool = False) -> None:
        self.stop = Stop()
        self.error: BaseException | None = None
        self._once = once
        self._config = config
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            launcher.process_on_flink(self._config, self.stop, once=self._once)
        except EngineError as error:
            self.error = error

    def end(self) -> None:
        self.stop.set()
        self.wait()

    def wait(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def flink() -> Iterator[FakeFlink]:
    with FakeFlink() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def config(
    tmp_path: Path, flink: FakeFlink, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> Config:
    def build(_config: Config, options: Any, *, hold_watermark: bool) -> Any:
        assert hold_watermark

        class Pipeline:
            def run(self) -> None:
                flink.submit(options._flags)

        return Pipeline()

    monkeypatch.setattr(launcher, "build", build)
    monkeypatch.setattr(launcher, "open_log", lambda *_: log)
    for name in ("POLL_S", "FIRST_PAUSE_S"):
        monkeypatch.setattr(launcher, name, 0.01)
    monkeypatch.setattr(flink_rest, "POLL_S", 0.01)
    return Config(
        log=LogSettings(
            url="kafka://127.0.0.1:9", prefix="our-team", kafka=KafkaSettings()
        ),
        warehouse=WarehouseSettings(path=f"{tmp_path}/w.duckdb"),
        flink=FlinkSettings(
            rest=f"http://{flink.address}",
            job_server=flink.address,
            savepoints="file:///saved",
        ),
    )


def runs(flink: FakeFlink, count: int = 1) -> bool:
    return eventually(lambda: flink.states().count("RUNNING") == count, PATIENCE_S)


def looks(flink: FakeFlink, times: int) -> None:
    """Wait until the launcher has looked at the jobs so often again."""
    wanted = len(flink.asked) + 2 * times
    assert eventually(lambda: len(flink.asked) >= wanted, PATIENCE_S)


def saved(log: MemoryLog) -> str:
    return str(msgspec.json.decode(log.latest("cursors")[launcher.SAVEPOINT_KEY]))


def with_parallelism(config: Config, parallelism: int) -> Config:
    settings = msgspec.structs.replace(config.flink, parallelism=parallelism)
    return msgspec.structs.replace(config, flink=settings)


def test_it_submits_the_job_and_stops_it_with_a_savepoint(
    flink: FakeFlink, config: Config, log: MemoryLog
) -> None:
    running = Running(config)
    assert runs(flink)
    (options,) = flink.submitted
    assert options["job_name"].startswith("groundswell-our-team-")
    assert options["environment_config"] == config.flink.workers
    assert options["checkpointing_interval"] == "10000"
    assert "savepoint_path" not in options
    running.end()
    assert flink.states() == ["FINISHED"]
    assert saved(log) == "file:/saved/j0"


def test_it_attaches_to_its_job_and_leaves_those_of_others(
    flink: FakeFlink, config: Config
) -> None:
    name = f"groundswell-our-team-{launcher._digest(config)}"
    flink.add("groundswell-our-team-east-0a1b2c3d")
    flink.add("groundswell-our-0a1b2c3d")
    flink.add(name)
    running = Running(config)
    looks(flink, 3)
    running.end()
    assert flink.submitted == []
    assert flink.states() == ["RUNNING", "RUNNING", "FINISHED"]


def test_a_job_of_another_configuration_is_replaced_from_its_savepoint(
    flink: FakeFlink, config: Config
) -> None:
    running = Running(config)
    assert runs(flink)
    old = flink.submitted[0]["job_name"]
    running.stop.set()
    flink.answers["POST"] = 503  # it dies, and its job goes on
    running.wait()
    flink.answers.clear()
    assert flink.states() == ["RUNNING"]
    running = Running(with_parallelism(config, 3))
    assert eventually(lambda: flink.states() == ["FINISHED", "RUNNING"], PATIENCE_S)
    running.end()
    new = flink.submitted[1]
    assert new["job_name"] != old
    assert new["parallelism"] == "3"
    assert new["savepoint_path"] == "file:/saved/j0"


def test_of_two_jobs_of_one_name_one_is_ended(flink: FakeFlink, config: Config) -> None:
    name = f"groundswell-our-team-{launcher._digest(config)}"
    flink.add(name)
    flink.add(name)
    running = Running(config)
    assert eventually(lambda: flink.states() == ["FINISHED", "RUNNING"], PATIENCE_S)
    running.end()


def test_a_savepoint_is_used_on_the_next_start_and_once_only(
    flink: FakeFlink, config: Config, log: MemoryLog
) -> None:
    running = Running(config)
    assert runs(flink)
    running.end()
    running = Running(config)
    assert runs(flink)
    assert eventually(lambda: saved(log) == "", PATIENCE_S)
    flink.jobs.clear()  # the JobManager died, and forgot all
    assert eventually(lambda: len(flink.submitted) == 3, PATIENCE_S)
    running.end()
    used = [options.get("savepoint_path") for options in flink.submitted]
    assert used == [None, "file:/saved/j0", None]


def test_a_savepoint_that_cannot_be_used_gives_way_to_the_positions(
    flink: FakeFlink, config: Config, log: MemoryLog
) -> None:
    value = msgspec.json.encode("file:/saved/of-another-release")
    log.append("cursors", [Entry(launcher.SAVEPOINT_KEY, value)])
    flink.begins = ["FAILED"]
    with capture_logs() as lines:
        running = Running(config)
        assert eventually(lambda: flink.states() == ["FAILED", "RUNNING"], PATIENCE_S)
        running.end()
    assert "savepoint_path" in flink.submitted[0]
    assert "savepoint_path" not in flink.submitted[1]
    events = [line["event"] for line in lines]
    assert "savepoint-not-used" in events
    assert "flink-job-failed" not in events


def test_pauses_grow_while_jobs_fail_at_once(
    flink: FakeFlink, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "LAST_PAUSE_S", 0.03)
    flink.begins = ["FAILED"] * 4
    with capture_logs() as lines:
        running = Running(config)
        assert runs(flink)
        running.end()
    failed = [line for line in lines if line["event"] == "flink-job-failed"]
    assert [line["again_in_s"] for line in failed] == [0.01, 0.02, 0.03, 0.03]


def test_a_job_that_waits_for_slots_is_not_submitted_again(
    flink: FakeFlink, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "SUBMIT_S", 0.05)
    flink.begins = ["CREATED"]
    running = Running(config)
    looks(flink, 5)
    assert len(flink.submitted) == 1
    running.end()


def test_asked_to_end_while_it_submits_it_leaves_no_job_behind(
    flink: FakeFlink, config: Config
) -> None:
    flink.begins = ["INITIALIZING"]
    flink.saves = False
    running = Running(config)
    assert eventually(lambda: len(flink.submitted) == 1, PATIENCE_S)
    running.end()
    assert flink.states() == ["CANCELED"]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_while_flink_is_away_it_waits_and_says_so_once(
    flink: FakeFlink, config: Config, status: int
) -> None:
    flink.answers["GET"] = status
    with capture_logs() as lines:
        running = Running(config)
        assert eventually(lambda: len(flink.asked) > 5, PATIENCE_S)
        assert flink.submitted == []
        flink.answers.clear()
        assert runs(flink)
        running.end()
    assert [line["event"] for line in lines].count("flink-unreachable") == 1
    assert running.error is None


def test_while_the_job_server_is_away_no_savepoint_is_spent(
    flink: FakeFlink, config: Config, log: MemoryLog
) -> None:
    value = msgspec.json.encode("file:/saved/j9")
    log.append("cursors", [Entry(launcher.SAVEPOINT_KEY, value)])
    settings = msgspec.structs.replace(config.flink, job_server="127.0.0.1:9")
    with capture_logs() as lines:
        running = Running(msgspec.structs.replace(config, flink=settings))
        assert eventually(lambda: len(flink.asked) > 5, PATIENCE_S)
        running.end()
    assert flink.submitted == []
    assert saved(log) == "file:/saved/j9"
    (line,) = [line for line in lines if line["event"] == "flink-unreachable"]
    assert "the Beam job server does not answer at 127.0.0.1:9" in line["error"]


def test_after_long_enough_it_gives_up(flink: FakeFlink, config: Config) -> None:
    flink.answers["GET"] = 503
    kafka = msgspec.structs.replace(config.log.kafka, give_up_after_s=0.1)
    settings = msgspec.structs.replace(config.log, kafka=kafka)
    running = Running(msgspec.structs.replace(config, log=settings))
    running.wait()
    assert isinstance(running.error, UnreachableError)
    assert "start it, or set another [flink] rest" in str(running.error)


def test_where_no_savepoint_can_be_made_the_job_is_cancelled(
    flink: FakeFlink, config: Config, log: MemoryLog
) -> None:
    flink.saves = False
    with capture_logs() as lines:
        running = Running(config)
        assert runs(flink)
        running.end()
    assert flink.states() == ["CANCELED"]
    assert launcher.SAVEPOINT_KEY not in log.latest("cursors") or saved(log) == ""
    (line,) = [line for line in lines if line["event"] == "savepoint-failed"]
    assert "file:///saved" in line["error"]


@pytest.mark.parametrize("status", [404, 409])
def test_a_job_that_ended_before_it_was_cancelled_is_no_failure(
    flink: FakeFlink, config: Config, status: int
) -> None:
    flink.saves = False
    flink.answers["PATCH"] = status
    running = Running(config)
    assert runs(flink)
    running.end()
    assert running.error is None


def test_what_flink_refuses_is_an_error(flink: FakeFlink) -> None:
    flink.answers["PATCH"] = 500
    with pytest.raises(RefusedError, match="Flink answered 500 to PATCH /jobs/j0"):
        FlinkRest(f"http://{flink.address}").cancel("j0")


def test_restarts_are_told_and_a_job_forgotten_meanwhile_is_no_failure(
    flink: FakeFlink, config: Config
) -> None:
    flink.restored = 4
    with capture_logs() as lines:
        running = Running(config)
        assert runs(flink)
        looks(flink, 3)
        flink.restored = 5
        looks(flink, 3)
        flink.answers["checkpoints"] = 404
        looks(flink, 3)
        running.end()
    assert running.error is None
    told = [line for line in lines if line["event"] == "flink-job-restarted"]
    assert [line["restarts"] for line in told] == [5]


def test_a_job_that_does_nothing_while_messages_wait_is_started_anew(
    flink: FakeFlink,
    config: Config,
    log: MemoryLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launcher, "STUCK_S", 0.1)
    running = Running(config)
    assert runs(flink)
    looks(flink, 20)
    assert len(flink.submitted) == 1
    log.append("messages", [Entry("k", b"")])
    # The new one does nothing either, and will not last.
    assert eventually(lambda: len(flink.submitted) > 1, PATIENCE_S)
    assert "CANCELED" in flink.states()
    running.end()


def test_once_ends_when_what_was_there_is_tagged(
    flink: FakeFlink, config: Config, log: MemoryLog
) -> None:
    log.append("messages", [Entry("k", b"")])
    running = Running(config, once=True)
    assert runs(flink)
    looks(flink, 2)
    done = encode_positions({("messages", 0): 1})
    log.append("cursors", [Entry(f"{KEY}/0", done)])
    running.wait()
    assert flink.states() == ["FINISHED"]


def test_once_starts_nothing_where_nothing_waits(
    flink: FakeFlink, config: Config
) -> None:
    Running(config, once=True).wait()
    assert flink.asked == []
