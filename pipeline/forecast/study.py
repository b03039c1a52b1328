"""The protocol of the study of Argentina's tweets, with what it left out beside it.

    python -m pipeline.forecast.study twitter_daily_country_emotion.csv

Models see the last 7, 14 or 21 days of a country's markers and forecast the next 7.
High prevalence is a peak of the mean gradient of the markers, smoothed over 7 days,
at least as prominent as the gradient's 80th percentile. A peak is hit if one was
forecast within 3 days of it. Hits alone reward whoever always warns; so beside them
stand the share of forecast peaks near which one came, the naive methods, and a warning
every day.

Source: A. Tommasel, A. Diaz-Pace, J. M. Rodriguez, D. Godoy, "Forecasting mental health
and emotions based on social media expressions during the COVID-19 pandemic",
Information Discovery and Delivery 49 (2021). Its ARIMA and VAR are autoregressions of
the last day here; its Prophet and GRU take part when asked for by `--also`.
"""

import argparse
import csv
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from pipeline.errors import InputError, exit_code
from pipeline.forecast.models import (
    Drift,
    LastDay,
    LastWeek,
    Model,
    WeekMean,
    extra,
)
from pipeline.forecast.scale import Linear
from pipeline.forecast.series import Array

TRAINING = (7, 14, 21)
HORIZON = 7
NEAR = 3
MARKERS = ("anxiety", "anger", "sadness")

_WEEK = 7
_STEEP = 0.8
_FEWEST = 60
_LEAST = _FEWEST + HORIZON
"""Days after which there is one whose forecast can be scored."""
_DAMPING = 1e-3

Days = NDArray[np.intp]
Method = Callable[[Array], Array]
"""Markers of the days seen, shape (markers, days), to those ahead, (markers, 7)."""


@dataclass
class Score:
    """Peaks that came and how many were hit; peaks forecast and how many came true."""

    due: int = 0
    hit: int = 0
    forecast: int = 0
    true: int = 0

    @property
    def hit_rate(self) -> float:
        """Share of the peaks that were hit; NaN where none was due."""
        return self.hit / self.due if self.due else float("nan")

    @property
    def precision(self) -> float:
        """Share of the forecast peaks that came true; NaN where none was forecast."""
        return self.true / self.forecast if self.forecast else float("nan")


def study(
    countries: Mapping[str, Array], days: int, also: Sequence[str] = ()
) -> dict[tuple[int, str], Score]:
    """Scores by days of training and method, over the last days of all countries.

    Args:
        countries: markers of each, shape (markers, days).
        days: how far to go back; a forecast is made every 7 days.
        also: extra models asked for by name.

    Raises:
        InputError: an extra model is not there, or nothing is left to score.
    """
    if days < 1:
        raise InputError(f"{days} days leave nothing to score: choose at least 1")
    extras = {name: _each(extra(name)(Linear(1.0))) for name in also}
    methods = {**_METHODS, **extras}
    scores: dict[tuple[int, str], Score] = defaultdict(Score)
    for markers in countries.values():
        scaled = markers / markers[:, :_FEWEST].mean(axis=1, keepdims=True)
        truth = peaks(gradient(scaled))
        begin = max(_FEWEST, scaled.shape[1] - days)
        for origin in range(begin, scaled.shape[1] - HORIZON, HORIZON):
            for training in TRAINING:
                for name, said in _said(scaled[:, : origin + 1], training, methods):
                    _count(scores[training, name], said, truth, origin)
    return dict(scores)


def silent(markers: Array) -> str | None:
    """The marker of which the first days, the unit of all others, hold none."""
    held = markers[:, :_FEWEST].any(axis=1)
    return None if held.all() else MARKERS[int(np.argmin(held))]


def gradient(markers: Array) -> Array:
    """Mean over the markers of the change of their 7-day means, shape (days,).

    0 for the first week.
    """
    change = np.zeros(markers.shape)
    change[:, _WEEK:] = (markers[:, _WEEK:] - markers[:, :-_WEEK]) / _WEEK
    return np.asarray(change.mean(axis=0))


def peaks(gradient: Array, steep: float | None = None) -> Days:
    """Days of high prevalence.

    Args:
        gradient: from `gradient`.
        steep: the least prominence; the gradient's 80th percentile if not given.
    """
    least = np.quantile(gradient, _STEEP) if steep is None else steep
    found, _ = find_peaks(gradient, prominence=max(float(least), 0.0))
    return np.asarray(found)


