"""What a dashboard's queries mean, for the viewer as for Grafana.

Grafana and its DuckDB data source write times and the values of variables into the
SQL as text. Here they become bound parameters, with the same results: no value that
a browser sends ever is part of a statement.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from pipeline.errors import InputError

TIME_FILTER = re.compile(r"\$__timeFilter\(([^()]*)\)")
VARIABLE = re.compile(r"\$\{(\w+):sqlstring\}")
PLACEHOLDER = re.compile(r"\$__|\$\{")
MAX_OPTIONS = 2_000
SERIES_FORMAT = 0
"""The data source's number for "one column a name" (1 is a plain table)."""

Kind = Literal["time", "number", "string", "boolean"]


class Span(NamedTuple):
    """The time shown, both ends included, UTC."""

    start: datetime
    end: datetime


class Rendered(NamedTuple):
    """A statement and the parameters it binds."""

    sql: str
    parameters: dict[str, object]


class Field(msgspec.Struct, omit_defaults=True):
    """One column: times are milliseconds since 1970, missing values None."""

    name: str
    type: Kind
    values: list[Any]
    labels: dict[str, str] | None = None


class Frame(msgspec.Struct):
    """A query's result; `truncated` says that rows beyond the limit are missing."""

    fields: list[Field]
    truncated: bool


class Option(NamedTuple):
    """One choice of a variable."""

    text: str
    value: str


def render(sql: str, span: Span | None, variables: Mapping[str, str]) -> Rendered:
    """`sql` with its macros and variables as bound parameters.

    The data source passes whole seconds, so the ends are cut to them here too.

    Raises:
        InputError: the query needs a time or a variable that was not given, or uses
            a placeholder that only Grafana knows.
    """
    parameters: dict[str, object] = {}

    def time_filter(match: re.Match[str]) -> str:
        if span is None:
            raise InputError("the query needs a time: give from and to")
        parameters["time_from"] = _naive(span.start)
        parameters["time_to"] = _naive(span.end)
        column = match[1].strip()
        return f"{column} >= $time_from AND {column} <= $time_to"

    def variable(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            raise InputError(f"the query needs the variable {name!r}: give it")
        parameters[f"var_{name}"] = variables[name]
        return f"$var_{name}"

    bound = VARIABLE.sub(variable, TIME_FILTER.sub(time_filter, sql))
    if PLACEHOLDER.search(bound):
        raise InputError(
            "the query uses a placeholder that only Grafana knows: use "
            "$__timeFilter(column) and ${variable:sqlstring}"
        )
    return Rendered(bound, parameters)


def used(sql: str) -> set[str]:
    """The names of the variables in `sql`."""
    return set(VARIABLE.findall(sql))


def fetch(cursor: Any, rendered: Rendered, limit: int) -> Frame:
    """Run a statement on a DuckDB cursor and read at most `limit` rows."""
    cursor.execute(rendered.sql, rendered.parameters)
    rows = cursor.fetchmany(limit + 1)
    columns: Sequence[Sequence[Any]] = list(zip(*rows[:limit], strict=True))
    fields = [
        Field(
            name=name,
            type=_kind(str(type_)),
            values=[_value(value) for value in (columns[index] if columns else ())],
        )
        for index, (name, type_, *_) in enumerate(cursor.description)
    ]
    return Frame(fields=fields, truncated=len(rows) > limit)


def shaped(frame: Frame, format_: int) -> Frame:
    """`frame` as the data source hands it to a panel.

    Rows (time, names, values) of the series format become one column a name, sorted
    by name; a time without a value of a name holds None.

    Raises:
        InputError: the times are not in order.
    """
    names = [field for field in frame.fields if field.type in ("string", "boolean")]
    if format_ != SERIES_FORMAT or not names:
        return frame
    time = next(field for field in frame.fields if field.type == "time")
    if time.values != sorted(time.values):
        raise InputError("the query's times are not in order: sort them")
    times = {at: index for index, at in enumerate(dict.fromkeys(time.values))}
    numbers = [field for field in frame.fields if field.type == "number"]
    wide: dict[tuple[str, ...], Field] = {}
    for row, at in enumerate(time.values):
        labels = {field.name: str(field.values[row]) for field in names}
        for number in numbers:
            key = (*labels.values(), number.name)
            if key not in wide:
                empty = [None] * len(times)
                wide[key] = Field(number.name, "number", empty, labels)
            wide[key].values[times[at]] = number.values[row]
    columns = [wide[key] for key in sorted(wide)]
    first = Field(time.name, "time", list(times))
    return Frame(fields=[first, *columns], truncated=frame.truncated)


def options(
    cursor: Any, variable: Mapping[str, Any], values: Mapping[str, str]
) -> list[Option]:
    """The choices of a variable, given the values of those before it."""
    if variable["type"] == "custom":
        return [
            Option(option["text"], option["value"]) for option in variable["options"]
        ]
    frame = fetch(cursor, render(variable["query"], None, values), MAX_OPTIONS)
    columns = {field.name: field.values for field in frame.fields}
    first = frame.fields[0].values
    texts = columns.get("__text", first)
    chosen = columns.get("__value", first)
    return [
        Option(_text(text), _text(value))
        for text, value in zip(texts, chosen, strict=True)
    ]


def resolve(
    cursor: Any,
    variables: Iterable[Mapping[str, Any]],
    given: Mapping[str, str],
    *,
    strict: bool,
) -> tuple[dict[str, str], dict[str, list[Option]]]:
    """Each variable's value and options; a variable may depend on earlier ones.

    A value that is not given is the dashboard's own, or else the first option, or
    else empty. One that is no option is refused if `strict`, and replaced otherwise.

    Raises:
        InputError: a given value is none of the variable's options.
    """
    values: dict[str, str] = {}
    choices: dict[str, list[Option]] = {}
    for variable in variables:
        name = variable["name"]
        choices[name] = options(cursor, variable, values)
        allowed = [option.value for option in choices[name]]
        usual = variable.get("current", {}).get("value", "")
        if name in given and given[name] in allowed:
            values[name] = given[name]
        elif name in given and strict:
            raise InputError(f"the value of {name!r} is none of its options")
        else:
            values[name] = usual if usual in allowed else next(iter(allowed), "")
    return values, choices


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _kind(type_: str) -> Kind:
    if type_.startswith(("TIMESTAMP", "DATE")):
        return "time"
    if type_ == "VARCHAR":
        return "string"
    return "boolean" if type_ == "BOOLEAN" else "number"


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=UTC).timestamp() * 1000)
    if isinstance(value, date):
        midnight = datetime(value.year, value.month, value.day, tzinfo=UTC)
        return round(midnight.timestamp() * 1000)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
