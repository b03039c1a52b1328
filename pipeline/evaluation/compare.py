"""Which of two taggers is better on the same messages: a paired bootstrap."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np

from pipeline.errors import InputError
from pipeline.evaluation.bootstrap import interval, resampled
from pipeline.evaluation.figures import LOWER_IS_BETTER
from pipeline.evaluation.result import (
    Group,
    LabelSet,
    Result,
    SpanSet,
    groups,
    known,
)

LEAST_MESSAGES = 20
"""To name the better of two: resamples of fewer are too much alike."""

Better = Literal["a", "b", "neither shown", "too few messages"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both: `difference` is b less a, `low` to `high` its interval."""

    task: str
    group: str
    messages: int
    figure: str
    label: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    better: Better


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two results on the files that both have; `left_out` are the others."""

    a: str
    b: str
    cpu_s_per_message_a: float
    cpu_s_per_message_b: float
    left_out: list[str]
    differences: list[Difference]


def compare(a: Result, b: Result) -> Comparison:
    """Compare two results on the same gold.

    Raises:
        InputError: they have no file in common.
    """
    by_key = {_key(one): one for one in b.sets}
    shared = [one for one in a.sets if _key(one) in by_key]
    if not shared:
        raise InputError(
            "the two results have no file of gold in common: evaluate both on one "
            "folder"
        )
    pairs = zip(
        groups(shared), groups([by_key[_key(one)] for one in shared]), strict=True
    )
    return Comparison(
        a=a.settings,
        b=b.settings,
        cpu_s_per_message_a=_cpu(shared),
        cpu_s_per_message_b=_cpu([by_key[_key(one)] for one in shared]),
        left_out=_left_out(a, b),
        differences=[row for pair in pairs for row in _differences(*pair)],
    )


def _key(one: LabelSet | SpanSet) -> tuple[str, str, str]:
    return (one.file, one.task, one.digest)


def _cpu(sets: Sequence[LabelSet | SpanSet]) -> float:
    """Seconds a message, over all of them."""
    total = sum(one.cpu_s_per_message * len(one.messages) for one in sets)
    return total / sum(len(one.messages) for one in sets)


def _left_out(a: Result, b: Result) -> list[str]:
    keys = [{_key(one) for one in result.sets} for result in (a, b)]
    return sorted({f"{file} ({task})" for file, task, _ in keys[0] ^ keys[1]})


def _differences(a: Group, b: Group) -> Iterator[Difference]:
    rows = (a.tally.rows, b.tally.rows)
    sides = (a.tally, b.tally)
    whole = [t.figures(t.rows.sum(axis=0, keepdims=True)) for t in sides]
    drawn = [t.figures(resampled(t.rows)) for t in sides]
    for name in whole[0]:
        (value_a,), (value_b,) = whole[0][name], whole[1][name]
        low, high = interval(drawn[1][name] - drawn[0][name])
        yield Difference(
            task=a.task,
            group=a.name,
            messages=len(rows[0]),
            figure=name.figure,
            label=name.label,
            a=known(value_a),
            b=known(value_b),
            difference=known(value_b - value_a),
            low=known(low),
            high=known(high),
            better=_better(low, high, lower=name.figure in LOWER_IS_BETTER)
            if len(rows[0]) >= LEAST_MESSAGES
            else "too few messages",
        )


def _better(low: float, high: float, *, lower: bool) -> Better:
    """Who is, if the interval of the difference leaves 0 out."""
    if np.isnan(low) or low <= 0 <= high:
        return "neither shown"
    return "b" if (low > 0) != lower else "a"
