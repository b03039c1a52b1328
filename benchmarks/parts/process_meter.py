"""CPU time and memory of all processes that this one started, from /proc."""

import os
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

EVERY_S = 0.2
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")
_ROLES = {
    "pipeline.jobs.worker_process": "workers",
    "kafka.Kafka": "Kafka",
    "StandaloneSessionClusterEntrypoint": "JobManager",
    "TaskManagerRunner": "TaskManagers",
    "FlinkJobServerDriver": "job server",
    "prism": "Prism",
}


class Sample(NamedTuple):
    """What was used until `at`: seconds since 1970, of CPU time by role, bytes."""

    at: float
    cpu_s: Counter[str]
    resident: int


class ProcessMeter:
    """Looks at all descendants of this process, over and over, until it is left.

    A process that starts and ends between two looks is not seen; what one used after
    the last look at it is not counted.
    """

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._used: dict[tuple[int, str], tuple[str, float]] = {}
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        self._look()

    @property
    def resident_at_most(self) -> int:
        """Bytes of all processes together; what they share counts for each."""
        return max(sample.resident for sample in self.samples)

    def cpu_s(self, begin: float, end: float) -> Counter[str]:
        """CPU seconds of each role between two times, in seconds since 1970."""
        used = Counter(self._at(end).cpu_s)
        used.subtract(self._at(begin).cpu_s)
        return used

    def _at(self, time_: float) -> Sample:
        """The last look before that time, or the first."""
        times = [sample.at for sample in self.samples]
        return self.samples[max(0, bisect_right(times, time_) - 1)]

    def _go_on(self) -> None:
        while not self._left.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        resident = 0
        for pid in _descendants(os.getpid()):
            try:
                stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            words = stat.rsplit(")", 1)[1].split()
            user, system, started, pages = (words[n] for n in (11, 12, 19, 21))
            seconds = (int(user) + int(system)) * _TICK_S
            # Another process may get the number of one that has ended.
            self._used[pid, started] = (_role(command), seconds)
            resident += int(pages) * _PAGE
        cpu_s: Counter[str] = Counter()
        for role, seconds in self._used.values():
            cpu_s[role] += seconds
        self.samples.append(Sample(time.time(), cpu_s, resident))


def _descendants(pid: int) -> Iterator[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        found = [
            int(child)
            for thread in threads
            for child in (thread / "children").read_text(encoding="ascii").split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in found:
        yield child
        yield from _descendants(child)


def _role(command: str) -> str:
    """Which part of an engine runs `command`; its words end in NUL."""
    words = command.rstrip("\0").split("\0")
    for end, role in _ROLES.items():
        if any(word.endswith(end) for word in words):
            return role
    if "pipeline.cli" in words:
        job = words[words.index("pipeline.cli") + 1]
        return {"process": "job", "worker": "pool"}.get(job, job)
    return "others"
