"""Work beside a job, in a process of its own that tells what it found."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


def start(work: Callable[..., None], *given: Any) -> tuple[BaseProcess, Connection]:
    """The process that does `work(sender, *given)`, and where its results come out."""
    context = multiprocessing.get_context("spawn")
    results, sender = context.Pipe(duplex=False)
    worker = context.Process(target=work, args=(sender, *given), daemon=True)
    worker.start()
    sender.close()  # so that the worker's death ends the pipe
    return worker, results


def end(worker: BaseProcess, results: Connection) -> None:
    """End it at once."""
    worker.kill()
    worker.join()
    worker.close()
    results.close()
