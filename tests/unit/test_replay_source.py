import asyncio
import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from connectors import replay
from connectors.lines import LONGEST_LINE
from connectors.replay import ReplaySource
from connectors.source import Page
from pipeline.config import ReplaySettings
from pipeline.errors import InputError, SourceError

SENT = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def line(number: int, **changes: object) -> bytes:
    fields = {
        "id": str(number),
        "ts": (SENT + timedelta(seconds=number)).isoformat(),
        "channel": "#a",
        "user": "jo",
        "text": f"text {number}",
    }
    return json.dumps(fields | changes).encode() + b"\n"


def archive(path: Path, numbers: range, *, compressed: bool = False) -> Path:
    data = b"".join(map(line, numbers))
    path.write_bytes(gzip.compress(data) if compressed else data)
    return path


def source(
    *files: Path, speed: float = 0.0, clock: Callable[[], datetime] = lambda: NOW
) -> ReplaySource:
    settings = ReplaySettings(name="a", files=list(map(str, files)), speed=speed)
    return ReplaySource(settings, clock)


def pages(source: ReplaySource, cursor: str | None = None) -> list[Page]:
    async def collect() -> list[Page]:
        return [page async for page in source.pages(cursor)]

    return asyncio.run(collect())


def ids(found: list[Page]) -> list[int]:
    return [int(message.id) for page in found for message in page.messages]


def refusals(found: list[Page]) -> list[tuple[int, str]]:
    return [(r.number, r.error) for page in found for r in page.refusals]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PAGE_MESSAGES", 3)


@pytest.mark.usefixtures("small_pages")
def test_files_are_read_in_order_and_pages_span_them(tmp_path: Path) -> None:
    first = archive(tmp_path / "1", range(4))
    second = archive(tmp_path / "2", range(4, 8), compressed=True)
    found = pages(source(first, second))
    assert ids(found) == list(range(8))
    assert [len(page.messages) for page in found] == [3, 3, 2]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("compressed", [False, True])
def test_reading_goes_on_behind_any_page(tmp_path: Path, compressed: bool) -> None:  # noqa: FBT001
    files = [
        archive(tmp_path / str(n), range(n * 4, n * 4 + 4), compressed=compressed)
        for n in range(3)
    ]
    found = pages(source(*files))
    for number, page in enumerate(found, start=1):
        assert ids(pages(source(*files), page.cursor)) == ids(found[number:])


def test_what_was_read_to_its_end_gives_nothing_more(tmp_path: Path) -> None:
    file = archive(tmp_path / "1", range(4))
    (page,) = pages(source(file))
    assert pages(source(file), page.cursor) == []


def test_a_file_added_at_the_end_is_read_alone(tmp_path: Path) -> None:
    first = archive(tmp_path / "1", range(4))
    (page,) = pages(source(first))
    second = archive(tmp_path / "2", range(4, 6))
    assert ids(pages(source(first, second), page.cursor)) == [4, 5]


def test_other_files_than_before_are_read_from_the_beginning(tmp_path: Path) -> None:
    first = archive(tmp_path / "1", range(4))
    second = archive(tmp_path / "2", range(4, 6))
    (page,) = pages(source(first))
    with capture_logs() as logs:
        assert ids(pages(source(second), page.cursor)) == [4, 5]
        assert ids(pages(source(second, first), page.cursor)) == [4, 5, 0, 1, 2, 3]
    assert {entry["event"] for entry in logs} == {"archives-changed"}


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("numbers", [range(10, 19), range(10, 12), range(1, 9)])
def test_an_archive_changed_in_its_midst_is_read_anew(
    tmp_path: Path, numbers: range
) -> None:
    file = archive(tmp_path / "1", range(9))
    cursor = pages(source(file))[0].cursor
    archive(file, numbers)
    with capture_logs() as logs:
        assert ids(pages(source(file), cursor)) == list(numbers)
    assert logs[0]["event"] == "archives-changed"


@pytest.mark.usefixtures("small_pages")
def test_an_archive_that_grew_is_read_on(tmp_path: Path) -> None:
    file = archive(tmp_path / "1", range(4))
    cursor = pages(source(file))[0].cursor
    archive(file, range(9))
    assert ids(pages(source(file), cursor)) == list(range(3, 9))


