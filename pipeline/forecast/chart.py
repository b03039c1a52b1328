"""A backtest as a picture for a report: one SVG without scripts or fonts of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from xml.sax.saxutils import escape

import numpy as np

from pipeline.forecast.run import Alarm, Forecast, Forecasts
from pipeline.forecast.series import Array, Series, counted

WIDTH, HEIGHT = 960, 560

_LEFT, _RIGHT = 76, 940
_TOP, _BOTTOM = 84, 330
_CHANCE_TOP, _CHANCE_BOTTOM = 384, 448
_FEW_MONTHS, _MOST_DATES = 2, 13
_INK, _FAINT, _BLUE, _BAND, _WIDE, _HIGH, _RED, _GREY = (
    "#222222",
    "#d8d8d8",
    "#1f5fa8",
    "#b9d2ec",
    "#dce9f6",
    "#fbe3c4",
    "#b3261e",
    "#9a9a9a",
)
_DRAWN = 'stroke-width="1.5"'
_DOTTED = f'{_DRAWN} stroke-dasharray="1.5 3"'


@dataclass(frozen=True)
class _Plane:
    """Where a day and a value lie on the picture."""

    first: date
    days: int
    low: float
    high: float

    def x(self, day: date) -> float:
        """Of the middle of a day."""
        share = ((day - self.first).days + 0.5) / self.days
        return _LEFT + share * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        """Of a value."""
        share = (value - self.low) / (self.high - self.low)
        return _BOTTOM - share * (_BOTTOM - _TOP)


def chart(series: Series, found: Forecasts, caption: Sequence[str]) -> str:
    """The days of a backtest, what was forecast of each, alarms and periods, as SVG.

    Of the forecasts those are drawn that were made one horizon apart, so that each day
    has one, up to that from the last day on.

    Args:
        series: what was forecast.
        found: of the series, at least one forecast.
        caption: lines below the picture.
    """
    said = _apart(found.forecasts)
    first, horizon = said[0][0].origin, len(said[-1])
    alarms = [
        row for row in found.alarms if row.kind == "level" and row.origin >= first
    ]
    plane = _plane(series, said, alarms)
    parts = [
        *_frame(series, plane),
        *_legend(horizon),
        *_periods(found, plane),
        *_axes(series, plane),
        *_bands(said, plane),
        *_levels(alarms, plane),
        *_values(series, plane),
        *_chances(alarms, plane, horizon),
        *(
            _text(_LEFT, 484 + 19 * number, line, size=13)
            for number, line in enumerate(caption)
        ),
    ]
    return "\n".join([*parts, "</svg>\n"])


def _apart(forecasts: Sequence[Forecast]) -> list[list[Forecast]]:
    """The newest origin's forecasts, those of a horizon before, and so on, in order."""
    by_origin = [list(rows) for _, rows in groupby(forecasts, lambda row: row.origin)]
    return by_origin[:: -len(by_origin[-1])][::-1]


def _plane(
    series: Series, said: Sequence[Sequence[Forecast]], alarms: Sequence[Alarm]
) -> _Plane:
    first, last = said[0][0].origin, said[-1][-1].target
    values = _shown(series, first)
    edges = [
        edge for rows in said for row in rows for edge in (row.lower_95, row.upper_95)
    ]
    levels = [alarm.threshold for alarm in alarms]
    everything = np.array([*values[np.isfinite(values)], *edges, *levels])
    low, high = float(everything.min()), float(everything.max())
    if 0 <= low < high / 2:
        low = 0.0  # near enough for the eye to compare heights
    room = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    bottom = low if low == 0.0 and high > 0 else low - room
    return _Plane(first, (last - first).days + 1, bottom, high + room)


def _shown(series: Series, first: date) -> Array:
    return series.values[(first - series.start).days :]


