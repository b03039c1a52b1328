"""Reads one RSS or Atom feed over HTTP, again and again.

Only entries that are new, or whose text has changed, are yielded; the cursor keeps
what was seen, and what the server wants to hear in a conditional request.
"""

import calendar
import hashlib
import io
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from xml.parsers import expat

import aiohttp
import feedparser
import msgspec
import structlog

from connectors.html_text import html_to_text
from connectors.http import retry_after_s
from connectors.offload import in_thread
from connectors.source import Cursor, Page, RawMessage
from pipeline.config import RssSettings
from pipeline.errors import SourceError
from pipeline.records import Kind

MAX_BYTES = 10 * 2**20
"""Of a feed, uncompressed."""

MAX_MENDED_BYTES = 2**18
"""Of a feed that is no valid XML: reading it takes quadratic time."""

SEEN = 1_000
"""Entries remembered beyond those of the newest feed."""

TIMEOUT = aiohttp.ClientTimeout(total=60.0, sock_connect=15.0, sock_read=30.0)
_AGENT = "groundswell"
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"
_SECRETS = re.compile(r"(?<=://)[^/@]*+@|\?.*")
_ROOT_CLOSED = re.compile(rb"</(?:[\w-]+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
_END_BYTES = 4_096
_REDIRECTS = 5
_CHUNK = 2**16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DIGEST_DIGITS = 16
_ID_DIGITS = 32

log = structlog.get_logger()


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    """An entry as it was published last."""

    revision: int
    digest: str


class _State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the cursor keeps: the answer's validators, and entries by digest of id."""

    etag: str = ""
    modified: str = ""
    entries: dict[str, _Seen] = msgspec.field(default_factory=dict)


class _Answer(NamedTuple):
    body: bytes
    headers: Mapping[str, str]


class RssSource:
    """The feed of `settings`.

    Args:
        settings: which feed, and how often to ask for it.
        clock: what time it is, for entries without a date.
    """

    def __init__(self, settings: RssSettings, clock: Callable[[], datetime]) -> None:
        self.name = settings.name
        self.platform = settings.platform
        self.kind: Kind = settings.kind
        self.every_s = settings.every_s
        self._settings = settings
        self._clock = clock
        # The address may hold credentials; this one can be told.
        self._where = _SECRETS.sub("", settings.url)

    async def pages(self, cursor: Cursor | None) -> AsyncGenerator[Page, None]:
        """A page for each time the feed is asked for; it never ends. See `Source`."""
        state = msgspec.json.decode(cursor, type=_State) if cursor else _State()
        async with aiohttp.ClientSession(
            timeout=TIMEOUT, headers={"User-Agent": _AGENT, "Accept": _ACCEPT}
        ) as session:
            while True:
                messages: list[RawMessage] = []
                answer = await self._ask(session, state)
                if answer is not None:
                    messages, state = await in_thread(self._read, answer, state)
                    if _is_cut(answer.body):
                        if messages:
                            yield Page(messages, [], _encoded(state))
                        raise SourceError(
                            f"{self._where} ends in its midst: if it stays so, tell "
                            "who publishes it"
                        )
                yield Page(
                    messages,
                    [],
                    _encoded(state),
                    pause_s=self.every_s,
                    drained=True,
                )

    async def _ask(
        self, session: aiohttp.ClientSession, state: _State
    ) -> _Answer | None:
        """The feed, or None if it is the same as before."""
        conditions = {"If-None-Match": state.etag, "If-Modified-Since": state.modified}
        try:
            async with session.get(
                self._settings.url,
                headers={name: value for name, value in conditions.items() if value},
                max_redirects=_REDIRECTS,
            ) as response:
                if response.status == 304:  # noqa: PLR2004 - not modified
                    return None
                self._refuse_failure(response)
                return _Answer(await self._body(response), response.headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SourceError(
                f"{self._where} cannot be read ({type(error).__name__}): check the "
                "address and the network"
            ) from error

    def _refuse_failure(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status == 200:  # noqa: PLR2004 - here is the feed
            return
        rest_s = retry_after_s(response.headers, self._clock())
        if status == 429 and rest_s is None:  # noqa: PLR2004 - too many requests
            rest_s = self._settings.every_s
        remedy = "check the address" if status < 500 else "its server fails"  # noqa: PLR2004
        if rest_s is not None:
            remedy = f"it wants to be left alone for {rest_s:.0f} s"
        raise SourceError(f"{self._where} answers {status}: {remedy}", rest_s)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > MAX_BYTES:
                raise SourceError(
                    f"{self._where} has more than {MAX_BYTES:,} bytes: find a shorter "
                    "feed"
                )
        return bytes(body)

    def _read(self, answer: _Answer, state: _State) -> tuple[list[RawMessage], _State]:
        feed = self._parsed(answer)
        cut = _is_cut(answer.body)
        now = self._clock()
        found: dict[str, _Seen] = {}
        messages = []
        # Of a feed that was cut, the last entry may be half of what it was.
        entries = feed.entries[:-1] if cut else feed.entries
        for number, entry in enumerate(entries, start=1):
            message = self._message(entry, feed.feed, number, now)
            key, digest = _digest(message.id), _digest(message.text)
            if key in found:
                # Two texts under one id would be edits of each other at every poll.
                continue
            before = state.entries.get(key)
            if before is None:
                found[key] = _Seen(0, digest)
                messages.append(message)
            elif before.digest != digest:
                revision = _revision(entry, before.revision, now)
                found[key] = _Seen(revision, digest)
                messages.append(msgspec.structs.replace(message, revision=revision))
            else:
                found[key] = before
        messages.sort(key=lambda message: message.sent_at)
        return messages, _State(
            # Nothing by which the rest of a feed that was cut would be "not modified".
            etag="" if cut else answer.headers.get("ETag", ""),
            modified="" if cut else answer.headers.get("Last-Modified", ""),
            entries=_newest(state.entries, found),
        )

    def _parsed(self, answer: _Answer) -> Any:
        if not _is_xml(answer.body):
            log.info("feed-malformed", source=self.name)
            if len(answer.body) > MAX_MENDED_BYTES:
                raise SourceError(
                    f"{self._where} is no valid XML, and too large to be mended: tell "
                    "who publishes it"
                )
        # A file object, because feedparser opens what looks like a path or an address.
        feed = feedparser.parse(
            io.BytesIO(answer.body),
            response_headers={"content-type": answer.headers.get("Content-Type", "")},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
        if not feed.get("version") and not feed.entries:
            raise SourceError(
                f"{self._where} is neither RSS nor Atom: check the address"
            )
        return feed

    def _message(self, entry: Any, feed: Any, number: int, now: datetime) -> RawMessage:
        text = _text(entry)
        sent_at = _time(entry, "published", "created", "updated") or now
        given_id = entry.get("id") or entry.get("link")
        return RawMessage(
            id=_identifier(given_id or _digest(f"{entry.get('published', '')}{text}")),
            channel=self.name,
            author=entry.get("author") or feed.get("author") or self._settings.url,
            sent_at=sent_at,
            language=entry.get("language") or feed.get("language"),
            text=text,
            where=self._where,
            number=number,
        )


def _is_xml(body: bytes) -> bool:
    try:
        expat.ParserCreate().Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True


def _is_cut(body: bytes) -> bool:
    """Whether `body` is no whole XML, and its root is not closed at its end."""
    end = body[-_END_BYTES:].replace(b"\0", b"")
    return not _ROOT_CLOSED.search(end) and not _is_xml(body)


def _encoded(state: _State) -> Cursor:
    return msgspec.json.encode(state).decode()


def _text(entry: Any) -> str:
    title = _plain(entry.get("title_detail"))
    details = [*entry.get("content", []), entry.get("summary_detail")]
    body = next(filter(None, map(_plain, details)), "")
    # Feeds of short posts repeat the beginning of the text as its title.
    if title and not body.startswith(title.removesuffix("...").removesuffix("…")):
        return f"{title}\n\n{body}".strip()
    return body


def _plain(detail: Any) -> str:
    if not detail or not detail.get("value"):
        return ""
    value: str = detail["value"]
    return value.strip() if detail.get("type") == "text/plain" else html_to_text(value)


def _time(entry: Any, *names: str) -> datetime | None:
    for name in names:
        # Asked for without this, `updated` is answered with `published`.
        if f"{name}_parsed" in entry and (given := entry[f"{name}_parsed"]):
            try:
                return _EPOCH + timedelta(seconds=calendar.timegm(given))
            except (ValueError, OverflowError):
                return None
    return None


def _revision(entry: Any, before: int, now: datetime) -> int:
    """The edit's time in ms: as the feed says, else now; always after the last."""
    updated = _time(entry, "updated")
    said = (updated - _EPOCH) // _MILLISECOND if updated else 0
    return said if said > before else max((now - _EPOCH) // _MILLISECOND, before + 1)


def _newest(known: dict[str, _Seen], found: dict[str, _Seen]) -> dict[str, _Seen]:
    """All of `found`, and of the others those that were in the feed last."""
    kept = [item for item in known.items() if item[0] not in found]
    return dict([*kept[-SEEN:], *found.items()])


def _identifier(given: str) -> str:
    """A hash, because many feeds' ids and links hold the name of who wrote."""
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()[:_ID_DIGITS]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGEST_DIGITS]
