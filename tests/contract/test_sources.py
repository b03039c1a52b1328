"""What every source promises the runner, the fake as well as the real ones."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors import replay
from connectors.edge import Edge
from connectors.replay import ReplaySource
from connectors.rss import RssSource
from connectors.source import Page, RawMessage, Refusal, Source
from connectors.testing import FakeSource, raw_message
from pipeline.config import ReplaySettings, RssSettings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
COUNT = 10

Make = Callable[[], Source]


def line(number: int) -> bytes:
    if number == 4:
        return b"not JSON\n"
    fields = {
        "id": str(number),
        "ts": (NOW - timedelta(minutes=100 - number)).isoformat(),
        "channel": "#a",
        "user": "jo",
        "text": f"secret text {number}",
        "thread": "t",
    }
    return json.dumps(fields).encode() + b"\n"


def fake() -> Source:
    items = [raw_message(str(number)) for number in range(COUNT)]
    bad = Refusal("fake", 4, "bad", b"bad")
    return FakeSource([items[:3], [*items[3:5], bad], [], items[5:]])


@pytest.fixture(params=["fake", "plain", "gzip", "paced", "rss"])
async def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Make]:
    """Makes the same source anew, as after a restart."""
    if request.param == "fake":
        yield fake
    elif request.param == "rss":
        async with TestServer(feed_app()) as server:
            url = str(server.make_url("/feed"))
            settings = RssSettings(name="news", url=url, every_s=1)
            yield lambda: RssSource(settings, lambda: NOW)
    else:
        monkeypatch.setattr(replay, "PAGE_MESSAGES", 3)
        data = b"".join(map(line, range(COUNT)))
        file = tmp_path / "archive"
        file.write_bytes(gzip.compress(data) if request.param == "gzip" else data)
        settings_ = ReplaySettings(
            name="archive",
            files=[str(file)],
            speed=60.0 if request.param == "paced" else 0.0,
        )
        yield lambda: ReplaySource(settings_, lambda: NOW)


def feed_app() -> web.Application:
    items = "".join(
        f"<item><guid>{number}</guid><description>text {number}</description></item>"
        for number in range(COUNT)
    )
    body = f"<rss version='2.0'><channel>{items}</channel></rss>"

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304)
        return web.Response(text=body, headers={"ETag": '"v1"'})

    app = web.Application()
    app.router.add_get("/feed", answer)
    return app


async def read(source: Source, cursor: str | None = None) -> list[Page]:
    """The pages until there is nothing more, for now or ever."""
    found = []
    pages = source.pages(cursor)
    try:
        async for page in pages:
            found.append(page)
            if page.drained:
                break
    finally:
        await pages.aclose()
    return found


def messages(pages: list[Page]) -> list[RawMessage]:
    return [message for page in pages for message in page.messages]


def refusals(pages: list[Page]) -> list[Refusal]:
    return [refusal for page in pages for refusal in page.refusals]


async def test_everything_is_read_once(make: Make) -> None:
    pages = await read(make())
    read_ = messages(pages)
    assert len(read_) + len(refusals(pages)) >= COUNT
    assert len({(message.id, message.revision) for message in read_}) == len(read_)


async def test_the_same_is_read_again_from_the_beginning(make: Make) -> None:
    assert await read(make()) == await read(make())


async def test_reading_goes_on_behind_any_page(make: Make) -> None:
    pages = await read(make())
    for number, page in enumerate(pages, start=1):
        rest = await read(make(), page.cursor)
        assert messages(rest) == messages(pages[number:])
        assert refusals(rest) == refusals(pages[number:])


async def test_behind_the_last_page_there_is_nothing_new(make: Make) -> None:
    cursor = (await read(make()))[-1].cursor
    again = await read(make(), cursor)
    assert messages(again) == []
    assert refusals(again) == []
    assert all(page.cursor == cursor for page in again)


async def test_cursors_are_json(make: Make) -> None:
    for page in await read(make()):
        msgspec.json.decode(page.cursor)


async def test_pages_can_be_closed_after_any_page(make: Make) -> None:
    for count in range(1, len(await read(make())) + 1):
        pages = make().pages(None)
        for _ in range(count):
            await anext(pages)
        await pages.aclose()


async def test_every_message_passes_the_edge(make: Make) -> None:
    source = make()
    edge = Edge(b"a secret of more than 32 characters")
    for message in messages(await read(source)):
        assert edge.message(message, source, NOW).source == source.name


async def test_a_message_shows_neither_its_text_nor_its_author(make: Make) -> None:
    for message in messages(await read(make())):
        assert "text" not in repr(message)
        assert "jo" not in repr(message)


async def test_every_message_and_refusal_says_where_it_was_read(make: Make) -> None:
    pages = await read(make())
    assert all(message.where for message in messages(pages))
    assert all(refusal.where and refusal.error for refusal in refusals(pages))
