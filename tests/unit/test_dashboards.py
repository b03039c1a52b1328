"""The dashboards as code, and the JSON that Grafana and the viewer read."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dashboards import forecast, panels
from dashboards.build import GENERATED, build_all, write_all
from dashboards.queries import PLACEHOLDER, TIME_FILTER, VARIABLE
from pipeline.forecast.backtest import DEFAULT
from pipeline.forecast.models import all_models
from pipeline.forecast.scale import Arcsine

ROOT = Path(__file__).parents[2]
KNOWN_TYPES = {"barchart", "stat", "state-timeline", "table", "text", "timeseries"}
"""What the viewer can draw."""

Json = dict[str, Any]


@pytest.fixture(scope="module")
def built() -> dict[str, Json]:
    return build_all()


@pytest.fixture(scope="module", params=["overview", "forecast"])
def dashboard(request: pytest.FixtureRequest, built: dict[str, Json]) -> Json:
    return built[request.param]


@pytest.fixture(scope="module")
def labels() -> Json:
    path = ROOT / "pipeline" / "tagging" / "labels.toml"
    tasks: Json = tomllib.loads(path.read_text(encoding="utf-8"))["tasks"]
    return tasks


def queries(dashboard: Json) -> list[str]:
    asked = [panel["targets"][0]["rawSql"] for panel in panels_with_queries(dashboard)]
    return asked + [
        variable["query"]
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]


def panels_with_queries(dashboard: Json) -> list[Json]:
    return [panel for panel in dashboard["panels"] if panel.get("targets")]


def test_the_committed_json_is_what_the_code_builds(tmp_path: Path) -> None:
    for path in write_all(tmp_path):
        committed = (GENERATED / path.name).read_text(encoding="utf-8")
        assert path.read_text(encoding="utf-8") == committed, "make dashboards"


def test_only_built_dashboards_are_committed(built: dict[str, Json]) -> None:
    assert {path.stem for path in GENERATED.iterdir()} == set(built)


def test_every_panel_has_a_number_of_its_own(dashboard: Json) -> None:
    numbers = Counter(panel["id"] for panel in dashboard["panels"])
    assert max(numbers.values()) == 1


def test_no_two_panels_overlap(dashboard: Json) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            taken.update((x, place["y"] + y) for y in range(place["h"]))
    assert max(taken.values()) == 1


def test_every_figure_says_what_it_shows(dashboard: Json) -> None:
    for panel in panels_with_queries(dashboard):
        assert panel["title"]
        assert panel["description"].endswith(".")


def test_the_viewer_can_draw_every_panel(dashboard: Json) -> None:
    assert {panel["type"] for panel in dashboard["panels"]} <= KNOWN_TYPES


def test_queries_use_no_placeholder_that_only_grafana_knows(dashboard: Json) -> None:
    for sql in queries(dashboard):
        assert not PLACEHOLDER.search(VARIABLE.sub("", TIME_FILTER.sub("", sql)))


def test_everything_is_asked_of_the_one_data_source(dashboard: Json) -> None:
    source = {"type": "motherduck-duckdb-datasource", "uid": "groundswell"}
    for panel in panels_with_queries(dashboard):
        assert panel["datasource"] == panel["targets"][0]["datasource"] == source


def test_the_first_thing_to_read_is_the_notice_and_what_this_is_not(
    dashboard: Json,
) -> None:
    first = min(dashboard["panels"], key=lambda panel: panel["gridPos"]["y"])
    content = " ".join(first["options"]["content"].split())
    assert content.startswith("> **${notice}**")
    assert "diagnos" in content
    assert "not for watching employees" in content


def test_times_are_utc_and_the_page_refreshes_itself(dashboard: Json) -> None:
    assert dashboard["timezone"] == "utc"
    assert dashboard["refresh"] == "10s"


def test_every_emotion_has_its_colour(labels: Json) -> None:
    basic = set(labels["basic-emotion"]["labels"])
    assert set(panels.EMOTIONS) == basic | {"frustration"}
    assert "frustration" in labels["fine-emotion"]["labels"]


def test_every_cause_has_its_colour(labels: Json) -> None:
    assert set(panels.CAUSES) == {*labels["cause"]["labels"], "remaining causes"}


def test_the_signs_of_strain_are_markers(labels: Json) -> None:
    assert set(panels.MARKERS) <= set(labels["marker"]["labels"])


def test_colours_are_not_used_twice_within_a_chart() -> None:
    for colours in (panels.EMOTIONS, panels.CAUSES, panels.MARKERS):
        assert len(set(colours.values())) == len(colours)


def test_the_naive_methods_are_those_of_the_forecast() -> None:
    naive = {model.name for model in all_models(Arcsine()) if model.naive}
    assert set(forecast.NAIVE) == naive


def test_what_is_shown_without_skill_is_named() -> None:
    assert f"the {DEFAULT}, unless another" in forecast.ABOUT


def test_a_table_without_rows_says_so_and_an_empty_cell_does_not(
    built: dict[str, Json],
) -> None:
    panels = {panel["title"]: panel for panel in built["forecast"]["panels"]}
    periods = panels["Periods of high prevalence, and whether an alarm came first"]
    companions = panels["What rose with these periods"]
    for panel in (periods, companions):
        nothing = panel["fieldConfig"]["defaults"]["noValue"]
        assert nothing.startswith("No period of high prevalence")
    dash = {"id": "noValue", "value": "\N{EN DASH}"}
    assert {
        override["matcher"]["options"]
        for override in periods["fieldConfig"]["overrides"]
        if dash in override["properties"]
    } == {"Ended", "First alarm", "Lead"}


def test_grafana_finds_the_data_source_that_the_panels_ask() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    source = (folder / "datasources" / "groundswell.yaml").read_text(encoding="utf-8")
    assert f"uid: {panels.DATASOURCE.uid}\n" in source
    assert f"type: {panels.DATASOURCE.type_val}\n" in source
    assert "path: $GROUNDSWELL_PUBLISHED\n" in source
    provider = (folder / "dashboards" / "groundswell.yaml").read_text(encoding="utf-8")
    assert "path: $GROUNDSWELL_DASHBOARDS\n" in provider
