"""The demo: real messages, a planted crisis, every part, one folder.

About 20,000 messages of Ubuntu's IRC channel are moved to the last 120 days, an
invented crisis is planted among them, and after the backlog messages go on live.
"""

import contextlib
import gzip
import itertools
import random
import secrets
import shutil
import socket
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import InputError
from pipeline.jobs.demo_data.make_sample import A_DAY, DAYS
from pipeline.jobs.lock import exclusive
from pipeline.jobs.run import run
from pipeline.jobs.stop import Stop

PORTS_TRIED = 20
MARKER = ".groundswell-demo"
# Days before today: the crisis builds up for ten days, and then ebbs away.
CRISIS_FIRST, CRISIS_PEAK, CRISIS_LAST = 22, 12, 6
PEAK_MESSAGES = 70
CALM_SHARE = 0.15
PLANTED_AUTHORS = 60
LIVE_EVERY = timedelta(seconds=4)
LIVE_FOR = timedelta(hours=12)

Line = dict[str, Any]

CONFIGURATION = """\
# Written by `groundswell demo`; each demo writes it anew.
[warehouse]
publish_every_s = 5.0
notice = "{notice}"

[tagging]
tier = "fast"
batch = 2000

[viewer]
port = {port}

[[sources]]
type = "replay"
name = "ubuntu"
files = ["ubuntu.jsonl.gz"]
platform = "irc"

[[sources]]
type = "replay"
name = "planted"
files = ["planted.jsonl.gz"]
platform = "irc"
"""
LIVE_SOURCE = """
[[sources]]
type = "replay"
name = "ubuntu-live"
files = ["ubuntu-live.jsonl.gz"]
platform = "irc"
speed = 1.0
"""
NOTICE = (
    "DEMO. Real messages of the #ubuntu channel (public domain; collected by "
    "Kummerfeld et al. 2019, CC BY 4.0), moved from their own dates to the last "
    "{days} days. The crisis of {first} to {last} is PLANTED: invented messages of "
    "the source 'planted'."
)


def demo(
    folder: Path, *, port: int, once: bool, stop: Stop, now: datetime | None = None
) -> None:
    """Run the demo in `folder` until `stop`, or until its first publication.

    Raises:
        InputError: `folder` holds something else than an earlier demo.
        BusyError: a demo runs there already.
    """
    now = now or datetime.now(UTC)
    folder = folder.resolve()
    _claim(folder)
    with exclusive(folder / MARKER, "demo", grace_s=0.0):
        configuration = prepare(folder, now, port=_free_port(port), live=not once)
        run(configuration, {}, stop, once=once)


def prepare(folder: Path, now: datetime, *, port: int, live: bool) -> Path:
    """Empty `folder`, then write the archives and the configuration of a demo.

    Returns:
        The configuration's path.
    """
    _clear(folder)
    backlog = _sample()
    _write(folder / "ubuntu.jsonl.gz", _moved(backlog, now))
    _write(folder / "planted.jsonl.gz", _crisis(now.date()))
    _write_secret(folder / "data" / "secret")
    text = CONFIGURATION.format(notice=_notice(now.date()), port=port)
    if live:
        _write(folder / "ubuntu-live.jsonl.gz", _live(backlog, now))
        text += LIVE_SOURCE
    configuration = folder / "groundswell.toml"
    configuration.write_text(text, encoding="utf-8")
    return configuration


def _free_port(wanted: int) -> int:
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        with socket.socket() as probe:
            # As the server does: a port whose last connections linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise InputError(f"port {wanted} cannot be used: choose another with --port")


def _claim(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder: choose another with --dir")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise InputError(
            f"{folder} holds files that are not a demo's: choose another with --dir"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).touch()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to ({error.strerror}): choose another "
            "with --dir"
        ) from error


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()


def _write_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32), encoding="utf-8")


def _notice(today: date) -> str:
    return NOTICE.format(
        days=DAYS,
        first=today - timedelta(days=CRISIS_FIRST),
        last=today - timedelta(days=CRISIS_LAST),
    )


def _sample() -> list[Line]:
    path = files("pipeline.jobs.demo_data").joinpath("ubuntu_irc_sample.jsonl.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    return [msgspec.json.decode(line) for line in lines]


def _moved(lines: list[Line], now: datetime) -> Iterator[Line]:
    """The sample's days laid over the last days, seven messages an hour."""
    first = now.date() - timedelta(days=DAYS - 1)
    midnight = datetime.combine(first, time(), UTC)
    for number, line in enumerate(lines):
        at = midnight + number * timedelta(days=1) / A_DAY
        if at < now:
            yield {**line, "ts": at.isoformat()}


def _live(lines: list[Line], now: datetime) -> Iterator[Line]:
    """The sample once more, from now on, as if people went on writing."""
    rounds = itertools.cycle(lines)
    for number in range(int(LIVE_FOR / LIVE_EVERY)):
        line = next(rounds)
        at = now + number * LIVE_EVERY
        yield {**line, "id": f"live-{number}", "ts": at.isoformat()}


def _crisis(today: date) -> Iterator[Line]:
    """Invented messages, the same on every run but for their dates."""
    text = files("pipeline.jobs.demo_data").joinpath("planted.toml").read_text("utf-8")
    phrases = tomllib.loads(text)
    choose = random.Random(2004)  # noqa: S311 - a plot, not a secret
    for days_ago in range(CRISIS_FIRST, CRISIS_LAST - 1, -1):
        midnight = datetime.combine(today - timedelta(days=days_ago), time(), UTC)
        count = round(PEAK_MESSAGES * _severity(days_ago))
        for number in range(count):
            calm = choose.random() < CALM_SHARE
            phrase = choose.choice(phrases["calm" if calm else "struggling"])
            author = choose.randrange(PLANTED_AUTHORS)
            yield {
                "id": f"planted-{days_ago}-{number}",
                "ts": (midnight + number * timedelta(days=1) / count).isoformat(),
                "channel": "#ubuntu",
                "user": f"planted-{author}",
                "text": phrase.format(thing=choose.choice(phrases["things"])),
            }


def _severity(days_ago: int) -> float:
    """From 0 to 1 at the peak: a slow rise, a quicker fall."""
    if days_ago >= CRISIS_PEAK:
        return (CRISIS_FIRST + 1 - days_ago) / (CRISIS_FIRST + 1 - CRISIS_PEAK)
    return (days_ago + 1 - CRISIS_LAST) / (CRISIS_PEAK + 1 - CRISIS_LAST)


def _write(path: Path, lines: Iterable[Line]) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
