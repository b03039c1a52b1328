"""How the viewer reads the published file while newer ones take its place."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from dashboards.viewer.published import Published, SlowQueryError, UnpublishedError
from pipeline.errors import WarehouseError

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def publish(path: Path, figure: int) -> None:
    fresh = path.with_suffix(".new")
    with duckdb.connect(str(fresh)) as connection:
        connection.execute(f"CREATE TABLE figures AS SELECT {figure} AS figure")
        connection.execute(
            "CREATE TABLE about AS SELECT TIMESTAMP '2026-03-01 12:00' AS published_at"
        )
    fresh.replace(path)


def target(descriptor: Path) -> str:
    """What a file descriptor is open on; nothing if it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def figure(published: Published) -> int:
    with published.read() as reading:
        row = reading.cursor.execute("SELECT figure FROM figures").fetchone()
    assert row is not None
    value: int = row[0]
    return value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pub'lished.duckdb"


def test_it_reads_what_is_published_and_when_it_was(path: Path) -> None:
    publish(path, 1)
    published = Published(path)
    assert figure(published) == 1
    with published.read() as reading:
        assert reading.published_at == AT
    published.close()


def test_a_newer_file_is_read_at_once_even_while_the_old_one_is_in_use(
    path: Path,
) -> None:
    publish(path, 1)
    published = Published(path)
    with published.read() as old:
        publish(path, 2)
        assert figure(published) == 2
        assert old.cursor.execute("FROM figures").fetchall() == [(1,)]
    published.close()


def test_replaced_files_are_let_go_of(path: Path) -> None:
    published = Published(path)
    for number in range(20):
        publish(path, number)
        assert figure(published) == number
    held = [fd for fd in Path("/proc/self/fd").iterdir() if path.name in target(fd)]
    published.close()
    assert len(held) == 1


def test_nothing_published_is_said_and_mended_by_a_publication(path: Path) -> None:
    published = Published(path)
    with pytest.raises(UnpublishedError), published.read():
        pass
    publish(path, 1)
    assert figure(published) == 1
    path.unlink()
    with pytest.raises(UnpublishedError), published.read():
        pass
    published.close()


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_another_kind_of_file_is_refused_in_a_sentence(
    path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    published = Published(path)
    with pytest.raises(WarehouseError, match="publish anew"), published.read():
        pass
    publish(path, 3)
    assert figure(published) == 3
    published.close()


def test_a_database_without_what_a_published_file_holds_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE about (published_at TIMESTAMP)")
    published = Published(path)
    with pytest.raises(WarehouseError, match="publish anew"), published.read():
        pass
    with pytest.raises(WarehouseError), Published(path / "below").read():
        pass


def test_a_query_that_fails_is_said_in_a_sentence(path: Path) -> None:
    publish(path, 1)
    published = Published(path)
    with (
        pytest.raises(WarehouseError, match="publish anew"),
        published.read() as reading,
    ):
        reading.cursor.execute("FROM missing")
    published.close()


def test_a_query_that_takes_too_long_is_stopped(path: Path) -> None:
    publish(path, 1)
    published = Published(path, timeout_s=0.2)
    endless = "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000) b"
    with (
        pytest.raises(SlowQueryError, match=r"longer than 0\.2 s"),
        published.read() as reading,
    ):
        reading.cursor.execute(endless).fetchall()
    assert figure(published) == 1
    published.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "ATTACH '/tmp/other.duckdb'",
        "COPY figures TO '/tmp/figures.csv'",
        "INSTALL httpfs",
        "SET threads = 8",
        "SET enable_external_access = true",
        "CREATE TABLE mine AS SELECT 1",
        "DELETE FROM figures",
    ],
)
def test_nothing_but_the_published_file_can_be_touched(path: Path, sql: str) -> None:
    publish(path, 1)
    published = Published(path)
    with pytest.raises(WarehouseError), published.read() as reading:
        reading.cursor.execute(sql).fetchall()
    assert figure(published) == 1
    published.close()


def test_many_threads_read_while_files_are_replaced(path: Path) -> None:
    publish(path, 0)
    published = Published(path)
    failures: list[BaseException] = []
    seen: list[int] = []

    def read() -> None:
        try:
            seen.extend(figure(published) for _ in range(40))
        except BaseException as error:  # noqa: BLE001 - reported by the assertion
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 15):
        publish(path, number)
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) == 160
    assert figure(published) == 14
    published.close()
