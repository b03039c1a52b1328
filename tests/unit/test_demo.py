"""The demo's archives: real messages moved, and a crisis that says it is planted."""

import gzip
import socket
import tomllib
from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.config import check
from pipeline.errors import BusyError, InputError
from pipeline.jobs.demo import MARKER, _free_port, demo, prepare
from pipeline.jobs.demo_data.make_sample import sample, write
from pipeline.jobs.lock import exclusive
from pipeline.jobs.stop import Stop

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path) as file:
        return [msgspec.json.decode(line) for line in file]


def test_the_backlog_ends_now_and_spans_the_last_120_days(tmp_path: Path) -> None:
    prepare(tmp_path, NOW, port=0, live=True)
    backlog = lines(tmp_path / "ubuntu.jsonl.gz")
    assert len(backlog) > 20_000
    assert backlog[0]["ts"] == "2025-11-02T00:00:00+00:00"
    assert backlog[-1]["ts"] < NOW.isoformat()
    assert set(Counter(line["ts"][:10] for line in backlog).values()) == {168, 84}


def test_messages_go_on_live_after_the_backlog(tmp_path: Path) -> None:
    prepare(tmp_path, NOW, port=0, live=True)
    live = lines(tmp_path / "ubuntu-live.jsonl.gz")
    assert live[0]["ts"] == NOW.isoformat()
    assert len({line["id"] for line in live}) == len(live) > 1_000


def test_the_planted_crisis_rises_slowly_and_is_named_as_planted(
    tmp_path: Path,
) -> None:
    path = prepare(tmp_path, NOW, port=0, live=False)
    planted = lines(tmp_path / "planted.jsonl.gz")
    days = Counter(line["ts"][:10] for line in planted)
    assert max(days, key=lambda day: days[day]) == "2026-02-17"
    assert min(days) == "2026-02-07"
    assert max(days) == "2026-02-23"
    notice = tomllib.loads(path.read_text())["warehouse"]["notice"]
    assert "2026-02-07 to 2026-02-23 is PLANTED" in notice


def test_two_demos_of_one_day_plant_the_same_crisis(tmp_path: Path) -> None:
    prepare(tmp_path, NOW, port=0, live=False)
    first = lines(tmp_path / "planted.jsonl.gz")
    prepare(tmp_path, NOW, port=0, live=False)
    assert lines(tmp_path / "planted.jsonl.gz") == first


def test_the_configuration_it_writes_has_no_fault(tmp_path: Path) -> None:
    assert check(prepare(tmp_path, NOW, port=0, live=True), {}) == []


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="choose another with --dir"):
        demo(tmp_path, port=0, once=True, stop=Stop())
    assert (tmp_path / "thesis.tex").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is no folder"):
        demo(tmp_path / "file", port=0, once=True, stop=Stop())
    with pytest.raises(InputError, match="cannot be written to"):
        demo(tmp_path / "file" / "folder", port=0, once=True, stop=Stop())


def test_a_second_demo_leaves_the_first_one_alone(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    (tmp_path / "groundswell.toml").touch()
    with (
        exclusive(tmp_path / MARKER, "demo"),
        pytest.raises(BusyError, match="another `groundswell demo`"),
    ):
        demo(tmp_path, port=0, once=True, stop=Stop())
    assert (tmp_path / "groundswell.toml").exists()


def test_the_shipped_sample_is_made_from_the_stream(
    shared_data: Path, tmp_path: Path
) -> None:
    write(sample(shared_data / "streams" / "ubuntu_irc.jsonl.gz"), tmp_path / "s.gz")
    shipped = files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"
    assert gzip.decompress(shipped.read_bytes()) == gzip.decompress(
        (tmp_path / "s.gz").read_bytes()
    )


def test_a_taken_port_is_stepped_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert _free_port(port) != port


def test_no_free_port_is_said() -> None:
    with pytest.raises(InputError, match="choose another with --port"):
        _free_port(70_000)
