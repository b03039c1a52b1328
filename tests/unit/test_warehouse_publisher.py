"""What the published file is, and what it never holds."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipeline.config import WarehouseSettings
from pipeline.errors import WarehouseError
from pipeline.records import DeadLetter
from pipeline.warehouse import slices
from pipeline.warehouse.database import script
from pipeline.warehouse.publisher import publish
from pipeline.warehouse.testing import NOW, SmallWarehouse, published_tables, tagged

OF_GRAFANA = Path(__file__).resolve().parents[2] / ".cache" / "duckdb-1.5.4"
ANGER = ("basic-emotion", "anger")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[SmallWarehouse]:
    small = SmallWarehouse(tmp_path, notice="It's a test.")
    yield small
    small.close()


def load_crowd(warehouse: SmallWarehouse) -> None:
    warehouse.load(
        *(tagged(f"{i}", labels=[ANGER] * (i < 3), author=i) for i in range(12))
    )


def test_about_says_what_the_file_is(warehouse: SmallWarehouse) -> None:
    load_crowd(warehouse)
    warehouse.load(tagged("late", NOW + timedelta(minutes=5, seconds=7)), start=12)
    letter = DeadLetter(
        topic="messages",
        partition=0,
        offset=1,
        stage="tag",
        error="",
        raw=b"",
        at=NOW,
    )
    warehouse.load(letter, topic="dead-letters")
    warehouse.publish(datetime.fromisoformat("2026-03-01T14:00:00+02:00"))
    noon = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - as DuckDB has it
    ((version, *rest),) = warehouse.tables()["about"]
    assert re.match(r"\d+\.\d+", version)
    assert rest == [
        noon,
        noon + timedelta(minutes=5),
        13,
        1,
        5,
        10,
        "fake-1",
        "It's a test.",
    ]


def test_an_empty_warehouse_is_published_too(warehouse: SmallWarehouse) -> None:
    warehouse.publish()
    tables = warehouse.tables()
    assert tables["about"][0][2:4] == (None, 0)
    assert tables["about"][0][7] == ""
    assert not tables["prevalence_daily"]
    assert len(tables["labels"]) > 50


def test_a_file_that_is_no_database_is_never_overwritten(
    warehouse: SmallWarehouse,
) -> None:
    target = Path(warehouse.settings.published)
    target.write_text("a secret", encoding="utf-8")
    with pytest.raises(WarehouseError, match="would be overwritten"):
        warehouse.publish()
    assert target.read_text(encoding="utf-8") == "a secret"


def test_an_empty_file_is_replaced(warehouse: SmallWarehouse) -> None:
    warehouse.published.touch()
    warehouse.publish()
    assert warehouse.rows("SELECT messages FROM about") == [(0,)]


def test_a_damaged_file_need_only_be_deleted(warehouse: SmallWarehouse) -> None:
    warehouse.published.write_bytes(b"\x07" * 999)
    with pytest.raises(WarehouseError, match="delete it if it was the published file"):
        warehouse.publish()
    warehouse.published.unlink()
    warehouse.publish()
    assert warehouse.rows("SELECT messages FROM about") == [(0,)]


def test_a_torn_file_that_begins_like_ours_is_replaced(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.publish()
    os.truncate(warehouse.published, 999)
    warehouse.publish()
    assert warehouse.rows("SELECT messages FROM about") == [(0,)]


def test_a_folder_is_no_place_to_publish(warehouse: SmallWarehouse) -> None:
    warehouse.published.mkdir()
    with pytest.raises(WarehouseError, match="is a folder: let"):
        warehouse.publish()


def test_every_table_and_column_is_explained(warehouse: SmallWarehouse) -> None:
    warehouse.publish()
    unexplained = (
        "SELECT table_name FROM duckdb_tables() WHERE coalesce(comment, '') = '' "
        "UNION ALL SELECT column_name FROM duckdb_columns() "
        "WHERE NOT internal AND coalesce(comment, '') = ''"
    )
    assert warehouse.rows(unexplained) == []


def test_kept_forecasts_have_the_columns_of_the_published() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA public; CREATE SCHEMA private")
        connection.execute("USE public;" + script("published.sql"))
        connection.execute("USE private;" + script("schema.sql"))
        columns = (
            "SELECT table_name, column_name, data_type, is_nullable "
            "FROM duckdb_columns() WHERE schema_name = ? AND table_name IN "
            "('forecasts', 'alarms', 'periods', 'backtests', 'labels') ORDER BY ALL"
        )
        of = [
            connection.execute(columns, [schema]).fetchall()
            for schema in ("public", "private")
        ]
    assert of[0] == of[1] != []


def test_no_text_author_or_id_is_in_the_file(warehouse: SmallWarehouse) -> None:
    author = 0xDEADBEEFCAFE0123
    planted = [
        tagged(
            f"planted-id-{i}",
            labels=[ANGER] * (i < 3),
            author=author + i,
            text=f"planted text {i}",
            context=("planted context",),
            thread="planted-thread",
            reply_to="planted-reply",
            language="zz",
        )
        for i in range(12)
    ]
    warehouse.load(*planted)
    # More than once, so that memory of the earlier steps is used again.
    for _ in range(5):
        warehouse.load(*planted)
        warehouse.publish()
    raw = warehouse.published.read_bytes()
    assert b"#ubuntu" in raw
    assert b"planted" not in raw
    for i in range(12):
        assert f"{author + i:016x}".encode() not in raw
        assert (author + i).to_bytes(8, "little") not in raw
        assert (author + i).to_bytes(8, "big") not in raw


def test_the_file_is_replaced_and_never_locked(warehouse: SmallWarehouse) -> None:
    warehouse.publish()
    with duckdb.connect(str(warehouse.published), read_only=True) as reader:
        load_crowd(warehouse)
        warehouse.publish(NOW + timedelta(hours=1))
        old = reader.execute("SELECT messages FROM about").fetchall()
    assert old == [(0,)]
    assert warehouse.rows("SELECT messages FROM about") == [(12,)]


def test_it_is_published_when_nothing_changed_so_that_its_age_is_seen(
    warehouse: SmallWarehouse,
) -> None:
    warehouse.publish()
    warehouse.publish(NOW + timedelta(hours=1))
    assert warehouse.rows("SELECT published_at::VARCHAR FROM about") == [
        ("2026-03-01 13:00:00",)
    ]


def test_what_a_killed_publication_left_is_removed(warehouse: SmallWarehouse) -> None:
    left = warehouse.published.with_name("published.duckdb.new")
    left.write_bytes(b"half a file")
    left.with_name(left.name + ".wal").write_bytes(b"half a log")
    warehouse.publish()
    assert {path.name for path in warehouse.published.parent.iterdir()} == {
        "published.duckdb",
        "warehouse.duckdb",
        "warehouse.duckdb.wal",
    }


def test_a_failure_leaves_the_last_file_and_can_be_repeated(
    warehouse: SmallWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.publish()
    before = warehouse.tables()
    load_crowd(warehouse)

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", no_space)
        with pytest.raises(WarehouseError, match="disk is full: free some space"):
            warehouse.publish()
    assert warehouse.tables() == before
    assert not list(warehouse.published.parent.glob("*.new"))
    warehouse.publish()
    assert warehouse.tables() != before


def test_it_is_never_published_over_the_warehouse_itself(
    warehouse: SmallWarehouse,
) -> None:
    settings = WarehouseSettings(
        path=str(warehouse.path), published=str(warehouse.path)
    )
    with pytest.raises(WarehouseError, match="publish to another path"):
        publish(warehouse.connection, settings, NOW)


@pytest.mark.parametrize("folder", ["it's here", "ünï"])
def test_folders_may_have_any_name_and_the_files_too(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    small = SmallWarehouse(tmp_path / folder)
    small.publish()
    assert small.rows("SELECT messages FROM about") == [(0,)]
    small.close()


def test_rows_are_sorted_so_that_zone_maps_help(warehouse: SmallWarehouse) -> None:
    load_crowd(warehouse)
    warehouse.publish()
    rows = warehouse.rows("SELECT scope, task, label, day FROM prevalence_daily")
    assert rows == sorted(rows)


def test_in_slices_the_same_is_published(
    warehouse: SmallWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, source in enumerate(("a", "b", "c")):
        warehouse.load(
            *(tagged(f"{i}", source=source, author=i) for i in range(7)),
            start=10 * number,
        )
    warehouse.publish()
    at_once = warehouse.tables()
    assert len({row[0] for row in at_once["prevalence_daily"]}) == 7
    for rows in (1, 200):
        monkeypatch.setattr(slices, "SLICE_ROWS", rows)
        warehouse.publish()
        assert warehouse.tables() == at_once


READ_ALL = """
import sys, duckdb
assert duckdb.__version__ == "1.5.4", duckdb.__version__
connection = duckdb.connect(sys.argv[1], read_only=True)
for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
    print(name, len(connection.table(name).fetchall()))
"""


def test_the_duckdb_inside_grafanas_plugin_reads_it(warehouse: SmallWarehouse) -> None:
    if not OF_GRAFANA.is_dir():
        pytest.skip("DuckDB 1.5.4 is not in .cache: run make test")
    load_crowd(warehouse)
    warehouse.publish()
    read = subprocess.run(
        [sys.executable, "-c", READ_ALL, warehouse.published],
        env={**os.environ, "PYTHONPATH": str(OF_GRAFANA)},
        check=True,
        capture_output=True,
        text=True,
    )
    expected = {
        f"{n} {len(rows)}" for n, rows in published_tables(warehouse.published).items()
    }
    assert set(read.stdout.splitlines()) == expected


def test_the_newest_time_is_told_to_the_minute_only(warehouse: SmallWarehouse) -> None:
    warehouse.load(tagged("1", datetime(2026, 3, 1, 11, 59, 58, 123456, tzinfo=UTC)))
    warehouse.publish()
    newest = "SELECT newest_message_at::VARCHAR FROM about"
    assert warehouse.rows(newest) == [("2026-03-01 11:59:00",)]
