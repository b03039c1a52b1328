"""On which scale a series is modelled, so that its noise is about even."""

from typing import Protocol

import numpy as np

from pipeline.forecast.series import MIN_KNOWN, Array, Series

_SMALLEST_UNIT = 1e-15


class Scale(Protocol):
    """A monotone map from values to a scale of even noise, and back."""

    def forward(self, values: Array) -> Array:
        """From values to the scale."""
        ...

    def back(self, scaled: Array) -> Array:
        """From the scale to values."""
        ...


class Arcsine:
    """For shares: the arcsine of the root, whose binomial noise is 1 / (2 √n).

    Source: M. S. Bartlett, "The use of transformations", Biometrics 3 (1947).
    """

    def forward(self, values: Array) -> Array:
        """From shares (clipped to [0, 1]) to [0, π/2]."""
        return np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))

    def back(self, scaled: Array) -> Array:
        """From anywhere to [0, 1]."""
        return np.square(np.sin(np.clip(scaled, 0.0, np.pi / 2)))


class Logarithmic:
    """For positive measurements: like the logarithm, but defined for every number.

    `unit` is small beside the usual values; near 0 the scale is linear, so a first
    zero or negative value does no harm.
    """

    def __init__(self, unit: float) -> None:
        self._unit = unit

    def forward(self, values: Array) -> Array:
        """From values to the scale."""
        return np.arcsinh(values / self._unit)

    def back(self, scaled: Array) -> Array:
        """From the scale to values."""
        return np.sinh(np.clip(scaled, -100.0, 100.0)) * self._unit


class Linear:
    """For measurements of either sign: as they are, in units of `unit`."""

    def __init__(self, unit: float) -> None:
        self._unit = unit

    def forward(self, values: Array) -> Array:
        """From values to units."""
        return values / self._unit

    def back(self, scaled: Array) -> Array:
        """From units to values."""
        return scaled * self._unit


def scale_for(series: Series) -> Scale:
    """The scale for a series, chosen by what its first `MIN_KNOWN` days show.

    Later days must not decide: the choice would tell the past about its future.
    """
    if series.counted:
        return Arcsine()
    values = series.values
    first = values[np.isfinite(values)][:MIN_KNOWN]
    unit = float(np.median(np.abs(first)))
    unit = unit if unit > _SMALLEST_UNIT else 1.0
    return Logarithmic(unit / 10) if (first > 0).all() else Linear(unit)
