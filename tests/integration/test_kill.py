"""`kill -9` of any process at random moments leaves the published tables unchanged."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from process_tree import tree

from pipeline.jobs.demo import prepare

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG = os.environ.get("GROUNDSWELL_LONG") == "1"
KILLS = 50 if LONG else 6
STREAMS = ("ubuntu_irc", "duraspace_irc", "gitter_dev_chat", "slack_dev_chat")

Tables = dict[str, list[tuple[Any, ...]]]


def configured(folder: Path, streams: Path | None) -> Path:
    """The demo's archives, or all the real streams, without a viewer."""
    folder.mkdir()
    path = prepare(folder, NOW, port=0, live=False)
    text = path.read_text(encoding="utf-8").replace("port = 0", "enabled = false")
    if streams is not None:
        text = text[: text.index("[[sources]]")]
        for name in STREAMS:
            text += (
                f'[[sources]]\ntype = "replay"\nname = "{name.replace("_", "-")}"\n'
                f'files = ["{streams / name}.jsonl.gz"]\n'
            )
    path.write_text(text, encoding="utf-8")
    return path


def start(path: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline.cli", "run", "--config", str(path)]
    with (path.parent / "run.log").open("ab") as log:
        return subprocess.Popen([*command, *options], stderr=log, stdout=log)


def finish(path: Path) -> None:
    process = start(path, "--once")
    assert process.wait(600) == 0, (path.parent / "run.log").read_text()[-3000:]


def published(path: Path) -> Tables:
    """Every published row but for what speaks of today."""
    file = path.parent / "data" / "published.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        tables = {
            name: sorted(map(repr, connection.table(name).fetchall()))
            for (name,) in names
            if name not in ("about", "coverage")
        }
        tables["about"] = connection.execute(
            "SELECT newest_message_at, messages, dead_letters FROM about"
        ).fetchall()
        # Pulses are of today, whatever the archives' own dates are.
        tables["coverage"] = connection.execute(
            "SELECT * FROM coverage WHERE day < current_date - 1 ORDER BY ALL"
        ).fetchall()
    return tables


@pytest.mark.timeout(3 * 3600 if LONG else 400)
def test_killed_at_random_moments_it_publishes_the_same_tables(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    streams = request.getfixturevalue("shared_data") / "streams" if LONG else None
    undisturbed = configured(tmp_path / "undisturbed", streams)
    finish(undisturbed)
    disturbed = configured(tmp_path / "disturbed", streams)
    choose = random.Random(5)
    supervisor = start(disturbed)
    for _ in range(KILLS):
        time.sleep(choose.uniform(0.2, 4.0 if LONG else 5.0))
        victim = choose.choice(list(tree(supervisor.pid)))
        os.kill(victim, signal.SIGKILL)
        if victim == supervisor.pid:
            supervisor.wait()
            supervisor = start(disturbed)
    supervisor.terminate()
    # The last one may not have come as far as to handle the signal.
    assert supervisor.wait(15) in (0, -signal.SIGTERM)
    finish(disturbed)
    expected, found = published(undisturbed), published(disturbed)
    assert expected["about"][0][1] > 20_000
    assert len(expected["forecasts"]) > 100 or LONG
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name] == rows, name
