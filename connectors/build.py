"""The source that a section of the configuration describes."""

from collections.abc import Callable
from datetime import datetime

from connectors.replay import ReplaySource
from connectors.source import Source
from pipeline.config import ReplaySettings, SourceSettings
from pipeline.errors import ConfigError


def build(settings: SourceSettings, clock: Callable[[], datetime]) -> Source:
    """The source of `settings`; nothing is read yet.

    Raises:
        ConfigError: it needs a package that is not installed.
    """
    if isinstance(settings, ReplaySettings):
        return ReplaySource(settings, clock)
    try:
        from connectors.rss import RssSource  # noqa: PLC0415 - needs an extra
    except ImportError as error:
        raise ConfigError(
            f"source {settings.name!r} reads a feed, which needs {error.name}: "
            "run pip install groundswell[rss]"
        ) from error
    return RssSource(settings, clock)
