"""How often skill is claimed where there is none: noise of many shapes, random walks.

200 series of each kind, of 120 to 730 days, the last 240 origins of each judged as
`groundswell backtest` does. Printed for each kind: on how many series the last forecast
claims skill, which none has earned, and on how many the last level alarm does, which in
a random walk is right: where a walk is high it will be high tomorrow. And how far the
published centre, a median, lies below the mean of the days. A quarter of an hour on two
cores; fewer series, and kinds, can be named.

    uv run --no-project --with . benchmarks/noise.py [SERIES [KIND...]]
"""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from statistics import fmean, median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.forecast.run import forecast_series
from pipeline.forecast.series import Array, Series

SERIES = 200
SHORTEST, LONGEST = 120, 730
ORIGINS = 240
HORIZON = 7
START = date(2024, 1, 1)
MESSAGES, SHARE = 165, 0.04
LOUD = 0.3
"""Of the days that bring a zero-inflated label."""

Drawn = NDArray[np.int64]


class Claim(NamedTuple):
    """Of one series: what the last forecast and level alarm claim; centre ÷ mean."""

    forecast: bool
    alarm: bool
    centre: float


def main(number: str = str(SERIES), *kinds: str) -> None:
    """Print what is claimed of each kind."""
    series = int(number)
    with ProcessPoolExecutor() as pool:
        for kind in kinds or KINDS:
            claims = list(pool.map(claimed, [kind] * series, range(series)))
            print(
                f"{kind}: skill claimed by {sum(c.forecast for c in claims)} forecasts "
                f"and {sum(c.alarm for c in claims)} alarms of {series}; centre "
                f"{median(c.centre for c in claims):.2f} of the mean",
                flush=True,
            )


def claimed(kind: str, seed: int) -> Claim:
    """What is claimed of the series of a kind that a seed makes."""
    random = np.random.default_rng(seed)
    series = KINDS[kind](random, int(random.integers(SHORTEST, LONGEST + 1)))
    told = forecast_series(series, horizon=HORIZON, backtest_days=ORIGINS)
    alarm = [alarm for alarm in told.alarms if alarm.kind == "level"][-1]
    centre = fmean(row.mean for row in told.forecasts) / np.nanmean(series.values)
    return Claim(told.forecasts[-1].skill, alarm.skill, float(centre))


def white_noise(random: np.random.Generator, days: int) -> Series:
    """Independent shares around a tenth."""
    return shares(0.1 + random.normal(0.0, 0.02, days))


def random_walk(random: np.random.Generator, days: int) -> Series:
    """Shares whose changes are independent, away from 0 and 1."""
    walk = np.cumsum(random.normal(0.0, 0.005, days))
    return shares(0.1 + walk - min(0.0, walk.min() + 0.05))


def constant_counts(random: np.random.Generator, days: int) -> Series:
    """Draws of a day's messages, each marked as likely as all others."""
    return counts(random, random.poisson(MESSAGES, days), np.full(days, SHARE))


def zero_inflated(random: np.random.Generator, days: int) -> Series:
    """Counts of a label that three days in ten bring, and the others hardly."""
    share = np.where(random.random(days) < LOUD, 0.08, 0.001)
    return counts(random, random.poisson(60, days), share)


def gamma_counts(random: np.random.Generator, days: int) -> Series:
    """Counts whose rate is drawn anew each day, and often is small."""
    share = np.clip(random.gamma(0.7, 0.05 / 0.7, days), 0.0, 1.0)
    return counts(random, random.poisson(100, days), share)


def lognormal(random: np.random.Generator, days: int) -> Series:
    """Measurements whose logarithms are normal, with a deviation of 1."""
    return measured(random.lognormal(0.0, 1.0, days))


def exponential(random: np.random.Generator, days: int) -> Series:
    """Measurements like waiting times."""
    return measured(random.exponential(1.0, days))


def counts(random: np.random.Generator, messages: Drawn, share: Array) -> Series:
    """A series of messages of which some are marked."""
    marked = random.binomial(messages, share)
    return Series("", "", "", START, messages.astype(float), marked.astype(float))


def shares(values: Array) -> Series:
    """A series of which no counts are known."""
    return measured(np.clip(values, 0.001, 0.999))


def measured(values: Array) -> Series:
    """A series of any numbers."""
    return Series("", "", "", START, np.ones(values.size), values, counted=False)


KINDS: dict[str, Callable[[np.random.Generator, int], Series]] = {
    "white noise": white_noise,
    "random walk": random_walk,
    "constant counts": constant_counts,
    "zero-inflated counts": zero_inflated,
    "gamma-rate counts": gamma_counts,
    "lognormal": lognormal,
    "exponential": exponential,
}


if __name__ == "__main__":
    main(*sys.argv[1:])
