"""Erasing an author by the real commands, beside a world that never saw them."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.warehouse.testing import Tables, published_tables

TEXTS = (
    "this broken build makes me so angry, the update failed again",
    "thanks, that works great",
    "I am sad and exhausted, these flaky tests fail because of the network",
)
FIRST = datetime(2025, 5, 5, tzinfo=UTC)


def groundswell(
    folder: Path, *arguments: object, text: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    given = [*command, "--config", str(folder / "groundswell.toml")]
    return subprocess.run(
        given, input=text, capture_output=True, text=True, check=True, timeout=120
    )


def world(folder: Path, *, without: str = "") -> Path:
    """An archive of 50 days, read, tagged and published."""
    folder.mkdir()
    lines = [
        {
            "id": f"m{n}",
            "ts": (FIRST + timedelta(hours=n)).isoformat(),
            "channel": "help",
            "user": f"person-{n % 11}",
            "text": f"{TEXTS[n % 3]} {n % 11}",
        }
        for n in range(1_200)
    ]
    kept = (line for line in lines if line["user"] != without)
    text = "".join(f"{json.dumps(line)}\n" for line in kept)
    (folder / "chat.jsonl").write_text(text, encoding="utf-8")
    (folder / "groundswell.toml").write_text(
        '[tagging]\ntagger = "lexicon"\n[forecast]\nenabled = false\n', encoding="utf-8"
    )
    (folder / "data").mkdir()
    secret = folder / "data" / "secret"
    secret.write_text("s" * 40, encoding="utf-8")
    secret.chmod(0o600)
    groundswell(folder, "replay", folder / "chat.jsonl")
    return follow(folder)


def follow(folder: Path) -> Path:
    for command in ("process", "load"):
        groundswell(folder, command, "--once")
    return folder


def published(folder: Path) -> Tables:
    tables = published_tables(folder / "data" / "published.duckdb")
    (about,) = tables.pop("about")
    return tables | {"about": [(about[0], *about[2:])]}  # but for when that was


def test_what_is_published_is_as_if_the_author_had_never_written(
    tmp_path: Path,
) -> None:
    there = world(tmp_path / "there")
    never = world(tmp_path / "never", without="person-7")
    assert published(there) != published(never)
    asked = groundswell(
        there,
        "forget",
        "--source",
        "chat",
        "--author",
        "-",
        "--json",
        text="person-7\n",
    )
    answer = json.loads(asked.stdout)
    assert (answer["messages"], answer["in_warehouse"], answer["blanked"]) == (
        109,
        109,
        218,
    )
    assert "person-7" not in asked.stdout + asked.stderr
    assert published(follow(there)) == published(never)
    log = (there / "data" / "log.sqlite").read_bytes()
    assert all(f"{text} 7".encode() not in log for text in TEXTS)
    assert f"{TEXTS[0]} 8".encode() in log
