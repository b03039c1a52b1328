"""A vector autoregression: what related labels did is part of what comes."""

import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.vector_ar.var_model import VAR

from pipeline.forecast.beside import Beside
from pipeline.forecast.even import WEEK, filled
from pipeline.forecast.scale import Scale
from pipeline.forecast.series import Array

MEMORY = 730
"""Days that a fit looks back on."""

RELATED = 4
"""Labels that are listened to at most: those that go along most."""

_LAGS = 7
_DAYS_A_COEFFICIENT = 5
_FEWEST = 0.9
_SAME: Final = 1e-9


class Var:
    """Each day of a label and its nearest relatives from the days before of all.

    The order is chosen by AIC and the weekday taken off before; statsmodels estimates
    it. Without relatives that are known often enough it is an autoregression of its
    own.

    Source: H. Lütkepohl, "New Introduction to Multiple Time Series Analysis" (2005),
    ch. 2 to 4.
    """

    name = "VAR"
    naive = False

    def __init__(self, scale: Scale, beside: Beside) -> None:
        self._scale = scale
        self.beside = beside

    def fit(self, history: Array) -> None:
        """Choose relatives and order, then coefficients, on the last `MEMORY` days."""
        every = np.vstack([history, self.beside.labels[:, : history.size]])
        every = self._scale.forward(every)
        known = np.flatnonzero(np.isfinite(history))
        self._day = int(known[-1]) + 1
        window = every[:, max(known[0], self._day - MEMORY) : self._day]
        self._chosen = _nearest(window)
        evens = [filled(values) for values in window[[0, *(1 + self._chosen)]]]
        self._centre = np.array([even.centre for even in evens])
        self._unit = np.array([even.unit for even in evens])
        week = np.array([even.week() for even in evens])
        self._week = np.roll(week, self._day - window.shape[1], axis=1)
        calm = np.array([even.values for even in evens])
        calm -= week[:, np.arange(window.shape[1]) % WEEK]
        self._constant, self._lags = _estimated(calm.T)
        self._days = calm.T[-_LAGS:]
        for value in history[self._day :].tolist():
            self.update(value)

    def update(self, value: float) -> None:
        """Take in the next day of all labels; an unknown one came as expected."""
        values = np.array([value, *self.beside.labels[list(self._chosen), self._day]])
        calm = (self._scale.forward(values) - self._centre) / self._unit
        calm -= self._week[:, self._day % WEEK]
        calm = np.where(np.isfinite(calm), calm, self._expected(self._days))
        self._days = np.vstack([self._days[1:], calm])
        self._day += 1

    def forecast(self, horizon: int) -> Array:
        """The expected path, back from the scale (so a median rather than a mean)."""
        days, path = self._days, np.empty(horizon)
        for ahead in range(horizon):
            path[ahead] = self._expected(days)[0]
            days = np.vstack([days[1:], self._expected(days)])
        path += self._week[0, (self._day + np.arange(horizon)) % WEEK]
        return self._scale.back(self._centre[0] + self._unit[0] * path)

    def _expected(self, days: Array) -> Array:
        """All labels the day after `days`, shape (labels,)."""
        latest = days[::-1][: len(self._lags)]
        return np.asarray(self._constant + np.einsum("pij,pj->i", self._lags, latest))


def _nearest(every: Array) -> NDArray[np.intp]:
    """Positions of the labels that go along with the first row, among the others."""
    own, others = every[0], every[1:]
    known = np.isfinite(others) & np.isfinite(own)
    near = np.full(len(others), -1.0)
    for place in np.flatnonzero(known.mean(axis=1) >= _FEWEST):
        both = np.array([own, others[place]])[:, known[place]]
        if (both.std(axis=1) > _SAME).all():
            near[place] = abs(np.corrcoef(both)[0, 1])
    order = np.argsort(-near, kind="stable")[:RELATED]
    room = max(1, own.size // _DAYS_A_COEFFICIENT) - 1
    return order[near[order] >= 0][:room]


def _estimated(calm: Array) -> tuple[Array, Array]:
    """Constant (labels,) and coefficients (lags, labels, labels); 0 if unstable.

    Args:
        calm: shape (days, labels).
    """
    days, labels = calm.shape
    none = np.zeros(labels), np.zeros((0, labels, labels))
    most = min(_LAGS, days // (_DAYS_A_COEFFICIENT * labels))
    if most == 0 or (calm.std(axis=0) < _SAME).any():
        return none
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of orders that are then passed over
        try:
            found = _alone(calm[:, 0], most) if labels == 1 else _together(calm, most)
        except np.linalg.LinAlgError:  # one label repeats the others
            return none
    return none if found is None else found


def _together(calm: Array, most: int) -> tuple[Array, Array] | None:
    found = VAR(calm).fit(maxlags=most, ic="aic", trend="c")
    usable = found.k_ar > 0 and found.is_stable()
    return (np.asarray(found.intercept), np.asarray(found.coefs)) if usable else None


def _alone(calm: Array, most: int) -> tuple[Array, Array] | None:
    found = AutoReg(calm, most).fit()
    usable = bool((np.abs(found.roots) > 1.0).all())
    return (found.params[:1], found.params[1:].reshape(-1, 1, 1)) if usable else None
