"""The tagging job on Prism, Beam's own small engine, on this machine alone.

Prism keeps all that it knows in memory: whoever starts the job again goes on from
the log's positions. It listens on every address of the machine and asks nobody who
they are, so it belongs where no stranger reaches its ports.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from typing import Any

import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from pipeline.config import Config
from pipeline.errors import EngineError
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.retention import Retention
from pipeline.jobs.stop import Stop
from pipeline.jobs.streaming import build
from pipeline.jobs.worker import worker_pool
from pipeline.log.message_log import MessageLog
from pipeline.log.open import open_log
from pipeline.transforms.positions import Bounds, adopt, bounds_of, reached

LOOPBACK = "127.0.0.1"
POLL_S = 0.5
START_S = 60.0
ENDED = "Prism ended the job, for the reason it gave above: start it again"
COMMAND = "github.com/apache/beam/sdks/v2/go/cmd/prism"


def process_on_prism(config: Config, stop: Stop, *, once: bool = False) -> None:
    """Tag the messages on the log until `stop`; with `once`, only what is there.

    Raises:
        BusyError: another process does this job.
        EngineError: Prism is missing or failed.
        LogError: the log cannot be used.
    """
    prism = _found()
    with (
        exclusive(lock_path(config, "process"), "process"),
        closing(open_log(config.log, stop.is_set)) as message_log,
    ):
        wanted = bounds_of(message_log) if once else None
        if wanted is None or not reached(message_log, wanted):
            _process(prism, config, message_log, stop, wanted)


def _process(
    prism: str,
    config: Config,
    message_log: MessageLog,
    stop: Stop,
    wanted: Bounds | None,
) -> None:
    adopt(message_log)
    retention = Retention(message_log)
    with worker_pool(LOOPBACK, 0) as (pool, workers), _running(prism) as engine:
        options = _options(engine, f"{LOOPBACK}:{workers}")
        job = _submitted(config, options)
        while not stop.wait(POLL_S):
            if pool.bury() or not _runs(job):
                raise EngineError(ENDED)
            retention.enforce_when_due()
            if wanted is not None and reached(message_log, wanted):
                break


def _found() -> str:
    prism = shutil.which("prism")
    if prism is None:
        raise EngineError(
            f"Prism is not on the PATH: install it with `go install {COMMAND}"
            f"@v{version('apache-beam')}`, or set another [tagging] runner"
        )
    return prism


@contextmanager
def _running(prism: str) -> Iterator[str]:
    """The address of a Prism that ends with the block, or with this thread."""
    port = _free_port()
    command = [prism, f"--job_port={port}", "--serve_http=false", "--log_level=error"]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipeline.jobs.prism_process", str(os.getpid())),
            *command,
        ],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,  # Ctrl-C on a terminal is for us to answer
    )
    try:
        _await(process, port)
        yield f"{LOOPBACK}:{port}"
    finally:
        process.kill()  # it has nothing to put in order
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection((LOOPBACK, port), 1.0).close()
            return
        time.sleep(0.1)
    raise EngineError("Prism did not start: see what it said above")


def _submitted(config: Config, options: PipelineOptions) -> Any:
    try:
        return build(config, options, hold_watermark=False).run()
    except grpc.RpcError as error:
        raise EngineError(ENDED) from error


def _runs(job: Any) -> bool:
    try:
        return not PipelineState.is_terminal(job.state)
    except grpc.RpcError:
        return False


def _options(engine: str, workers: str) -> PipelineOptions:
    return PipelineOptions(
        [
            "--runner=PortableRunner",
            f"--job_endpoint={engine}",
            "--environment_type=EXTERNAL",
            f"--environment_config={workers}",
            "--streaming",
        ]
    )
