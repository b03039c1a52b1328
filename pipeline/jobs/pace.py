"""What a job does now and then."""

import time


class Pace:
    """Says when it is time again: at once at first, unless that is to be waited for.

    Args:
        every_s: seconds from one time to the next.
        at_once: whether the first time is now.
    """

    def __init__(self, every_s: float, *, at_once: bool = True) -> None:
        self._every_s = every_s
        self._next = time.monotonic() + (0.0 if at_once else every_s)

    def due(self) -> bool:
        """Whether it is time; asked again, it is not before the next time."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every_s
        return True

    def rest(self, seconds: float) -> None:
        """Put the next time off to `seconds` from now, if it would come sooner."""
        self._next = max(self._next, time.monotonic() + seconds)
