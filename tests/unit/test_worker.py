"""Worker processes: started for whoever asks, and never left behind."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance
from process_tree import alive, eventually, tree
from structlog.testing import capture_logs

from pipeline.errors import InputError
from pipeline.jobs import worker, worker_process
from pipeline.jobs.stop import Stop
from pipeline.jobs.worker import WorkerPool, serve_workers, worker_pool

pytestmark = pytest.mark.timeout(120)
LOOPBACK = "127.0.0.1"
PATIENCE_S = 60.0
WAITS = "import time; time.sleep(600)"
ENDS = "raise SystemExit(7)"
STAYS = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "open(sys.argv[2], 'w').close(); time.sleep(600)"
)


def becomes(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let workers be a small script, as Beam takes seconds to import."""
    monkeypatch.setattr(worker, "WORKER", (sys.executable, "-c", script))


def ask(port: int, name: str = "1-1") -> None:
    """Ask the pool for a worker as a TaskManager does."""
    request = beam_fn_api_pb2.StartWorkerRequest(worker_id=name)
    request.control_endpoint.url = "127.0.0.1:9"
    with grpc.insecure_channel(f"{LOOPBACK}:{port}") as channel:
        stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        stub.StartWorker(request, timeout=PATIENCE_S)
        stub.StopWorker(
            beam_fn_api_pb2.StopWorkerRequest(worker_id=name), timeout=PATIENCE_S
        )


def children() -> list[int]:
    return [pid for pid in tree(os.getpid()) if pid != os.getpid() and alive(pid)]


def test_who_asks_gets_a_worker_that_ends_with_the_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    becomes(monkeypatch, WAITS)
    with worker_pool(LOOPBACK, 0) as (pool, port):
        ask(port)
        ask(port)
        workers = [process.pid for process in pool._processes]
        assert set(workers) <= set(children())
        assert len(workers) == 2
        assert pool.bury() == 0
    assert not set(workers) & set(children())


def test_a_worker_that_ended_is_buried_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    becomes(monkeypatch, ENDS)
    with capture_logs() as lines, worker_pool(LOOPBACK, 0) as (pool, port):
        ask(port)
        assert eventually(lambda: pool.bury() == 1, PATIENCE_S)
        assert pool.bury() == 0
    assert [line["event"] for line in lines] == ["worker-started", "worker-ended"]
    assert lines[1]["status"] == 7


def test_a_worker_that_does_not_listen_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    becomes(monkeypatch, STAYS)
    monkeypatch.setattr(worker, "KILL_S", 0.2)
    with worker_pool(LOOPBACK, 0) as (pool, port):
        ask(port, f"{tmp_path}/ready")
        assert eventually((tmp_path / "ready").exists, PATIENCE_S)
        (process,) = pool._processes
    assert process.returncode == -signal.SIGKILL


def test_workers_are_served_until_it_is_asked_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    becomes(monkeypatch, ENDS)
    stop = Stop()
    with capture_logs() as lines:
        serving = threading.Thread(target=serve_workers, args=[LOOPBACK, 0, stop])
        serving.start()
        assert eventually(lambda: bool(lines), PATIENCE_S)
        ask(lines[0]["port"])
        assert eventually(lambda: lines[-1]["event"] == "worker-ended", PATIENCE_S)
        stop.set()
        serving.join(PATIENCE_S)
    assert not serving.is_alive()


def test_an_address_in_use_is_one_sentence() -> None:
    with (
        worker_pool(LOOPBACK, 0) as (_, port),
        pytest.raises(InputError, match=f"nobody can listen at {LOOPBACK}:{port}: "),
    ):
        serve_workers(LOOPBACK, port, Stop())


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of somebody who takes connections and says nothing."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_worker_ends_when_its_pool_is_killed(silent: int) -> None:
    module = "-m pipeline.jobs.worker_process"
    script = f"{sys.executable} {module} {LOOPBACK}:{silent} w $$ & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as pool:
        assert pool.stdout
        pid = int(pool.stdout.readline())
        pool.kill()
    assert eventually(lambda: not alive(pid), PATIENCE_S)


class _Control(beam_fn_api_pb2_grpc.BeamFnControlServicer):
    """An engine that takes a worker, and then hangs up."""

    def Control(self, _responses: Any, context: Any) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.UNAVAILABLE, "Multiplexer hanging up")


def test_a_worker_whose_engine_hangs_up_says_so_in_one_line() -> None:
    server = grpc.server(shared_unbounded_instance())
    beam_fn_api_pb2_grpc.add_BeamFnControlServicer_to_server(_Control(), server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    server.start()
    module = ["-m", "pipeline.jobs.worker_process"]
    run = subprocess.run(
        [sys.executable, *module, f"{LOOPBACK}:{port}", "w", str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    server.stop(None).wait()
    assert run.returncode == worker_process.HUNG_UP
    (line,) = run.stderr.splitlines()
    assert "level=info" in line
    assert 'details="Multiplexer hanging up" event=engine-hung-up' in line


class _Lost(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "why"


def hook(error: BaseException) -> None:
    arguments = [type(error), error, None, threading.current_thread()]
    worker_process._on_thread_error(threading.ExceptHookArgs(arguments))


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (grpc.StatusCode.CANCELLED, "info"),
        (grpc.StatusCode.UNAVAILABLE, "info"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "error"),
    ],
)
def test_a_lost_call_ends_the_worker(
    monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode, level: str
) -> None:
    ended: list[int] = []

    def end(status: int) -> None:
        ended.append(status)
        raise SystemExit

    monkeypatch.setattr(os, "_exit", end)
    with capture_logs() as lines, pytest.raises(SystemExit):
        hook(_Lost(code))
    assert ended == [worker_process.HUNG_UP]
    assert lines == [
        {
            "event": "engine-hung-up",
            "log_level": level,
            "code": code.name,
            "details": "why",
        }
    ]


def test_other_errors_of_threads_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    hook(ValueError("a fault of ours"))
    assert "ValueError: a fault of ours" in capsys.readouterr().err


def test_of_the_data_plane_only_lost_calls_are_kept_quiet(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data_plane = logging.getLogger("apache_beam.runners.worker.data_plane")
    levels = {
        name: logging.getLogger(f"apache_beam.runners.{name}").level
        for name in ("common", "worker.sdk_worker")
    }
    try:
        worker_process._quieten_beam()
        for error in (_Lost(grpc.StatusCode.UNAVAILABLE), ValueError("a fault")):
            data_plane.error("Failed to read inputs", exc_info=error)
        data_plane.error("something else")
    finally:
        data_plane.filters.clear()
        for name, level in levels.items():
            logging.getLogger(f"apache_beam.runners.{name}").setLevel(level)
    assert len(caplog.records) == 2
    assert "ValueError: a fault" in caplog.text


def test_a_pool_without_workers_ends() -> None:
    WorkerPool().end()
