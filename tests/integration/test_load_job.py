"""The load job from the log to the published file, killed and resumed on the way."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from pipeline.config import (
    Config,
    ForecastSettings,
    LogSettings,
    PrivacySettings,
    WarehouseSettings,
)
from pipeline.errors import BusyError
from pipeline.jobs import load as load_module
from pipeline.jobs.load import load
from pipeline.jobs.lock import exclusive
from pipeline.jobs.stop import Stop
from pipeline.log.message_log import Entry
from pipeline.log.open import open_log
from pipeline.log.sqlite import SqliteLog
from pipeline.records import DeadLetter, Pulse, encode
from pipeline.warehouse.testing import Tables, published_tables, tagged

DAY = timedelta(days=1)
ANGER = ("basic-emotion", "anger")
START = datetime(2025, 6, 1, 12, tzinfo=UTC)


def configured(folder: Path, **warehouse: Any) -> Config:
    return Config(
        log=LogSettings(url=f"sqlite:{folder / 'log.sqlite'}"),
        warehouse=WarehouseSettings(
            path=str(folder / "data" / "warehouse.duckdb"),
            published=str(folder / "public" / "published.duckdb"),
            **{"publish_every_s": 0.1, **warehouse},
        ),
        forecast=ForecastSettings(backtest_days=14),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path)


@pytest.fixture
def log(config: Config) -> Iterator[SqliteLog]:
    opened = open_log(config.log)
    assert isinstance(opened, SqliteLog)
    yield opened
    opened.close()


def fill(log: SqliteLog, days: int, of: str = "a", a_day: int = 12) -> None:
    """Every day `a_day` authors write, and the first few of them in anger."""
    choose = random.Random(of)
    records = [
        tagged(
            f"{of}-{day}-{author}",
            START + day * DAY + timedelta(minutes=author),
            [ANGER] * (author < 3 + choose.randrange(4)),
            author=author,
            revision=choose.choice([0, 0, 0, 7]),
            deleted=choose.random() < 0.02,
        )
        for day in range(days)
        for author in range(a_day)
    ]
    log.append("tagged", [Entry("key", encode(record)) for record in records])


def published(config: Config) -> Tables:
    tables = published_tables(Path(config.warehouse.published))
    # When it was published differs from run to run.
    tables["about"] = [(row[0], *row[2:]) for row in tables["about"]]
    return tables


def test_once_loads_all_there_is_forecasts_and_publishes(
    config: Config, log: SqliteLog
) -> None:
    fill(log, days=60)
    log.append("tagged", [Entry("key", b"nonsense")])
    pulse = Pulse(source="ubuntu", at=START - timedelta(days=1), state="failing")
    log.append("pulses", [Entry("key", encode(pulse))])
    letter = DeadLetter(
        topic="messages",
        partition=0,
        offset=5,
        stage="tag",
        error="x",
        raw=b"x",
        at=START,
    )
    log.append("dead-letters", [Entry("key", encode(letter))])
    load(config, Stop(), once=True)
    tables = published(config)
    assert len(tables["prevalence_daily"]) > 100
    assert len(tables["forecasts"]) > 100
    assert tables["coverage"][0][3] == "failing"
    assert tables["about"][0][3] == 2
    assert json.loads(log.latest("cursors")["load"]) == {
        "tagged": {"0": 721},
        "pulses": {"0": 1},
        "dead-letters": {"0": 2},
    }


def test_once_again_changes_nothing(config: Config, log: SqliteLog) -> None:
    fill(log, days=40)
    load(config, Stop(), once=True)
    before = published(config)
    load(config, Stop(), once=True)
    assert published(config) == before


def test_in_small_batches_the_tables_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = []
    for batch in (10_000, 7):
        monkeypatch.setattr(load_module, "BATCH", batch)
        config = configured(tmp_path / str(batch))
        log = open_log(config.log)
        assert isinstance(log, SqliteLog)
        fill(log, days=10)
        log.close()
        load(config, Stop(), once=True)
        tables.append(published(config))
    assert tables[0] == tables[1]


def test_a_job_that_is_told_to_stop_publishes_nothing(
    config: Config, log: SqliteLog
) -> None:
    fill(log, days=1)
    stop = Stop()
    stop.set()
    load(config, stop, once=True)
    load(config, stop)
    assert not Path(config.warehouse.published).exists()


def test_it_follows_the_log_until_it_is_told_to_stop(
    config: Config, log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, "POLL_S", 0.01)
    monkeypatch.setattr(load_module, "REPORT_EVERY_S", 0.01)
    fill(log, days=40)
    stop = Stop()
    job = threading.Thread(target=load, args=(config, stop))
    job.start()
    try:
        eventually(lambda: len(published(config)["forecasts"]) > 0)
        before = published(config)["about"][0][2]
        fill(log, days=10, of="b", a_day=20)
        eventually(lambda: published(config)["about"][0][2] > before)
        eventually(lambda: b'"tagged":{"0":680}' in log.latest("cursors")["load"])
    finally:
        stop.set()
        started = time.monotonic()
        job.join(10)
    assert time.monotonic() - started < 5


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        # Until the first publication there is no file to look into.
        with suppress(duckdb.IOException, KeyError):
            if holds():
                return
        time.sleep(0.2)
    assert holds()


def test_a_log_that_began_anew_is_read_from_its_start(config: Config) -> None:
    for number, of in enumerate(("a", "b")):
        log = open_log(config.log)
        assert isinstance(log, SqliteLog)
        fill(log, days=20 - 10 * number, of=of)
        log.close()
        load(config, Stop(), once=True)
        for path in Path(config.warehouse.path).parents[1].glob("log.sqlite*"):
            path.unlink()
    assert published(config)["about"][0][2] > 20 * 12


def test_what_retention_took_is_told_and_passed_over(
    config: Config, log: SqliteLog, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(log, days=1)
    load(config, Stop(), once=True)
    fill(log, days=1, of="b")
    log.enforce_retention(datetime.now(UTC) + 40 * DAY)
    fill(log, days=1, of="c")
    load(config, Stop(), once=True)
    assert json.loads(log.latest("cursors")["load"]) == {"tagged": {"0": 36}}
    told = capsys.readouterr().out
    assert "records-missed" in told
    assert "count=12" in told


def test_a_new_warehouse_begins_where_the_log_does(
    config: Config, log: SqliteLog, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(log, days=1)
    log.enforce_retention(datetime.now(UTC) + 40 * DAY)
    load(config, Stop(), once=True)
    assert log.latest("cursors") == {}
    assert "records-missed" not in capsys.readouterr().out


@pytest.mark.parametrize(("wanted", "found"), [(False, 0), (True, 1)])
def test_suicidality_is_published_only_if_configured(
    config: Config, *, wanted: bool, found: int
) -> None:
    privacy = PrivacySettings(suicidality=wanted)
    load(msgspec.structs.replace(config, privacy=privacy), Stop(), once=True)
    labels = published(config)["labels"]
    assert sum(row[1] == "suicidality" for row in labels) == found


def test_a_second_job_on_the_same_warehouse_is_refused(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(exclusive, grace_s=0.1)
    monkeypatch.setattr(load_module, "exclusive", impatient)
    lock_file = Path(config.warehouse.path + ".load.lock")
    with (
        exclusive(lock_file, "load"),
        pytest.raises(BusyError, match="another `groundswell load`"),
    ):
        load(config, Stop(), once=True)


# One batch a few records: many moments to be killed at.
RUN = """
import sys
from pathlib import Path
import msgspec
from pipeline.config import Config
from pipeline.jobs import load as module
from pipeline.jobs.stop import Stop

if __name__ == "__main__":
    module.BATCH = 50
    config = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Config)
    module.load(config, Stop(), once=sys.argv[2] == "once")
"""


def start(config: Config, how: str) -> subprocess.Popen[bytes]:
    folder = Path(config.warehouse.path).parents[1]
    (folder / "run.py").write_text(RUN)
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    command = [sys.executable, folder / "run.py", folder / "config.json", how]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def test_killed_at_random_moments_it_publishes_the_same_tables(tmp_path: Path) -> None:
    undisturbed, disturbed = (configured(tmp_path / name) for name in ("a", "b"))
    for config in (undisturbed, disturbed):
        log = open_log(config.log)
        assert isinstance(log, SqliteLog)
        fill(log, days=60)
        log.append("tagged", [Entry("key", b"nonsense")])
        fill(log, days=60, of="later")
        log.close()
    load(undisturbed, Stop(), once=True)
    choose = random.Random(8)
    for _ in range(8):
        process = start(disturbed, "follow")
        time.sleep(choose.uniform(0.5, 3.0))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start(disturbed, "once").wait(120) == 0
    assert published(disturbed) == published(undisturbed)
    names = {path.name for path in Path(disturbed.warehouse.published).parent.iterdir()}
    assert names == {"published.duckdb"}