def _frame(series: Series, plane: _Plane) -> Iterator[str]:
    title = escape(series.title)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" '
        'font-family="Helvetica, Arial, sans-serif">'
    )
    yield f"<title>{title}: values, forecasts, alarms</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    yield _text(_LEFT, 30, series.title, size=18)
    end = plane.first + timedelta(days=plane.days - 1)
    yield _text(_RIGHT, 30, f"{plane.first} to {end}", size=13, anchor="end")


def _legend(horizon: int) -> Iterator[str]:
    before = "1 day" if horizon == 1 else f"1 to {horizon} days"
    yield f'<path d="M{_LEFT} 54h24" stroke="{_INK}" stroke-width="1.5"/>'
    yield _text(_LEFT + 30, 58, "value")
    yield f'<rect x="152" y="44" width="24" height="20" fill="{_WIDE}"/>'
    yield f'<rect x="152" y="49" width="24" height="10" fill="{_BAND}"/>'
    yield f'<path d="M152 54h24" stroke="{_BLUE}" stroke-width="1.5"/>'
    yield _text(182, 58, f"forecast made {before} before, 80 and 95 % intervals")
    yield f'<path d="M536 54h24" stroke="{_RED}" {_DOTTED}/>'
    yield _text(566, 58, "above this a day is high")
    yield f'<rect x="728" y="47" width="24" height="14" fill="{_HIGH}"/>'
    yield _text(758, 58, "period of high prevalence")


def _periods(found: Forecasts, plane: _Plane) -> Iterator[str]:
    half = (_RIGHT - _LEFT) / plane.days / 2
    last = max(row.origin for row in found.forecasts)
    for period in found.periods:
        ended = period.ended or last
        if period.kind != "level" or ended < plane.first:
            continue
        left = plane.x(max(period.started, plane.first)) - half
        width = plane.x(ended) + half - left
        yield (
            f'<rect x="{left:.1f}" y="{_TOP}" width="{width:.1f}" '
            f'height="{_BOTTOM - _TOP}" fill="{_HIGH}"/>'
        )


