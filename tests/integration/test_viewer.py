"""The viewer's server, asked over HTTP as a browser and as an attacker would."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from synthetic_published import write
from viewer_process import Client, Reply, serving

from dashboards.viewer import server
from pipeline.errors import ConfigError

NOW = datetime.now(UTC)
OVERVIEW, FORECAST = "groundswell-overview", "groundswell-forecast"
EMOTIONS = f"/api/panels/{OVERVIEW}/8"
MESSAGES = f"/api/panels/{OVERVIEW}/4"
HOSTILE = (
    "' OR 1=1 --",
    "all'; DROP TABLE about; --",
    "all' UNION SELECT 1, 2 --",
    "$__timeFilter(day)",
    "${scope:sqlstring}",
    "$var_scope",
    "x" * 4_000,
    "\x00",
    "all\n",
    "",
)


def span(days: int = 90) -> dict[str, str]:
    end = NOW.timestamp() * 1000
    return {"from": str(round(end - days * 86_400_000)), "to": str(round(end))}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "published.duckdb"
    write(path, NOW)
    return path


@pytest.fixture(scope="module")
def client(file: Path) -> Iterator[Client]:
    with serving(file) as client:
        yield client


def sentence(reply: Reply) -> str:
    """The one sentence of a refusal, which gives nothing of the inside away."""
    error: str = reply.json()["error"]
    assert "\n" not in error
    assert not {"Traceback", "SELECT", "duckdb."} & set(error.split())
    return error


def test_the_page_and_all_it_needs_come_from_the_server(client: Client) -> None:
    page = client.ask("/")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert b"<title>groundswell</title>" in page.body
    for name, kind in {
        "viewer.js": "text/javascript",
        "viewer.css": "text/css",
        "icon.svg": "image/svg+xml",
        "licenses.md": "text/markdown",
    }.items():
        found = client.ask(f"/{name}")
        assert found.status == 200
        assert found.headers["Content-Type"].startswith(kind)


def test_an_unchanged_page_is_not_sent_twice(client: Client) -> None:
    etag = client.ask("/viewer.js").headers["ETag"]
    again = client.ask("/viewer.js", headers={"If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/", "/api/dashboards", "/nothing", f"{EMOTIONS}?from=x", "/viewer.js"],
)
def test_every_answer_carries_the_security_headers(client: Client, path: str) -> None:
    headers = client.ask(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Server"] == "groundswell"
    assert not [name for name in headers if name.startswith("Access-Control")]


def test_the_dashboards_are_those_that_grafana_reads(client: Client) -> None:
    summaries = client.ask("/api/dashboards").json()
    assert [one["uid"] for one in summaries] == [OVERVIEW, FORECAST]
    for summary in summaries:
        dashboard = client.ask(f"/api/dashboards/{summary['uid']}").json()
        assert dashboard["title"] == summary["title"]
        assert dashboard["panels"]


def test_a_panel_gets_its_figures_and_when_they_were_published(client: Client) -> None:
    answer = client.ask(EMOTIONS, {**span(), "var-smoothing": "1"}).json()
    names = [field["name"] for field in answer["frame"]["fields"]]
    assert names[:3] == ["time", "frustration", "anger"]
    assert len(answer["frame"]["fields"][0]["values"]) > 80
    assert datetime.fromisoformat(answer["published_at"]) == NOW


def test_a_shorter_time_shows_fewer_messages(client: Client) -> None:
    def messages(days: int) -> int:
        frame = client.ask(MESSAGES, span(days)).json()["frame"]
        count: int = frame["fields"][0]["values"][0]
        return count

    assert messages(10) < messages(30) < messages(90)


def test_a_variable_changes_the_figures(client: Client) -> None:
    everything = client.ask(MESSAGES, span()).json()
    one = client.ask(MESSAGES, {**span(), "var-scope": "ubuntu/#ubuntu"}).json()
    assert everything["frame"] != one["frame"]


def test_series_come_as_one_column_a_name(client: Client) -> None:
    frame = client.ask(f"/api/panels/{OVERVIEW}/15", span()).json()["frame"]
    labels = [field.get("labels") for field in frame["fields"]]
    assert labels == [
        None,
        {"source": "planted"},
        {"source": "ubuntu"},
        {"source": "ubuntu-live"},
    ]


def test_the_options_of_one_variable_follow_another(client: Client) -> None:
    usual = client.ask(f"/api/variables/{FORECAST}").json()
    assert usual["values"]["series"] == "fine-emotion/frustration"
    assert usual["options"]["origin"][0] == {"text": "the newest", "value": "newest"}
    none = client.ask(f"/api/variables/{FORECAST}", {"var-scope": "nothing"}).json()
    assert none["values"] == usual["values"]


def test_a_past_forecast_can_be_chosen(client: Client) -> None:
    origin = (NOW - timedelta(days=30)).date().isoformat()
    query = {**span(60), "var-origin": origin}
    frame = client.ask(f"/api/panels/{FORECAST}/8", query).json()["frame"]
    columns = {field["name"]: field["values"] for field in frame["fields"]}
    days = [
        datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
        for at, mean in zip(columns["time"], columns["forecast"], strict=True)
        if mean is not None
    ]
    assert len(days) == 7
    assert min(days) > origin


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_that_is_no_option_is_refused(client: Client, value: str) -> None:
    reply = client.ask(MESSAGES, {**span(), "var-scope": value})
    assert reply.status == 400
    assert "none of its options" in sentence(reply)
    assert client.ask(MESSAGES, span()).status == 200


@pytest.mark.parametrize(
    "time",
    [
        "",
        "now",
        "-1",
        "1e9",
        "1'; DROP TABLE about; --",
        "9" * 40,
        "4102444800001",
        "٣",
    ],
)
def test_a_time_that_is_none_is_refused(client: Client, time: str) -> None:
    for query in ({**span(), "from": time}, {**span(), "to": time}):
        reply = client.ask(MESSAGES, query)
        assert reply.status == 400
        assert sentence(reply)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        (MESSAGES, {}, 400),
        (MESSAGES, {"from": "2", "to": "1"}, 400),
        (MESSAGES, {"from": "2"}, 400),
        (MESSAGES, {**span(), "var-nothing": "x"}, 400),
        (MESSAGES, {**span(), "sql": "SELECT 1"}, 400),
        (f"/api/panels/{OVERVIEW}/99", span(), 404),
        (f"/api/panels/{OVERVIEW}/1", span(), 404),
        (f"/api/panels/{OVERVIEW}/-1", span(), 404),
        (f"/api/panels/{OVERVIEW}/8;DROP", span(), 404),
        ("/api/panels/nothing/8", span(), 404),
        ("/api/dashboards/nothing", {}, 404),
        ("/api/dashboards/..%2f..%2fpyproject", {}, 404),
        ("/api/variables/nothing", {}, 404),
        (f"/api/variables/{OVERVIEW}", {"var-nothing": "x"}, 400),
        ("/../pyproject.toml", {}, 404),
        ("/..%2fserver.py", {}, 404),
        ("/server.py", {}, 404),
    ],
)
def test_what_is_unknown_or_makes_no_sense_is_refused_in_a_sentence(
    client: Client, path: str, query: dict[str, str], status: int
) -> None:
    reply = client.ask(path, query)
    assert reply.status == status
    assert sentence(reply)


def test_a_parameter_given_twice_is_refused(client: Client) -> None:
    reply = client.ask(f"{MESSAGES}?from=1&to=2&to=3")
    assert reply.status == 400
    assert "twice" in sentence(reply)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "", "[", ":"],
)
def test_a_page_of_another_name_gets_nothing(client: Client, host: str) -> None:
    for path in ("/", MESSAGES, "/healthz"):
        assert client.ask(path, headers={"Host": host}).status in {400, 403}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:99", "127.0.0.1:8080", "[::1]:8080", socket.gethostname()],
)
def test_this_machine_goes_by_many_names(client: Client, host: str) -> None:
    assert client.ask("/api/dashboards", headers={"Host": host}).status == 200


def test_only_reading_is_answered(client: Client) -> None:
    head = client.ask("/api/dashboards", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    options = client.ask("/api/dashboards", method="OPTIONS")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.ask("/api/dashboards", method=method).status == 405


def test_the_health_says_when_was_published(client: Client) -> None:
    health = client.ask("/healthz").json()
    assert health["alive"] is True
    assert datetime.fromisoformat(health["published_at"]) == NOW


def test_an_unpublished_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "published.duckdb"
    with serving(path) as client:
        reply = client.ask(MESSAGES, span())
        assert reply.status == 503
        assert sentence(reply) == "nothing has been published yet"
        since = datetime.fromisoformat(reply.json()["since"])
        assert timedelta() <= datetime.now(UTC) - since < timedelta(minutes=1)
        assert client.ask("/healthz").json()["published_at"] is None
        assert client.ask("/").status == 200
        write(tmp_path / "new.duckdb", NOW)
        (tmp_path / "new.duckdb").replace(path)
        assert client.ask(MESSAGES, span()).status == 200


def test_a_broken_file_is_said_and_mended_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "published.duckdb"
    path.write_bytes(b"no database" * 500)
    with serving(path) as client:
        reply = client.ask(MESSAGES, span())
        assert reply.status == 503
        assert "publish anew" in sentence(reply)
        assert client.ask("/healthz").json()["published_at"] is None
        write(tmp_path / "new.duckdb", NOW)
        (tmp_path / "new.duckdb").replace(path)
        assert client.ask(MESSAGES, span()).status == 200


def test_a_query_that_takes_too_long_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000) b"
    published = server.Published
    monkeypatch.setattr(server, "Published", lambda path: published(path, 0.3))
    monkeypatch.setattr(
        server.Catalogue, "dashboard", lambda _self, _uid: _Endless(endless)
    )
    with serving(file) as client:
        reply = client.ask("/api/panels/x/1", span())
    assert reply.status == 504
    assert "choose less time" in sentence(reply)


class _Endless:
    """A dashboard whose one query does not end."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def query(self, _panel: str) -> tuple[str, int]:
        return self._sql, 1

    def needed(self, _sql: str, _given: dict[str, str]) -> list[dict[str, str]]:
        return []


