"""Messages a second from an archive to a published file, and the memory it takes.

All parts run as an operator runs them, but with the lexicon: `groundswell run --once`
on the archives given (default: the demo's sample). Beside it, in the same minutes, runs
what a script does that glues ready-made parts together, one message at a time as tools
like Obsei do: json, VADER's polarity, sqlite3, a GROUP BY. It does far less: no
redaction, no labels, no evidence, no gate, no recovery.

    make bench
    .venv-bench/bin/python benchmarks/whole_path.py ARCHIVE.jsonl.gz …
"""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

SAMPLE = files("pipeline.jobs.demo_data") / "ubuntu_irc_sample.jsonl.gz"
POLL_S = 0.2


def main() -> None:
    """Time both on the same archives, one after the other."""
    archives = [Path(name) for name in sys.argv[1:]] or [Path(str(SAMPLE))]
    with tempfile.TemporaryDirectory() as folder:
        messages, seconds, memory = ours(archives, Path(folder))
        script = theirs(archives, Path(folder))
    print(f"messages            {messages:12,}")
    print(f"groundswell         {messages / seconds:12,.0f} /s ({seconds:.1f} s)")
    print(f"script with VADER   {messages / script:12,.0f} /s ({script:.1f} s)")
    print(f"groundswell/script  {script / seconds:12.2f}")
    for job, kilobytes in sorted(memory.items()):
        print(f"memory {job:12} {kilobytes / 1024:12,.0f} MB at most")


def ours(archives: list[Path], folder: Path) -> tuple[int, float, Counter[str]]:
    """Messages, seconds, and the largest resident memory of each job in kB."""
    config = folder / "groundswell.toml"
    groundswell("init", "--config", str(config))
    sources = [
        f'[[sources]]\ntype = "replay"\nname = "archive-{number}"\n'
        f'files = ["{archive.resolve()}"]\n'
        for number, archive in enumerate(archives)
    ]
    text = config.read_text(encoding="utf-8")
    text = text.replace('tagger = "encoder"', 'tagger = "lexicon"')
    config.write_text(text + "".join(sources), encoding="utf-8")
    begun = time.monotonic()
    command = [sys.executable, "-m", "pipeline.cli", "run", "--once", "--config"]
    process = subprocess.Popen([*command, config], stderr=subprocess.DEVNULL)
    memory: Counter[str] = Counter()
    while process.poll() is None:
        memory |= resident(process.pid)
        time.sleep(POLL_S)
    assert process.returncode == 0
    seconds = time.monotonic() - begun
    sql = "SELECT messages FROM about"
    answer = groundswell("sql", sql, "--json", "--config", str(config))
    return json.loads(answer)["messages"], seconds, memory


def groundswell(*arguments: str) -> bytes:
    """What a command prints."""
    return subprocess.check_output([sys.executable, "-m", "pipeline.cli", *arguments])


def resident(pid: int) -> Counter[str]:
    """Resident memory, in kB, of a process and its descendants, by job."""
    found: Counter[str] = Counter()
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return found
    job = words[3].decode() if b"pipeline.cli" in words else "forecasts"
    found[job] = pages * os.sysconf("SC_PAGESIZE") // 1024
    for child in children:
        found |= resident(int(child))
    return found


def theirs(archives: list[Path], folder: Path) -> float:
    """Seconds that the script takes."""
    begun = time.monotonic()
    analyser = SentimentIntensityAnalyzer()
    with sqlite3.connect(folder / "script.sqlite") as table:
        table.execute("CREATE TABLE messages (day TEXT, channel TEXT, polarity REAL)")
        for archive in archives:
            with gzip.open(archive) as lines:
                for line in lines:
                    message = json.loads(line)
                    polarity = analyser.polarity_scores(message["text"])["compound"]
                    row = (message["ts"][:10], message["channel"], polarity)
                    table.execute("INSERT INTO messages VALUES (?, ?, ?)", row)
        table.execute(
            "CREATE TABLE daily AS SELECT day, channel, avg(polarity) FROM messages "
            "GROUP BY day, channel"
        )
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
