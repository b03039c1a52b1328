"""A worker process: runs what a TaskManager asks for until it lets go.

Arguments: the control endpoint, the worker's id.
"""

import os
import sys
import threading
import time

from apache_beam.runners.worker.sdk_worker import SdkHarness

from pipeline.jobs.logs import configure_logs

POLL_S = 1.0


def main(control_endpoint: str, worker_id: str) -> None:
    """Serve the endpoint until its stream ends, or the pool that started us does."""
    configure_logs(sys.stderr)
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    SdkHarness(control_endpoint, worker_id=worker_id).run()


def _end_with(pool: int) -> None:
    while os.getppid() == pool:
        time.sleep(POLL_S)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
