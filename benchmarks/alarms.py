"""The weights of the level alarm, and what they reach on countries not learnt from.

Learns from the daily shares of emotional tweets by country, each but its last 247 days,
how much the combination's probability and the last days say of the next seven. Printed:
the weights from all countries (`pipeline.forecast.alarms.WEIGHTS`), and for each half
of the countries the Brier skill and AUC of the weights learnt from the other half,
calibrated as in use, over the last 240 origins. Two minutes on one core.

    uv run --no-project --with . benchmarks/alarms.py
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.forecast import combination
from pipeline.forecast.alarms import (
    base_rates,
    calibrated,
    levels,
    outcomes,
    path_chances,
)
from pipeline.forecast.backtest import track
from pipeline.forecast.recent import recent
from pipeline.forecast.series import Array, Series

DATA = Path(__file__).resolve().parents[2] / "shared/data/series"
FILE = DATA / "twitter_daily_country_emotion.csv"
EMOTIONS = ("anxiety", "anger", "sadness")
HORIZON = 7
ORIGINS = 240
SCORED_FROM = 400
LEARNT_FROM = 120
_YEAR = 365
_OFFSET_PRECISION = 0.5
_NEWTON_STEPS = 20


class Days(NamedTuple):
    """What was known at the end of each day, shape (days, 7), and what came."""

    country: str
    inputs: Array
    outcomes: Array


def main() -> None:
    """Print the weights and how well halves serve each other."""
    everything = [days_of(country, series) for country, series in all_series()]
    print("weights", np.round(weights(everything), 2).tolist())
    countries = sorted({days.country for days in everything})
    skills, areas = [], []
    for half in (countries[::2], countries[1::2]):
        learnt = weights([days for days in everything if days.country not in half])
        for days in everything:
            if days.country in half and days.outcomes.size > SCORED_FROM + ORIGINS:
                skill, area = scored(days, learnt)
                skills.append(skill)
                areas.append(area)
    print(f"Brier skill {median(skills):.3f}, AUC {median(areas):.3f}, {len(skills)}")


def all_series() -> Iterator[tuple[str, Series]]:
    """Each country's daily percentages of each emotion."""
    known: dict[tuple[str, str], dict[date, float]] = defaultdict(dict)
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            day, total = date.fromisoformat(row["date"]), float(row["total"] or 0)
            for emotion in EMOTIONS:
                if row[emotion] and total > 0:
                    share = 100 * float(row[emotion]) / total
                    known[row["country"], emotion][day] = share
    for (country, emotion), days in sorted(known.items()):
        name = (country, "", emotion)
        ones, values = [1.0] * len(days), list(days.values())
        yield country, Series.of_days(name, list(days), ones, values, counted=False)


def days_of(country: str, series: Series) -> Days:
    """What the alarm is told of a series, day by day."""
    said = track(series, HORIZON)
    level = levels(said.values)
    model = said.names.index(combination.NAME)
    paths, scaled = said.scale.forward(said.paths[model]), said.scale.forward(level)
    chances = path_chances(said.errors()[model], paths, scaled)
    odds = np.log(chances / (1.0 - chances))
    inputs = np.column_stack([np.ones(level.size), odds, recent(said.values)])
    return Days(country, inputs, outcomes(said.values, level, HORIZON))


def weights(everything: Sequence[Days]) -> Array:
    """Logistic regression on all but the last days, by Newton's method.

    Every year of every series has an offset of its own, so that what tells its days
    apart is learnt, not what tells it from others; their mean is the first weight.
    """
    at = [past(days) for days in everything]
    told = zip(everything, at, strict=True)
    inputs, came = zip(
        *((d.inputs[p, 1:], d.outcomes[p]) for d, p in told), strict=True
    )
    return _fitted(np.concatenate(inputs), np.concatenate(came), _years(at))


def _fitted(inputs: Array, came: Array, years: NDArray[np.intp]) -> Array:
    """Offset and weights; `years` says which offset each of the days shares."""
    found, offsets = np.zeros(inputs.shape[1]), np.zeros(years.max() + 1)
    for _ in range(_NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-(inputs @ found + offsets[years])))
        certain, miss = chance * (1 - chance), came - chance
        own = np.bincount(years, certain) + _OFFSET_PRECISION
        slope = np.bincount(years, miss) - _OFFSET_PRECISION * offsets
        mixed = np.array([np.bincount(years, certain * each) for each in inputs.T])
        curvature = (inputs.T * certain) @ inputs - mixed / own @ mixed.T
        step = np.linalg.solve(curvature, inputs.T @ miss - mixed / own @ slope)
        offsets += (slope - step @ mixed) / own
        found += step
    return np.concatenate([[offsets.mean()], found])


def _years(at: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Which year of which series each day is of, numbered from 0."""
    parts = [np.arange(days.size) // _YEAR for days in at]
    before = np.cumsum([0, *(part.max(initial=-1) + 1 for part in parts)])
    return np.concatenate([a + b for a, b in zip(parts, before, strict=False)])


def past(days: Days) -> NDArray[np.intp]:
    """Positions of the known days to learn from."""
    end = days.outcomes.size - ORIGINS - 2 * HORIZON
    known = np.isfinite(days.inputs).all(axis=1) & np.isfinite(days.outcomes)
    return np.flatnonzero(known[:end])[LEARNT_FROM:]


def scored(days: Days, learnt: Array) -> tuple[float, float]:
    """Brier skill against the base rate of the year before, and AUC."""
    end = days.outcomes.size - HORIZON
    known = np.isfinite(days.outcomes[end - ORIGINS : end])
    at = np.flatnonzero(known) + end - ORIGINS
    said = 1.0 / (1.0 + np.exp(-days.inputs @ learnt))
    chance = calibrated(said, days.outcomes, HORIZON)[at]
    came = days.outcomes[at]
    base = base_rates(days.outcomes, HORIZON)[at]
    skill = 1 - np.square(chance - came).mean() / np.square(base - came).mean()
    above = chance[came == 1][:, np.newaxis] - chance[came == 0]
    return float(skill), float(((above > 0) + (above == 0) / 2).mean())


if __name__ == "__main__":
    main()
