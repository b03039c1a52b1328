"""Whether a chat endpoint is worth asking now, and what is said of its failures."""

import threading
from collections import Counter
from collections.abc import Callable
from time import monotonic

import structlog

LOG_EVERY_S = 60.0
FAILURES_IN_A_ROW = 3
FIRST_REST_S = 60.0
LONGEST_REST_S = 900.0

log = structlog.get_logger()


class Health:
    """Leaves an endpoint alone that fails; threads may share it.

    After three failures in a row nothing is asked for a minute, and for twice as long
    each time it goes on. What stayed unanswered is logged by its reason, once a minute,
    and all of it by `finish`.

    Args:
        clock: seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures, self._rest_s = 0, FIRST_REST_S
        self._rests_until = self._logged_at = float("-inf")
        self._unanswered: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()

    @property
    def rests(self) -> bool:
        """Whether the endpoint is to be left alone."""
        with self._lock:
            return self._clock() < self._rests_until

    def answered(self) -> None:
        """The endpoint is well."""
        with self._lock:
            self._failures, self._rest_s = 0, FIRST_REST_S

    def failed(self, at_least_s: float = 0.0) -> None:
        """The endpoint gave no answer, and perhaps asked to be left alone so long."""
        with self._lock:
            self._failures += 1
            rest_s = at_least_s
            if self._failures >= FAILURES_IN_A_ROW:
                rest_s = max(self._rest_s, at_least_s)
                self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
                self._failures = 0
            self._rests_until = max(self._rests_until, self._clock() + rest_s)

    def unanswered(self, reason: str) -> None:
        """Count a message that keeps the base tagger's marks, and log it in time."""
        with self._lock:
            self._unanswered[reason] += 1
            self._in_all[reason] += 1
            if self._clock() - self._logged_at < LOG_EVERY_S:
                return
            counts = dict(self._unanswered)
            self._unanswered.clear()
            self._logged_at = self._clock()
        log.warning("llm-unanswered", **counts)

    def finish(self) -> None:
        """Log what stayed unanswered since the beginning, once, if anything did."""
        with self._lock:
            counts = dict(self._in_all)
            self._in_all.clear()
            self._unanswered.clear()
        if counts:
            log.warning("llm-unanswered-in-all", **counts)
