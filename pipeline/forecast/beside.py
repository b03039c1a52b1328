"""What is known of a scope's days beside the values of one series."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.forecast.series import Array, Series


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


def beside(series: Series, related: Sequence[Series] = ()) -> Beside:
    """What is known beside the values of a series.

    Args:
        series: if it was counted, its messages are.
        related: other labels of the same scope; their days may begin and end elsewhere.
    """
    size = series.values.size
    labels = np.full((len(related), size), np.nan)
    for row, other in zip(labels, related, strict=True):
        later = (other.start - series.start).days
        shared = slice(max(0, later), min(size, later + other.values.size))
        if shared.start < shared.stop:
            row[shared] = other.values[shared.start - later : shared.stop - later]
    return Beside(series.messages if series.counted else np.empty(0), labels)