def test_what_was_appended_after_the_end_is_read_alone(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.jsonl", range(100))
    found = pages(source(path))
    with path.open("ab") as file:
        file.writelines(map(line, range(100, 150)))
    more = pages(source(path), found[-1].cursor)
    assert ids(more) == list(range(100, 150))
    assert pages(source(path), more[-1].cursor) == []


def test_an_unfinished_last_line_is_read_once_it_is_whole(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.jsonl", range(3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with capture_logs() as logs:
        found = pages(source(path))
    assert [log["event"] for log in logs] == ["last-line-unfinished"]
    assert (ids(found), refusals(found)) == ([0, 1], [])
    path.write_bytes(whole)
    assert ids(pages(source(path), found[-1].cursor)) == [2]


def test_every_bad_line_is_refused_with_its_place_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bad"
    file.write_bytes(
        b"\xef\xbb\xbf"
        + line(1)
        + b"not JSON\n\n"
        + line(4, text=None)
        + b"\xff\xfe\n"
        + line(6)
        + b"x" * (LONGEST_LINE + 1)
        + b"\n"
        + b'{"text": "\\ud800"}\n'
        + line(9).strip()
    )
    found = pages(source(file))
    assert ids(found) == [1, 6, 9]
    assert [number for number, _ in refusals(found)] == [2, 4, 5, 7, 8]
    assert all(r.where == str(file) for page in found for r in page.refusals)


def test_a_gzip_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "cut"
    data = b"".join(map(line, range(5_000)))
    file.write_bytes(gzip.compress(data)[:20_000])
    found = pages(source(file))
    read = ids(found)
    assert read == list(range(len(read)))
    assert len(read) > 1_000
    ((number, error),) = refusals(found)
    assert number == len(read) + 1
    assert "cut short" in error
    assert pages(source(file), found[-1].cursor) == []


def test_an_empty_file_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    found = pages(source(tmp_path / "empty", archive(tmp_path / "1", range(2))))
    assert refusals(found) == [(0, "the file is empty")]
    assert ids(found) == [0, 1]


def test_pages_hold_few_bytes_however_long_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"".join(line(n, text="x" * 1_000_000) for n in range(12)))
    found = pages(source(file))
    assert len(found) == 3
    assert ids(found) == list(range(12))


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file_is_an_error_of_the_user(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"check the path|is no file"):
        source(tmp_path / name).check()
    with pytest.raises(InputError):
        pages(source(tmp_path / name))


def test_a_file_that_may_not_be_read_is_an_error_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(InputError, match="permissions"):
        source(archive(tmp_path / "1", range(2))).check()


def test_a_disk_that_fails_is_an_error_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(replay, "LineReader", fail)
    with pytest.raises(SourceError, match="Input/output error"):
        pages(source(archive(tmp_path / "1", range(2))))


def test_progress_is_told_in_bytes_on_disk(tmp_path: Path) -> None:
    files = archive(tmp_path / "1", range(9)), archive(tmp_path / "2", range(9))
    reading = source(*files)
    assert reading.bytes_read == 0
    found = pages(reading)
    assert reading.bytes_read == reading.bytes_total > 0
    again = source(*files)
    pages(again, found[-1].cursor)
    assert again.bytes_read == again.bytes_total


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def paced(source: ReplaySource, clock: Clock) -> list[tuple[float, list[int]]]:
    """When, in seconds, each page came, if every pause is kept."""

    async def collect() -> list[tuple[float, list[int]]]:
        found = []
        async for page in source.pages(None):
            found.append(((clock.now - NOW).total_seconds(), ids([page])))
            clock.now += timedelta(seconds=page.pause_s)
        return found

    return asyncio.run(collect())


def test_an_archive_is_read_at_a_multiple_of_its_pace(tmp_path: Path) -> None:
    clock = Clock()
    found = paced(
        source(archive(tmp_path / "1", range(4)), speed=2, clock=clock), clock
    )
    assert found == [(0.0, [0]), (0.5, [1]), (1.0, [2]), (1.5, [3])]


def test_what_is_due_in_the_same_moment_is_read_together(tmp_path: Path) -> None:
    clock = Clock()
    file = archive(tmp_path / "1", range(100))
    found = paced(source(file, speed=1_000, clock=clock), clock)
    assert len(found) < 4
    assert found[-1][0] == pytest.approx(0.099, abs=0.05)


def test_no_message_waits_for_a_date_that_cannot_be(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "1"
    file.write_bytes(
        line(0) + line(1, ts="9999-01-01") + line(2, ts="0001-01-01") + line(3)
    )
    found = paced(source(file, speed=1, clock=clock), clock)
    assert found == [(0.0, [0, 1, 2]), (3.0, [3])]


def test_the_cursor_is_json(tmp_path: Path) -> None:
    (page,) = pages(source(archive(tmp_path / "1", range(2))))
    assert msgspec.json.decode(page.cursor)["line"] == 2
