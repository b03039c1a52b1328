"""Which slice of the log is tagged next, and how far it has been."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.log.message_log import Entry, Topic
from pipeline.testing import MemoryLog
from pipeline.transforms.positions import (
    KEY,
    Place,
    committed,
    encode_positions,
    next_claim,
)

LIVE: Place = ("messages", 0)
OTHER: Place = ("messages", 1)
HISTORY: Place = ("history", 0)


def claimed(waiting: dict[Place, int], size: int) -> dict[Place, int]:
    """How many records of each place are next where `waiting` are there."""
    bounds = {place: (0, 100 + count) for place, count in waiting.items()}
    claim = next_claim(dict.fromkeys(waiting, 100), bounds, size)
    assert all(start == 100 for start, _ in claim.values())
    return {place: end - start for place, (start, end) in claim.items()}


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ({LIVE: 0, HISTORY: 0}, {}),
        ({LIVE: 5, HISTORY: 0}, {LIVE: 5}),
        ({LIVE: 0, HISTORY: 50}, {HISTORY: 10}),
        ({LIVE: 3, HISTORY: 50}, {LIVE: 3, HISTORY: 7}),
        ({LIVE: 50, HISTORY: 50}, {LIVE: 10}),
        ({LIVE: 10, HISTORY: 50}, {LIVE: 10}),
        ({HISTORY: 50, LIVE: 4}, {LIVE: 4, HISTORY: 6}),
        ({LIVE: 50, OTHER: 50}, {LIVE: 5, OTHER: 5}),
        ({LIVE: 50, OTHER: 2}, {LIVE: 8, OTHER: 2}),
        ({LIVE: 1, OTHER: 2, HISTORY: 50}, {LIVE: 1, OTHER: 2, HISTORY: 7}),
    ],
)
def test_what_is_live_takes_what_it_needs_and_history_what_is_left(
    waiting: dict[Place, int], expected: dict[Place, int]
) -> None:
    found = claimed(waiting, 10)
    assert found == expected
    assert list(found) == sorted(found, key=lambda place: place[0], reverse=True)


places = st.tuples(st.sampled_from(["messages", "history"]), st.integers(0, 9))


@given(st.dictionaries(places, st.integers(0, 300)), st.integers(1, 1_000))
def test_a_claim_is_as_large_as_it_may_be_and_never_larger(
    waiting: dict[Any, int], size: int
) -> None:
    found = claimed(waiting, size)
    assert sum(found.values()) == min(size, sum(waiting.values()))
    assert all(0 < count <= waiting[place] for place, count in found.items())


@pytest.mark.parametrize(
    ("value", "positions"),
    [
        ({"messages": {"0": 7}}, {LIVE: 7}),
        (
            {"messages": {"0": 7, "1": 8}, "history": {"0": 9}},
            {LIVE: 7, OTHER: 8, HISTORY: 9},
        ),
    ],
    ids=["of before there was history", "of both topics"],
)
def test_positions_on_the_log_are_understood(
    value: dict[Topic, dict[str, int]], positions: dict[Place, int]
) -> None:
    log = MemoryLog()
    assert committed(log) == {}
    log.append("cursors", [Entry(KEY, msgspec.json.encode(value))])
    assert committed(log) == positions
    assert msgspec.json.decode(encode_positions(positions)) == value
