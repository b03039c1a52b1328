"""The private DuckDB file: opened, made, and its failures explained."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

import duckdb

from pipeline.errors import WarehouseError

SCHEMA_VERSION = 3
MEMORY = "512MB"
THREADS = 2

_REMEDIES = {
    "conflicting lock": "another process holds it: end that process",
    "no space left": "its disk is full: free some space",
    "file too large": "its disk is full: free some space",
    "permission denied": "make the file and its folder writable",
    "read-only file system": "make the file and its folder writable",
    "no such file": "make its folder",
    "not a valid duckdb": "it is no DuckDB file: move it away, or set another path",
    "corrupt": "it is damaged: restore a backup or move it away",
    "could not read enough bytes": "it is damaged: restore a backup or move it away",
    "version number": "a newer DuckDB wrote it: upgrade duckdb",
    "out of memory": "memory is short: end other programs",
}
"""What DuckDB says, in lower case, and what the user can do about it."""


def open_warehouse(path: Path) -> duckdb.DuckDBPyConnection:
    """The private warehouse at `path`, made when there is none yet.

    It is held until the connection is closed: no other process can even read it.

    Raises:
        WarehouseError: the file cannot be opened, or is of a newer version.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(
            config={
                "memory_limit": MEMORY,
                "threads": THREADS,
                "temp_directory": f"{path}.tmp",
            }
        )
        try:
            # Under a name of its own, whatever the file is called.
            quoted = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS warehouse")
            connection.execute("USE warehouse")
            _create(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def script(name: str) -> str:
    """The SQL in the file `name` beside this module."""
    return files("pipeline.warehouse").joinpath(name).read_text(encoding="utf-8")


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit all of the block, or nothing."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        # After a failure of the disk DuckDB refuses even this; the first error tells.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file `path` into one sentence with a remedy.

    Raises:
        WarehouseError: DuckDB or the system failed in the block.
    """
    try:
        yield
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0]
        remedy = next(
            (remedy for sign, remedy in _REMEDIES.items() if sign in reason.lower()),
            f"DuckDB says: {reason}",
        )
        raise WarehouseError(f"{path} cannot be used: {remedy}") from error


def _create(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    if not tables:
        with transaction(connection):
            connection.execute(script("schema.sql"))
            _refresh(connection)
            connection.execute(
                "INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION]
            )
        return
    if "schema_version" not in tables:
        raise WarehouseError(f"{path} is another program's: set another path")
    version = connection.execute("SELECT version FROM schema_version").fetchall()[0][0]
    if version > SCHEMA_VERSION:
        raise WarehouseError(f"{path} is of a newer groundswell: upgrade groundswell")
    with transaction(connection):
        for newer in range(version + 1, SCHEMA_VERSION + 1):
            connection.execute(script(f"migrate_{newer}.sql"))
            connection.execute("UPDATE schema_version SET version = ?", [newer])
    _refresh(connection)


def _refresh(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring what a file of an older version lacks, and today's gate."""
    connection.execute(script("themes.sql"))
    connection.execute(script("gate.sql"))
