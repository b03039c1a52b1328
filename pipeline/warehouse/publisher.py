"""Publishes what passes the gate: a new file, put in place of the last one.

Who has the last one open keeps it; who opens it next gets the new one. So it is never
locked and never half written, and nothing that was once taken out lingers in it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipeline.config import WarehouseSettings
from pipeline.errors import WarehouseError
from pipeline.warehouse.database import explained, script
from pipeline.warehouse.slices import slices

STORAGE_VERSION = "v1.5.0"
"""What the DuckDB inside Grafana's plugin can read."""

_SIZES = """
SELECT scope, count(*) * (SELECT count(*) FROM labels)
FROM cells
WHERE authors >= (SELECT min(min_authors) FROM labels)
GROUP BY scope
ORDER BY scope
"""
_FORECASTS = """
INSERT INTO published.forecasts
FROM forecasts ORDER BY scope, task, label, origin, target;
INSERT INTO published.alarms FROM alarms ORDER BY scope, task, label, kind, origin;
INSERT INTO published.periods FROM periods ORDER BY scope, task, label, kind, started;
INSERT INTO published.backtests FROM backtests ORDER BY scope, task, label, model;
INSERT INTO published.labels FROM labels ORDER BY task, label;
"""
_COVERAGE = """
INSERT INTO published.coverage
FROM publishable_coverage(?, ?)
ORDER BY source, day
"""
_THEMES = """
INSERT INTO published.themes
FROM publishable_themes(?, ?)
ORDER BY theme, week
"""
_ABOUT = """
INSERT INTO published.about
SELECT
    $version,
    $published_at,
    (SELECT date_trunc('minute', max(sent_at)) FROM messages),
    (SELECT count(*) FROM messages),
    (SELECT count(*) FROM dead_letters),
    $min_authors,
    $min_authors_markers,
    (SELECT coalesce(string_agg(tagger, ', ' ORDER BY tagger), '') FROM taggers),
    $notice
"""


def publish(
    connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, now: datetime
) -> None:
    """Publish the cells as they were last counted.

    Args:
        connection: to the warehouse, from `open_warehouse`.
        settings: where to publish, and what the operator wants said.
        now: what time it is, UTC.

    Raises:
        WarehouseError: what was published before is unharmed.
    """
    target = Path(settings.published)
    if target.resolve() == Path(settings.path).resolve():
        raise WarehouseError(
            f"{target} is the private warehouse itself: publish to another path"
        )
    _check_replaceable(target)
    now = now.astimezone(UTC)
    about = {
        "version": version("groundswell"),
        "published_at": now.replace(tzinfo=None),
        "min_authors": settings.min_authors,
        "min_authors_markers": settings.min_authors_markers,
        "notice": settings.notice,
    }
    with (
        explained(target),
        _replacing(target) as fresh,
        _attached(connection, fresh),
    ):
        connection.execute("SET VARIABLE today = ?", [now.date()])
        _by_scopes(connection, "publish.sql")
        connection.execute(_FORECASTS)
        connection.execute(_COVERAGE, [settings.min_authors, now.date()])
        connection.execute(_THEMES, [settings.min_authors, now.date()])
        _by_scopes(connection, "companions.sql")
        connection.execute(_ABOUT, about)


def _check_replaceable(target: Path) -> None:
    """Refuse to overwrite what is not ours; an empty file holds nothing to lose."""
    if target.is_dir():
        raise WarehouseError(
            f"{target} is a folder: let [warehouse] published name a file"
        )
    with explained(target):
        if target.exists() and target.stat().st_size and not _is_duckdb(target):
            raise WarehouseError(
                f"{target} is no DuckDB file, or a damaged one, and would be "
                "overwritten: delete it if it was the published file, which is made "
                "anew at any time, or set another [warehouse] published"
            )


def _is_duckdb(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _by_scopes(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    fill = script(name)
    for first, last in slices(connection.execute(_SIZES).fetchall()):
        connection.execute("SET VARIABLE first_scope = ?", [first])
        connection.execute("SET VARIABLE last_scope = ?", [last])
        connection.execute(fill)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A path to write to; on success its file takes the place of `target`."""
    fresh = target.with_name(target.name + ".new")
    target.parent.mkdir(parents=True, exist_ok=True)
    _discard(fresh)  # a publication that was killed left it
    try:
        yield fresh
        fresh.chmod(0o644)  # for everybody, whatever the job's own files are
        _sync(fresh)
        fresh.replace(target)
        _sync(target.parent)
    finally:
        _discard(fresh)


def _discard(fresh: Path) -> None:
    for path in (fresh, fresh.with_name(fresh.name + ".wal")):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """Empty tables to publish, as `published` beside the warehouse."""
    quoted = str(path).replace("'", "''")
    connection.execute(
        f"ATTACH '{quoted}' AS published (STORAGE_VERSION '{STORAGE_VERSION}')"
    )
    try:
        connection.execute("USE published")
        connection.execute(script("published.sql"))
        connection.execute("USE warehouse")
        yield
        connection.execute("CHECKPOINT published")
    finally:
        connection.execute("USE warehouse")
        connection.execute("DETACH published")
