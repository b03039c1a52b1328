"""What both dashboards are built from: the data source, colours, panel templates.

Colours keep at least 2.6:1 contrast on white and 3:1 on Grafana's dark grey, and were
chosen so that the emotions stay apart with every common colour blindness; dashes say
the same a second time.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    common,
    dashboard,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.text import TextMode

DATASOURCE = options.DataSourceRef(
    type_val="motherduck-duckdb-datasource", uid="groundswell"
)

EMOTIONS: Mapping[str, str] = {
    "frustration": "#AD4273",
    "anger": "#E0180C",
    "disgust": "#387B03",
    "fear": "#6B68A5",
    "sadness": "#1966FC",
    "surprise": "#53A0A3",
    "joy": "#C9932E",
    "love": "#F067D0",
}
CAUSES: Mapping[str, str] = {
    "build-or-ci": "#1966FC",
    "failing-test": "#7FA8F8",
    "version-or-dependency": "#C9932E",
    "breaking-change": "#8C6210",
    "environment": "#387B03",
    "bug": "#E0180C",
    "performance": "#F08070",
    "review-delay": "#6B68A5",
    "merge-conflict": "#A5A2D8",
    "documentation": "#53A0A3",
    "unclear-requirement": "#2A6E70",
    "tone": "#AD4273",
    "workload": "#F067D0",
    "other": "#8A8F98",
    "remaining causes": "#B4B8BF",
}
MARKERS: Mapping[str, str] = {
    "stress": "#E0180C",
    "anxiety": "#6B68A5",
    "burnout": "#C9932E",
    "sleep": "#1966FC",
    "loneliness": "#53A0A3",
}
BLUE, GREY, AMBER, RED, GREEN = "#1966FC", "#8A8F98", "#C77700", "#D92D20", "#2E8540"
OF_TEXT = "text"
"""Grafana's name for the colour of texts: dark on a light page, light on a dark one."""
DASHED = {"fill": "dash", "dash": [8, 4]}
DOTTED = {"fill": "dash", "dash": [2, 4]}

Place = tuple[int, int, int, int]
"""(x, y, width, height) in Grafana's grid of 24 columns."""

Panel = (
    barchart.Panel
    | stat.Panel
    | statetimeline.Panel
    | table.Panel
    | text.Panel
    | timeseries.Panel
)


class DuckDbQuery(Dataquery, Builder["DuckDbQuery"]):
    """One query of MotherDuck's DuckDB data source for Grafana.

    Args:
        sql: over the published tables; Grafana's `$__timeFilter(column)` and
            `${variable:sqlstring}` are the only placeholders used.
        shape: "table" as it comes, or "series": rows (time, name, "Value") that
            become one column a name.
    """

    def __init__(self, sql: str, shape: Literal["table", "series"] = "table") -> None:
        self._sql = sql.strip()
        self._shape = shape

    def build(self) -> "DuckDbQuery":
        """The query itself: it is its own builder."""
        return self

    def to_json(self) -> dict[str, object]:
        """As the data source stores it in a dashboard."""
        return {
            "refId": "A",
            "datasource": DATASOURCE,
            "editorMode": "code",
            "format": 0 if self._shape == "series" else 1,
            "rawSql": self._sql,
        }


def setting(key: str, value: object) -> model.DynamicConfigValue:
    """One property of an override."""
    return model.DynamicConfigValue(id_val=key, value=value)


def colour(value: str) -> model.DynamicConfigValue:
    """A series' one colour."""
    return setting("color", {"mode": "fixed", "fixedColor": value})


def tinted(panel: timeseries.Panel, colours: Mapping[str, str]) -> timeseries.Panel:
    """`panel` with every named series in its own colour."""
    for name, value in colours.items():
        panel.override_by_name(name, [colour(value)])
    return panel


def shaded(panel: timeseries.Panel, name: str) -> timeseries.Panel:
    """`panel` with the days on which series `name` is 1 shaded from top to bottom."""
    return panel.override_by_name(
        name,
        [
            colour(AMBER),
            setting("unit", "bool_yes_no"),
            setting("min", 0),
            setting("max", 1),
            setting("custom.drawStyle", "bars"),
            setting("custom.barWidthFactor", 1),
            setting("custom.barMaxWidth", 200),
            setting("custom.lineWidth", 0),
            setting("custom.fillOpacity", 18),
            setting("custom.axisPlacement", "hidden"),
            setting("custom.stacking", {"group": "A", "mode": "none"}),
        ],
    )


def mapped(texts: Mapping[str, tuple[str, str]]) -> list[model.ValueMapping]:
    """Each value's text and colour."""
    results = {
        value: model.ValueMappingResult(text=shown, color=tint, index=index)
        for index, (value, (shown, tint)) in enumerate(texts.items())
    }
    return [model.ValueMap(options=results)]


def steps(*pairs: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from each value on; the first pair's value is None."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=tint) for value, tint in pairs])
    )


P = TypeVar("P", bound=Panel)


def _placed(panel: P, number: int, title: str, description: str, place: Place) -> P:
    x, y, width, height = place
    panel.id(number).title(title).grid_pos(model.GridPos(h=height, w=width, x=x, y=y))
    if description:
        panel.description(description)
    return panel


def note(number: int, content: str, place: Place) -> text.Panel:
    """A text in Markdown, without a frame."""
    panel = text.Panel().mode(TextMode.MARKDOWN).content(content).transparent(True)
    return _placed(panel, number, "", "", place)


