"""The source that a section of the configuration describes."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime

from connectors.replay import ReplaySource
from connectors.source import Cursor, Page, Source
from pipeline.config import ReplaySettings, SourceSettings
from pipeline.errors import ConfigError


def build(settings: SourceSettings, clock: Callable[[], datetime]) -> Source:
    """The source of `settings`; nothing is read yet.

    One that needs a package which is not installed fails when it is read, so that it
    stops no other.
    """
    if isinstance(settings, ReplaySettings):
        return ReplaySource(settings, clock)
    try:
        from connectors.rss import RssSource  # noqa: PLC0415 - needs an extra
    except ImportError as error:
        reason = (
            f"source {settings.name!r} reads a feed, which needs {error.name}: "
            "run pip install groundswell[rss]"
        )
        return UnusableSource(settings, ConfigError(reason))
    return RssSource(settings, clock)


class UnusableSource:
    """Stands for a source that cannot be made.

    Args:
        settings: of that source.
        error: why, raised whenever it is read.
    """

    def __init__(self, settings: SourceSettings, error: ConfigError) -> None:
        self.name = settings.name
        self.platform = settings.platform
        self.kind = settings.kind
        self.every_s = 0.0
        self._error = error

    async def pages(self, _cursor: Cursor | None) -> AsyncGenerator[Page, None]:
        """No page.

        Raises:
            ConfigError: always.
        """
        none: list[Page] = []
        for page in none:
            yield page
        raise self._error
