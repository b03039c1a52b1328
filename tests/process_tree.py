"""The processes of a running groundswell, as the kernel lists them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path


def tree(pid: int) -> Iterator[int]:
    """The process and all its descendants."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (thread / "children").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children.split():
            yield from tree(int(child))


def job_of(pid: int) -> str:
    """The groundswell command that the process runs, or ''."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    if b"pipeline.cli" not in command:
        return ""
    return command[command.index(b"pipeline.cli") + 1].decode()


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def eventually(
    holds: Callable[[], bool], seconds: float, *, every_s: float = 0.1
) -> bool:
    """Whether it comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(every_s)
    return holds()
