"""The picture of a backtest."""

from datetime import date
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pipeline.forecast.chart import _dates, _Plane, chart
from pipeline.forecast.run import Alarm, Forecasts, forecast_series
from pipeline.forecast.series import Array, Series

START = date(2024, 1, 1)
SVG = "{http://www.w3.org/2000/svg}"


def measured(values: Array, title: str = "S.csv") -> Series:
    return Series(title, "", "", START, np.ones(values.size), values, False)


def told(values: Array, days: int = 21) -> Forecasts:
    return forecast_series(measured(values), horizon=7, backtest_days=days)


@pytest.fixture(scope="module")
def crisis() -> Array:
    values = 5 + np.random.default_rng(0).normal(size=60)
    values[45:52] += 10
    return values


@pytest.fixture(scope="module")
def picture(crisis: Array) -> ET.Element:
    return ET.fromstring(chart(measured(crisis, "A <&> B"), told(crisis), ["a record"]))


def texts(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def lines(picture: ET.Element, *, dotted: bool = False) -> list[ET.Element]:
    found = picture.iter(f"{SVG}polyline")
    return [line for line in found if ("stroke-dasharray" in line.attrib) == dotted]


def test_it_has_the_name_and_the_caption_as_they_are(picture: ET.Element) -> None:
    assert texts(picture)[0] == "A <&> B"
    assert texts(picture)[-1] == "a record"


def test_each_day_has_one_forecast_and_the_last_goes_beyond_the_end(
    picture: ET.Element,
) -> None:
    """Origins 0, 7, 14 and 21 days before the last day."""
    assert len(list(picture.iter(f"{SVG}polygon"))) == 2 * 4  # 80 and 95 %
    assert len(lines(picture)) == 4 + 1
    assert "2024-02-08 to 2024-03-07" in texts(picture)


def test_everything_drawn_lies_within_the_picture(picture: ET.Element) -> None:
    for line in [*picture.iter(f"{SVG}polyline"), *picture.iter(f"{SVG}polygon")]:
        points = [point.split(",") for point in line.attrib["points"].split()]
        for x, y in points:
            assert 76 <= float(x) <= 940
            assert 84 <= float(y) <= 330


def shaded(found: Forecasts, values: Array) -> int:
    picture = ET.fromstring(chart(measured(values), found, []))
    return sum(
        rect.attrib.get("fill") == "#fbe3c4" for rect in picture.iter(f"{SVG}rect")
    )


@pytest.mark.parametrize(
    ("start", "days", "dates"),
    [
        (date(2024, 3, 3), 22, ["3 Mar 2024", "5 Mar", "7 Mar"]),
        (date(2023, 12, 26), 30, ["26 Dec 2023", "29 Dec", "1 Jan 2024", "4 Jan"]),
        (date(2024, 3, 3), 150, ["Apr 2024", "May", "Jun"]),
        (date(2021, 1, 2), 1200, ["Feb 2021", "Jun", "Oct", "Feb 2022"]),
    ],
)
def test_dates_bear_the_year_where_it_is_new(
    start: date, days: int, dates: list[str]
) -> None:
    names = [name for _, name in _dates(_Plane(start, days, 0.0, 1.0))]
    assert len(names) <= 13
    assert names[: len(dates)] == dates


def test_periods_are_shaded(crisis: Array) -> None:
    found = told(crisis)
    levels = [period for period in found.periods if period.kind == "level"]
    shown = [p for p in levels if p.ended is None or p.ended >= date(2024, 2, 8)]
    assert shown
    assert shaded(found, crisis) == 1 + len(shown)


@pytest.mark.parametrize(
    ("horizon", "said"), [(1, "made 1 day before"), (7, "made 1 to 7 days before")]
)
def test_it_says_when_forecasts_were_made(
    crisis: Array, horizon: int, said: str
) -> None:
    series = measured(crisis)
    found = forecast_series(series, horizon=horizon, backtest_days=21)
    legend = " ".join(texts(ET.fromstring(chart(series, found, []))))
    assert f"forecast {said}, 80 and 95 % intervals" in legend
    days = "1 day" if horizon == 1 else "7 days"
    assert f"Chance of a high day within {days}" in legend


def test_the_axis_bears_the_name_of_the_value(crisis: Array) -> None:
    assert (
        texts(ET.fromstring(chart(measured(crisis), told(crisis), []))).count("value")
        == 2
    )
    shares = Series("all", "", "anger", START, np.full(60, 9.0), crisis * 0 + 1)
    found = forecast_series(shares, horizon=7, backtest_days=21)
    assert "anger" in texts(ET.fromstring(chart(shares, found, [])))


def test_the_level_that_counts_as_high_is_dotted(crisis: Array) -> None:
    found = told(crisis)
    series = measured(crisis)
    (line,) = lines(ET.fromstring(chart(series, found, [])), dotted=True)
    assert len(line.attrib["points"].split()) == 22
    rest = [row for row in found.alarms if row.origin != date(2024, 2, 20)]
    broken = Forecasts(found.forecasts, rest, found.backtests, found.periods)
    assert len(lines(ET.fromstring(chart(series, broken, [])), dotted=True)) == 2


def test_without_a_level_no_line_is_dotted(crisis: Array) -> None:
    found = told(crisis)
    bare = Forecasts(found.forecasts, [], found.backtests, [])
    drawn = ET.fromstring(chart(measured(crisis), bare, []))
    assert not lines(drawn, dotted=True)


@pytest.mark.parametrize("skill", [True, False])
def test_a_proven_alarm_is_red_and_an_unproven_one_hollow(
    crisis: Array, *, skill: bool
) -> None:
    alarm = Alarm(
        scope="",
        task="",
        label="",
        origin=date(2024, 2, 20),
        kind="level",
        threshold=1.0,
        probability=0.95,
        alarm=True,
        skill=skill,
    )
    found = told(crisis)
    found = Forecasts(found.forecasts, [alarm], found.backtests, [])
    drawn = chart(measured(crisis), found, [])
    assert drawn.count('fill="#b3261e"') == (2 if skill else 1)
    assert drawn.count('fill="white" stroke="#b3261e"') == (1 if skill else 2)


def test_it_needs_no_script_and_no_font(crisis: Array) -> None:
    drawn = chart(measured(crisis), told(crisis), [])
    for part in ("script", "font-face", "href", "@import", "style>"):
        assert part not in drawn


def test_gaps_stay_gaps_and_single_days_are_dots(crisis: Array) -> None:
    values = crisis.copy()
    values[[50, 52]] = np.nan
    picture = ET.fromstring(chart(measured(values), told(values), []))
    assert len(list(picture.iter(f"{SVG}circle"))) == 1
    assert len(lines(picture)) == 4 + 2


@pytest.mark.parametrize("value", [0.0, -3.0, 1e12])
def test_equal_days_can_be_drawn(value: float) -> None:
    values = np.full(40, value)
    drawn = chart(measured(values), told(values), [])
    assert "nan" not in drawn.lower()
    ET.fromstring(drawn)
