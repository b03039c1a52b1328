"""The viewer's web server: the page, the dashboards' JSON, and the panels' figures.

A browser names a dashboard, a panel and values of variables; it never sends SQL. The
page needs nothing from elsewhere, and no other page may use this server.
"""

import asyncio
import hashlib
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog
from aiohttp import web

from dashboards.queries import Span, fetch, render, resolve, shaped
from dashboards.viewer.catalogue import Catalogue, UnknownError
from dashboards.viewer.published import Published, SlowQueryError, UnpublishedError
from pipeline.errors import ConfigError, InputError, WarehouseError

MAX_ROWS = 10_000
WORKERS = 4
POLL_S = 0.25
LATEST_MS = 4_102_444_800_000
"""The year 2100: no time beyond it is asked for in earnest."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Server": "groundswell",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HOST = re.compile(r":\d+$")
"""What follows the name in a Host header."""
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".md": "text/markdown",
    ".svg": "image/svg+xml",
}
METHODS = ("GET", "HEAD", "OPTIONS")

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(
    published: Path,
    host: str,
    port: int,
    stop: Callable[[], bool],
    ready: Callable[[str], None],
) -> None:
    """Serve the viewer until `stop` says so; port 0 takes a free one.

    Args:
        published: the published file, there already or not yet.
        host: the address to listen on.
        port: the port to listen on.
        stop: asked a few times a second.
        ready: called once with the page's address.

    Raises:
        ConfigError: the address or the port cannot be listened on.
    """
    asyncio.run(_serve(published, host, port, stop, ready))


async def _serve(
    published: Path,
    host: str,
    port: int,
    stop: Callable[[], bool],
    ready: Callable[[str], None],
) -> None:
    viewer = Viewer(Published(published), datetime.now(UTC))
    runner = web.AppRunner(
        viewer.application(host), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        await _listen(runner, host, port)
        ready(_address(runner))
        while not stop():  # noqa: ASYNC110 - a signal or a parent's death, no event
            await asyncio.sleep(POLL_S)
    finally:
        await runner.cleanup()
        viewer.close()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError(
            f"the viewer cannot listen on {host}:{port} ({error.strerror}): set "
            "another host or port in [viewer]"
        ) from error


def _address(runner: web.AppRunner) -> str:
    host, port, *_ = runner.addresses[0]
    if ipaddress.ip_address(host).is_unspecified:
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Asset(NamedTuple):
    """A file of the page."""

    body: bytes
    type: str
    etag: str


class Viewer:
    """Answers browsers.

    Args:
        published: what it answers from.
        started: since when it waits for a first publication.
    """

    def __init__(self, published: Published, started: datetime) -> None:
        self._published = published
        self._started = started
        self._catalogue = Catalogue()
        self._assets = dict(_assets(files("dashboards.viewer").joinpath("page"), ""))
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="viewer")

    def close(self) -> None:
        """Finish; queries not yet begun are dropped."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._published.close()

    def application(self, host: str) -> web.Application:
        """The routes, for a server that listens on `host`."""

        @web.middleware
        async def known_host(
            request: web.Request, handler: Handler
        ) -> web.StreamResponse:
            return await _known_host(host, request, handler)

        app = web.Application(middlewares=[_methods, known_host, self._errors])
        app.on_response_prepare.append(_secure)
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/api/dashboards", self._dashboards),
                web.get("/api/dashboards/{uid}", self._dashboard),
                web.get("/api/variables/{uid}", self._variables),
                web.get("/api/panels/{uid}/{panel}", self._panel),
                web.get("/{path:.*}", self._page),
            ]
        )
        return app

    async def _page(self, request: web.Request) -> web.StreamResponse:
        asset = self._assets.get(request.match_info["path"] or "index.html")
        if asset is None:
            raise UnknownError("there is nothing at this address: go to /")
        headers = {"Cache-Control": "no-cache", "ETag": asset.etag}
        if request.headers.get("If-None-Match") == asset.etag:
            return web.Response(status=304, headers=headers)
        response = web.Response(
            body=asset.body, content_type=asset.type, charset="utf-8", headers=headers
        )
        response.enable_compression()
        return response

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        def published_at() -> datetime | None:
            try:
                with self._published.read() as reading:
                    return reading.published_at
            except WarehouseError:
                return None

        return _json({"alive": True, "published_at": await self._run(published_at)})

    async def _dashboards(self, _request: web.Request) -> web.StreamResponse:
        return _json([board.summary() for board in self._catalogue.dashboards])

    async def _dashboard(self, request: web.Request) -> web.StreamResponse:
        return _json(self._catalogue.dashboard(request.match_info["uid"]).content)

    async def _variables(self, request: web.Request) -> web.StreamResponse:
        dashboard = self._catalogue.dashboard(request.match_info["uid"])
        given, _ = _asked(request)
        dashboard.needed("", given)

        def answer() -> dict[str, Any]:
            with self._published.read() as reading:
                values, choices = resolve(
                    reading.cursor, dashboard.variables, given, strict=False
                )
            options = {
                name: [option._asdict() for option in found]
                for name, found in choices.items()
            }
            return {"values": values, "options": options}

        return _json(await self._run(answer))

    async def _panel(self, request: web.Request) -> web.StreamResponse:
        dashboard = self._catalogue.dashboard(request.match_info["uid"])
        sql, format_ = dashboard.query(request.match_info["panel"])
        given, span = _asked(request)
        variables = dashboard.needed(sql, given)

        def answer() -> dict[str, Any]:
            with self._published.read() as reading:
                values, _ = resolve(reading.cursor, variables, given, strict=True)
                found = fetch(reading.cursor, render(sql, span, values), MAX_ROWS)
            return {
                "published_at": reading.published_at,
                "frame": shaped(found, format_),
            }

        return _json(await self._run(answer))

    async def _run(self, answer: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, answer)

    @web.middleware
    async def _errors(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except UnknownError as error:
            return _refusal(404, error)
        except InputError as error:
            return _refusal(400, error)
        except SlowQueryError as error:
            log.warning("view.slow_query", **request.match_info)
            return _refusal(504, error)
        except UnpublishedError as error:
            return _refusal(503, error, since=self._started)
        except WarehouseError as error:
            log.warning("view.unreadable", cause=type(error.__cause__).__name__)
            return _refusal(503, error)


@web.middleware
async def _methods(request: web.Request, handler: Handler) -> web.StreamResponse:
    allowed = {"Allow": ", ".join(METHODS)}
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=allowed)
    if request.method not in METHODS:
        refusal = InputError("this page only answers GET")
        return _refusal(405, refusal, headers=allowed)
    return await handler(request)


