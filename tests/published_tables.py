"""The same archives through different installations, and what each publishes."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline.jobs.demo import prepare

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG = os.environ.get("GROUNDSWELL_LONG") == "1"
STREAMS = ("ubuntu_irc", "duraspace_irc", "gitter_dev_chat", "slack_dev_chat")

Tables = dict[str, list[tuple[Any, ...]]]


def configured(folder: Path, streams: Path | None) -> Path:
    """The demo's archives, or all the real streams, without a viewer."""
    folder.mkdir()
    path = prepare(folder, NOW, port=0, live=False)
    text = path.read_text(encoding="utf-8").replace("port = 0", "enabled = false")
    text = text.replace('tier = "fast"\nbatch = 2000', 'tagger = "lexicon"')
    if streams is not None:
        text = text[: text.index("[[sources]]")]
        for name in STREAMS:
            text += (
                f'[[sources]]\ntype = "replay"\nname = "{name.replace("_", "-")}"\n'
                f'files = ["{streams / name}.jsonl.gz"]\n'
            )
    path.write_text(text, encoding="utf-8")
    return path


def sources(path: Path) -> str:
    """The sources of a configuration, for another in another folder."""
    text = path.read_text(encoding="utf-8")
    return (
        text[text.index("[[sources]]") :]
        .replace('files = ["', f'files = ["{path.parent}/')
        .replace(f'"{path.parent}//', '"/')
    )


def start(path: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start `groundswell run`."""
    command = [sys.executable, "-m", "pipeline.cli", "run", "--config", str(path)]
    with (path.parent / "run.log").open("ab") as log:
        return subprocess.Popen([*command, *options], stderr=log, stdout=log)


def finish(path: Path) -> None:
    """Run all parts to their end."""
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
