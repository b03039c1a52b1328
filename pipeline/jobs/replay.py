"""The job that reads JSONL archives into the log, and goes on where it was stopped."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog
from tqdm import tqdm

from connectors.replay import ReplaySource
from connectors.runner import Tally
from pipeline.clock import utc_now
from pipeline.config import Config, ReplaySettings
from pipeline.errors import InputError
from pipeline.jobs.connect import drive
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.stop import Stop

LOG_EVERY_S = 10.0
_LONGEST_NAME = 63
_SUFFIXES = (".gz", ".jsonl", ".ndjson", ".json")

log = structlog.get_logger()

OnPage = Callable[[str, Tally], None]


class ReplaySummary(msgspec.Struct, frozen=True):
    """What one run of a replay published."""

    messages: int
    dead_letters: int


def replay(
    config: Config,
    environ: Mapping[str, str],
    settings: ReplaySettings,
    stop: Stop,
    *,
    show_progress: bool,
) -> ReplaySummary:
    """Read the files of `settings` to their end, or until `stop`.

    With `show_progress` a bar is drawn, else a line is logged now and then.

    Raises:
        InputError: a file cannot be read.
        BusyError: another process replays under the same name.
        GroundswellError: see `connect`.
    """
    source = ReplaySource(settings, utc_now)
    source.check()
    with (
        exclusive(lock_path(config, f"replay-{settings.name}"), "replay", grace_s=1.0),
        (_bar if show_progress else _lines)(source) as on_page,
    ):
        tallies = drive(config, environ, [source], stop, once=True, on_page=on_page)
    tally = tallies[settings.name]
    return ReplaySummary(tally.messages, tally.dead_letters)


def source_name(path: Path) -> str:
    """The name that the archive at `path` gives its source.

    Raises:
        InputError: its name holds nothing that a source may be called.
    """
    name = path.name.lower()
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    name = re.sub(r"[^a-z0-9._-]+", "-", name).strip("._-")[:_LONGEST_NAME]
    if not name or name == "all":
        raise InputError(f"{path} gives its source no name: give one with --source")
    return name


@contextmanager
def _bar(source: ReplaySource) -> Iterator[OnPage]:
    with tqdm(
        total=source.bytes_total, unit="B", unit_scale=True, desc=source.name
    ) as bar:

        def draw(_name: str, tally: Tally) -> None:
            bar.set_postfix(messages=tally.messages, refresh=False)
            bar.update(source.bytes_read - bar.n)

        yield draw


@contextmanager
def _lines(source: ReplaySource) -> Iterator[OnPage]:
    total = source.bytes_total
    logged = time.monotonic()

    def tell(name: str, tally: Tally) -> None:
        nonlocal logged
        if time.monotonic() - logged >= LOG_EVERY_S:
            logged = time.monotonic()
            log.info(
                "replay-progress",
                source=name,
                messages=tally.messages,
                dead_letters=tally.dead_letters,
                bytes_read=source.bytes_read,
                bytes_total=total,
            )

    yield tell
