"""When a job must end: a signal, the death of its parent, or a word from a test."""

import os
import signal
import threading
from types import FrameType


class Stop:
    """Set by SIGTERM, SIGINT, `set`, or the death of the process that started us.

    A job that outlived its supervisor would write beside its successor.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._parent: int | None = None

    def __reduce__(self) -> tuple[type["Stop"], tuple[()]]:
        """What is pickled into another process is asked to end by nobody yet."""
        return Stop, ()

    def watch_signals(self) -> None:
        """Set on SIGTERM and SIGINT; call it from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def watch_parent(self, pid: int) -> None:
        """Set once `pid`, the process that started us, is gone."""
        self._parent = pid

    def set(self) -> None:
        """Ask the job to end."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether the job must end."""
        if self._parent is not None and os.getppid() != self._parent:
            self._event.set()
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep until asked to end, at most `seconds`; whether to end."""
        step = 0.5
        while not self.is_set() and seconds > 0:
            self._event.wait(min(step, seconds))
            seconds -= step
        return self.is_set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._event.set()
