"""Every query of every panel, with our DuckDB and with the one inside Grafana's."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from panel_queries import CHANGES_BY_THE_SECOND, GRAFANA_READS, ask
from synthetic_published import write

ROOT = Path(__file__).parents[2]
OF_GRAFANA = ROOT / ".cache" / "duckdb-1.5.4"
NOW = datetime(2026, 3, 11, 14, 35, 21, 654_321, tzinfo=UTC)

Findings = list[dict[str, Any]]


class Published(NamedTuple):
    """A published file, and a time at which it is looked at."""

    file: Path
    now: datetime


@pytest.fixture(scope="module", params=["synthetic", "demo"])
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    if request.param == "demo":
        folder: Path = request.getfixturevalue("demo")
        return Published(folder / "data" / "published.duckdb", datetime.now(UTC))
    path = tmp_path_factory.mktemp("published") / "published.duckdb"
    write(path, NOW)
    return Published(path, NOW)


@pytest.fixture(scope="module")
def ours(published: Published) -> Findings:
    return [one._asdict() for one in ask(*published)]


@pytest.fixture(scope="module")
def theirs(published: Published) -> Findings:
    if not OF_GRAFANA.is_dir():
        pytest.skip("DuckDB 1.5.4 is not installed: run `make test`")
    script = ROOT / "tests" / "panel_queries.py"
    file, now = published
    found = subprocess.run(
        [sys.executable, script, file, now.isoformat()],
        env={**os.environ, "PYTHONPATH": f"{OF_GRAFANA}{os.pathsep}{ROOT}"},
        capture_output=True,
        check=True,
    )
    findings = json.loads(found.stdout)
    assert findings["version"] == "1.5.4"
    asked: Findings = findings["asked"]
    return asked


def flat(columns: list[list[Any]]) -> list[Any]:
    return [value for column in columns for value in column]


def test_every_panel_has_figures_for_everything_together(ours: Findings) -> None:
    empty = [
        one["panel"]
        for one in ours
        if one["values"]["scope"] == "all"
        and not any(value is not None for column in one["bound"] for value in column)
    ]
    assert empty == []


def test_every_scope_is_asked_for(ours: Findings) -> None:
    scopes = {one["values"]["scope"] for one in ours}
    assert {"all", "ubuntu", "ubuntu/#ubuntu"} <= scopes


def test_bound_parameters_give_what_grafana_gets(ours: Findings) -> None:
    for one in ours:
        if one["panel"] not in CHANGES_BY_THE_SECOND:
            assert one["bound"] == one["literal"], one["panel"]


def test_grafana_can_read_every_column(ours: Findings) -> None:
    odd = {one["panel"]: set(one["types"]) - GRAFANA_READS for one in ours}
    assert {panel: types for panel, types in odd.items() if types} == {}


def test_the_duckdb_inside_grafana_gives_the_same(
    ours: Findings, theirs: Findings
) -> None:
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        if our["panel"] not in CHANGES_BY_THE_SECOND:
            assert flat(their["bound"]) == pytest.approx(flat(our["bound"]))
            assert flat(their["literal"]) == pytest.approx(flat(our["literal"]))
        assert their["types"] == our["types"]


def test_what_counts_as_high_is_shown_of_every_day_forecast(ours: Findings) -> None:
    charts = [
        one["bound"]
        for one in ours
        if one["panel"] == "Actual and forecast share of messages"
    ]
    assert charts
    for _, _, forecast, *_, threshold, _ in charts:
        assert any(value is not None for value in forecast)
        for expected, high_from in zip(forecast, threshold, strict=True):
            assert expected is None or high_from is not None


def test_an_alarm_of_a_rise_is_none_of_the_level(tmp_path: Path) -> None:
    path = tmp_path / "published.duckdb"
    write(path, NOW)

    def alarms() -> dict[str, list[list[Any]]]:
        return {
            one.values["scope"]: one.bound
            for one in ask(path, NOW)
            if one.panel == "Alarms"
        }

    newest = "origin = (SELECT max(origin) FROM alarms) AND label = 'frustration'"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "INSERT INTO alarms SELECT * REPLACE ('rise' AS kind, true AS alarm) "
            f"FROM alarms WHERE {newest}"
        )
    assert alarms()["all"] == [[0]]
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"UPDATE alarms SET alarm = true WHERE kind = 'level' AND {newest}"
        )
    assert alarms()["all"] == [[1]]


def test_a_withheld_count_is_neither_none_nor_left_out_of_a_ranking(
    tmp_path: Path,
) -> None:
    path = tmp_path / "published.duckdb"
    write(path, NOW)
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM causes_daily")
        connection.execute("DELETE FROM prevalence_weekly")
        connection.execute(
            "INSERT INTO causes_daily "
            "SELECT 'all', DATE '2026-03-01' + day::INTEGER, cause, 100, 20, 3, 0.03 "
            "FROM range(10) t(day), (VALUES ('bug'), ('tone')) causes(cause) "
            "WHERE cause = 'bug' OR day = 0"
        )
        connection.execute(
            "INSERT INTO prevalence_weekly "
            "SELECT 'all', DATE '2026-02-02' + 7 * week::INTEGER, 'marker', label, "
            "100, 20, marked, marked / 100 "
            "FROM range(4) t(week), (VALUES ('stress', 4), ('anxiety', 0)) v(label, "
            "marked) WHERE label = 'stress' OR week = 0"
        )
        connection.execute(
            "INSERT INTO labels VALUES ('cause', 'workload', NULL, 'd', 'r', 5, 'hour')"
        )
    ranked = {
        one.panel: dict(zip(*one.bound, strict=True))
        for one in ask(path, NOW)
        if one.values["scope"] == "all"
        and one.panel in ("What frustrates", "Markers by week, ranked")
    }
    assert ranked["What frustrates"] == {
        "bug": pytest.approx(0.03),
        "tone": pytest.approx((3 + 9 * 1.5) / 1000),
        "workload (withheld)": None,
    }
    assert ranked["Markers by week, ranked"] == {
        "stress": pytest.approx(0.04),
        "anxiety": pytest.approx(3 * 1.5 / 400),
    }


def test_an_empty_published_file_breaks_no_panel(tmp_path: Path) -> None:
    path = tmp_path / "empty.duckdb"
    sql = ROOT / "pipeline" / "warehouse" / "published.sql"
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql.read_text(encoding="utf-8"))
        connection.execute(
            "INSERT INTO about VALUES ('0', now(), NULL, 0, 0, 5, 10, 'l', '')"
        )
        connection.execute(
            "INSERT INTO prevalence_daily VALUES "
            "('all', '2026-03-11', 'basic-emotion', 'joy', 9, 5, 0, 0.0)"
        )
        connection.execute(
            "INSERT INTO forecasts VALUES "
            "('all', 'basic-emotion', 'joy', '2026-03-10', '2026-03-11', "
            "0.1, 0.0, 0.2, 0.0, 0.3, 'mean', false)"
        )
    assert len({(one.dashboard, one.panel) for one in ask(path, NOW)}) > 20
