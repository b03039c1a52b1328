"""A worker process: runs what a TaskManager, or Prism, asks for until it lets go.

Arguments: the control endpoint, the worker's id, the process of the pool.
"""

import logging
import os
import sys
import threading
import time
from typing import Any

import grpc
import structlog

from pipeline.jobs.logs import configure_logs, quieten_bundles

POLL_S = 1.0
HUNG_UP = 3
"""The exit status of a worker whose engine has gone."""
ORDERLY = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE})
"""How calls end when their other end does."""

log = structlog.get_logger()


def main(control_endpoint: str, worker_id: str, pool: int) -> None:
    """Serve the endpoint until its stream ends, or the pool that started us does."""
    configure_logs(sys.stderr)
    _quieten_beam()
    threading.excepthook = _on_thread_error
    threading.Thread(target=_end_with, args=[pool], daemon=True).start()
    # Beam logs while it is imported.
    from apache_beam.runners.worker.sdk_worker import SdkHarness  # noqa: PLC0415

    # Before the first job makes Beam import its own.
    import pipeline.transforms.run_inference  # noqa: F401, PLC0415

    try:
        SdkHarness(control_endpoint, worker_id=worker_id).run()
    except grpc.RpcError as error:
        _hang_up(error)


def _quieten_beam() -> None:
    """Leave it one of the three tracebacks of a failed bundle, none of a lost call."""
    quieten_bundles()
    data_plane = logging.getLogger("apache_beam.runners.worker.data_plane")
    data_plane.addFilter(lambda record: not _is_of_call(record))


def _is_of_call(record: logging.LogRecord) -> bool:
    return record.exc_info is not None and isinstance(record.exc_info[1], grpc.RpcError)


def _on_thread_error(args: threading.ExceptHookArgs) -> None:
    if isinstance(args.exc_value, grpc.RpcError):
        _hang_up(args.exc_value)
    threading.__excepthook__(args)


def _hang_up(error: Any) -> None:
    """End at once: nobody takes what bundles still give, and they would only fail."""
    say = log.info if error.code() in ORDERLY else log.error
    say("engine-hung-up", code=error.code().name, details=error.details())
    os._exit(HUNG_UP)


def _end_with(pool: int) -> None:
    while os.getppid() == pool:
        time.sleep(POLL_S)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
