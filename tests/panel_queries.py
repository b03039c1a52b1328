"""Runs every panel's query, as the viewer does and as Grafana's data source does.

Also a script: `python panel_queries.py FILE` prints its findings as JSON, so that a
process with another DuckDB can be asked.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from dashboards.queries import (
    TIME_FILTER,
    VARIABLE,
    Frame,
    Rendered,
    Span,
    fetch,
    render,
    resolve,
)
from dashboards.queries import shaped as shaped_frame
from dashboards.viewer.catalogue import Catalogue

GRAFANA_READS = {"BIGINT", "BOOLEAN", "DOUBLE", "INTEGER", "TIMESTAMP", "VARCHAR"}
"""The types that the data source turns into fields; it makes text of HUGEINT."""
CHANGES_BY_THE_SECOND = {"Age of the data"}
LIMIT = 10_000


class Asked(NamedTuple):
    """One panel and one choice of its variables."""

    dashboard: str
    panel: str
    values: dict[str, str]
    bound: list[list[Any]]
    literal: list[list[Any]]
    types: list[str]


def ask(file: Path, now: datetime) -> Iterator[Asked]:
    """Every panel, with the dashboard's own values and with all other scopes."""
    span = Span(now - timedelta(days=90), now + timedelta(days=8))
    with duckdb.connect(str(file), read_only=True) as connection:
        for dashboard in Catalogue().dashboards:
            usual, choices = resolve(connection, dashboard.variables, {}, strict=True)
            for scope in choices["scope"]:
                given = {"scope": scope.value}
                values, _ = resolve(
                    connection, dashboard.variables, usual | given, strict=False
                )
                for panel in dashboard.content["panels"]:
                    if panel.get("targets"):
                        yield _ask(connection, dashboard.uid, panel, span, values)


def _ask(
    connection: duckdb.DuckDBPyConnection,
    uid: str,
    panel: Mapping[str, Any],
    span: Span,
    values: dict[str, str],
) -> Asked:
    target = panel["targets"][0]
    frame = fetch(connection, render(target["rawSql"], span, values), LIMIT)
    shaped_frame(frame, target["format"])
    types = [str(column[1]) for column in connection.description or ()]
    literal = fetch(
        connection, Rendered(grafana(target["rawSql"], span, values), {}), LIMIT
    )
    return Asked(uid, panel["title"], values, _values(frame), _values(literal), types)


def _values(frame: Frame) -> list[list[Any]]:
    return [field.values for field in frame.fields]


def grafana(sql: str, span: Span, values: Mapping[str, str]) -> str:
    """`sql` as Grafana and its DuckDB data source write times and variables into it."""

    def time_filter(match: re.Match[str]) -> str:
        column = match[1]
        start, end = (time.astimezone(UTC).strftime("%FT%TZ") for time in span)
        return f"{column} >= '{start}' AND {column} <= '{end}'"

    def variable(match: re.Match[str]) -> str:
        return "'" + values[match[1]].replace("'", "''") + "'"

    return VARIABLE.sub(variable, TIME_FILTER.sub(time_filter, sql))


def main() -> None:
    """Write what every panel's query answers."""
    now = datetime.fromisoformat(sys.argv[2])
    asked = [one._asdict() for one in ask(Path(sys.argv[1]), now)]
    json.dump({"version": duckdb.__version__, "asked": asked}, sys.stdout)


if __name__ == "__main__":
    main()
