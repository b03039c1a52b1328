"""The coefficients that the ridge is drawn to, and what they gain on other countries.

Learns from the daily shares of emotional tweets by country, each but its last 967 days:
one regression a day ahead on all of them. Printed: the array of
`pipeline.forecast.pooled`; then, for each half of the countries, the MASE over the last
240 origins of a ridge that is drawn to what the *other* half taught, and of the one
drawn to 0, over that of the best naive method; and both in a series' first 330 days.
Three minutes on one core.

    uv run --no-project --with . benchmarks/pooled.py
"""

from collections.abc import Iterator, Sequence
from datetime import date
from statistics import median

import numpy as np
from alarms import all_series

from pipeline.forecast.backtest import mean_change, roll
from pipeline.forecast.models import LastDay, LastWeek, Model, WeekMean
from pipeline.forecast.pooled import PooledRidge
from pipeline.forecast.ridge import Ridge, learnt
from pipeline.forecast.scale import scale_for
from pipeline.forecast.series import Array, Series

AHEAD = 14
HORIZON = 7
ORIGINS = 240
UNSEEN = ORIGINS + 720 + HORIZON
YOUNG = 330
FEWEST = 200
YOUNG_FROM = 40
OWN = 8
"""Columns of a series' own: the constant and the weekdays."""

PENALTY = 10.0


def main() -> None:
    """Print the coefficients and what they gain."""
    everything = list(all_series())
    print(
        np.array2string(
            pooled([s for _, s in everything]),
            separator=", ",
            suppress_small=True,
            max_line_width=88,
        )
    )
    countries = sorted({country for country, _ in everything})
    gains: dict[str, list[tuple[float, float]]] = {"last": [], "first": []}
    for half in (countries[::2], countries[1::2]):
        found = pooled(
            [series for country, series in everything if country not in half]
        )
        for country, series in everything:
            if country in half:
                for when, gain in compared(series, found):
                    gains[when].append(gain)
    for when, pairs in gains.items():
        drawn, alone = (median(column) for column in zip(*pairs, strict=True))
        print(
            f"{when} days: {drawn:.3f} drawn to the pooled, {alone:.3f} to 0, "
            f"{len(pairs)} series"
        )


def pooled(many: Sequence[Series]) -> Array:
    """Coefficients by day ahead, shape (AHEAD, 35), from old and young series."""
    models = [fitted(series.values[:end]) for series in many for end in ends(series)]
    rows = []
    for ahead in range(1, AHEAD + 1):
        examples = [model.examples(ahead) for model in models]
        inputs = np.vstack([inputs for inputs, _ in examples])
        targets = np.concatenate([targets for _, targets in examples])
        columns = inputs.shape[1]
        found = learnt(inputs, targets, np.zeros(columns), np.full(columns, PENALTY))
        rows.append(np.round(found[:-OWN], 2))
    return np.array(rows)


def ends(series: Series) -> list[int]:
    """Where to stop: before the days that are judged, and after a first year."""
    end = max(series.values.size - UNSEEN, FEWEST)
    return [400, end] if end > 2 * 400 else [end]


def fitted(values: Array) -> Ridge:
    """A ridge that knows these days."""
    series = measured(values)
    model = Ridge(scale_for(series))
    model.fit(values)
    return model


def measured(values: Array) -> Series:
    """A series of them, from some day on."""
    return Series("", "", "", date.min, np.ones(values.size), values, counted=False)


def compared(series: Series, found: Array) -> Iterator[tuple[str, tuple[float, float]]]:
    """Ratios of MASE to the best naive method, drawn to what was found and to 0."""
    values = series.values
    spans = {
        "last": (values, range(values.size - HORIZON - ORIGINS, values.size - HORIZON)),
        "first": (values[:YOUNG], range(YOUNG_FROM, YOUNG - HORIZON)),
    }
    scale = scale_for(series)
    for when, (days, origins) in spans.items():
        naive = min(
            error(model, days, origins) for model in (LastDay(), LastWeek(), WeekMean())
        )
        ridges = (PooledRidge(scale, found), Ridge(scale))
        drawn, alone = (error(model, days, origins) / naive for model in ridges)
        yield when, (drawn, alone)


def error(model: Model, values: Array, origins: range) -> float:
    """MASE over the origins."""
    paths = roll(model, values, HORIZON, max(13, origins[0] - 28))
    change = mean_change(values)
    truth = [values[day + 1 : day + 1 + HORIZON] for day in origins]
    missed = [
        np.nanmean(np.abs(came - paths[day])) / change[day]
        for day, came in zip(origins, truth, strict=True)
    ]
    return float(np.mean(missed))


if __name__ == "__main__":
    main()
