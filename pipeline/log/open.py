"""The engine that the configuration names."""

from datetime import timedelta

from pipeline.config import LogSettings
from pipeline.log.message_log import MessageLog
from pipeline.log.sqlite import SqliteLog

_GIGABYTE = 10**9


def open_log(settings: LogSettings) -> MessageLog:
    """The log that `settings.url` names, made when there is none yet.

    Raises:
        LogError: it cannot be opened.
    """
    assert settings.file is not None
    return SqliteLog(
        settings.file,
        settings.prefix,
        max_age=timedelta(days=settings.retention_days),
        max_bytes=int(settings.retention_gb * _GIGABYTE),
    )
