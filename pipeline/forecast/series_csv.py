"""A daily series from a CSV file, as spreadsheets of several countries write it."""

import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import InputError
from pipeline.forecast.series import MAX_VALUE, TOO_LARGE, Series

STANDARD_INPUT = Path("-")

_COLUMNS = ("date", "value")
_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PLAIN = re.compile(r"[-+.\de]+|[-+]?inf(inity)?|nan", re.ASCII | re.IGNORECASE)
"""Of what `float` reads: no underscores, no lines, no digits of other alphabets."""


class _Row(NamedTuple):
    """A line of the file, with where it stands for messages to the user."""

    number: int
    day: str
    value: str


def read_csv(path: Path) -> Series:
    """The series in a CSV file with the columns date and value.

    Dates are written 2020-01-31 and may stand in any order; an empty value, nan, or a
    day left out, is a gap. Values are any real numbers, such as percent; where columns
    are separated by semicolons or tabs, they may be written 4,2. The path `-` is
    standard input.

    Raises:
        InputError: the file cannot be read or a line cannot be used.
    """
    name = "standard input" if path == STANDARD_INPUT else str(path)
    lines: dict[date, int] = {}
    values = []
    for row in _rows(name, _text(name, path)):
        line = f"{name} line {row.number}"
        day = _date(line, row.day)
        if day in lines:
            raise InputError(
                f"{line}: {day} was given in line {lines[day]} before: keep one of them"
            )
        lines[day] = row.number
        values.append(_number(line, row.value))
    title = name if path == STANDARD_INPUT else path.name
    ones = [1.0] * len(values)
    return Series.of_days((title, "", ""), list(lines), ones, values, counted=False)


def _text(name: str, path: Path) -> str:
    try:
        standard = path == STANDARD_INPUT
        content = sys.stdin.buffer.read() if standard else path.read_bytes()
        if content.startswith(_GZIP):
            raise InputError(f"{name} is compressed: unpack it first, as with gunzip")
        if content.startswith(_UTF_16) or b"\0" in content:
            raise InputError(f"{name} is no UTF-8 but UTF-16 text: save it as UTF-8")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"{name} cannot be read ({error.strerror}): check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no text ({error}): save it as UTF-8") from error


def _rows(name: str, text: str) -> Sequence[_Row]:
    head = text.partition("\n")[0]
    mark = next((mark for mark in ";\t" if mark in head and "," not in head), ",")
    rows = list(_parted(name, text, mark))
    return rows if mark == "," else _pointed(name, rows)


def _parted(name: str, text: str, mark: str) -> Iterator[_Row]:
    """The rows with the number of their last line."""
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True
    )
    try:
        names = [column.strip().lower() for column in next(lines, [])]
        _check_columns(name, names)
        for row in filter(None, lines):
            if any(row[len(names) :]):
                raise InputError(
                    f"{name} line {lines.line_num} has more columns than line 1: "
                    "write numbers with a point, as 4.2"
                )
            told = dict(zip(names, row, strict=False))
            day, value = (told.get(column, "") for column in _COLUMNS)
            yield _Row(lines.line_num, day, value)
    except csv.Error as error:
        raise InputError(
            f"{name} is no CSV after line {lines.line_num} ({error}): "
            "look for a quote that is left open"
        ) from error


def _check_columns(name: str, names: Sequence[str]) -> None:
    if all(names.count(column) == 1 for column in _COLUMNS):
        return
    twice = [column for column in _COLUMNS if names.count(column) > 1]
    if twice:
        raise InputError(f"{name} has two columns {twice[0]}: rename one of them")
    given = ", ".join(repr(column[:40]) for column in names[:5])
    found = f"line 1 names {given}" if any(names) else "line 1 names none"
    raise InputError(f"{name} lacks the columns date and value ({found}): name them so")


def _pointed(name: str, rows: Sequence[_Row]) -> Sequence[_Row]:
    """The rows with decimal points for decimal commas, of which there may be one."""
    commas = [row for row in rows if "," in row.value]
    points = [row for row in rows if "." in row.value]
    if commas and points:
        raise InputError(
            f"{name} writes a number with a comma in line {commas[0].number} and one "
            f"with a point in line {points[0].number}: write all with a point, as 4.2"
        )
    return [row._replace(value=row.value.replace(",", ".", 1)) for row in rows]


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
            f"{line}: {text[:40]!r} {TOO_LARGE}: correct it, or choose a larger unit"
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
