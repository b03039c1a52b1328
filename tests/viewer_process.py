"""The viewer's server in a thread of the test, and a browser's way to ask it."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from dashboards.viewer.server import serve


class Reply(NamedTuple):
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's content."""
        return json.loads(self.body)


class Client:
    """Asks one server, each time anew."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 0

    def ask(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer to one request."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=20)
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            connection.request(method, target, headers=dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


@contextmanager
def serving(published: Path) -> Iterator[Client]:
    """A server on a free port for the duration of the block."""
    ready, stop = threading.Event(), threading.Event()
    urls: list[str] = []

    def listening(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(
        target=serve, args=(published, "127.0.0.1", 0, stop.is_set, listening)
    )
    thread.start()
    try:
        assert ready.wait(20)
        yield Client(urls[0])
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
