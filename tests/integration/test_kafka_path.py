"""The whole path over Kafka, job by job, publishes what it does over a file."""

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_server import KafkaServer
from published_tables import published

TEXTS = (
    "thanks, that works great",
    "I hate this build, it fails again",
    "why does the test time out?",
    "no idea, sorry",
    "so stressed, the deadline is tomorrow",
    "awful: a merge conflict in every file",
)
BEGUN = datetime(2026, 1, 5, 9, tzinfo=UTC)


def groundswell(command: str, config: Path, *options: str) -> str:
    """What a command that must succeed prints."""
    given = [sys.executable, "-m", "pipeline.cli", command, "--config", config]
    ended = subprocess.run(
        [*given, *options], capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3_000:]
    return ended.stdout


def archive(folder: Path) -> Path:
    """Two weeks of chat, some of it in threads, and a line that is none."""
    choose = random.Random(7)
    lines = [
        json.dumps(
            {
                "id": str(number),
                "ts": (BEGUN + timedelta(minutes=number * 10)).isoformat(),
                "channel": choose.choice(["dev", "ops", "help"]),
                "thread": choose.choice([None, None, f"t{number // 20}"]),
                "user": f"user{choose.randrange(30)}",
                "text": choose.choice(TEXTS),
            }
        )
        for number in range(2_000)
    ]
    path = folder / "archive.jsonl"
    path.write_text("\n".join([*lines, "not JSON"]) + "\n", encoding="utf-8")
    return path


def configured(folder: Path, files: Path, log: str) -> Path:
    folder.mkdir()
    path = folder / "groundswell.toml"
    groundswell("init", path)
    path.write_text(
        f"[log]\n{log}[forecast]\nenabled = false\n"
        f'[[sources]]\ntype = "replay"\nname = "chat"\nfiles = ["{files}"]\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.timeout(400)
def test_the_same_archive_publishes_the_same_tables_over_kafka_and_over_a_file(
    kafka_server: KafkaServer, tmp_path: Path
) -> None:
    files = archive(tmp_path)
    prefix = f"path-{uuid4().hex}"
    on_kafka = f'url = "{kafka_server.url}"\nprefix = "{prefix}"\n'
    kafka = configured(tmp_path / "kafka", files, on_kafka)
    embedded = configured(tmp_path / "file", files, 'url = "sqlite:data/log.sqlite"\n')
    for config in (kafka, embedded):
        assert groundswell("check", config).endswith("nothing is wrong\n")
        for job in ("connect", "process", "load"):
            groundswell(job, config, "--once")
    expected, found = published(embedded), published(kafka)
    assert expected["about"][0][1:] == (2_000, 1)
    assert found == expected
    shown = json.loads(groundswell("status", kafka, "--json"))
    asked = json.loads(groundswell("status", embedded, "--json"))
    counts = ("messages", "waiting_to_be_tagged", "waiting_to_be_loaded")
    assert [shown[key] for key in counts] == [asked[key] for key in counts]
    assert shown["dead_letters"] == asked["dead_letters"] == 1
    assert shown["sources"][0]["state"] == asked["sources"][0]["state"]
    letters = groundswell("dead-letters", kafka, "--json")
    assert [json.loads(line)["stage"] for line in letters.splitlines()] == ["connect"]
    again = groundswell("replay", kafka, str(files), "--source", "again", "--json")
    assert json.loads(again)["summary"] == {"messages": 2_000, "dead_letters": 1}
    kafka_server.forget(prefix)
