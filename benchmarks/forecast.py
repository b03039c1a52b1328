"""Accuracy and time of a backtest, beside statsforecast's AutoETS.

Daily shares of emotional tweets by country, the last 240 origins, 7 days ahead. The
peer sees the same 730 days and refits as rarely (every 28 origins), in turn with ours.
Ours runs all its models from the first day on, with intervals and alarms.

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
from statsforecast.models import AutoETS

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


class Result(NamedTuple):
    """MASE, coverage of the 80 % interval, seconds."""

    mase: float
    coverage: float
    seconds: float


def main(names: list[str]) -> int:
    """Print each series' figures and the median ratios; 1 when ours is the worse."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    ratios = []
    print(f"{'':22}{'MASE':>18}{'in 80 %':>16}{'seconds':>16}")
    for name in names or SERIES:
        series = read(*name.split("/"))
        ours, theirs = measure_ours(series), measure_peer(series)
        ratios.append(
            (ours.mase / theirs.mase, theirs.seconds / ours.seconds),
        )
        print(
            f"{name:22}{ours.mase:9.3f} {theirs.mase:8.3f}{ours.coverage:8.2f} "
            f"{theirs.coverage:7.2f}{ours.seconds:8.1f} {theirs.seconds:7.1f}"
        )
    error, speed = (median(column) for column in zip(*ratios, strict=True))
    print(f"error {error:.2f} x AutoETS' (below 1 is better), {speed:.1f} x its speed")
    return int(error > 1 or speed < 1)


def measure_ours(series: Series) -> Result:
    """The published record over the last origins."""
    began = time.perf_counter()
    found = forecast_series(
        series, horizon=HORIZON, backtest_days=ORIGINS + HORIZON - 1
    )
    seconds = time.perf_counter() - began
    record = next(row for row in found.backtests if row.model == PUBLISHED)
    assert record.mase is not None
    assert record.coverage is not None
    return Result(record.mase, record.coverage, seconds)


def measure_peer(series: Series) -> Result:
    """AutoETS over the same origins."""
    values = series.values  # noqa: PD011 - a series of ours
    days = pd.date_range(series.start, periods=values.size)
    frame = pd.DataFrame({"unique_id": "x", "ds": days, "y": values})
    began = time.perf_counter()
    found = StatsForecast([AutoETS(season_length=7)], freq="D").cross_validation(
        h=HORIZON,
        df=frame,
        n_windows=ORIGINS,
        step_size=1,
        input_size=MEMORY,
        refit=REFIT,
        level=[80],
    )
    seconds = time.perf_counter() - began
    change = np.abs(np.diff(values))
    at = (found["cutoff"] - days[0]).dt.days.to_numpy()
    scale = np.cumsum(change)[at - 1] / at
    error = np.abs(found["y"] - found["AutoETS"]).to_numpy() / scale
    inside = found["y"].between(found["AutoETS-lo-80"], found["AutoETS-hi-80"])
    return Result(float(error.mean()), float(inside.mean()), seconds)


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
