"""A day on which a part of a scope was not heard is unknown, and for how long."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.records import Pulse, PulseState, TaggedMessage
from pipeline.warehouse.cells import recount
from pipeline.warehouse.forecasts import ForecastStore, Inputs
from pipeline.warehouse.testing import NOW, SmallWarehouse, tagged

ANGER = ("basic-emotion", "anger")
DAY = timedelta(days=1)
TODAY = NOW.date()
DAYS = 84


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[SmallWarehouse]:
    small = SmallWarehouse(tmp_path)
    # Forecast before, so that it is told of however long it is unknown.
    store = ForecastStore(small.connection, small.path)
    store.keep(("all", *ANGER), Inputs("", TODAY, ""), {})
    yield small
    small.close()


def crowd(
    ago: int, size: int, source: str, channel: str = "c", name: str = ""
) -> list[TaggedMessage]:
    """So many people write one message each, four of them in anger."""
    at: datetime = NOW - ago * DAY
    return [
        tagged(
            f"{source}/{channel}/{at}/{author}{name}",
            at,
            [ANGER] * (author < 4),
            author=author,
            source=source,
            channel=channel,
        )
        for author in range(size)
    ]


def load(
    warehouse: SmallWarehouse,
    sizes: Mapping[str, Sequence[int]],
    pulses: Mapping[int, PulseState] | None = None,
) -> None:
    """Crowds of each channel, 'source/channel', on the days up to yesterday.

    Pulses are of the source 'irc', by how many days ago.
    """
    messages = [
        message
        for name, of_days in sizes.items()
        for ago, size in zip(range(len(of_days), 0, -1), of_days, strict=True)
        for message in crowd(ago, size, *name.split("/"))
    ]
    warehouse.load(*messages)
    told = [
        Pulse(source="irc", at=NOW - ago * DAY, state=state)
        for ago, state in (pulses or {}).items()
    ]
    warehouse.load(*told, topic="pulses")
    recount(warehouse.connection, warehouse.path)


def unknown(
    warehouse: SmallWarehouse, scope: str = "all", today: date = TODAY
) -> list[int]:
    """Days of a scope's series that are missing, by how long ago they were."""
    store = ForecastStore(warehouse.connection, warehouse.path)
    (days,) = [
        cells.days for cells in store.series(today) if cells.name == (scope, *ANGER)
    ]
    return [
        ago
        for ago in range(DAYS, (TODAY - today).days, -1)
        if TODAY - ago * DAY not in days
    ]


def silent(size: int, first: int, last: int = 1) -> list[int]:
    """So many people a day, but none from `first` to `last` days ago."""
    return [0 if last <= ago <= first else size for ago in range(DAYS, 0, -1)]


def test_a_day_without_one_of_the_usual_sources_is_unknown(
    warehouse: SmallWarehouse,
) -> None:
    load(warehouse, {"irc/c": silent(15, 15), "slack/c": [15] * DAYS})
    assert unknown(warehouse) == list(range(15, 0, -1))
    assert unknown(warehouse, "slack") == []
    assert unknown(warehouse, "slack/c") == []


def test_a_source_that_is_gone_for_good_is_missed_for_three_weeks(
    warehouse: SmallWarehouse,
) -> None:
    load(warehouse, {"irc/c": silent(15, 25), "slack/c": [15] * DAYS})
    assert unknown(warehouse) == list(range(25, 4, -1))


def test_what_was_unknown_stays_so_when_more_is_known(
    warehouse: SmallWarehouse,
) -> None:
    load(warehouse, {"irc/c": silent(15, 30, 11), "slack/c": [15] * DAYS})
    later = unknown(warehouse)
    assert later == list(range(30, 10, -1))
    for ago in (28, 20, 11, 5):
        today = TODAY - (ago - 1) * DAY
        assert unknown(warehouse, today=today) == [one for one in later if one >= ago]


def test_a_source_that_rests_at_weekends_is_not_missed_then(
    warehouse: SmallWarehouse,
) -> None:
    weekdays = [
        15 if (TODAY - ago * DAY).weekday() < 5 else 0 for ago in range(DAYS, 0, -1)
    ]
    load(warehouse, {"irc/c": weekdays, "slack/c": [15] * DAYS})
    assert unknown(warehouse) == []


def test_a_source_with_few_messages_or_few_people_is_not_missed(
    warehouse: SmallWarehouse,
) -> None:
    load(
        warehouse,
        {
            "irc/c": silent(7, 9),  # might be fewer than five people by chance
            "matrix/c": [
                7 if 40 < ago < 50 else n
                for ago, n in zip(range(DAYS, 0, -1), silent(20, 9), strict=True)
            ],
            "mail/c": silent(10, 9),  # less than a tenth of all
            "slack/c": [90] * DAYS,
        },
    )
    assert unknown(warehouse) == []


def test_a_new_source_is_not_missed_before_it_came(warehouse: SmallWarehouse) -> None:
    load(warehouse, {"irc/c": [0] * 60 + [15] * 24, "slack/c": [15] * DAYS})
    assert unknown(warehouse) == []


def test_a_source_that_came_for_three_weeks_may_go(
    warehouse: SmallWarehouse,
) -> None:
    event = [0] * 56 + [15] * 21 + [0] * 7
    load(warehouse, {"irc/c": event, "slack/c": [15] * DAYS})
    assert unknown(warehouse) == []


def test_a_day_without_a_usual_channel_is_unknown_for_all_around_it(
    warehouse: SmallWarehouse,
) -> None:
    load(
        warehouse,
        {"irc/c": silent(15, 9, 7), "irc/d": [15] * DAYS, "slack/c": [15] * DAYS},
    )
    assert unknown(warehouse) == unknown(warehouse, "irc") == [9, 8, 7]
    assert unknown(warehouse, "irc/d") == unknown(warehouse, "slack") == []


@pytest.mark.parametrize(
    ("state", "heard", "missing"),
    [
        ("failing", 7, True),
        ("stopped", 7, True),
        ("failing", 15, False),  # it made up for it
        ("stopped", 15, False),
        ("ok", 7, False),
    ],
)
def test_a_day_of_trouble_is_unknown_where_little_was_heard(
    warehouse: SmallWarehouse, state: PulseState, heard: int, *, missing: bool
) -> None:
    sizes = [heard if ago == 5 else 15 for ago in range(DAYS, 0, -1)]
    load(warehouse, {"irc/c": sizes, "slack/c": [15] * DAYS}, {5: state})
    expected = [5] if missing else []
    assert unknown(warehouse) == unknown(warehouse, "irc") == expected
    assert unknown(warehouse, "irc/c") == expected
    assert unknown(warehouse, "slack") == []


def test_a_small_source_is_missed_where_its_connector_says_nothing(
    warehouse: SmallWarehouse,
) -> None:
    """While the connector is well, too few may have written."""
    load(
        warehouse,
        {
            "irc/c": [0 if ago in (3, 5) else 6 for ago in range(DAYS, 0, -1)],
            "slack/c": [15] * DAYS,
        },
        {ago: "ok" for ago in range(DAYS, 0, -1) if ago != 5},
    )
    assert unknown(warehouse) == [5]
