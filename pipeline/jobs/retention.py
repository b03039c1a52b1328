"""What is too old leaves the log, whatever engine the tagging job has."""

from collections.abc import Callable
from datetime import datetime

import structlog

from pipeline.clock import utc_now
from pipeline.jobs.pace import Pace
from pipeline.log.message_log import MessageLog

EVERY_S = 60.0

log = structlog.get_logger()


class Retention:
    """Enforces the log's retention at first, and then once a minute.

    Args:
        message_log: drops what its configuration does not keep.
        clock: what time it is.
    """

    def __init__(
        self, message_log: MessageLog, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._log = message_log
        self._clock = clock
        self._pace = Pace(EVERY_S)

    def enforce_when_due(self) -> None:
        """Drop what is too old, if it is time to look.

        Raises:
            LogError: the log cannot be used.
        """
        if not self._pace.due():
            return
        dropped = self._log.enforce_retention(self._clock())
        if dropped:
            log.info("retention-enforced", dropped=dropped)
