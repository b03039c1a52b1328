import sys
from datetime import UTC, datetime

import pytest

from connectors.build import build
from connectors.replay import ReplaySource
from connectors.rss import RssSource
from pipeline.config import ReplaySettings, RssSettings
from pipeline.errors import ConfigError


def now() -> datetime:
    return datetime.now(UTC)


def test_each_section_has_its_source() -> None:
    replay = ReplaySettings(name="a", files=["x"], platform="irc")
    rss = RssSettings(name="b", url="https://example.org/feed", kind="comment")
    assert isinstance(build(replay, now), ReplaySource)
    assert isinstance(build(rss, now), RssSource)
    assert build(replay, now).platform == "irc"
    assert build(rss, now).kind == "comment"


async def test_a_missing_package_fails_its_source_alone_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "connectors.rss")
    monkeypatch.setitem(sys.modules, "feedparser", None)
    source = build(RssSettings(name="b", url="https://example.org/feed"), now)
    assert (source.name, source.platform, source.kind) == ("b", "rss", "post")
    with pytest.raises(ConfigError, match=r"pip install groundswell\[rss\]"):
        await anext(source.pages(None))
