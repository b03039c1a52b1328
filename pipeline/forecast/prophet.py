"""Prophet: a bent trend, the weekday and the season, with the extra `prophet`."""

import logging
import warnings
from typing import Any

import numpy as np

from pipeline.forecast.even import evened
from pipeline.forecast.extras import needed
from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array

MEMORY = 730
"""Days that a fit looks back on."""

_SOME_DAY = "2000-01-01"
"""Only differences of days matter: its seasons have no date of their own."""


class Prophet:
    """A trend with bends, a weekly pattern and, from two years on, a yearly one.

    A function of the day alone: what came since the last fit does not move it.

    Source: S. J. Taylor and B. Letham, "Forecasting at scale", The American
    Statistician 72 (2018), and their package.
    """

    name = "Prophet"
    naive = False

    def __init__(self, scale: Scale) -> None:
        needed("prophet", model=self.name, extra="prophet")
        self._scale = scale

    def fit(self, history: Array) -> None:
        """Find trend and seasons of the last `MEMORY` days up to a known one."""
        even = evened(self._scale.forward(history), MEMORY)
        self._centre, self._unit, days = even.centre, even.unit, even.values
        self._day = days.size + even.silent
        self._found = _found(days) if days.any() else None

    def update(self, value: float) -> None:  # noqa: ARG002 - only the days go on
        """One day later."""
        self._day += 1

    def forecast(self, horizon: int) -> Array:
        """The expected path, back from the scale (so a median rather than a mean)."""
        path = np.zeros(horizon)
        if self._found is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of its own use of pandas
                days = _table(self._day, self._day + horizon)
                path = np.asarray(self._found.predict(days)["yhat"])
        return self._scale.back(self._centre + self._unit * path)


def _found(values: Array) -> Any:
    """A fitted model, without the draws that its own intervals are made of."""
    package = needed("prophet", model="Prophet", extra="prophet")
    logging.getLogger("cmdstanpy").setLevel(logging.WARNING)  # each search is told
    model = package.Prophet(daily_seasonality=False, uncertainty_samples=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own use of pandas
        return model.fit(_table(0, values.size).assign(y=values))


def _table(first: int, end: int) -> Any:
    """Days as the package reads them."""
    pandas = needed("pandas", model="Prophet", extra="prophet")
    start = pandas.Timestamp(_SOME_DAY) + pandas.Timedelta(days=first)
    return pandas.DataFrame({"ds": pandas.date_range(start, periods=end - first)})
