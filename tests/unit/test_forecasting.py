"""Which series are forecast, and that dying workers change nothing."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.config import ForecastSettings, WarehouseSettings
from pipeline.jobs import forecasting
from pipeline.jobs.forecasting import Asked, Forecasting, Rows, forecast
from pipeline.tagging.labels import load_labels
from pipeline.warehouse import forecasts
from pipeline.warehouse.cells import recount, set_labels
from pipeline.warehouse.forecasts import (
    WINDOW_DAYS,
    DailyCells,
    ForecastStore,
    Inputs,
)
from pipeline.warehouse.testing import NOW, SmallWarehouse, tagged

ANGER = ("basic-emotion", "anger")
DAY = timedelta(days=1)
TODAY = NOW.date()
INPUTS = Inputs("digest", TODAY, "past")


class Period(msgspec.Struct):
    """A row as the table of periods wants it."""

    scope: str
    task: str
    label: str
    kind: str
    started: date
    peaked: date
    ended: date | None
    peak_prevalence: float


def fake(asked: Asked, _settings: ForecastSettings, _kept_at: Path) -> Rows:
    """One period from the first day to the last; runs in the worker."""
    cells = asked.cells
    period = Period(*cells.name, "level", cells.days[0], cells.days[-1], None, 0.5)
    return {"periods": [period], "forecasts": []}


def deadly(asked: Asked, settings: ForecastSettings, kept_at: Path) -> Rows:
    """Ends its process on one scope."""
    if asked.cells.name[0] == "all":
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(asked, settings, kept_at)


def deadly_but_new(asked: Asked, settings: ForecastSettings, kept_at: Path) -> Rows:
    """Ends its process on what was said before."""
    if asked.cells.name[0].startswith("ubuntu"):
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(asked, settings, kept_at)


def slow(asked: Asked, settings: ForecastSettings, kept_at: Path) -> Rows:
    """Takes its time."""
    time.sleep(0.3)
    return fake(asked, settings, kept_at)


def killed_while_keeping(
    asked: Asked, settings: ForecastSettings, kept_at: Path
) -> Rows:
    """The real one, killed in the middle of its first write for each series."""
    killed = kept_at.with_suffix(".killed")

    def half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patched:
        if not killed.exists():
            patched.setattr(Path, "write_bytes", half)
        return forecast(asked, settings, kept_at)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[SmallWarehouse]:
    small = SmallWarehouse(tmp_path)
    yield small
    small.close()


def load_days(
    warehouse: SmallWarehouse,
    days: int,
    until: datetime = NOW,
    marked: int = 3,
    **fields: Any,
) -> None:
    """On each of `days` days six authors write, and `marked` of them in anger."""
    warehouse.load(
        *(
            tagged(
                f"{fields}-{until - n * DAY}-{author}",
                until - n * DAY,
                [ANGER] * (author < marked),
                author=author,
                **fields,
            )
            for n in range(days)
            for author in range(6)
        )
    )
    recount(warehouse.connection, warehouse.path)


def store_of(warehouse: SmallWarehouse) -> ForecastStore:
    return ForecastStore(warehouse.connection, warehouse.path)


def names(warehouse: SmallWarehouse, today: date = TODAY) -> list[str]:
    return ["/".join(cells.name) for cells in store_of(warehouse).series(today)]


def periods(warehouse: SmallWarehouse) -> list[tuple[Any, ...]]:
    return warehouse.connection.execute(
        "SELECT scope, started, peaked FROM periods ORDER BY ALL"
    ).fetchall()


def run(warehouse: SmallWarehouse, forecaster: Any = fake, today: date = TODAY) -> None:
    """One round, to its end."""
    round_ = Forecasting(store_of(warehouse), ForecastSettings(), forecaster)
    round_.begin(today)
    deadline = time.monotonic() + 60
    while round_.busy:
        assert time.monotonic() < deadline
        round_.collect(wait_s=0.1)


def test_a_series_has_the_published_days_that_are_over(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - 2 * DAY)
    load_days(warehouse, 1)  # yesterday nobody wrote, today is not over
    first, *_ = store_of(warehouse).series(TODAY)
    assert first.name == ("all", *ANGER)
    assert first.days == [TODAY - n * DAY for n in range(31, 1, -1)]
    assert first.messages == [6] * 30
    assert first.marked == [3] * 30


def test_messages_dated_ahead_neither_end_today_nor_the_series(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - DAY)
    before = names(warehouse)
    load_days(warehouse, 1)  # today has only begun
    load_days(warehouse, 2, NOW + 100 * DAY, source="feed")
    assert names(warehouse) == before
    first, *_ = store_of(warehouse).series(TODAY)
    assert first.days[-1] == TODAY - DAY


def test_series_are_of_all_sources_and_channels_the_fullest_first(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - DAY)
    load_days(warehouse, 29, NOW - DAY, source="gitter", channel="c", marked=4)
    assert names(warehouse) == [
        "all/basic-emotion/anger",
        "gitter/basic-emotion/anger",
        "gitter/c/basic-emotion/anger",
        "ubuntu/basic-emotion/anger",
        "ubuntu/#ubuntu/basic-emotion/anger",
    ]


@pytest.mark.parametrize(
    ("days", "silent", "marked", "found"),
    [
        (28, 0, 3, True),
        (27, 0, 3, False),
        (28, 14, 3, True),
        (28, 15, 3, False),
        (28, 0, 0, False),
    ],
)
def test_a_series_needs_enough_days_marks_and_to_be_alive(
    warehouse: SmallWarehouse, days: int, silent: int, marked: int, *, found: bool
) -> None:
    load_days(warehouse, 1, NOW - DAY, source="gitter")
    load_days(warehouse, days, NOW - (silent + 1) * DAY, marked=marked)
    assert ("ubuntu/basic-emotion/anger" in names(warehouse)) is found


def long_series(scope: str, last: date) -> DailyCells:
    days = [last - n * DAY for n in range(3 * 365, -1, -1)]
    return DailyCells((scope, *ANGER), days, [1] * len(days), [1.0] * len(days))


def test_a_series_starts_on_the_same_day_for_a_year() -> None:
    """Longer than its window by up to a year; then the start moves on by a year."""
    starts = []
    for night in range(366):
        last = TODAY + night * DAY
        starts.append(forecasts._windowed(long_series("all", last), last).days[0])
        assert WINDOW_DAYS <= (last - starts[-1]).days + 1 < WINDOW_DAYS + 365
    assert len(set(starts)) == 2
    assert (starts[-1] - starts[0]).days == 365


def test_series_do_not_move_their_starts_in_one_night() -> None:
    cells = [long_series(str(number), TODAY) for number in range(100)]
    starts = {forecasts._windowed(one, TODAY).days[0] for one in cells}
    assert len(starts) > 50


def test_series_that_listen_to_each_other_start_on_the_same_day() -> None:
    anger = long_series("all", TODAY)
    others = [("all", "basic-emotion", "fear"), ("all", "fine-emotion", "frustration")]
    starts = {
        forecasts._windowed(anger._replace(name=name), TODAY).days[0]
        for name in (anger.name, *others)
    }
    assert len(starts) == 1
    assert forecasts.family(("all", "marker", "stress")) != forecasts.family(anger.name)


def test_a_series_that_is_silent_keeps_its_start(warehouse: SmallWarehouse) -> None:
    load_days(warehouse, 40, NOW - DAY)
    run(warehouse)
    before = store_of(warehouse).digests()
    load_days(warehouse, 30, NOW + 1500 * DAY, source="gitter")
    run(warehouse, today=TODAY + 1501 * DAY)
    after = store_of(warehouse).digests()
    assert after["ubuntu", *ANGER] == before["ubuntu", *ANGER]


class Said(msgspec.Struct):
    """The columns of a forecast that matter here, and what else it must have."""

    origin: date
    mean: float
    target: date = TODAY
    scope: str = "all"
    task: str = ANGER[0]
    label: str = ANGER[1]
    lower: float = 0.0
    upper: float = 1.0
    lower_95: float = 0.0
    upper_95: float = 1.0
    model: str = "last day"
    skill: bool = False


def keep(
    warehouse: SmallWarehouse, inputs: Inputs, origins: range, mean: float
) -> list[tuple[int, float]]:
    """Keep one forecast an origin, in days from now; what is kept then."""
    rows = [Said(TODAY + n * DAY, mean) for n in origins]
    store_of(warehouse).keep(("all", *ANGER), inputs, {"forecasts": rows})
    kept = warehouse.connection.execute(
        "SELECT origin, mean FROM forecasts ORDER BY ALL"
    ).fetchall()
    return [((origin - TODAY).days, mean) for origin, mean in kept]


def test_what_was_said_before_the_start_moved_on_stays(
    warehouse: SmallWarehouse,
) -> None:
    """As long as it is part of the track record, which begins ten days before."""
    keep(warehouse, Inputs("a", TODAY - 365 * DAY, "x"), range(-11, 0), 0.1)
    moved = Inputs("b", TODAY, "y")
    kept = keep(warehouse, moved, range(-10, 1), 0.2)
    assert kept == [(n, 0.1) for n in range(-10, 0)] + [(0, 0.2)]
    again = keep(warehouse, moved._replace(digest="c"), range(-8, 3), 0.3)
    assert again == [(n, 0.1) for n in range(-8, 0)] + [(n, 0.3) for n in range(3)]


def length(asked: Asked, _settings: ForecastSettings, _kept_at: Path) -> Rows:
    """Forecasts at the last ten days: how long the series is."""
    cells, days = asked.cells, len(asked.cells.days)
    rows = [Said(day, float(days)) for day in cells.days[-10:]]
    return {"forecasts": rows if cells.name[0] == "all" else []}


def test_the_night_on_which_the_start_moves_on_changes_nothing_said(
    warehouse: SmallWarehouse,
) -> None:
    def said() -> list[float]:
        rows = warehouse.connection.execute(
            "SELECT mean FROM forecasts ORDER BY origin"
        )
        return [mean for (mean,) in rows.fetchall()]

    move = forecasts.moved_on(("all", *ANGER), TODAY)
    load_days(warehouse, 1100, NOW - (TODAY - move) + DAY)
    run(warehouse, length, move)  # up to the day before
    assert said() == [WINDOW_DAYS + 364] * 10
    run(warehouse, length, move + DAY)
    assert said() == [WINDOW_DAYS + 364] * 9 + [WINDOW_DAYS]
    run(warehouse, length, move + 2 * DAY)
    assert said() == [WINDOW_DAYS + 364] * 8 + [WINDOW_DAYS + 1] * 2


@pytest.mark.parametrize(
    "inputs",
    [
        Inputs("c", TODAY, "late messages"),
        Inputs("c", TODAY - 365 * DAY, "x"),  # the newest days are gone again
    ],
)
def test_where_earlier_days_changed_all_is_said_anew(
    warehouse: SmallWarehouse, inputs: Inputs
) -> None:
    keep(warehouse, Inputs("a", TODAY - 365 * DAY, "x"), range(-10, 0), 0.1)
    keep(warehouse, Inputs("b", TODAY, "y"), range(-9, 1), 0.2)
    kept = keep(warehouse, inputs, range(-9, 1), 0.3)
    assert kept == [(n, 0.3) for n in range(-9, 1)]


def test_nothing_stays_of_a_series_that_can_be_used_no_longer(
    warehouse: SmallWarehouse,
) -> None:
    keep(warehouse, Inputs("a", TODAY - 365 * DAY, "x"), range(-10, 0), 0.1)
    store_of(warehouse).keep(("all", *ANGER), Inputs("b", TODAY, "y"), {})
    assert warehouse.connection.execute("FROM forecasts").fetchall() == []


def test_only_a_change_before_the_start_moved_on_changes_the_past() -> None:
    def inputs(messages: list[int]) -> Inputs:
        cells = long_series("all", TODAY)
        cells = cells._replace(messages=messages + [1] * (len(cells.days) - 2))
        cells = cells._replace(messages=cells.messages[::turn])
        (asked,) = round_._asked([cells])
        return asked.inputs

    round_ = Forecasting(ForecastStore(None, Path()), ForecastSettings())  # type: ignore[arg-type]
    turn = 1
    early, late = inputs([1, 1]), inputs([2, 2])
    assert early.since == forecasts.moved_on(("all", *ANGER), TODAY)
    assert early.past != late.past
    turn = -1
    assert early.past == inputs([2, 2]).past
    assert early.digest != inputs([2, 2]).digest


def test_a_withheld_share_counts_as_what_anybody_can_tell(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, until=NOW - 7 * DAY)
    load_days(warehouse, 5, until=NOW - 2 * DAY, marked=1)
    load_days(warehouse, 2, marked=0)
    (cells, *_) = store_of(warehouse).series(TODAY)
    assert cells.marked[-8:] == [3, 3, 1.5, 1.5, 1.5, 1.5, 1.5, 0]
    assert set(cells.messages) == {6}


def test_an_empty_warehouse_has_no_series(warehouse: SmallWarehouse) -> None:
    assert names(warehouse) == []
    run(warehouse)


def test_forecasts_are_kept_and_published(warehouse: SmallWarehouse) -> None:
    load_days(warehouse, 30, NOW - DAY)
    run(warehouse)
    start, end = TODAY - 30 * DAY, TODAY - DAY
    kept = [(scope, start, end) for scope in ("all", "ubuntu", "ubuntu/#ubuntu")]
    assert periods(warehouse) == kept
    warehouse.publish()
    assert len(warehouse.tables()["periods"]) == 3


def test_only_series_that_changed_are_forecast_again(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - DAY)
    run(warehouse)
    before = periods(warehouse)
    run(warehouse, deadly)  # would never end well
    assert periods(warehouse) == before
    load_days(warehouse, 1, NOW)
    run(warehouse, today=TODAY + DAY)
    assert periods(warehouse)[0][2] == TODAY


def test_what_was_said_of_a_scope_outlives_its_holidays(
    warehouse: SmallWarehouse,
) -> None:
    """For years, if need be; but a scope that was silent before is not begun with."""
    load_days(warehouse, 30, NOW - DAY)
    load_days(warehouse, 30, NOW - 50 * DAY, source="gone")
    run(warehouse)
    before = periods(warehouse)
    assert {row[0] for row in before} == {"all", "ubuntu", "ubuntu/#ubuntu"}
    later = NOW + 1200 * DAY
    load_days(warehouse, 30, later, source="gitter")
    run(warehouse, deadly_but_new, later.date() + DAY)
    kept = periods(warehouse)
    assert [row for row in kept if row[0].startswith("ubuntu")] == before[1:]
    assert {row[0] for row in kept} - {row[0] for row in before} == {
        "gitter",
        "gitter/#ubuntu",
    }


def test_what_was_said_of_a_silent_scope_goes_with_its_crowds(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - DAY)
    run(warehouse)
    load_days(warehouse, 30, NOW + 100 * DAY, source="gitter")
    deletions = [
        tagged(
            f"{{}}-{NOW - n * DAY}-{author}", NOW - n * DAY, deleted=True, revision=1
        )
        for n in range(1, 4)
        for author in range(2)
    ]
    warehouse.load(*deletions, start=10_000)
    recount(warehouse.connection, warehouse.path)
    run(warehouse, today=TODAY + 101 * DAY)
    assert {row[0] for row in periods(warehouse)} == {"all", "gitter", "gitter/#ubuntu"}


def test_forecasts_from_what_may_be_published_no_longer_are_forgotten(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 40)
    run(warehouse)
    settings = WarehouseSettings(path=str(warehouse.path))
    set_labels(warehouse.connection, load_labels(), settings)
    assert periods(warehouse) != []
    stricter = msgspec.structs.replace(settings, min_authors=7)
    set_labels(warehouse.connection, load_labels(), stricter)
    assert periods(warehouse) == []
    assert store_of(warehouse).digests() == {}


def test_a_killed_worker_is_replaced_and_its_work_redone(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - DAY)
    round_ = Forecasting(store_of(warehouse), ForecastSettings(), slow, workers=1)
    round_.begin(TODAY)
    for _ in range(2):
        (worker,) = round_._workers
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGKILL)
        round_.collect(wait_s=5)
    while round_.busy:
        round_.collect(wait_s=0.1)
    assert [row[0] for row in periods(warehouse)] == ["all", "ubuntu", "ubuntu/#ubuntu"]


def test_workers_share_a_round(warehouse: SmallWarehouse) -> None:
    load_days(warehouse, 30, NOW - DAY)
    round_ = Forecasting(store_of(warehouse), ForecastSettings(), slow, workers=8)
    round_.begin(TODAY)
    pids = {worker.process.pid for worker in round_._workers}
    assert len(pids) == 3  # no more than there are series
    while round_.busy:
        round_.collect(wait_s=0.1)
    assert [row[0] for row in periods(warehouse)] == ["all", "ubuntu", "ubuntu/#ubuntu"]


def test_a_series_that_ends_every_worker_is_put_off(warehouse: SmallWarehouse) -> None:
    load_days(warehouse, 30, NOW - DAY)
    run(warehouse, deadly)
    assert [row[0] for row in periods(warehouse)] == ["ubuntu", "ubuntu/#ubuntu"]
    run(warehouse)
    assert [row[0] for row in periods(warehouse)] == ["all", "ubuntu", "ubuntu/#ubuntu"]


def test_one_round_is_under_way_at_a_time_and_stops_at_once(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - DAY)
    round_ = Forecasting(store_of(warehouse), ForecastSettings(), slow)
    round_.begin(TODAY)
    workers = round_._workers
    round_.begin(TODAY)
    assert round_._workers is workers
    started = time.monotonic()
    round_.stop()
    assert time.monotonic() - started < 2
    assert not round_.busy


def test_nothing_is_forecast_when_the_configuration_says_so(
    warehouse: SmallWarehouse,
) -> None:
    load_days(warehouse, 30, NOW - DAY)
    round_ = Forecasting(store_of(warehouse), ForecastSettings(enabled=False), fake)
    round_.begin(TODAY)
    assert not round_.busy


def test_other_settings_make_other_forecasts(warehouse: SmallWarehouse) -> None:
    load_days(warehouse, 30, NOW - DAY)
    run(warehouse)
    before = store_of(warehouse).digests()
    settings = ForecastSettings(horizon_days=3)
    round_ = Forecasting(store_of(warehouse), settings, fake)
    round_.begin(TODAY)
    while round_.busy:
        round_.collect(wait_s=0.1)
    after = store_of(warehouse).digests()
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)


def test_the_worker_sends_the_rows_of_each_series_and_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    niceness: list[int] = []
    monkeypatch.setattr(os, "nice", niceness.append)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    asked = alone(DailyCells(("all", *ANGER), [TODAY], [6], [3]))
    results, sender = Pipe(duplex=False)
    forecasting._work(sender, [asked, asked], ForecastSettings(), fake, Path())
    assert [len(results.recv()["periods"]) for _ in range(2)] == [1, 1]
    assert niceness == [forecasting.NICENESS]
    results.close()
    forecasting._work(sender, [asked], ForecastSettings(), fake, Path())
    sender.close()


def alone(cells: DailyCells) -> Asked:
    return Asked(cells, [], INPUTS)


def ninety_days(last: int = 90) -> DailyCells:
    days = [TODAY - n * DAY for n in range(90, 0, -1)][:last]
    marked = [float(n % 7) for n in range(last)]
    return DailyCells(("all", *ANGER), days, [20] * last, marked)


def test_real_forecasts_fit_the_tables(
    warehouse: SmallWarehouse, tmp_path: Path
) -> None:
    cells = ninety_days()
    rows = forecast(alone(cells), ForecastSettings(backtest_days=14), tmp_path / "kept")
    store_of(warehouse).keep(cells.name, INPUTS, rows)
    warehouse.publish()
    tables = warehouse.tables()
    for table in ("forecasts", "alarms", "backtests", "periods"):
        assert len(tables[table]) == len(rows[table])
    assert rows["forecasts"]


def test_what_last_night_kept_changes_nothing_but_the_time(tmp_path: Path) -> None:
    settings, kept = ForecastSettings(backtest_days=14), tmp_path / "kept"
    forecast(alone(ninety_days(89)), settings, kept)
    before = kept.read_bytes()
    resumed = forecast(alone(ninety_days()), settings, kept)
    assert resumed == forecast(alone(ninety_days()), settings, tmp_path / "other")
    assert kept.read_bytes() != before


def test_labels_of_a_scope_listen_to_each_other(warehouse: SmallWarehouse) -> None:
    def asked(label: str) -> Asked:
        store = store_of(warehouse)
        round_ = Forecasting(store, ForecastSettings())
        every = round_._asked(store.series(TODAY + DAY))
        return next(
            one for one in every if one.cells.name == ("ubuntu", *ANGER[:1], label)
        )

    load_days(warehouse, 30, NOW - DAY)
    before = asked("anger")
    assert before.related == []
    fear = ("basic-emotion", "fear")
    warehouse.load(
        *(
            tagged(f"{n}-{author}", NOW - n * DAY, [fear], author=author)
            for n in range(1, 31)
            for author in range(3, 6)
        )
    )
    recount(warehouse.connection, warehouse.path)
    assert [cells.name for cells in asked("anger").related] == [("ubuntu", *fear)]
    assert [cells.name for cells in asked("fear").related] == [("ubuntu", *ANGER)]
    digests = {one.inputs.digest for one in (before, asked("anger"), asked("fear"))}
    assert len(digests) == 3


def test_a_worker_killed_while_it_keeps_its_work_changes_nothing(
    warehouse: SmallWarehouse,
) -> None:
    def said() -> list[list[tuple[Any, ...]]]:
        return [
            warehouse.connection.execute(f"FROM {table} ORDER BY ALL").fetchall()
            for table in forecasts.TABLES
        ]

    load_days(warehouse, 40, NOW - 2 * DAY)
    run(warehouse, killed_while_keeping)
    folder = store_of(warehouse).folder
    assert len(list(folder.glob("*.killed"))) == 3
    load_days(warehouse, 1, NOW - DAY)
    run(warehouse, forecast, TODAY + DAY)  # goes on with what was kept after the kills
    resumed = said()
    for path in folder.iterdir():
        path.unlink()
    warehouse.connection.execute("DELETE FROM forecast_inputs")
    run(warehouse, forecast, TODAY + DAY)
    assert said() == resumed
    assert resumed[0] != []


def test_what_is_kept_of_a_series_goes_with_it(warehouse: SmallWarehouse) -> None:
    load_days(warehouse, 30, NOW - DAY)
    folder = store_of(warehouse).folder
    folder.mkdir()
    wanted = forecasting.file_name(("all", *ANGER))
    for name in (wanted, "of-another", wanted + ".new"):
        (folder / name).touch()
    run(warehouse)
    assert [path.name for path in folder.iterdir()] == [wanted]


def test_a_series_that_cannot_be_used_has_no_rows(tmp_path: Path) -> None:
    cells = DailyCells(("all", *ANGER), [TODAY], [6], [3])
    assert forecast(alone(cells), ForecastSettings(), tmp_path / "kept") == {}