def autoregression(seen: Array) -> Array:
    """Each day from the day before, by least squares, all markers from all.

    Args:
        seen: shape (markers, days); one marker makes it an AR(1).
    """
    before = np.vstack([np.ones(seen.shape[1] - 1), seen[:, :-1]])
    ridge = _DAMPING * np.eye(before.shape[0])
    weights = np.linalg.solve(before @ before.T + ridge, before @ seen[:, 1:].T).T
    ahead = [seen[:, -1]]
    for _ in range(HORIZON):
        following = weights @ np.concatenate([[1.0], ahead[-1]])
        ahead.append(np.clip(following, seen.min() / 2, seen.max() * 2))
    return np.array(ahead[1:]).T


def _each(model: Model) -> Method:
    """A model of one series as a method for many."""

    def forecast(seen: Array) -> Array:
        paths = []
        for marker in seen:
            model.fit(marker)
            paths.append(model.forecast(HORIZON))
        return np.array(paths)

    return forecast


_METHODS: Mapping[str, Method] = {
    "last day": _each(LastDay()),
    "last week": _each(LastWeek()),
    "7-day mean": _each(WeekMean()),
    "drift": _each(Drift()),
    "ARIMA(1,0,0)": lambda seen: np.vstack([autoregression(m[None]) for m in seen]),
    "VAR(1)": autoregression,
}


def _said(
    known: Array, training: int, methods: Mapping[str, Method]
) -> Iterator[tuple[str, Days]]:
    """Each method's forecast peaks, as days after the last known one."""
    past = gradient(known)
    steep = float(np.quantile(past, _STEEP))
    last = past.size - 1
    for name, method in methods.items():
        ahead = method(known[:, -training:])
        found = peaks(gradient(np.hstack([known, ahead])), steep)
        yield name, found[found > last]
    found = peaks(past, steep)
    yield "last week's peaks", found[found > last - _WEEK] + _WEEK
    yield "every day", np.arange(last + 1, last + 1 + HORIZON)


def _count(score: Score, said: Days, truth: Days, origin: int) -> None:
    due = truth[(truth > origin) & (truth <= origin + HORIZON)]
    score.due += due.size
    score.forecast += said.size
    score.hit += sum(bool((np.abs(said - day) <= NEAR).any()) for day in due)
    score.true += sum(bool((np.abs(truth - day) <= NEAR).any()) for day in said)


def read(path: Path) -> dict[str, Array]:
    """Each country's shares of the markers, of the days on which all are known.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    days: dict[str, dict[date, list[float]]] = defaultdict(dict)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if float(row["total"] or 0) > 0 and all(row[m] for m in MARKERS):
                    shares = [float(row[m]) / float(row["total"]) for m in MARKERS]
                    days[row["country"]][date.fromisoformat(row["date"])] = shares
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no table of country, date, {', '.join(MARKERS)} and total "
            f"({error}): give the daily counts by country"
        ) from error
    tables = {
        country: np.array([shares for _, shares in sorted(known.items())]).T
        for country, known in days.items()
    }
    long = {name: table for name, table in tables.items() if table.shape[1] > _LEAST}
    if not long:
        raise InputError(
            f"{path} has no country of more than {_LEAST} days on which all markers "
            "are known: give more days"
        )
    return long


def table(scores: Mapping[tuple[int, str], Score]) -> str:
    """The scores as a person reads them."""
    lines = [f"{'seen':>4}  {'method':18}{'peaks':>6}{'hit rate':>10}{'precision':>11}"]
    for (training, name), score in sorted(scores.items(), key=lambda item: item[0][0]):
        hits, true = _figure(score.hit_rate), _figure(score.precision)
        lines.append(f"{training:4}  {name:18}{score.due:6}{hits:>10}{true:>11}")
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def main() -> int:
    """Print the table; 1 where the file cannot be used."""
    parser = argparse.ArgumentParser(
        description="The study's protocol on any countries"
    )
    parser.add_argument("counts", type=Path, metavar="COUNTS.csv")
    parser.add_argument("--days", type=int, default=365, help="how far to go back")
    parser.add_argument(
        "--also", action="append", default=[], metavar="MODEL", help="gru or prophet"
    )
    given = parser.parse_args()
    return exit_code(lambda: _print(given.counts, given.days, given.also))


def _print(path: Path, days: int, also: Sequence[str]) -> None:
    countries = read(path)
    for name in list(countries):
        marker = silent(countries[name])
        if marker is not None:
            del countries[name]
            told = f"no {marker} in its first {_FEWEST} days, the unit of all others"
            sys.stderr.write(f"{name} is left out: {told}\n")
    if not countries:
        raise InputError(f"{path} leaves no country: give one with all markers")
    sys.stdout.write(table(study(countries, days, also)))


if __name__ == "__main__":
    raise SystemExit(main())