async def _known_host(
    host: str, request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Refuse names that another page may have pointed at this server."""
    named = HOST.sub("", request.host).strip("[]").lower()
    if not (_is_address(named) or named in {"localhost", host, socket.gethostname()}):
        return _refusal(
            403, InputError("this page answers to localhost and addresses only")
        )
    return await handler(request)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)


def _asked(request: web.Request) -> tuple[dict[str, str], Span | None]:
    """The values of variables and the time that a request names.

    Raises:
        InputError: a parameter is unknown, comes twice, or makes no sense.
    """
    query = request.query
    known = {"from", "to"}
    for name in query:
        if name not in known and not name.startswith("var-"):
            raise InputError("only from, to and var-NAME are parameters here")
        if len(query.getall(name)) > 1:
            raise InputError("a parameter comes twice: give it once")
    given = {
        name.removeprefix("var-"): value
        for name, value in query.items()
        if name not in known
    }
    if not known & set(query):
        return given, None
    span = Span(_time(query.get("from", "")), _time(query.get("to", "")))
    if span.start > span.end:
        raise InputError("from lies after to: swap them")
    return given, span


def _time(text: str) -> datetime:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(LATEST_MS)):
        raise InputError("from and to must be milliseconds since 1970")
    if int(text) > LATEST_MS:
        raise InputError("from and to must lie before the year 2100")
    return datetime.fromtimestamp(int(text) / 1000, UTC)


def _json(content: object) -> web.Response:
    response = web.Response(
        body=msgspec.json.encode(content),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
    response.enable_compression()
    return response


def _refusal(
    status: int,
    error: Exception,
    *,
    since: datetime | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    content: dict[str, object] = {"error": str(error)}
    if since is not None:
        content["since"] = since
    return web.Response(
        status=status,
        body=msgspec.json.encode(content),
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _assets(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _assets(entry, f"{name}/")
            continue
        body = entry.read_bytes()
        type_ = TYPES[Path(name).suffix]
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        found.append((name, Asset(body, type_, etag)))
    return found
