"""How far the log has been tagged, and which slice of it comes next.

Positions are the first offsets that are not tagged yet. They lie on the topic
`cursors`: under the key `process` for all, and, while a streaming engine tags, under
`process/SHARD` for what each of its readers has done.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from pipeline.log.message_log import Entry, MessageLog, Topic

SOURCES: tuple[Topic, ...] = ("messages", "history")
"""Topics to be tagged, the more urgent first."""

KEY = "process"

Place = tuple[Topic, int]
"""A topic and a partition."""

Positions = Mapping[Place, int]
Bounds = Mapping[Place, tuple[int, int]]
Claim = dict[Place, tuple[int, int]]
"""Slices [start, end) of partitions."""

T = TypeVar("T")


def encode_places(values: Mapping[Place, Any]) -> bytes:
    """Something of each place as JSON, {topic: {partition: value}}."""
    topics: dict[str, dict[str, Any]] = {}
    for (topic, partition), value in values.items():
        topics.setdefault(topic, {})[str(partition)] = value
    return msgspec.json.encode(topics)


def decode_places(encoded: bytes, kind: type[T]) -> dict[Place, T]:
    """The values, of one kind, that were encoded."""
    topics: dict[Topic, dict[int, T]]
    topics = msgspec.json.decode(encoded, type=dict[Topic, dict[int, kind]])  # type: ignore[valid-type]
    return {
        (topic, partition): value
        for topic, partitions in topics.items()
        for partition, value in partitions.items()
    }


def encode_positions(positions: Positions) -> bytes:
    """The positions as JSON, {topic: {partition: offset}}."""
    return encode_places(positions)


def decode_positions(encoded: bytes) -> dict[Place, int]:
    """The positions that were encoded."""
    return decode_places(encoded, int)


def committed(log: MessageLog) -> dict[Place, int]:
    """Behind which offsets nothing is left to tag, whoever did it."""
    furthest: dict[Place, int] = {}
    for key, value in log.latest("cursors").items():
        if key == KEY or key.startswith(f"{KEY}/"):
            for place, offset in decode_positions(value).items():
                furthest[place] = max(offset, furthest.get(place, 0))
    return furthest


def adopt(log: MessageLog) -> dict[Place, int]:
    """Take over from who tagged before: their positions become one, under `KEY`.

    Those beyond the log's end are not kept, as another log has begun.

    Returns:
        What was committed, those beyond the log's end among it.
    """
    known, bounds = committed(log), bounds_of(log)
    positions = {
        place: offset
        for place, offset in known.items()
        if place in bounds and offset <= bounds[place][1]
    }
    shards = [key for key in log.latest("cursors") if key.startswith(f"{KEY}/")]
    entries = [Entry(KEY, encode_positions(positions))]
    entries += [Entry(key, encode_positions({})) for key in shards]
    log.append("cursors", entries)
    return known


def bounds_of(log: MessageLog) -> dict[Place, tuple[int, int]]:
    """First and next offset of each partition that is to be tagged."""
    return {
        (topic, partition): bounds
        for topic in SOURCES
        for partition, bounds in log.bounds(topic).items()
    }


def reached(log: MessageLog, wanted: Bounds) -> bool:
    """Whether all that lay within `wanted` is tagged."""
    done = committed(log)
    return all(
        first == end or done.get(place, 0) >= end
        for place, (first, end) in wanted.items()
    )


def next_claim(positions: Positions, bounds: Bounds, size: int) -> Claim:
    """At most `size` records: an equal share of each partition that has more.

    What one does not need, the others get; a less urgent topic gets what the more
    urgent ones leave.

    Args:
        positions: within `bounds`, a position for each place of it.
        bounds: first and next offset of each partition.
        size: records wanted.
    """
    claim: Claim = {}
    for topic in SOURCES:
        waiting = [
            (end - positions[place], place)
            for place, (_, end) in bounds.items()
            if place[0] == topic
        ]
        waiting.sort()  # so that each takes its share of what the shorter ones left
        for served, (more, place) in enumerate(waiting):
            taken = min(size // (len(waiting) - served), more)
            if taken:
                claim[place] = (positions[place], positions[place] + taken)
            size -= taken
    return claim