def lines(
    number: int, title: str, description: str, place: Place, query: DuckDbQuery
) -> timeseries.Panel:
    """Daily lines of a share; a missing day is a gap, never a bridge."""
    panel = (
        timeseries.Panel()
        .datasource(DATASOURCE)
        .with_target(query)
        .unit("percentunit")
        .min(0)
        .draw_style(options.GraphDrawStyle.LINE)
        .line_width(2)
        .line_interpolation(options.LineInterpolation.LINEAR)
        .fill_opacity(0)
        .show_points(options.VisibilityMode.AUTO)
        .point_size(5)
        .span_nulls(False)
        .insert_nulls(36 * 3600 * 1000)
        .axis_border_show(False)
        .legend(legend("bottom"))
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.MULTI)
            .sort(options.SortOrder.DESCENDING)
        )
    )
    return _placed(panel, number, title, description, place)


def stacked_bars(
    number: int, title: str, description: str, place: Place, query: DuckDbQuery
) -> timeseries.Panel:
    """Daily bars on top of each other."""
    return (
        lines(number, title, description, place, query)
        .draw_style(options.GraphDrawStyle.BARS)
        .line_width(0)
        .fill_opacity(90)
        .bar_width_factor(0.85)
        .stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
    )


def legend(
    placement: Literal["bottom", "right"], calcs: Sequence[str] = ()
) -> common.VizLegendOptions:
    """A legend: a list, or a table where it shows calculations."""
    mode = options.LegendDisplayMode.TABLE if calcs else options.LegendDisplayMode.LIST
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(mode)
        .placement(options.LegendPlacement(placement))
        .calcs(list(calcs))
    )


def ranking(
    number: int, title: str, description: str, place: Place, query: DuckDbQuery
) -> barchart.Panel:
    """Horizontal bars in the order of the query's rows, their values beside them."""
    panel = (
        barchart.Panel()
        .datasource(DATASOURCE)
        .with_target(query)
        .unit("percentunit")
        .min(0)
        .orientation(options.VizOrientation.HORIZONTAL)
        .show_value(options.VisibilityMode.ALWAYS)
        .bar_width(0.7)
        .fill_opacity(90)
        .line_width(0)
        .color_scheme(
            dashboard.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(BLUE)
        )
        .legend(common.VizLegendOptions().show_legend(False).calcs([]))
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.SINGLE))
    )
    return _placed(panel, number, title, description, place)


def figure(
    number: int, title: str, description: str, place: Place, query: DuckDbQuery
) -> stat.Panel:
    """One value in large type; plain unless it is given thresholds or mappings."""
    panel = (
        stat.Panel()
        .datasource(DATASOURCE)
        .with_target(query)
        .graph_mode(options.BigValueGraphMode.NONE)
        .color_mode(options.BigValueColorMode.VALUE)
        .text_mode(options.BigValueTextMode.VALUE)
        .justify_mode(options.BigValueJustifyMode.AUTO)
        .reduce_options(
            common.ReduceDataOptions()
            .calcs(["lastNotNull"])
            .fields("/.*/")
            .values(False)
        )
        .thresholds(steps((None, OF_TEXT)))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    )
    return _placed(panel, number, title, description, place)


def rows(
    number: int, title: str, description: str, place: Place, query: DuckDbQuery
) -> table.Panel:
    """A table in the order of the query's rows."""
    panel = (
        table.Panel()
        .datasource(DATASOURCE)
        .with_target(query)
        .show_header(True)
        .cell_height(options.TableCellHeight.SM)
        .filterable(False)
    )
    return _placed(panel, number, title, description, place)


def states(
    number: int, title: str, description: str, place: Place, query: DuckDbQuery
) -> statetimeline.Panel:
    """One line a name, coloured by its state over time."""
    panel = (
        statetimeline.Panel()
        .datasource(DATASOURCE)
        .with_target(query)
        .show_value(options.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(85)
        .line_width(0)
        .legend(legend("bottom"))
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.SINGLE))
    )
    return _placed(panel, number, title, description, place)


def chosen(
    name: str, label: str, description: str, sql: str, default: str
) -> dashboard.QueryVariable:
    """A drop-down whose options come from the published tables.

    The query yields the options, or `__text` and `__value` where they differ.
    """
    return (
        _query_variable(name, sql)
        .label(label)
        .description(description)
        .current(model.VariableOption(selected=True, text=default, value=default))
    )


def hidden(name: str, sql: str) -> dashboard.QueryVariable:
    """A value of the published tables for use in a text, shown in no drop-down."""
    return _query_variable(name, sql).hide(model.VariableHide.HIDE_VARIABLE)


def _query_variable(name: str, sql: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .datasource(DATASOURCE)
        .query(sql.strip())
        .definition(sql.strip())
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.DISABLED)
        .allow_custom_value(False)
    )


def page(
    uid: str, title: str, description: str, span: tuple[str, str]
) -> dashboard.Dashboard:
    """An empty dashboard: UTC, refreshed by itself, linked to its sister."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["groundswell"])
        .timezone("utc")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time(*span)
        .timepicker(
            dashboard.TimePicker().refresh_intervals(["10s", "30s", "1m", "5m"])
        )
        .refresh("10s")
        .link(
            dashboard.DashboardLink("groundswell")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["groundswell"])
            .include_vars(True)
        )
    )
