"""One label's share of the messages in one scope, day by day, gaps included."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

Array = NDArray[np.float64]

MIN_KNOWN = 14
"""Days that must be known before anything is said of the days to come."""

MAX_SPAN = 36_525
"""Days; a longer span is a mistyped year."""

MAX_VALUE = 1e15
"""Larger numbers lose their digits when they are squared and summed."""

TOO_LARGE = f"is too large (the limit is {MAX_VALUE:.0e})".replace("+", "")


def continued(before: Array | None, shape: tuple[int, ...]) -> tuple[Array, int]:
    """NaN in `shape`, but the first rows are `before`; and how many these are."""
    result = np.full(shape, np.nan)
    if before is None:
        return result, 0
    result[: len(before)] = before
    return result, len(before)


def ratio(parts: Array, wholes: Array) -> Array:
    """Parts ÷ wholes, NaN where the whole is 0 or unknown; shapes as given."""
    result: Array = np.full(np.shape(parts), np.nan)
    np.divide(parts, wholes, out=result, where=wholes > 0)
    return result


@dataclass(frozen=True, eq=False)
class Series:
    """Daily counts of one label in one scope.

    Args:
        scope: 'all', a source or a channel.
        task: the label's task.
        label: the label.
        start: the first day.
        messages: messages of each day, shape (days,); NaN where unknown.
        marked: how many of them carry the label, shape (days,); NaN where unknown.
        counted: whether these are counts. If not, `marked` is the measured value
            itself, any real number, and `messages` is 1 on every known day.

    Raises:
        InputError: the arrays cannot be such counts; the sentence says why.
    """

    scope: str
    task: str
    label: str
    start: date
    messages: Array
    marked: Array
    counted: bool = True

    def __post_init__(self) -> None:
        """Refuse what no days can have counted."""
        messages = np.asarray(self.messages, dtype=np.float64)
        marked = np.asarray(self.marked, dtype=np.float64)
        object.__setattr__(self, "messages", messages)
        object.__setattr__(self, "marked", marked)
        if messages.ndim != 1 or messages.shape != marked.shape:
            raise InputError(
                f"{self.title} has {messages.size} days of messages and "
                f"{marked.size} of marked ones: give one number of each a day"
            )
        self._check(np.isinf(messages) | np.isinf(marked), "is infinite")
        too_large = np.maximum(np.abs(marked), messages) > MAX_VALUE
        self._check(too_large, TOO_LARGE)
        if self.counted:
            self._check((messages < 0) | (marked < 0), "counts fewer than 0 messages")
            self._check(marked > messages, "has more marked messages than messages")

    def _check(self, faulty: NDArray[np.bool_], fault: str) -> None:
        if faulty.any():
            day = self.day(int(np.argmax(faulty)))
            raise InputError(f"{self.title}: {day} {fault}: correct that day")

    @property
    def title(self) -> str:
        """What the series is called in messages to the user."""
        return "/".join(part for part in (self.scope, self.task, self.label) if part)

    @property
    def values(self) -> Array:
        """The share marked ÷ messages of each day, or the measured value; NaN: gap."""
        return ratio(self.marked, self.messages)

    def day(self, index: int) -> date:
        """The date of a position in the arrays, also beyond their end."""
        return self.start + timedelta(days=index)

    @classmethod
    def of_days(
        cls,
        name: tuple[str, str, str],
        days: Sequence[date],
        messages: Sequence[float],
        marked: Sequence[float],
        *,
        counted: bool = True,
    ) -> "Series":
        """The series of the days given, in any order; days not given are gaps.

        Args:
            name: scope, task and label.
            days: the known days, each once.
            messages: of each of the days.
            marked: of each of the days.
            counted: as for the class.

        Raises:
            InputError: no day, a day twice, too long a span, or impossible counts.
        """
        title = "/".join(part for part in name if part)
        start, end = _span(title, days)
        grid = np.full((2, (end - start).days + 1), np.nan)
        at = [(day - start).days for day in days]
        grid[0, at], grid[1, at] = messages, marked
        return cls(*name, start, grid[0], grid[1], counted)

    def check_usable(self) -> None:
        """Refuse a series too short to say anything about.

        Raises:
            InputError: fewer than `MIN_KNOWN` days are known.
        """
        known = int(np.isfinite(self.values).sum())
        if known < MIN_KNOWN:
            raise InputError(
                f"{self.title} has {counted(known, 'known day')}: "
                f"a forecast needs at least {MIN_KNOWN}, so give more days"
            )


def counted(number: int, thing: str) -> str:
    """So many of a thing, such as 1 day or 2 days."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _span(title: str, days: Sequence[date]) -> tuple[date, date]:
    if not days:
        raise InputError(f"{title} holds no day: give one line a day")
    ordered = sorted(days)
    for day, following in pairwise(ordered):
        if day == following:
            raise InputError(f"{title} holds {day} more than once: keep one of them")
    span = (ordered[-1] - ordered[0]).days
    # After the last year of the calendar there are no days to forecast.
    if span >= MAX_SPAN or ordered[-1].year == date.max.year:
        raise InputError(
            f"{title} goes from {ordered[0]} to {ordered[-1]}: "
            "correct the mistyped year"
        )
    return ordered[0], ordered[-1]
