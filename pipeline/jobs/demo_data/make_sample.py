"""Make the demo's sample anew out of the whole Ubuntu IRC stream.

    python -m pipeline.jobs.demo_data.make_sample ubuntu_irc.jsonl.gz SAMPLE.jsonl.gz

Keeps the last 120 days of the stream and the first 168 messages of each, seven for
every hour of a day of the demo. The same stream gives the same bytes.
"""

import gzip
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

DAYS = 120
A_DAY = 7 * 24

Line = dict[str, Any]


def sample(stream: Path) -> Iterator[Line]:
    """The sample's lines, oldest first: id, ts, channel, user, text."""
    with gzip.open(stream) as lines:
        messages = [msgspec.json.decode(line) for line in lines]
    days = [
        list(day)
        for _, day in itertools.groupby(messages, key=lambda line: line["ts"][:10])
    ]
    for day in [day for day in days if len(day) >= A_DAY][-DAYS:]:
        yield from day[:A_DAY]


def write(lines: Iterator[Line], target: Path) -> None:
    """Write JSON lines, compressed, without a time stamp of their own."""
    content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    target.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


if __name__ == "__main__":
    write(sample(Path(sys.argv[1])), Path(sys.argv[2]))
