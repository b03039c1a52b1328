"""Accuracy and time of a backtest, beside statsforecast's automatic models.

Daily shares of emotional tweets by country, the last 240 origins, 7 days ahead. The
peers (AutoARIMA, AutoETS, DynamicOptimizedTheta and the mean of the three) see the same
730 days and refit as rarely (every 28 origins), in turn with ours. Ours runs all its
models from the first day on, with intervals and alarms.

    uv run --no-project --with . --with statsforecast benchmarks/forecast.py
"""

import csv
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoARIMA, AutoETS, DynamicOptimizedTheta

from pipeline.forecast.run import PUBLISHED, forecast_series
from pipeline.forecast.series import Series

DATA = Path(__file__).resolve().parents[2] / "shared/data/series"
FILE = DATA / "twitter_daily_country_emotion.csv"
SERIES = (
    "Germany/anxiety",
    "UK/sadness",
    "France/anger",
    "Italy/anxiety",
    "Netherlands/sadness",
    "California/anger",
)
HORIZON = 7
ORIGINS = 240
MEMORY = 730
REFIT = 28


MEAN = "their mean"


class Result(NamedTuple):
    """MASE, coverage of the 80 % interval (None where there is none), seconds."""

    mase: float
    coverage: float | None
    seconds: float


def main(names: list[str]) -> int:
    """Print each series' figures and the median ratios; 1 when ours is the worse.

    Worse is a larger error than any peer's, or more time than the three together take.
    """
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    ratios: dict[str, list[tuple[float, float]]] = {}
    print(f"{'':22}{'':24}{'MASE':>8}{'in 80 %':>9}{'seconds':>9}")
    for name in names or SERIES:
        series = read(*name.split("/"))
        ours, theirs = measure_ours(series), measure_peers(series)
        show(name, "groundswell", ours)
        for peer, result in theirs.items():
            show("", peer, result)
            compared = (ours.mase / result.mase, result.seconds / ours.seconds)
            ratios.setdefault(peer, []).append(compared)
    medians = {
        peer: tuple(median(column) for column in zip(*compared, strict=True))
        for peer, compared in ratios.items()
    }
    for peer, (error, speed) in medians.items():
        print(f"error {error:.2f} x that of {peer} (median), {speed:.1f} x its speed")
    worst = max(error for error, _ in medians.values())
    return int(worst > 1 or medians[MEAN][1] < 1)


def show(series: str, model: str, result: Result) -> None:
    """One line of the table."""
    inside = "-" if result.coverage is None else f"{result.coverage:.2f}"
    print(
        f"{series:22}{model:24}{result.mase:8.3f}{inside:>9}{result.seconds:9.1f}",
        flush=True,
    )


def measure_ours(series: Series) -> Result:
    """The published record over the last origins."""
    began = time.perf_counter()
    found = forecast_series(
        series, horizon=HORIZON, backtest_days=ORIGINS + HORIZON - 1
    )
    seconds = time.perf_counter() - began
    record = next(row for row in found.backtests if row.model == PUBLISHED)
    assert record.mase is not None
    return Result(record.mase, record.coverage, seconds)


def measure_peers(series: Series) -> dict[str, Result]:
    """Each peer over the same origins, and the mean of them."""
    values = series.values  # noqa: PD011 - a series of ours
    days = pd.date_range(series.start, periods=values.size)
    frame = pd.DataFrame({"unique_id": "x", "ds": days, "y": values})
    change = np.abs(np.diff(values))
    results, said = {}, []
    for model in (AutoARIMA, AutoETS, DynamicOptimizedTheta):
        began = time.perf_counter()
        found = cross_validated(model(season_length=7), frame)
        seconds = time.perf_counter() - began
        at = (found["cutoff"] - days[0]).dt.days.to_numpy()
        truth, scale = found["y"].to_numpy(), np.cumsum(change)[at - 1] / at
        name = model.__name__
        said.append(found[name].to_numpy())
        error = np.abs(truth - said[-1]) / scale
        inside = found["y"].between(found[f"{name}-lo-80"], found[f"{name}-hi-80"])
        results[name] = Result(float(error.mean()), float(inside.mean()), seconds)
    error = np.abs(truth - np.mean(said, axis=0)) / scale
    together = sum(result.seconds for result in results.values())
    return results | {MEAN: Result(float(error.mean()), None, together)}


def cross_validated(model: object, frame: pd.DataFrame) -> pd.DataFrame:
    """A peer's forecasts from the last origins."""
    return StatsForecast([model], freq="D").cross_validation(
        h=HORIZON,
        df=frame,
        n_windows=ORIGINS,
        step_size=1,
        input_size=MEMORY,
        refit=REFIT,
        level=[80],
    )


def read(country: str, label: str) -> Series:
    """The daily share, in percent, of a country's messages that carry a label."""
    found = [
        (date.fromisoformat(row["date"]), 100 * float(row[label]) / float(row["total"]))
        for row in _rows()
        if row["country"] == country and row[label] and float(row["total"] or 0) > 0
    ]
    days, values = zip(*found, strict=True)
    ones = [1.0] * len(days)
    return Series.of_days((country, "", label), days, ones, values, counted=False)


def _rows() -> Iterator[dict[str, str]]:
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
