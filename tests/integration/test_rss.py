"""The feed reader against a real server on this machine."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from connectors import rss
from connectors.rss import RssSource
from connectors.source import Page
from pipeline.config import RssSettings
from pipeline.errors import SourceError

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
ITEM = """<item><guid>{id}</guid><title>{title}</title><author>jo@example.org (Jo)
</author><pubDate>{date}</pubDate><description>{text}</description></item>"""
DATE = "Wed, 01 May 2024 10:00:00 GMT"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def item(
    number: int, text: str = "&lt;p&gt;text &lt;b&gt;here&lt;/b&gt;&lt;/p&gt;"
) -> str:
    date = DATE.replace("10:00:00", f"{10 + number}:00:00")
    return ITEM.format(id=f"id-{number}", title=f"Title {number}", date=date, text=text)


def hashed(given: str) -> str:
    return hashlib.sha256(given.encode()).hexdigest()[:32]


def feed(*items: str) -> bytes:
    head = '<?xml version="1.0"?><rss version="2.0"><channel><title>Feed</title>'
    return f"{head}<language>en-us</language>{''.join(items)}</channel></rss>".encode()


class Server:
    """Answers with what a test puts into it, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Handler = self.body(feed())
        self.asked: list[web.Request] = []
        self.url = ""

    def body(self, body: bytes, **headers: str) -> Handler:
        async def answer(_request: web.Request) -> web.Response:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            return web.Response(body=body, content_type="text/xml", headers=named)

        return answer

    def status(self, status: int, **headers: str) -> Handler:
        async def answer(_request: web.Request) -> web.Response:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            return web.Response(status=status, headers=named)

        return answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.answer(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", served.handle)
    async with TestServer(app) as running:
        served.url = str(running.make_url("/feed"))
        yield served


async def ask(server: Server, cursor: str | None = None, now: datetime = NOW) -> Page:
    settings = RssSettings(name="news", url=server.url, every_s=60)
    pages = RssSource(settings, lambda: now).pages(cursor)
    try:
        return await anext(pages)
    finally:
        await pages.aclose()


async def test_entries_become_messages_oldest_first(server: Server) -> None:
    server.answer = server.body(feed(item(2), item(1)))
    page = await ask(server)
    assert [message.id for message in page.messages] == [
        hashed("id-1"),
        hashed("id-2"),
    ]
    first = page.messages[0]
    assert first.text == "Title 1\n\ntext here"
    assert first.sent_at == datetime(2024, 5, 1, 11, tzinfo=UTC)
    assert (first.author, first.channel) == ("jo@example.org (Jo)", "news")
    assert (first.language, first.revision) == ("en-us", 0)
    assert (first.where, first.number) == (server.url, 2)


async def test_a_page_says_when_to_ask_again(server: Server) -> None:
    page = await ask(server)
    assert (page.pause_s, page.drained) == (60.0, True)


async def test_the_next_request_is_conditional_and_304_has_nothing(
    server: Server,
) -> None:
    server.answer = server.body(feed(item(1)), ETag='"v1"', Last_Modified=DATE)
    page = await ask(server)
    server.answer = server.status(304)
    again = await ask(server, page.cursor)
    assert server.asked[1].headers["If-None-Match"] == '"v1"'
    assert server.asked[1].headers["If-Modified-Since"] == DATE
    assert "If-None-Match" not in server.asked[0].headers
    assert (again.messages, again.cursor) == ([], page.cursor)


async def test_the_source_goes_on_asking_with_the_newest_validators(
    server: Server,
) -> None:
    server.answer = server.body(feed(item(1)), ETag='"v1"')
    settings = RssSettings(name="news", url=server.url)
    pages = RssSource(settings, lambda: NOW).pages(None)
    assert len((await anext(pages)).messages) == 1
    server.answer = server.body(feed(item(1), item(2)), ETag='"v2"')
    (message,) = (await anext(pages)).messages
    assert message.id == hashed("id-2")
    server.answer = server.status(304)
    assert (await anext(pages)).messages == []
    await pages.aclose()
    assert server.asked[2].headers["If-None-Match"] == '"v2"'


async def test_only_new_and_changed_entries_are_told(server: Server) -> None:
    server.answer = server.body(feed(item(1), item(2)))
    page = await ask(server)
    server.answer = server.body(feed(item(1), item(2, "changed"), item(3)))
    later = NOW + timedelta(hours=1)
    again = await ask(server, page.cursor, later)
    told = [(message.id, message.revision) for message in again.messages]
    revision = int(later.timestamp() * 1000)
    assert told == [(hashed("id-2"), revision), (hashed("id-3"), 0)]
    assert (await ask(server, again.cursor)).messages == []


async def test_of_an_id_given_twice_in_a_feed_the_first_entry_counts(
    server: Server,
) -> None:
    twice = feed(item(1, "first"), item(1, "second"))
    server.answer = server.body(twice)
    page = await ask(server)
    assert [message.text for message in page.messages] == ["Title 1\n\nfirst"]
    assert (await ask(server, page.cursor)).messages == []


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><author><name>Eve</name></author>
<entry><id>e</id><title type="text">1 &lt; 2</title><published>2024-05-01T00:00:00Z
</published><updated>{updated}</updated><content type="text/plain">{text}</content>
</entry></feed>"""


async def test_an_edit_s_revision_is_the_time_the_feed_says(server: Server) -> None:
    def atom(updated: str, text: str) -> Handler:
        return server.body(ATOM.format(updated=updated, text=text).encode())

    server.answer = atom("2024-05-01T00:00:00Z", "a &lt;b&gt;")
    page = await ask(server)
    assert page.messages[0].text == "1 < 2\n\na <b>"
    assert page.messages[0].author == "Eve"
    server.answer = atom("2024-05-02T00:00:00Z", "c")
    again = await ask(server, page.cursor)
    edited = datetime(2024, 5, 2, tzinfo=UTC)
    assert again.messages[0].revision == int(edited.timestamp() * 1000)
    assert again.messages[0].sent_at == datetime(2024, 5, 1, tzinfo=UTC)
    server.answer = atom("2024-05-02T00:00:00Z", "d")
    third = await ask(server, again.cursor)
    assert third.messages[0].revision == int(NOW.timestamp() * 1000)
    server.answer = atom("2024-05-09T00:00:00Z", "d")
    assert (await ask(server, third.cursor)).messages == []


async def test_an_edit_always_comes_after_the_last(server: Server) -> None:
    cursor: str | None = None
    revisions = []
    for text in "abcd":
        server.answer = server.body(feed(item(1, text)))
        page = await ask(server, cursor)
        cursor = page.cursor
        revisions.append(page.messages[0].revision)
    assert revisions == sorted(set(revisions))


async def test_entries_without_id_date_or_author_are_told_once(server: Server) -> None:
    bare = "<item><description>only &amp;amp; text</description></item>"
    link = "<item><link>https://example.org/1</link><title>T</title></item>"
    server.answer = server.body(feed(bare, link, "<item/>"))
    page = await ask(server)
    by_id = {message.id: message for message in page.messages}
    assert len(by_id) == 3
    assert by_id[hashed("https://example.org/1")].text == "T"
    assert {message.sent_at for message in page.messages} == {NOW}
    assert {message.author for message in page.messages} == {server.url}
    assert (await ask(server, page.cursor, NOW + timedelta(days=1))).messages == []


@pytest.mark.parametrize(
    "given", ["https://mastodon.example/@eve/1", "x" * 600, "a\nb", "tag:eve,2024:1"]
)
async def test_an_entry_s_id_never_tells_what_the_feed_says(
    server: Server, given: str
) -> None:
    server.answer = server.body(feed(item(1).replace("id-1", given)))
    page = await ask(server)
    assert [message.id for message in page.messages] == [hashed(given)]
    assert given not in page.cursor


async def test_a_date_that_cannot_be_is_the_time_it_was_seen(server: Server) -> None:
    server.answer = server.body(feed(item(1).replace("2024", "0000")))
    assert (await ask(server)).messages[0].sent_at == NOW


async def test_a_title_that_repeats_the_text_is_not_told_twice(server: Server) -> None:
    short = item(1, "Title 1 goes on").replace("Title 1</t", "Title 1...</t")
    server.answer = server.body(feed(short))
    assert (await ask(server)).messages[0].text == "Title 1 goes on"


async def test_what_is_remembered_is_bounded(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rss, "SEEN", 2)
    cursor: str | None = None
    for number in range(10):
        server.answer = server.body(feed(item(number)))
        cursor = (await ask(server, cursor)).cursor
    assert cursor is not None
    assert len(msgspec.json.decode(cursor)["entries"]) == 3


async def test_a_feed_that_moved_is_followed(server: Server) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/feed":
            raise web.HTTPMovedPermanently("/new")
        return web.Response(body=feed(item(1)))

    server.answer = answer
    assert len((await ask(server)).messages) == 1


async def test_a_feed_that_moves_in_circles_is_an_error(server: Server) -> None:
    server.answer = server.status(302, Location="/feed")
    with pytest.raises(SourceError, match="TooManyRedirects"):
        await ask(server)


@pytest.mark.parametrize(
    ("status", "headers", "rest_s"),
    [
        (429, {"Retry_After": "77"}, 77.0),
        (503, {"Retry_After": "Sat, 01 Jun 2024 12:01:00 GMT"}, 60.0),
        (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "9"}, 9.0),
        (429, {}, 60.0),
        (503, {}, None),
        (500, {}, None),
        (404, {}, None),
        (204, {}, None),
    ],
)
async def test_a_refusal_is_an_error_that_says_when_to_come_back(
    server: Server, status: int, headers: dict[str, str], rest_s: float | None
) -> None:
    server.answer = server.status(status, **headers)
    with pytest.raises(SourceError, match=f"answers {status}: ") as raised:
        await ask(server)
    assert raised.value.retry_after_s == rest_s


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><p>Not a feed", b"\x00\xff" * 100, b"/etc/passwd", b'{"json": 1}'],
)
async def test_what_is_no_feed_is_an_error(server: Server, body: bytes) -> None:
    server.answer = server.body(body)
    with pytest.raises(SourceError, match="neither RSS nor Atom"):
        await ask(server)


async def test_a_malformed_feed_is_read_all_the_same(server: Server) -> None:
    server.answer = server.body(feed(item(1, "a &nbsp; b"), item(2)))
    with capture_logs() as logs:
        page = await ask(server)
    assert [message.id for message in page.messages] == [
        hashed("id-1"),
        hashed("id-2"),
    ]
    assert logs[0]["event"] == "feed-malformed"


@pytest.mark.parametrize("kept", [700, 500])
async def test_of_a_feed_that_was_cut_all_but_the_last_entry_is_told_and_it_fails(
    server: Server, kept: int
) -> None:
    whole = feed(*map(item, range(1, 9)))
    server.answer = server.body(whole[:kept], ETag='"cut"')
    settings = RssSettings(name="news", url=server.url, every_s=60)
    pages = RssSource(settings, lambda: NOW).pages(None)
    page = await anext(pages)
    assert not page.drained
    assert page.pause_s == 0
    assert all(message.text.endswith("text here") for message in page.messages)
    told = {message.id for message in page.messages}
    with pytest.raises(SourceError, match="ends in its midst"):
        await anext(pages)
    server.answer = server.body(whole)
    rest = await ask(server, page.cursor)
    assert "If-None-Match" not in server.asked[-1].headers
    assert told | {message.id for message in rest.messages} == {
        hashed(f"id-{number}") for number in range(1, 9)
    }
    assert told.isdisjoint(message.id for message in rest.messages)


async def test_a_feed_of_one_entry_that_was_cut_tells_nothing(server: Server) -> None:
    server.answer = server.body(feed(item(1))[:-60])
    with pytest.raises(SourceError, match="ends in its midst"):
        await ask(server)


async def test_a_large_malformed_feed_is_an_error(server: Server) -> None:
    server.answer = server.body(feed(item(1)) + b"<a " * 200_000)
    with pytest.raises(SourceError, match="no valid XML"):
        await ask(server)


async def test_hostile_markup_takes_bounded_time(server: Server) -> None:
    body = feed(item(1))[:-16] + b"<a " * 85_000
    server.answer = server.body(body[: rss.MAX_MENDED_BYTES])
    began = time.process_time()
    with pytest.raises(SourceError, match="ends in its midst"):
        await ask(server)
    assert time.process_time() - began < 10.0


async def test_a_feed_too_large_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rss, "MAX_BYTES", 1_000)
    server.answer = server.body(feed(*map(item, range(10))))
    with pytest.raises(SourceError, match="more than 1,000 bytes"):
        await ask(server)


async def test_a_bomb_is_an_error(server: Server) -> None:
    async def answer(_request: web.Request) -> web.Response:
        response = web.Response(body=b" " * (rss.MAX_BYTES * 2))
        response.enable_compression()
        return response

    server.answer = answer
    with pytest.raises(SourceError, match="more than"):
        await ask(server)


async def test_a_cut_connection_is_an_error(server: Server) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "99999"})
        await response.prepare(request)
        await response.write(feed(item(1)))
        assert request.transport is not None
        request.transport.abort()
        return response

    server.answer = answer
    with pytest.raises(SourceError, match="check the address and the network"):
        await ask(server)


async def test_a_server_that_never_answers_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(1.0)
        return web.Response()

    server.answer = answer
    monkeypatch.setattr(rss, "TIMEOUT", rss.aiohttp.ClientTimeout(total=0.1))
    with pytest.raises(SourceError, match="Timeout"):
        await ask(server)


async def test_nobody_there_is_an_error_without_the_address_s_password() -> None:
    settings = RssSettings(name="news", url="http://jo:pa55@127.0.0.1:9/a?key=pa55")
    with pytest.raises(SourceError) as raised:
        await anext(RssSource(settings, lambda: NOW).pages(None))
    assert str(raised.value).startswith("http://127.0.0.1:9/a cannot be read")
    assert "pa55" not in str(raised.value)
