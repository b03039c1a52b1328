"""Opening the warehouse, and what is said when it cannot be used."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import WarehouseError
from pipeline.warehouse.database import (
    SCHEMA_VERSION,
    explained,
    open_warehouse,
    transaction,
)
from pipeline.warehouse.forecasts import ForecastStore


def test_it_is_made_with_its_folder_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "warehouse.duckdb"
    for _ in range(2):
        with open_warehouse(path) as connection:
            rows = connection.execute("FROM schema_version").fetchall()
            assert rows == [(SCHEMA_VERSION,)]


def test_it_may_be_called_published(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "published.duckdb") as connection:
        assert connection.execute("FROM messages").fetchall() == []


def test_memory_and_threads_are_bounded(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        bounds = connection.execute(
            "SELECT current_setting('memory_limit'), current_setting('threads'), "
            "current_setting('temp_directory')"
        ).fetchall()
    assert bounds == [("488.2 MiB", 2, str(tmp_path / "warehouse.duckdb.tmp"))]


def test_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        connection.execute("UPDATE schema_version SET version = version + 1")
    with pytest.raises(WarehouseError, match="newer groundswell: upgrade groundswell"):
        open_warehouse(path)


def columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    return connection.execute(
        "SELECT table_name, column_name, data_type, is_nullable "
        "FROM duckdb_columns() WHERE database_name = 'warehouse' "
        "ORDER BY table_name, column_index"
    ).fetchall()


def test_a_warehouse_of_the_first_version_becomes_like_a_new_one(
    tmp_path: Path,
) -> None:
    """Its counts stay; its forecasts are to be made anew."""
    with open_warehouse(tmp_path / "new.duckdb") as connection:
        expected = columns(connection)
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        connection.execute("UPDATE schema_version SET version = 1")
        connection.execute("ALTER TABLE forecasts DROP COLUMN lower_95")
        connection.execute("ALTER TABLE forecasts DROP COLUMN upper_95")
        connection.execute("INSERT INTO taggers VALUES ('lexicon 1')")
        connection.execute("ALTER TABLE forecast_inputs DROP COLUMN since")
        connection.execute("ALTER TABLE forecast_inputs DROP COLUMN past")
        connection.execute("INSERT INTO forecast_inputs VALUES ('all', 't', 'l', 'd')")
    for _ in range(2):
        with open_warehouse(path) as connection:
            assert columns(connection) == expected
            assert connection.execute("FROM taggers").fetchall() == [("lexicon 1",)]
            assert connection.execute("FROM forecast_inputs").fetchall() == []


def test_a_warehouse_of_the_second_version_forecasts_anew(tmp_path: Path) -> None:
    """It knows still what was forecast, so that nothing stays of what is gone."""
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        expected = columns(connection)
        connection.execute("UPDATE schema_version SET version = 2")
        connection.execute("ALTER TABLE forecast_inputs DROP COLUMN since")
        connection.execute("ALTER TABLE forecast_inputs DROP COLUMN past")
        connection.execute("INSERT INTO forecast_inputs VALUES ('all', 't', 'l', 'd')")
    with open_warehouse(path) as connection:
        assert columns(connection) == expected
        assert ForecastStore(connection, path).digests() == {("all", "t", "l"): ""}


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE theirs (i INTEGER)")
    with pytest.raises(WarehouseError, match="another program's: set another path"):
        open_warehouse(path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("theirs",)]


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_text("not a database " * 1000)
    with pytest.raises(WarehouseError, match="is no DuckDB file: move it away"):
        open_warehouse(path)


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    open_warehouse(path).close()
    raw = bytearray(path.read_bytes())
    raw[4096:12288] = b"x" * 8192
    path.write_bytes(raw)
    with pytest.raises(WarehouseError, match="is damaged: restore a backup"):
        open_warehouse(path)


HOLD = """
import sys
from pathlib import Path
from pipeline.warehouse.database import open_warehouse
connection = open_warehouse(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_held_by_another_process_says_so(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WarehouseError, match="another process holds it"):
            open_warehouse(path)
        holder.stdin.close()


def test_a_folder_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(WarehouseError, match="cannot be used"):
        open_warehouse(tmp_path / "data" / "warehouse.duckdb")


FILL = """
import sys
from datetime import timedelta
from pathlib import Path
from pipeline.errors import WarehouseError
from pipeline.warehouse.testing import NOW, SmallWarehouse, tagged
small = SmallWarehouse(Path(sys.argv[1]))
ids = iter(range(10**9))
try:
    while True:
        small.load(*(tagged(f"{i * 7919:x}" * 20, author=i)
                     for i in (next(ids) for _ in range(5000))))
except WarehouseError as error:
    print(error)
"""


def test_a_full_disk_says_so_and_what_was_loaded_stays(tmp_path: Path) -> None:
    def small_files_only() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))

    filled = subprocess.run(
        [sys.executable, "-c", FILL, tmp_path],
        preexec_fn=small_files_only,
        check=True,
        capture_output=True,
        text=True,
    )
    assert filled.stdout.count("\n") == 1
    assert "its disk is full: free some space" in filled.stdout
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        (messages,), *_ = connection.execute("SELECT count(*) FROM messages").fetchall()
        (position,), *_ = connection.execute(
            "SELECT next_offset FROM positions"
        ).fetchall()
    assert messages >= 5000
    assert messages % 5000 == 0
    assert position == 5000


def test_what_duckdb_says_is_told_when_nothing_better_is_known() -> None:
    with (
        pytest.raises(WarehouseError, match="DuckDB says: Binder Error: x"),
        explained(Path("here")),
    ):
        raise duckdb.BinderException("Binder Error: x\n\nand more")


def test_a_transaction_that_fails_leaves_the_connection_usable(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        with pytest.raises(duckdb.Error), transaction(connection):
            connection.execute("INSERT INTO taggers VALUES ('x'); FROM nothing")
        assert connection.execute("FROM taggers").fetchall() == []
