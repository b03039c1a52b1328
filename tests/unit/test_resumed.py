"""A forecast taken up where the last one ended is the same as one made anew."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from pipeline.forecast import kept as kept_rows
from pipeline.forecast.backtest import Track, track
from pipeline.forecast.kept import Kept, read, write
from pipeline.forecast.run import Forecasts, forecast_series, resume_series
from pipeline.forecast.series import Array, Series

DAYS = 150
EARLIER = (90, 149, 150)
"""Before and after the last refit, and all there is."""


def days(number: int) -> Series:
    """Days that follow each other, with gaps; the first ones are always the same."""
    random = np.random.default_rng(4)
    messages = random.poisson(80, DAYS).astype(float)
    share = 0.1 + 0.03 * np.sin(np.arange(DAYS) / 9)
    marked = random.binomial(messages.astype(int), share).astype(float)
    messages[[40, 97, 98]] = np.nan
    name = ("all", "basic-emotion", "anger")
    return Series(*name, date(2024, 1, 1), messages[:number], marked[:number])


@pytest.fixture(scope="module")
def anew() -> Track:
    return track(days(DAYS), 7)


def kept(before: Track) -> dict[str, Array]:
    return dict(zip(before.names, before.paths, strict=True))


@pytest.mark.parametrize("earlier", EARLIER)
def test_paths_are_taken_over_and_continued_to_the_bit(
    anew: Track, earlier: int
) -> None:
    resumed = track(days(DAYS), 7, before=kept(track(days(earlier), 7)))
    np.testing.assert_array_equal(resumed.paths, anew.paths)


def test_what_is_taken_over_is_not_computed(anew: Track) -> None:
    zeros = {name: np.zeros((149, 7)) for name in anew.names}
    resumed = track(days(DAYS), 7, before=zeros)
    assert not resumed.paths[:, :149].any()
    np.testing.assert_array_equal(resumed.paths[:-1, 149], anew.paths[:-1, 149])


def told(series: Series, before: Kept | None) -> tuple[Forecasts, Kept]:
    return resume_series(series, before, horizon=7, backtest_days=40)


@pytest.fixture(scope="module")
def last_night() -> Kept:
    """Kept a few days before the last."""
    return told(days(DAYS - 5), None)[1]


@pytest.fixture(scope="module")
def tonight() -> Forecasts:
    return forecast_series(days(DAYS), horizon=7, backtest_days=40)


def test_all_that_is_published_is_the_same_to_the_bit(
    last_night: Kept, tonight: Forecasts
) -> None:
    found, _ = told(days(DAYS), last_night)
    assert found == tonight


def test_what_is_kept_is_the_same_to_the_bit(last_night: Kept) -> None:
    _, resumed = told(days(DAYS), last_night)
    _, anew = told(days(DAYS), None)
    assert resumed.rows.keys() == anew.rows.keys()
    for name, rows in anew.rows.items():
        if not name.startswith("verdict"):  # older origins are kept as well
            np.testing.assert_array_equal(resumed.rows[name], rows)


def test_a_day_that_changed_is_forecast_from_anew(last_night: Kept) -> None:
    """A late message came, of a day long ago and of one just gone."""
    for day in (60, DAYS - 7):
        edited = days(DAYS)
        edited.marked[day] += 1.0
        found, _ = told(edited, last_night)
        assert found == forecast_series(edited, horizon=7, backtest_days=40)


def related(number: int) -> Series:
    """Another label, whose share goes a day ahead of the first one's."""
    random = np.random.default_rng(5)
    share = 0.2 + 0.06 * np.sin(np.arange(1, DAYS + 1) / 9)
    marked = random.binomial(80, share).astype(float)
    name = ("all", "basic-emotion", "fear")
    return Series(*name, date(2024, 1, 1), np.full(number, 80.0), marked[:number])


def beside_others(
    number: int, before: Kept | None, *others: Series
) -> tuple[Forecasts, Kept]:
    series = days(number)
    return resume_series(series, before, horizon=7, backtest_days=40, related=others)


def test_what_related_labels_did_is_kept_and_forecast_with() -> None:
    _, before = beside_others(DAYS - 5, None, related(DAYS - 5))
    resumed, after = beside_others(DAYS, before, related(DAYS))
    anew, _ = beside_others(DAYS, None, related(DAYS))
    assert resumed == anew
    assert "VAR" in {row.model for row in anew.backtests}
    edited = related(DAYS)
    edited.marked[70] += 9.0
    resumed, _ = beside_others(DAYS, after, edited)
    assert resumed == beside_others(DAYS, None, edited)[0] != anew
    assert beside_others(DAYS, after)[0] == told(days(DAYS), None)[0]


def test_rows_up_to_the_first_changed_day_hold() -> None:
    seen = np.array([[1.0, 2, np.nan, 4], [0.0, 1, np.nan, 1]])
    before = Kept(date(2024, 1, 1), 7, seen, {"x": np.arange(4.0)})
    now = np.array([[1.0, 2, np.nan, 4, 5], [0.0, 1, np.nan, 2, 2]])
    assert before.holding(before.start, 7, now)["x"].tolist() == [0, 1, 2]
    now[1, 3] = 1.0
    assert before.holding(before.start, 7, now)["x"].size == 4
    assert before.holding(before.start, 3, now) == {}
    assert before.holding(before.start - timedelta(days=1), 7, now) == {}
    assert before.holding(before.start, 7, np.vstack([now, now])) == {}
    now[0, 2] = 0.0
    assert before.holding(before.start, 7, now)["x"].tolist() == [0, 1]


def test_what_was_written_is_read(tmp_path: Path, last_night: Kept) -> None:
    path = tmp_path / "new" / "series.kept"
    assert read(path) is None
    write(path, last_night)
    found = read(path)
    assert found is not None
    assert (found.start, found.horizon) == (last_night.start, 7)
    np.testing.assert_array_equal(found.seen, last_night.seen)
    for name, rows in last_night.rows.items():
        np.testing.assert_array_equal(found.rows[name], rows)
    assert [file.name for file in path.parent.iterdir()] == ["series.kept"]


@pytest.mark.parametrize("where", [0, 40, 400, -1])
def test_what_is_damaged_is_not_used(
    tmp_path: Path, last_night: Kept, where: int
) -> None:
    path = tmp_path / "series.kept"
    write(path, last_night)
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    assert read(path) is None
    path.write_bytes(content[:-100])  # a process killed by the power
    assert read(path) is None


def test_what_other_code_said_is_not_used(
    tmp_path: Path, last_night: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "series.kept"
    write(path, last_night)
    monkeypatch.setattr(kept_rows, "_code", lambda: b"of tomorrow")
    assert read(path) is None


def test_a_disk_that_takes_nothing_costs_time_only(
    tmp_path: Path, last_night: Kept
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    write(blocked / "series.kept", last_night)
    assert read(blocked / "series.kept") is None
