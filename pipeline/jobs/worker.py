"""Serves the Python side of Flink: starts a worker process for each TaskManager.

A TaskManager asks at this address for a worker, and the worker talks to it alone.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import structlog
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from pipeline.errors import InputError
from pipeline.jobs.stop import Stop

POLL_S = 0.5
KILL_S = 5.0
"""What a worker gets to end in when asked to."""
WORKER = (sys.executable, "-m", "pipeline.jobs.worker_process")
# Else the system lets two pools listen at one address, and share who asks.
ALONE = [("grpc.so_reuseport", 0)]

log = structlog.get_logger()


def serve_workers(host: str, port: int, stop: Stop) -> None:
    """Start workers for whoever asks at `host`:`port` until `stop`.

    Who reaches it can make it run a job: let it listen where TaskManagers alone are.

    Raises:
        InputError: the address cannot be used.
    """
    with worker_pool(host, port) as (pool, bound):
        log.info("workers-served", host=host, port=bound)
        while not stop.wait(POLL_S):
            pool.bury()


@contextmanager
def worker_pool(host: str, port: int) -> Iterator[tuple["WorkerPool", int]]:
    """A pool that listens while the block runs, and its port; 0 is any free one.

    Raises:
        InputError: the address cannot be used.
    """
    pool = WorkerPool()
    server = grpc.server(shared_unbounded_instance(), options=ALONE)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise InputError(
            f"nobody can listen at {host}:{port}: choose another --host or --port"
        ) from error
    server.start()
    try:
        yield pool, bound
    finally:
        server.stop(grace=None).wait()
        pool.end()


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """The worker processes that run.

    Beam's own pool starts whatever `python` it finds first, never takes notice of a
    worker's end, and lets it hang once it has written 64 kB to its standard output.
    """

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def StartWorker(  # noqa: N802 - the name in Beam's protocol
        self, request: Any, _context: Any
    ) -> Any:
        """Start a worker that takes its orders at the control endpoint."""
        endpoint = request.control_endpoint.url
        with self._lock:
            process = subprocess.Popen(
                [*WORKER, endpoint, request.worker_id, str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
            )
            self._processes.append(process)
        log.info("worker-started", pid=process.pid)
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(  # noqa: N802 - the name in Beam's protocol
        self, _request: Any, _context: Any
    ) -> Any:
        """Workers end when their TaskManager lets go of them; see `bury`."""
        return beam_fn_api_pb2.StopWorkerResponse()

    def bury(self) -> int:
        """Let go of workers that have ended; how many those are."""
        with self._lock:
            ended = [each for each in self._processes if each.poll() is not None]
            for process in ended:
                log.info("worker-ended", pid=process.pid, status=process.returncode)
                self._processes.remove(process)
        return len(ended)

    def end(self) -> None:
        """End all workers."""
        with self._lock:
            for process in self._processes:
                process.terminate()
            for process in self._processes:
                try:
                    process.wait(KILL_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
