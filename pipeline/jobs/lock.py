"""One process a job: a lock that the system releases even after `kill -9`."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.config import Config
from pipeline.errors import BusyError

GRACE_S = 15.0
"""A killed predecessor's children may need a moment to notice and end."""


@contextmanager
def exclusive(path: Path, job: str, grace_s: float = GRACE_S) -> Iterator[None]:
    """Hold the lock file `path` for the duration of the block.

    Raises:
        BusyError: another process holds it for longer than `grace_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        deadline = time.monotonic() + grace_s
        while not _acquired(file.fileno()):
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"another `groundswell {job}` works on {path.parent}: "
                    "stop it, or use another folder"
                )
            time.sleep(0.1)
        yield


def lock_path(config: Config, job: str) -> Path:
    """The lock file of `job`, beside what no two of its kind may write.

    That is the warehouse for the jobs `load` and `run`, and where the log is no file
    of this machine; else it is the log.
    """
    file = config.log.file
    if file is None or job in ("load", "run"):
        file = Path(config.warehouse.path)
    return file.with_name(f"{file.name}.{job}.lock")


def _acquired(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
