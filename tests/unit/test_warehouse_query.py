"""Queries see the published file and nothing else."""

from pathlib import Path

import pytest

from pipeline.errors import InputError, WarehouseError
from pipeline.warehouse.query import query
from pipeline.warehouse.testing import SmallWarehouse


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = SmallWarehouse(tmp_path_factory.mktemp("warehouse"))
    small.publish()
    small.close()
    return small.published


def test_a_query_gives_columns_and_rows(published: Path) -> None:
    rows = query(published, "SELECT messages, 'x' AS y FROM about")
    assert rows.to_pylist() == [{"messages": 0, "y": "x"}]


def test_the_last_of_several_statements_gives_the_rows(published: Path) -> None:
    assert query(published, "SELECT 1; SELECT 2 AS two").to_pylist() == [{"two": 2}]


@pytest.mark.parametrize("nothing", ["", "-- only a comment"])
def test_no_statement_gives_no_rows(published: Path, nothing: str) -> None:
    assert query(published, nothing).num_columns == 0


def test_columns_of_one_name_are_told_apart(published: Path) -> None:
    rows = query(published, "SELECT 1 AS a, 2 AS a_1, 3 AS a, 4 AS a")
    assert rows.to_pylist() == [{"a": 1, "a_1": 2, "a_2": 3, "a_3": 4}]


def test_a_file_that_is_not_there_says_who_makes_it(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="`groundswell run` publishes it"):
        query(tmp_path / "published.duckdb", "SELECT 1")


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "published.duckdb"
    path.write_text("not a database " * 1000)
    with pytest.raises(WarehouseError, match="no DuckDB file"):
        query(path, "SELECT 1")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELEC 1", "syntax error"),
        ("FROM nothing", "nothing does not exist"),
        ("SELECT error('a\n\nb')", "Invalid Input Error: a"),
        ("SELECT 'x'::INTEGER", "Could not convert"),
        ("CREATE TABLE mine (i INTEGER)", "read-only"),
    ],
)
def test_a_query_that_fails_is_explained_in_one_line(
    published: Path, sql: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        query(published, sql)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_csv('/etc/passwd')",
        "FROM '/etc/passwd'",
        "COPY labels TO 'labels.csv'",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
        "FROM variable_of_ours",
    ],
)
def test_a_query_reaches_nothing_else(published: Path, sql: str) -> None:
    variable_of_ours = {"a": [1]}
    with pytest.raises(InputError):
        query(published, sql)
    assert variable_of_ours