def _axes(series: Series, plane: _Plane) -> Iterator[str]:
    middle = (_TOP + _BOTTOM) / 2
    title = _text(0, 0, series.label or "value", anchor="middle")
    yield f'<g transform="translate(18 {middle:.0f}) rotate(-90)">{title}</g>'
    for value in _ticks(plane.low, plane.high):
        y = plane.y(value)
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{_FAINT}"/>'
        yield _text(_LEFT - 8, y + 4, f"{value:.6g}", anchor="end")
    for day, name in _dates(plane):
        x = plane.x(day)
        yield f'<path d="M{x:.1f} {_BOTTOM}v5" stroke="{_INK}"/>'
        yield _text(x, _BOTTOM + 19, name, anchor="middle")
    yield f'<path d="M{_LEFT} {_BOTTOM}H{_RIGHT}" stroke="{_INK}"/>'


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers."""
    rough = (high - low) / 5
    unit = 10.0 ** np.floor(np.log10(rough))
    step = unit * min((1, 2, 5, 10), key=lambda factor: abs(factor * unit - rough))
    first = int(np.ceil(low / step))
    return [float(n * step) for n in range(first, int(np.floor(high / step)) + 1)]


def _dates(plane: _Plane) -> Iterator[tuple[date, str]]:
    """Months, or days where there are no three, few enough; with the year if new."""
    days = [plane.first + timedelta(days=n) for n in range(plane.days)]
    firsts = [day for day in days if day.day == 1]
    months = len(firsts) > _FEW_MONTHS
    marked = firsts if months else days
    shown = marked[:: len(marked) // _MOST_DATES + 1]
    years = [0, *(day.year for day in shown)]
    for day, before in zip(shown, years, strict=False):
        name = f"{day:%b}" if months else f"{day.day} {day:%b}"
        yield day, name if day.year == before else f"{name} {day.year}"


def _bands(said: Sequence[Sequence[Forecast]], plane: _Plane) -> Iterator[str]:
    for rows in said:
        wide = [(row.lower_95, row.upper_95) for row in rows]
        yield _band(plane, rows, wide, _WIDE)
        yield _band(plane, rows, [(row.lower, row.upper) for row in rows], _BAND)
    for rows in said:
        mean = " ".join(_point(plane, row.target, row.mean) for row in rows)
        yield _line(mean, _BLUE)


def _band(
    plane: _Plane,
    rows: Sequence[Forecast],
    ends: Sequence[tuple[float, float]],
    colour: str,
) -> str:
    days = [row.target for row in rows]
    pairs = list(zip(days, ends, strict=True))
    upper = [_point(plane, day, above) for day, (_, above) in pairs]
    lower = [_point(plane, day, below) for day, (below, _) in reversed(pairs)]
    around = " ".join([*upper, *lower])
    return f'<polygon points="{around}" fill="{colour}" fill-opacity="0.8"/>'


def _values(series: Series, plane: _Plane) -> Iterator[str]:
    """A line through neighbouring known days; a dot where both neighbours are not."""
    known = np.flatnonzero(np.isfinite(_shown(series, plane.first)))
    runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    values = _shown(series, plane.first)
    for run in runs:
        days = [plane.first + timedelta(days=int(at)) for at in run]
        points = [
            _point(plane, day, values[at]) for day, at in zip(days, run, strict=True)
        ]
        if len(points) == 1:
            x, y = points[0].split(",")
            yield f'<circle cx="{x}" cy="{y}" r="1.5" fill="{_INK}"/>'
        elif points:
            yield _line(" ".join(points), _INK)


def _levels(alarms: Sequence[Alarm], plane: _Plane) -> Iterator[str]:
    """What counts as high, a dotted line through neighbouring days that have one."""
    days = [alarm.origin.toordinal() for alarm in alarms]
    breaks = np.flatnonzero(np.diff(days) > 1) + 1
    for run in np.split(np.arange(len(days)), breaks):
        points = [_point(plane, alarms[at].origin, alarms[at].threshold) for at in run]
        if points:
            yield _line(" ".join(points), _RED, dotted=True)


def _chances(alarms: Sequence[Alarm], plane: _Plane, horizon: int) -> Iterator[str]:
    tall = _CHANCE_BOTTOM - _CHANCE_TOP
    width = (_RIGHT - _LEFT) / plane.days
    within = counted(horizon, "day")
    yield _text(_LEFT, _CHANCE_TOP - 10, f"Chance of a high day within {within}")
    for x, name, colours in (
        (536, "alarm", _PROVEN),
        (626, "alarm, unproven", _UNPROVEN),
        (776, "no alarm", _SILENT),
    ):
        at = f'x="{x}" y="{_CHANCE_TOP - 20}"'
        yield f'<rect {at} width="6" height="12" {colours}/>'
        yield _text(x + 12, _CHANCE_TOP - 10, name)
    for share in (0.0, 0.5, 1.0):
        y = _CHANCE_BOTTOM - share * tall
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{_FAINT}"/>'
        yield _text(_LEFT - 8, y + 4, f"{share:.0%}", anchor="end")
    for alarm in alarms:
        height = alarm.probability * tall
        yield (
            f'<rect x="{plane.x(alarm.origin) - width / 2:.1f}" '
            f'y="{_CHANCE_BOTTOM - height:.1f}" width="{max(width - 0.6, 0.6):.1f}" '
            f'height="{height:.1f}" {_colours(alarm)}/>'
        )


_PROVEN = f'fill="{_RED}"'
_UNPROVEN = f'fill="white" stroke="{_RED}" stroke-width="0.8"'
_SILENT = f'fill="{_GREY}"'


def _colours(alarm: Alarm) -> str:
    if not alarm.alarm:
        return _SILENT
    return _PROVEN if alarm.skill else _UNPROVEN


def _point(plane: _Plane, day: date, value: float) -> str:
    return f"{plane.x(day):.1f},{plane.y(value):.1f}"


def _line(points: str, colour: str, *, dotted: bool = False) -> str:
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" '
        f'{_DOTTED if dotted else _DRAWN} stroke-linejoin="round"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{_INK}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