def test_many_ask_while_newer_files_take_the_place(tmp_path: Path) -> None:
    path = tmp_path / "published.duckdb"
    write(path, NOW)
    replies: list[Reply] = []
    with serving(path) as client:

        def ask() -> None:
            replies.extend(client.ask(EMOTIONS, span()) for _ in range(12))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        later = NOW
        for number in range(1, 4):
            later = NOW + timedelta(minutes=number)
            fresh = tmp_path / "new.duckdb"
            write(fresh, later)
            fresh.replace(path)
            published = client.ask(EMOTIONS, span()).json()["published_at"]
            assert datetime.fromisoformat(published) == later
        for thread in threads:
            thread.join()
    assert len(replies) == 48
    assert {reply.status for reply in replies} == {200}


def test_a_taken_port_is_said_in_a_sentence(file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=r"set another host or port in \[viewer\]"
        ):
            server.serve(file, "127.0.0.1", port, lambda: True, print)


@pytest.mark.parametrize(
    ("listening", "url"),
    [
        (("0.0.0.0", 8080), "http://localhost:8080/"),
        (("127.0.0.1", 8080), "http://127.0.0.1:8080/"),
        (("::1", 8080, 0, 0), "http://[::1]:8080/"),
        (("::", 8080, 0, 0), "http://localhost:8080/"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(
    listening: tuple[str, int], url: str
) -> None:
    runner: Any = SimpleNamespace(addresses=[listening])
    assert server._address(runner) == url
