"""What is known of a scope's days beside the values of one series."""

from dataclasses import dataclass, field

import numpy as np

from pipeline.forecast.series import Array


def _none() -> Array:
    return np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class Beside:
    """Days in the order of the series, from its first day on.

    A model that has seen so many days reads so many columns and no more, so it cannot
    look ahead. When the series has grown, give the model the grown one.

    Args:
        messages: how many there were each day, shape (days,); NaN where unknown, empty
            where nothing was counted.
        labels: values of related labels of the same scope, shape (labels, days); NaN
            where unknown.
    """

    messages: Array = field(default_factory=lambda: np.empty(0))
    labels: Array = field(default_factory=_none)
