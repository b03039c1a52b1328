"""What macros and variables mean, and the shape in which panels get their figures."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest

from dashboards.queries import (
    Field,
    Frame,
    Option,
    Span,
    fetch,
    options,
    render,
    resolve,
    shaped,
    used,
)
from pipeline.errors import InputError

SPAN = Span(
    datetime(2026, 3, 1, 12, 0, 0, 999_000, tzinfo=UTC),
    datetime(2026, 3, 2, 1, 30, tzinfo=timezone(timedelta(hours=1))),
)


@pytest.fixture
def cursor() -> Any:
    with duckdb.connect() as connection:
        yield connection


def variable(name: str, query: str, current: str = "") -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "query": query,
        "current": {"value": current},
    }


def test_a_time_filter_becomes_two_bound_times_in_whole_seconds_utc() -> None:
    rendered = render("WHERE $__timeFilter( day::TIMESTAMP ) AND true", SPAN, {})
    assert rendered.sql == (
        "WHERE day::TIMESTAMP >= $time_from AND day::TIMESTAMP <= $time_to AND true"
    )
    assert rendered.parameters == {
        "time_from": datetime.fromisoformat("2026-03-01T12:00:00"),
        "time_to": datetime.fromisoformat("2026-03-02T00:30:00"),
    }


def test_a_variable_becomes_a_bound_value() -> None:
    hostile = "x' OR 1=1; DROP TABLE about; --"
    rendered = render("WHERE scope = ${scope:sqlstring}", None, {"scope": hostile})
    assert rendered.sql == "WHERE scope = $var_scope"
    assert rendered.parameters == {"var_scope": hostile}


def test_a_value_that_looks_like_a_placeholder_stays_a_value(cursor: Any) -> None:
    for value in ("$__timeFilter(x)", "${scope:sqlstring}", "$var_scope", "'||x||'"):
        rendered = render("SELECT ${scope:sqlstring} AS v", None, {"scope": value})
        assert fetch(cursor, rendered, 5).fields[0].values == [value]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT $__timeFilter(day)", "needs a time"),
        ("SELECT ${scope:sqlstring}", "needs the variable 'scope'"),
        ("SELECT $__interval", "only Grafana knows"),
        ("SELECT '${scope}'", "only Grafana knows"),
    ],
)
def test_what_cannot_be_bound_is_refused(sql: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        render(sql, None, {})


def test_the_variables_of_a_query_are_known() -> None:
    assert used("${a:sqlstring} ${b:sqlstring} ${a:sqlstring}") == {"a", "b"}


def test_a_result_becomes_columns_with_their_kinds(cursor: Any) -> None:
    sql = (
        "SELECT TIMESTAMP '2026-03-01 00:00:01' AS t, DATE '1969-12-31' AS d, 1.5 AS n,"
        " 'x' AS s, true AS b, 'nan'::DOUBLE AS x, NULL::DATE AS z"
    )
    frame = fetch(cursor, render(sql, None, {}), 5)
    assert [(field.name, field.type, field.values) for field in frame.fields] == [
        ("t", "time", [1_772_323_201_000]),
        ("d", "time", [-86_400_000]),
        ("n", "number", [1.5]),
        ("s", "string", ["x"]),
        ("b", "boolean", [True]),
        ("x", "number", [None]),
        ("z", "time", [None]),
    ]
    assert not frame.truncated


def test_no_rows_still_have_their_columns(cursor: Any) -> None:
    frame = fetch(cursor, render("SELECT 1 AS n WHERE false", None, {}), 5)
    assert [(field.name, field.values) for field in frame.fields] == [("n", [])]


def test_rows_beyond_the_limit_are_cut_off_and_said_to_be(cursor: Any) -> None:
    frame = fetch(cursor, render("FROM range(9)", None, {}), 5)
    assert frame.fields[0].values == [0, 1, 2, 3, 4]
    assert frame.truncated


def long_frame(times: list[Any]) -> Frame:
    return Frame(
        fields=[
            Field("time", "time", times),
            Field("source", "string", ["b", "a", "a"]),
            Field("Value", "number", [1, 2, 3]),
        ],
        truncated=True,
    )


def test_named_rows_become_one_column_a_name_in_order() -> None:
    wide = shaped(long_frame([10, 10, 20]), 0)
    assert wide == Frame(
        fields=[
            Field("time", "time", [10, 20]),
            Field("Value", "number", [2, 3], {"source": "a"}),
            Field("Value", "number", [1, None], {"source": "b"}),
        ],
        truncated=True,
    )


def test_the_table_format_and_unnamed_columns_stay_as_they_are() -> None:
    named = long_frame([10, 10, 20])
    assert shaped(named, 1) is named
    plain = Frame(fields=[named.fields[0], named.fields[2]], truncated=False)
    assert shaped(plain, 0) is plain


def test_times_out_of_order_are_refused_as_the_data_source_would() -> None:
    with pytest.raises(InputError, match="not in order"):
        shaped(long_frame([20, 10, 20]), 0)


def test_options_are_the_first_column_or_texts_and_values(cursor: Any) -> None:
    one = options(cursor, variable("v", "SELECT unnest(['a', NULL])"), {})
    assert one == [Option("a", "a"), Option("", "")]
    two = options(cursor, variable("v", "SELECT 1 AS __value, 'one' AS __text"), {})
    assert two == [Option("one", "1")]


def test_a_custom_variable_brings_its_options(cursor: Any) -> None:
    custom = {"type": "custom", "options": [{"text": "daily", "value": "1"}]}
    assert options(cursor, custom, {}) == [Option("daily", "1")]


def test_a_variable_may_depend_on_an_earlier_one(cursor: Any) -> None:
    chain = [
        variable("scope", "SELECT unnest(['all', 'x'])", "all"),
        variable("origin", "SELECT ${scope:sqlstring} || '-1'"),
    ]
    values, choices = resolve(cursor, chain, {"scope": "x"}, strict=True)
    assert values == {"scope": "x", "origin": "x-1"}
    assert choices["scope"] == [Option("all", "all"), Option("x", "x")]


def test_a_value_that_is_no_option_is_refused_or_replaced(cursor: Any) -> None:
    scope = [variable("scope", "SELECT unnest(['a', 'b'])", "b")]
    with pytest.raises(InputError, match="none of its options"):
        resolve(cursor, scope, {"scope": "c"}, strict=True)
    values, _ = resolve(cursor, scope, {"scope": "c"}, strict=False)
    assert values == {"scope": "b"}


def test_without_a_usual_value_the_first_option_is_taken_or_nothing(
    cursor: Any,
) -> None:
    some = [variable("v", "SELECT unnest(['a', 'b'])", "gone")]
    none = [variable("v", "SELECT 'a' WHERE false", "gone")]
    assert resolve(cursor, some, {}, strict=True)[0] == {"v": "a"}
    assert resolve(cursor, none, {}, strict=True)[0] == {"v": ""}


def test_dates_are_midnights(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t AS SELECT ? AS d", [date(2026, 3, 1)])
    frame = fetch(cursor, render("FROM t", None, {}), 1)
    assert frame.fields[0].values == [1_772_323_200_000]
