"""One label's share of the messages in one scope, day by day, gaps included."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

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

_TOO_LARGE = f"is too large (the limit is {MAX_VALUE:.0e})".replace("+", "")

_MORE = "more"
"""The key of what a line holds beyond the columns of line 1."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PLAIN = re.compile(r"[-+.\de]+|[-+]?inf(inity)?|nan", re.ASCII | re.IGNORECASE)
"""Of what `float` reads: no underscores, no lines, no digits of other alphabets."""


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
        self._check(too_large, _TOO_LARGE)
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


def read_csv(path: Path) -> Series:
    """The series in a CSV file with the columns date and value.

    Dates are written 2020-01-31 and may stand in any order; an empty value, nan, or a
    day left out, is a gap. Values are any real numbers, such as percent.

    Raises:
        InputError: the file cannot be read or a line cannot be used.
    """
    lines: dict[date, int] = {}
    values = []
    for number, row in _rows(path):
        line = f"{path} line {number}"
        day = _date(line, row["date"])
        if day in lines:
            raise InputError(
                f"{line}: {day} was given in line {lines[day]} before: keep one of them"
            )
        lines[day] = number
        values.append(_number(line, row["value"]))
    name, ones = (path.name, "", ""), [1.0] * len(values)
    return Series.of_days(name, list(lines), ones, values, counted=False)


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


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _checked(path, csv.DictReader(file, restkey=_MORE, restval=""))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text ({error}): save it as UTF-8") from error


def _checked(
    path: Path, reader: "csv.DictReader[str]"
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with the number of their last line."""
    try:
        _check_columns(path, reader.fieldnames or ())
        for row in reader:
            if any(row.get(_MORE, ())):
                raise InputError(
                    f"{path} line {reader.line_num} has more columns than line 1: "
                    "write numbers with a point, as 4.2"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(
            f"{path} is no CSV after line {reader.line_num} ({error}): "
            "look for a quote that is left open"
        ) from error


def _check_columns(path: Path, names: Sequence[str]) -> None:
    if {"date", "value"} <= set(names):
        return
    commas = not any(other in name for name in names for other in ";\t")
    way_out = "name them in line 1" if commas else "separate columns by commas"
    raise InputError(f"{path} lacks the columns date and value: {way_out}")


def _date(line: str, text: str) -> date:
    try:
        return date.fromisoformat(_written(_DATE, text))
    except ValueError as error:
        raise InputError(
            f"{line}: {text[:40]!r} is no date: write it as 2020-01-31"
        ) from error


def _number(line: str, text: str) -> float:
    if not text.strip(" "):
        return np.nan
    try:
        value = float(_written(_PLAIN, text))
    except ValueError as error:
        raise InputError(
            f"{line}: {text[:40]!r} is no number: "
            "write it as 4.2, or leave it empty where unknown"
        ) from error
    if abs(value) > MAX_VALUE:
        raise InputError(
            f"{line}: {text[:40]!r} {_TOO_LARGE}: correct it, or choose a larger unit"
        )
    return value


def _written(form: re.Pattern[str], text: str) -> str:
    """The text without spaces around it.

    Raises:
        ValueError: it has another form.
    """
    found = form.fullmatch(text.strip(" "))
    if found is None:
        raise ValueError(text)
    return found.group()
