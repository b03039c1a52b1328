"""How the jobs' events are written: one line each, fixed names, no texts."""

import logging
from typing import TextIO

import structlog

_NO_NEWS = (
    "apitools not found",  # at each start, where Google's cloud is not installed
    "Resource module is not available",  # twice a run, where PyTorch is not
    "Unparseable argument: ",  # options that the engine knows, and Beam here does not
)


def configure_logs(stream: TextIO) -> None:
    """Send our events and other libraries' warnings to `stream`.

    On a terminal they are coloured, elsewhere each is one line of logfmt.
    """
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer()
        if stream.isatty()
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    logging.basicConfig(stream=stream, level=logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(is_news)


def quieten_bundles() -> None:
    """Keep Beam from logging failed bundles that reach us as exceptions, too."""
    for name in ("common", "worker.sdk_worker"):
        logging.getLogger(f"apache_beam.runners.{name}").setLevel(logging.CRITICAL)


def is_news(record: logging.LogRecord) -> bool:
    """False for what Beam says again and again of packages and options."""
    return not record.getMessage().startswith(_NO_NEWS)
