"""Figures of flagged labels and of their probabilities, as functions of sums.

F1, precision and recall count flagged marks; the Brier score and the expected
calibration error (ten bins) take the probabilities of all pairs of a text and a label,
0 where there is no mark. Only labels that occur in a set's gold are judged in it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BINS = 10
LOWER_IS_BETTER = frozenset({"brier", "ece"})


class Name(NamedTuple):
    """What a figure is called, and of which label it is: "" where of all."""

    figure: str
    label: str = ""


class Tally(Protocol):
    """What is summed over messages, and the figures that come of the sums."""

    @property
    def rows(self) -> Floats:
        """Messages x numbers."""

    def figures(self, sums: Floats) -> dict[Name, Floats]:
        """Of sums, times x numbers, each figure's value each time; NaN if unknown."""


class Judged(NamedTuple):
    """One message: what people and a tagger say of it.

    `known` are the labels that people looked for in its set; scores are those of the
    marks there are.
    """

    known: frozenset[str]
    labels: frozenset[str]
    flagged: frozenset[str]
    scores: Mapping[str, float]


class LabelTally:
    """Hits, what was said and what is true, label by label, and the probabilities.

    Args:
        messages: what is judged.
    """

    def __init__(self, messages: Sequence[Judged]) -> None:
        self.labels = sorted({name for m in messages for name in m.known})
        known = self._table([m.known for m in messages])
        true = self._table([m.labels for m in messages]) & known
        said = self._table([m.flagged for m in messages]) & known
        scores = np.array(
            [[m.scores.get(name, 0.0) for name in self.labels] for m in messages]
        )
        squares = np.where(known, (scores - true) ** 2, 0.0).sum(axis=1)
        self.rows: Floats = np.hstack(
            [
                said & true,
                said,
                true,
                squares[:, None],
                known.sum(axis=1)[:, None],
                *_binned(scores, true, known),
            ]
        ).astype(np.float64)

    def _table(self, names: Sequence[frozenset[str]]) -> Bools:
        """Messages x labels: which names which."""
        return np.array([[label in given for label in self.labels] for given in names])

    def figures(self, sums: Floats) -> dict[Name, Floats]:
        """Over all labels, then label by label; see `Tally`.

        A label that nobody was given, as may happen in a resample, has no F1 and
        counts for no mean.
        """
        count = len(self.labels)
        hits, said, true, rest = np.split(sums, [count, 2 * count, 3 * count], axis=1)
        f1 = np.where(true > 0, _ratio(2 * hits, said + true), np.nan)
        by_label = {
            "f1": f1,
            "precision": _ratio(hits, said),
            "recall": _ratio(hits, true),
        }
        whole = _ratio(2 * hits.sum(axis=1), (said + true).sum(axis=1))
        squares, pairs, bins = np.split(rest, [1, 2], axis=1)
        return {
            Name("micro_f1"): whole,
            Name("macro_f1"): _ratio(np.nansum(f1, axis=1), (true > 0).sum(axis=1)),
            Name("brier"): (squares / pairs)[:, 0],
            Name("ece"): _calibration_error(bins, pairs),
        } | {
            Name(figure, label): values[:, n]
            for n, label in enumerate(self.labels)
            for figure, values in by_label.items()
        }


def _binned(scores: Floats, true: Bools, known: Bools) -> tuple[Floats, Floats]:
    """Of each message and bin the sum of its scores, and how many of them are true."""
    numbers = np.minimum((scores * BINS).astype(int), BINS - 1)
    inside = [known & (numbers == number) for number in range(BINS)]
    return (
        np.stack([(scores * these).sum(axis=1) for these in inside], axis=1),
        np.stack([(true & these).sum(axis=1) for these in inside], axis=1),
    )


def _calibration_error(bins: Floats, pairs: Floats) -> Floats:
    """Mean distance of what is stated from what is true, weighted by the bins' sizes.

    |mean score - share true|, times the bin's size: the difference of its two sums.
    """
    stated, true = np.split(bins, 2, axis=1)
    error: Floats = np.abs(stated - true).sum(axis=1) / pairs[:, 0]
    return error


def _ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    empty = np.full(np.broadcast(part, whole).shape, np.nan)
    shares: Floats = np.divide(part, whole, out=empty, where=whole > 0)
    return shares
