"""The engine that the configuration names."""

from collections.abc import Callable
from datetime import timedelta

from pipeline.config import LogSettings
from pipeline.errors import LogError
from pipeline.log.message_log import MessageLog
from pipeline.log.sqlite import SqliteLog

_GIGABYTE = 10**9


def _never() -> bool:
    return False


def open_log(settings: LogSettings, stopped: Callable[[], bool] = _never) -> MessageLog:
    """The log that `settings.url` names, made when there is none yet.

    A log on Kafka asks `stopped` while it waits for brokers, and raises
    `LogStoppedError` where it is true.

    Raises:
        LogError: it cannot be opened.
    """
    if settings.file is None:
        return _on_kafka(settings, stopped)
    return SqliteLog(
        settings.file,
        settings.prefix,
        max_age=timedelta(days=settings.retention_days),
        max_bytes=int(settings.retention_gb * _GIGABYTE),
    )


def _on_kafka(settings: LogSettings, stopped: Callable[[], bool]) -> MessageLog:
    try:
        from pipeline.log.kafka import KafkaLog  # noqa: PLC0415 - an optional package
    except ModuleNotFoundError as error:
        raise LogError(
            f"[log] url needs the package {error.name}: run pip install "
            "groundswell[kafka]"
        ) from error
    return KafkaLog(settings, stopped=stopped)
