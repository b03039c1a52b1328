"""How often skill is claimed where there is none: noise, random walks, constant counts.

200 series of each kind, of 120 to 730 days, the last 240 origins of each judged as
`groundswell backtest` does. Printed for each kind: on how many series the last forecast
claims skill, which none has earned, and on how many the last level alarm does, which in
a random walk is right: where a walk is high it will be high tomorrow. Six minutes on
two cores.

    uv run --no-project --with . benchmarks/noise.py
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date

import numpy as np

from pipeline.forecast.run import forecast_series
from pipeline.forecast.series import Array, Series

SERIES = 200
SHORTEST, LONGEST = 120, 730
ORIGINS = 240
HORIZON = 7
START = date(2024, 1, 1)
MESSAGES, SHARE = 165, 0.04


def main() -> None:
    """Print what is claimed of each kind."""
    with ProcessPoolExecutor() as pool:
        for kind in KINDS:
            claims = list(pool.map(claimed, [kind] * SERIES, range(SERIES)))
            forecasts, alarms = (sum(column) for column in zip(*claims, strict=True))
            print(
                f"{kind}: skill claimed by {forecasts} forecasts and {alarms} alarms "
                f"of {SERIES}",
                flush=True,
            )


def claimed(kind: str, seed: int) -> tuple[bool, bool]:
    """Whether the last forecast claims skill, and whether the last level alarm does."""
    random = np.random.default_rng(seed)
    series = KINDS[kind](random, int(random.integers(SHORTEST, LONGEST + 1)))
    told = forecast_series(series, horizon=HORIZON, backtest_days=ORIGINS)
    levels = [alarm for alarm in told.alarms if alarm.kind == "level"]
    return told.forecasts[-1].skill, levels[-1].skill


def white_noise(random: np.random.Generator, days: int) -> Series:
    """Independent shares around a tenth."""
    return shares(0.1 + random.normal(0.0, 0.02, days))


def random_walk(random: np.random.Generator, days: int) -> Series:
    """Shares whose changes are independent, away from 0 and 1."""
    walk = np.cumsum(random.normal(0.0, 0.005, days))
    return shares(0.1 + walk - min(0.0, walk.min() + 0.05))


def constant_counts(random: np.random.Generator, days: int) -> Series:
    """Draws of a day's messages, each marked as likely as all others."""
    messages = random.poisson(MESSAGES, days)
    marked = random.binomial(messages, SHARE)
    return Series("", "", "", START, messages.astype(float), marked.astype(float))


def shares(values: Array) -> Series:
    """A series of which no counts are known."""
    inside = np.clip(values, 0.001, 0.999)
    return Series("", "", "", START, np.ones(values.size), inside, counted=False)


KINDS: dict[str, Callable[[np.random.Generator, int], Series]] = {
    "white noise": white_noise,
    "random walk": random_walk,
    "constant counts": constant_counts,
}


if __name__ == "__main__":
    main()
