"""The connectors' jobs over a real log: real streams, broken input, and `kill -9`."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from pipeline.config import Config, LogSettings, ReplaySettings, RssSettings
from pipeline.errors import BusyError, ConfigError, InputError, SourceError
from pipeline.jobs import connect as connect_job
from pipeline.jobs import replay as replay_job
from pipeline.jobs.connect import connect
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.replay import ReplaySummary, replay, source_name
from pipeline.jobs.stop import Stop
from pipeline.log.message_log import Stored, Topic
from pipeline.log.open import open_log
from pipeline.records import DeadLetter, Message, Pulse, decode

SECRET = {"GROUNDSWELL_SECRET": "0123456789abcdef0123456789abcdef"}
STREAMS = ("ubuntu_irc", "duraspace_irc", "gitter_dev_chat", "slack_dev_chat")
KILLS = 6


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(log=LogSettings(url=f"sqlite:{tmp_path}/log.sqlite"))


def line(number: int, **changes: object) -> bytes:
    fields = {
        "id": str(number),
        "ts": 1_700_000_000 + number,
        "channel": "#a",
        "user": f"user-{number % 97}",
        "text": f"message {number}, {'so it goes ' * (number % 9)}",
        "thread": str(number * number % 101),
    }
    return json.dumps(fields | changes).encode() + b"\n"


def archive(path: Path, count: int) -> Path:
    with gzip.open(path, "wb", 1) as file:
        file.writelines(map(line, range(count)))
    return path


def settings(*files: Path, name: str = "archive", speed: float = 0) -> ReplaySettings:
    return ReplaySettings(name=name, files=list(map(str, files)), speed=speed)


def replayed(config: Config, *files: Path, stop: Stop | None = None) -> ReplaySummary:
    stop = stop or Stop()
    return replay(config, SECRET, settings(*files), stop, show_progress=False)


def stored(config: Config, topic: Topic) -> Iterator[Stored]:
    log = open_log(config.log)
    try:
        start = 0
        while records := log.read(topic, 0, start, 10_000):
            yield from records
            start = records[-1].offset + 1
    finally:
        log.close()


def messages(config: Config, topic: Topic = "history") -> list[Message]:
    """Of `topic`: archives are old, so theirs are history."""
    return [decode(record.value, Message) for record in stored(config, topic)]


def letters(config: Config) -> list[DeadLetter]:
    return [decode(r.value, DeadLetter) for r in stored(config, "dead-letters")]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_line_of_a_real_stream_is_a_message_or_a_dead_letter(
    config: Config, shared_data: Path, stream: str
) -> None:
    file = shared_data / "streams" / f"{stream}.jsonl.gz"
    with gzip.open(file) as opened:
        ids = {json.loads(each)["id"] for each in opened}
    summary = replayed(config, file)
    assert summary.messages + summary.dead_letters == len(ids)
    assert summary.dead_letters <= 3
    kept = {message.id for message in messages(config)}
    dead = {json.loads(letter.raw)["id"] for letter in letters(config)}
    assert kept | dead == ids
    assert replayed(config, file) == ReplaySummary(0, 0)


def test_real_text_keeps_no_address_and_its_threads_have_context(
    config: Config, shared_data: Path
) -> None:
    replayed(config, shared_data / "streams" / "slack_dev_chat.jsonl.gz")
    found = messages(config)
    assert not any("<@" in message.text for message in found)
    assert not any("@gmail.com" in message.text for message in found)
    assert sum(bool(message.context) for message in found) > len(found) / 2
    assert all(sum(map(len, message.context)) <= 1_000 for message in found)


def test_an_archive_that_reaches_to_now_is_history_but_for_its_last_day(
    config: Config, tmp_path: Path
) -> None:
    now = int(time.time())
    path = tmp_path / "to-now.jsonl"
    path.write_bytes(
        b"".join(line(hours, ts=now - 3_600 * hours) for hours in range(72, 0, -1))
    )
    assert replayed(config, path).messages == 72
    assert [int(message.id) for message in messages(config)] == [*range(72, 23, -1)]
    live = messages(config, "messages")
    assert [int(message.id) for message in live] == [*range(23, 0, -1)]


def broken_input(path: Path) -> Path:
    path.write_bytes(
        line(1)
        + b"not JSON\n"
        + line(3, text=None)
        + line(4, text="jo@example.org " * 350_000)
        + line(5, text="a\0b")
        + line(6).replace(b"message", b"\\ud83d")
        + line(7, ts="0001-01-01T00:00:00Z")
        + line(8, ts="9999-12-31T23:59:59Z")
        + line(9).replace(b"message", b"\xff\xfe")
        + line(10)
    )
    return path


def test_each_broken_line_is_a_dead_letter_and_the_others_are_read(
    config: Config, tmp_path: Path
) -> None:
    path = broken_input(tmp_path / "broken.jsonl")
    assert replayed(config, path) == ReplaySummary(2, 8)
    assert [message.id for message in messages(config)] == ["1", "10"]
    found = letters(config)
    assert sorted(letter.offset for letter in found) == list(range(2, 10))
    assert {letter.topic for letter in found} == {str(path)}
    assert all(len(letter.raw) <= 64_000 for letter in found)
    assert not any(
        b"example" in letter.raw or b"user-" in letter.raw for letter in found
    )
    assert "5,250,000 characters" in next(e.error for e in found if e.offset == 4)


def test_a_gzip_cut_short_is_read_as_far_as_it_goes(
    config: Config, tmp_path: Path
) -> None:
    path = archive(tmp_path / "cut.gz", 20_000)
    path.write_bytes(path.read_bytes()[:-1_000])
    summary = replayed(config, path)
    assert summary.messages > 15_000
    assert "cut short" in letters(config)[0].error


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_what_is_no_file_is_refused(config: Config, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"check the path|is no file"):
        replayed(config, tmp_path / name)


def test_a_replay_that_was_stopped_goes_on_where_it_stopped(
    config: Config, tmp_path: Path
) -> None:
    path = archive(tmp_path / "a.gz", 30_000)
    stop = Stop()
    threading.Timer(0.7, stop.set).start()
    first = replayed(config, path, stop=stop)
    second = replayed(config, path)
    assert first.messages + second.messages == 30_000
    assert [message.id for message in messages(config)] == [
        str(number) for number in range(30_000)
    ]


def test_two_replays_of_one_name_do_not_run_at_once(
    config: Config, tmp_path: Path
) -> None:
    with (
        exclusive(lock_path(config, "replay-archive"), "replay"),
        pytest.raises(BusyError),
    ):
        replayed(config, archive(tmp_path / "a.gz", 1))


def test_progress_is_drawn_in_bytes(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = archive(tmp_path / "a.gz", 10_000)
    replay(config, SECRET, settings(path), Stop(), show_progress=True)
    drawn = capsys.readouterr().err
    assert "archive: 100%" in drawn
    assert "messages=1e+4" in drawn


def test_progress_is_logged_without_a_terminal(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_job, "LOG_EVERY_S", 0.0)
    with capture_logs() as logs:
        replayed(config, archive(tmp_path / "a.gz", 10))
    assert logs[0]["event"] == "replay-progress"
    assert logs[0]["bytes_read"] == logs[0]["bytes_total"]
    assert "text" not in logs[0]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Ubuntu_IRC.jsonl.gz", "ubuntu_irc"),
        ("/x/2024-01.json", "2024-01"),
        ("a b&c.ndjson", "a-b-c"),
        ("_.hidden.gz", "hidden"),
        ("x" * 99, "x" * 63),
    ],
)
def test_an_archive_names_its_source(path: str, name: str) -> None:
    assert source_name(Path(path)) == name


@pytest.mark.parametrize("path", ["....jsonl", "all.jsonl", "日本.gz"])
def test_an_archive_without_a_usable_name_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="--source"):
        source_name(Path(path))


def test_connect_reads_all_sources_until_nothing_is_left(tmp_path: Path) -> None:
    sources = [
        settings(archive(tmp_path / f"{name}.gz", 500), name=name) for name in "abc"
    ]
    config = Config(
        log=LogSettings(url=f"sqlite:{tmp_path}/log.sqlite"), sources=[*sources]
    )
    connect(config, SECRET, Stop(), once=True)
    found = messages(config)
    assert len({message.key for message in found}) == 1_500
    connect(config, SECRET, Stop(), once=True)
    assert len(messages(config)) == 1_500


def test_connect_goes_on_until_it_is_stopped(config: Config, tmp_path: Path) -> None:
    paced = settings(archive(tmp_path / "a.gz", 10), speed=0.001)
    config = msgspec.structs.replace(config, sources=[paced])
    stop = Stop()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    connect(config, SECRET, stop)
    assert 0.5 <= time.monotonic() - began < 2.5
    assert len(messages(config)) == 1
    pulses = [decode(record.value, Pulse) for record in stored(config, "pulses")]
    assert [pulse.state for pulse in pulses] == ["ok", "stopped"]


def test_connect_reads_what_it_can_and_says_what_failed(
    config: Config, tmp_path: Path
) -> None:
    failing = RssSettings(name="feed", url="http://127.0.0.1:9/feed")
    good = settings(archive(tmp_path / "a.gz", 10))
    config = msgspec.structs.replace(config, sources=[failing, good])
    with capture_logs() as logs, pytest.raises(SourceError, match="cannot be read"):
        connect(config, SECRET, Stop(), once=True)
    assert len(messages(config)) == 10
    assert logs[0]["event"] == "source-failing"


def test_connect_runs_once_a_log(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        connect_job, "exclusive", lambda path, job: exclusive(path, job, grace_s=0.1)
    )
    with (
        exclusive(lock_path(config, "connect"), "connect"),
        pytest.raises(BusyError),
    ):
        connect(config, SECRET, Stop(), once=True)


def test_connect_needs_the_secret(config: Config) -> None:
    with pytest.raises(ConfigError, match="secret"):
        connect(config, {}, Stop(), once=True)


REPLAY = """
import sys
from pathlib import Path
from pipeline.config import Config, LogSettings, ReplaySettings
from pipeline.jobs.replay import replay
from pipeline.jobs.stop import Stop
log, *files = sys.argv[1:]
replay(
    Config(log=LogSettings(url=f"sqlite:{log}")),
    {"GROUNDSWELL_SECRET": "0123456789abcdef0123456789abcdef"},
    ReplaySettings(name="archive", files=files),
    Stop(),
    show_progress=False,
)
"""


def start(config: Config, files: list[Path]) -> subprocess.Popen[bytes]:
    log = config.log.url.removeprefix("sqlite:")
    command = [sys.executable, "-c", REPLAY, log, *map(str, files)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def first_told(config: Config) -> dict[tuple[str, str, int], Message]:
    """Each message as it stands first on the log, but for when it was seen."""
    then = datetime(2200, 1, 1, tzinfo=UTC)
    told: dict[tuple[str, str, int], Message] = {}
    for message in messages(config, "messages") + messages(config):
        told.setdefault(message.key, msgspec.structs.replace(message, seen_at=then))
    return told


def old_and_new(number: int) -> bytes:
    """A line of an archive in which what is old and what is new take turns."""
    return line(number, **{"ts": int(time.time())} if number % 3 == 0 else {})


def test_a_replay_killed_at_any_moment_ends_like_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    files = [archive(tmp_path / f"{n}.gz", 0) for n in range(3)]
    for number, file in enumerate(files):
        with gzip.open(file, "wb", 1) as opened:
            numbers = range(number * 20_000, (number + 1) * 20_000)
            opened.writelines(map(old_and_new, numbers))
    undisturbed, killed = (
        Config(log=LogSettings(url=f"sqlite:{tmp_path}/{name}.sqlite"))
        for name in ("undisturbed", "killed")
    )
    replayed(undisturbed, *files)
    chance = random.Random(3)
    for _ in range(KILLS):
        process = start(killed, files)
        time.sleep(chance.uniform(0.4, 1.4))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start(killed, files).wait(120) == 0
    assert first_told(killed) == first_told(undisturbed)
    repeated = len(messages(killed) + messages(killed, "messages")) - 60_000
    assert 0 <= repeated <= KILLS * 5_000
