"""What is counted: by hour, day and week, by channel, source and all."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.records import Pulse, TaggedMessage
from pipeline.warehouse.cells import recount
from pipeline.warehouse.testing import NOW, SmallWarehouse, tagged

ANGER = ("basic-emotion", "anger")
STRESS = ("marker", "stress")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[SmallWarehouse]:
    small = SmallWarehouse(tmp_path)
    yield small
    small.close()


def crowd(
    name: str, at: datetime, size: int = 6, marked: int = 0, **fields: object
) -> list[TaggedMessage]:
    """One message of each of `size` authors; the first `marked` carry anger."""
    return [
        tagged(f"{name}-{i}", at, [ANGER] if i < marked else [], author=i, **fields)
        for i in range(size)
    ]


def anger(warehouse: SmallWarehouse, table: str, time: str) -> list[tuple[object, ...]]:
    warehouse.publish()
    return warehouse.rows(
        f"SELECT scope, {time}::VARCHAR, messages, authors, marked FROM {table} "
        "WHERE task = 'basic-emotion' AND label = 'anger' ORDER BY ALL"
    )


def test_cells_are_counted_for_all_each_source_and_each_channel(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(*crowd("a", NOW, marked=3))
    warehouse.load(*crowd("b", NOW, source="gitter", channel="a/b"), start=6)
    assert anger(warehouse, "prevalence_daily", "day") == [
        ("all", "2026-03-01", 12, 6, 3),
        ("gitter", "2026-03-01", 6, 6, 0),
        ("gitter/a/b", "2026-03-01", 6, 6, 0),
        ("ubuntu", "2026-03-01", 6, 6, 3),
        ("ubuntu/#ubuntu", "2026-03-01", 6, 6, 3),
    ]


def test_midnight_parts_hours_days_and_iso_weeks(warehouse: SmallWarehouse) -> None:
    last = MONDAY - timedelta(microseconds=1)
    warehouse.load(*crowd("a", last, channel="x"), *crowd("b", MONDAY, channel="y"))
    hourly = anger(warehouse, "prevalence_hourly", "hour")
    assert [row[1] for row in hourly if row[0] == "all"] == [
        "2026-01-04 23:00:00",
        "2026-01-05 00:00:00",
    ]
    daily = anger(warehouse, "prevalence_daily", "day")
    assert [row[1] for row in daily if row[0] == "all"] == ["2026-01-04", "2026-01-05"]
    # The ISO week of the fourth of January began in the year before.
    weekly = anger(warehouse, "prevalence_weekly", "week")
    assert [row[1] for row in weekly if row[0] == "all"] == ["2025-12-29", "2026-01-05"]


def test_an_author_counts_once_a_cell(warehouse: SmallWarehouse) -> None:
    for hour in range(3):
        warehouse.load(*crowd(f"h{hour}", MONDAY + hour * HOUR), start=6 * hour)
    ((_, _, messages, authors, _), *_) = anger(warehouse, "prevalence_daily", "day")
    assert (messages, authors) == (18, 6)


def test_bots_do_not_count(warehouse: SmallWarehouse) -> None:
    warehouse.load(*crowd("a", NOW), *crowd("b", NOW, marked=6, bot=True))
    ((*_, messages, authors, marked), *_) = anger(warehouse, "prevalence_daily", "day")
    assert (messages, authors, marked) == (6, 6, 0)


def test_zeros_are_published_for_every_label_of_a_cell(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(*crowd("a", NOW, size=10))
    warehouse.publish(NOW + DAY)
    found = "SELECT count(*), max(prevalence) FROM prevalence_daily WHERE scope = 'all'"
    labels = "SELECT count(*), 0.0 FROM labels WHERE task <> 'cause'"
    assert warehouse.rows(found) == warehouse.rows(labels)


def test_causes_have_a_table_of_their_own(warehouse: SmallWarehouse) -> None:
    records = [tagged(f"{i}", labels=[("cause", "bug")], author=i) for i in range(3)]
    others = [tagged(f"o{i}", author=10 + i) for i in range(3)]
    warehouse.load(*records, *others)
    warehouse.publish()
    assert warehouse.rows(
        "SELECT day::VARCHAR, messages, authors, marked, prevalence FROM causes_daily "
        "WHERE scope = 'all' AND cause = 'bug'"
    ) == [("2026-03-01", 6, 6, 3, 0.5)]
    for table in ("prevalence_hourly", "prevalence_daily", "prevalence_weekly"):
        assert warehouse.rows(f"FROM {table} WHERE task = 'cause'") == []


def test_a_label_that_is_not_known_is_never_published(
    warehouse: SmallWarehouse,
) -> None:
    name = "Jane Doe of 12 High Street"
    records = [tagged(f"{i}", labels=[("cause", name)], author=i) for i in range(4)]
    warehouse.load(*records, tagged("x", author=9), tagged("y", author=10))
    warehouse.publish()
    assert name.encode() not in warehouse.published.read_bytes()


# ── edits ───────────────────────────────────────────────────────────────────────


def counted(warehouse: SmallWarehouse) -> list[tuple[str, int, int]]:
    """(day, messages, marked) over everything, before the gate."""
    recount(warehouse.connection, warehouse.path)
    return warehouse.connection.execute(
        "SELECT starts::DATE::VARCHAR, messages, coalesce(marked, 0) FROM cells "
        "LEFT JOIN marked_cells USING (grain, scope, starts) "
        "WHERE grain = 'day' AND scope = 'all' ORDER BY ALL"
    ).fetchall()


def test_the_highest_revision_counts(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1", labels=[ANGER]))
    assert counted(warehouse) == [("2026-03-01", 1, 1)]
    warehouse.load(tagged("1", revision=20), start=1)
    assert counted(warehouse) == [("2026-03-01", 1, 0)]
    warehouse.load(tagged("1", revision=10, labels=[ANGER]), start=2)
    assert counted(warehouse) == [("2026-03-01", 1, 0)]


def test_an_original_that_comes_after_its_edit_does_not_count(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1", revision=20))
    warehouse.load(tagged("1", labels=[ANGER]), start=1)
    assert counted(warehouse) == [("2026-03-01", 1, 0)]


def test_an_edit_with_another_date_empties_the_day_of_the_original(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1", NOW - 40 * DAY), tagged("2", NOW - 40 * DAY))
    assert counted(warehouse) == [("2026-01-20", 2, 0)]
    warehouse.load(tagged("1", revision=20), start=2)
    assert counted(warehouse) == [("2026-01-20", 1, 0), ("2026-03-01", 1, 0)]


@pytest.mark.parametrize("revision", [0, 20])
def test_a_deletion_takes_the_message_out(
    warehouse: SmallWarehouse, revision: int
) -> None:
    warehouse.load(tagged("1"), tagged("2"))
    assert counted(warehouse) == [("2026-03-01", 2, 0)]
    warehouse.load(tagged("1", revision=revision, deleted=True), start=2)
    assert counted(warehouse) == [("2026-03-01", 1, 0)]
    warehouse.load(tagged("2", revision=revision, deleted=True), start=3)
    assert counted(warehouse) == []


def test_a_deletion_that_comes_before_its_message_still_deletes(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1", deleted=True))
    warehouse.load(tagged("1"), start=1)
    assert counted(warehouse) == []


def test_a_deletion_without_a_revision_deletes_edited_messages_too(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1"), tagged("1", revision=20), tagged("1", deleted=True))
    assert counted(warehouse) == []


def test_a_revision_after_a_deletion_counts_again(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1", revision=20, deleted=True), tagged("1", revision=21))
    assert counted(warehouse) == [("2026-03-01", 1, 0)]


def test_there_is_nothing_to_recount_when_nothing_changed(
    warehouse: SmallWarehouse,
) -> None:
    assert not recount(warehouse.connection, warehouse.path)
    warehouse.load(tagged("1"))
    assert recount(warehouse.connection, warehouse.path)
    assert not recount(warehouse.connection, warehouse.path)
    warehouse.load(tagged("2", deleted=True), start=1)
    assert recount(warehouse.connection, warehouse.path)
    assert not recount(warehouse.connection, warehouse.path)


def test_a_recount_leaves_other_days_of_the_week_as_they_are(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(tagged("1", MONDAY), tagged("2", MONDAY + DAY))
    recount(warehouse.connection, warehouse.path)
    warehouse.connection.execute("UPDATE cells SET messages = 77 WHERE grain <> 'week'")
    warehouse.load(tagged("3", MONDAY + DAY), start=2)
    recount(warehouse.connection, warehouse.path)
    assert warehouse.connection.execute(
        "SELECT grain, messages FROM cells WHERE scope = 'all' ORDER BY grain, starts"
    ).fetchall() == [("day", 77), ("day", 2), ("hour", 77), ("hour", 2), ("week", 3)]


# ── the gate ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("size", "published"), [(4, False), (5, True)])
def test_four_authors_are_too_few_for_an_emotion(
    warehouse: SmallWarehouse, size: int, *, published: bool
) -> None:
    warehouse.load(*crowd("a", NOW, size=size))
    assert bool(anger(warehouse, "prevalence_daily", "day")) is published


@pytest.mark.parametrize(
    ("marked", "published"),
    [(0, True), (1, False), (2, False), (3, True), (5, True), (6, False)],
)
def test_marked_authors_are_none_or_three_but_not_all(
    warehouse: SmallWarehouse, marked: int, *, published: bool
) -> None:
    warehouse.load(*crowd("a", NOW, size=6, marked=marked))
    assert bool(anger(warehouse, "prevalence_daily", "day")) is published


@pytest.mark.parametrize(("size", "published"), [(9, False), (10, True)])
def test_a_marker_needs_ten_authors_and_is_never_hourly(
    warehouse: SmallWarehouse, size: int, *, published: bool
) -> None:
    warehouse.load(
        *(
            tagged(f"{i}", labels=[STRESS] if i < 3 else [], author=i)
            for i in range(size)
        )
    )
    warehouse.publish(NOW + 7 * DAY)
    for table in ("prevalence_daily", "prevalence_weekly"):
        found = warehouse.rows(f"FROM {table} WHERE task = 'marker'")
        assert bool(found) is published
    assert warehouse.rows("FROM prevalence_hourly WHERE task = 'marker'") == []


def test_the_settings_raise_the_fewest_authors(tmp_path: Path) -> None:
    small = SmallWarehouse(tmp_path, min_authors=8, min_authors_markers=12)
    small.load(*crowd("a", NOW, size=11))
    small.publish(NOW + DAY)
    tasks = small.rows("SELECT DISTINCT task FROM prevalence_daily")
    assert ("basic-emotion",) in tasks
    assert ("marker",) not in tasks
    least = (
        "SELECT DISTINCT task, min_authors FROM labels "
        "WHERE task IN ('basic-emotion', 'marker', 'tone') ORDER BY ALL"
    )
    assert small.rows(least) == [("basic-emotion", 8), ("marker", 12), ("tone", 10)]
    small.close()


def test_the_settings_cannot_lower_what_a_label_asks_for(tmp_path: Path) -> None:
    small = SmallWarehouse(tmp_path)
    least = small.connection.execute(
        "SELECT DISTINCT min_authors FROM labels WHERE task = 'marker'"
    ).fetchall()
    assert least == [(10,)]
    small.close()


# ── subtraction ─────────────────────────────────────────────────────────────────


def stressed(
    warehouse: SmallWarehouse, table: str, now: datetime = NOW + 7 * DAY
) -> list[tuple[object, ...]]:
    warehouse.publish(now)
    return warehouse.rows(
        f"SELECT scope, messages, authors, marked FROM {table} "
        "WHERE label = 'stress' ORDER BY ALL"
    )


def load_stressed(
    warehouse: SmallWarehouse, size: int, marked: int, at: datetime = NOW, **where: str
) -> None:
    first = 100 * len(where.get("source", "")) + 10_000 * len(where.get("channel", ""))
    warehouse.load(
        *(
            tagged(
                f"{at}{first + i}",
                at,
                [STRESS] * (i < marked),
                author=first + i,
                **where,
            )
            for i in range(size)
        )
    )


@pytest.mark.parametrize("level", ["source", "channel"])
def test_one_person_beside_a_crowd_is_not_all_minus_the_crowd(
    warehouse: SmallWarehouse, level: str
) -> None:
    load_stressed(warehouse, 14, 4, **{level: "chat"})
    load_stressed(warehouse, 1, 1, **{level: "one-person"})
    rows = stressed(warehouse, "prevalence_daily")
    assert {row[1:] for row in rows} == {(15, 15, 5)}
    assert not [row for row in rows if "chat" in str(row[0])]


def test_what_is_left_of_all_may_be_a_crowd_of_its_own(
    warehouse: SmallWarehouse,
) -> None:
    load_stressed(warehouse, 1, 1, source="a")
    load_stressed(warehouse, 14, 4, source="bb")
    load_stressed(warehouse, 30, 5, source="ccc")
    scopes = {row[0] for row in stressed(warehouse, "prevalence_daily")}
    assert scopes == {"all", "ccc", "ccc/#ubuntu"}


def test_a_week_minus_six_days_is_not_the_seventh(warehouse: SmallWarehouse) -> None:
    for day in range(7):
        load_stressed(warehouse, 14, 2 if day == 6 else 3, MONDAY + day * DAY)
    assert len(stressed(warehouse, "prevalence_daily")) == 6 * 3
    assert stressed(warehouse, "prevalence_weekly") == []


def test_a_week_is_published_where_its_withheld_days_are_a_crowd(
    warehouse: SmallWarehouse,
) -> None:
    load_stressed(warehouse, 14, 3, MONDAY)
    load_stressed(warehouse, 14, 3, MONDAY + DAY)
    rows = stressed(warehouse, "prevalence_weekly")
    assert {row[1:] for row in rows} == {(28, 14, 6)}


def test_a_day_minus_its_hours_is_not_a_lonely_hour(warehouse: SmallWarehouse) -> None:
    warehouse.load(*crowd("a", MONDAY, marked=3))
    warehouse.load(*crowd("b", MONDAY + HOUR, size=1, marked=1))
    assert anger(warehouse, "prevalence_daily", "day")
    assert anger(warehouse, "prevalence_hourly", "hour") == []


def test_a_warehouse_of_before_is_judged_when_it_is_opened(tmp_path: Path) -> None:
    before = SmallWarehouse(tmp_path)
    load_stressed(before, 14, 4, source="chat")
    load_stressed(before, 1, 1, source="one-person")
    recount(before.connection, before.path)
    before.connection.execute("DROP TABLE withheld")
    before.close()
    now = SmallWarehouse(tmp_path)
    assert [row[0] for row in stressed(now, "prevalence_daily")] == ["all"]
    now.close()


def test_a_marker_enters_once_its_day_is_over_so_that_no_message_is_told(
    warehouse: SmallWarehouse,
) -> None:
    load_stressed(warehouse, 14, 4)
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    for table in ("prevalence_daily", "prevalence_weekly"):
        moment = timedelta(microseconds=1)
        assert stressed(warehouse, table, midnight - moment) == []
        assert len(stressed(warehouse, table, midnight)) == 3


# ── coverage ────────────────────────────────────────────────────────────────────


def pulse(at: datetime, state: object = "ok", source: str = "ubuntu") -> Pulse:
    return Pulse(source=source, at=at, state=state)  # type: ignore[arg-type]


def coverage(
    warehouse: SmallWarehouse, now: datetime = NOW
) -> list[tuple[object, ...]]:
    warehouse.publish(now)
    return warehouse.rows(
        "SELECT source, day, messages, state FROM coverage ORDER BY ALL"
    )


def test_every_day_between_the_first_and_the_last_is_covered(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(*crowd("a", NOW - 3 * DAY, size=5), *crowd("b", NOW, size=4))
    warehouse.load(pulse(NOW - DAY), topic="pulses")
    assert coverage(warehouse) == [
        ("ubuntu", date(2026, 2, 26), 5, "ok"),
        ("ubuntu", date(2026, 2, 27), None, "silent"),
        ("ubuntu", date(2026, 2, 28), None, "ok"),
    ]


def test_one_error_does_not_silence_a_day_on_which_a_crowd_was_heard(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(*crowd("a", NOW, size=40))
    states = ("ok", "failing", "stopped")
    warehouse.load(*(pulse(NOW, state) for state in states), topic="pulses")
    assert coverage(warehouse) == [("ubuntu", date(2026, 3, 1), 40, "ok")]


def test_the_worst_state_of_a_day_is_shown_where_no_crowd_was_heard(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.load(*crowd("a", NOW, size=4))
    states = ("ok", "rate-limited", "failing", "stopped")
    warehouse.load(*(pulse(NOW, state) for state in states), topic="pulses")
    warehouse.load(pulse(NOW, "rate-limited", "gitter"), topic="pulses", start=4)
    assert coverage(warehouse) == [
        ("gitter", date(2026, 3, 1), None, "rate-limited"),
        ("ubuntu", date(2026, 3, 1), None, "failing"),
    ]


def test_days_to_come_are_not_covered(warehouse: SmallWarehouse) -> None:
    far = datetime(9999, 12, 30, 23, tzinfo=UTC)
    warehouse.load(tagged("1"), tagged("2", far))
    assert coverage(warehouse) == []
    warehouse.load(*crowd("a", NOW, size=5), start=2)
    assert coverage(warehouse) == [("ubuntu", date(2026, 3, 1), 6, "ok")]
