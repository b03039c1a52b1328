"""The engine that the configuration names."""

from collections.abc import Callable
from datetime import timedelta

import msgspec

from pipeline.config import LogSettings
from pipeline.errors import LogError
from pipeline.log.message_log import MessageLog
from pipeline.log.sqlite import SqliteLog

PATIENCE_S = 3.0

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


def open_impatiently(settings: LogSettings) -> MessageLog:
    """The log for somebody who waits for an answer: brokers get a few seconds.

    Raises:
        LogError: it cannot be opened.
    """
    soon = min(PATIENCE_S, settings.kafka.give_up_after_s)
    kafka = msgspec.structs.replace(settings.kafka, give_up_after_s=soon)
    return open_log(msgspec.structs.replace(settings, kafka=kafka))


def _on_kafka(settings: LogSettings, stopped: Callable[[], bool]) -> MessageLog:
    try:
        from pipeline.log.kafka import KafkaLog  # noqa: PLC0415 - an optional package
    except ModuleNotFoundError as error:
        raise LogError(
            f"[log] url needs the package {error.name}: run pip install "
            "groundswell[kafka]"
        ) from error
    return KafkaLog(settings, stopped=stopped)
