"""The forecast: what is expected, how sure that is, and how good it has been."""

from collections.abc import Iterable

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from dashboards import panels
from dashboards.panels import DuckDbQuery

UID = "groundswell-forecast"
SCOPE = "scope = ${scope:sqlstring}"
SERIES = f"{SCOPE} AND task || '/' || label = ${{series:sqlstring}}"

SCOPES = """
SELECT scope
FROM forecasts
GROUP BY scope
ORDER BY scope <> 'all', scope
"""
SERIES_OPTIONS = f"""
SELECT label || ' (' || task || ')' AS __text, task || '/' || label AS __value
FROM forecasts
WHERE {SCOPE}
GROUP BY task, label
ORDER BY label <> 'frustration', task, label
"""
ORIGINS = f"""
SELECT __text, __value
FROM (
  SELECT 'the newest' AS __text, 'newest' AS __value
  UNION ALL
  SELECT strftime(origin, '%Y-%m-%d'), strftime(origin, '%Y-%m-%d')
  FROM forecasts
  WHERE {SERIES}
  GROUP BY origin
)
ORDER BY __value DESC
"""
NOTICE = "SELECT CASE WHEN notice = '' THEN 'Live data.' ELSE notice END FROM about"

ABOUT = """\
> **${notice}**

A forecast speaks of groups, and of words: it diagnoses nobody and is not for \
watching employees. Where the combination of all models is not proven better than the \
best naive method on this series' own past, it says *no skill* and shows a naive \
forecast: the 7-day mean, unless another naive method is proven better than that.
"""

# The forecast made at the end of the chosen day, or of the newest one.
CHOSEN = f"""chosen AS (
  SELECT coalesce(
    max(origin) FILTER (strftime(origin, '%Y-%m-%d') = ${{origin:sqlstring}}),
    max(origin)
  ) AS origin
  FROM forecasts
  WHERE {SERIES}
)"""
# Of the kinds of high prevalence, charts show the level: it has a threshold to see.
HIGH = f"""high AS (
  SELECT started,
    coalesce(ended, (SELECT max(origin) FROM forecasts WHERE {SERIES})) AS ended
  FROM periods
  WHERE {SERIES} AND kind = 'level'
)"""

SKILL = f"""
WITH {CHOSEN}
SELECT CASE WHEN bool_or(skill) THEN 'skill' ELSE 'no skill' END AS "Skill"
FROM forecasts JOIN chosen USING (origin)
WHERE {SERIES}
HAVING count(*) > 0
"""
MODEL = f"""
WITH {CHOSEN}
SELECT any_value(model) AS "Shown model"
FROM forecasts JOIN chosen USING (origin)
WHERE {SERIES}
HAVING count(*) > 0
"""
EXPECTED = f"""
WITH {CHOSEN}
SELECT avg(mean) AS "Median forecast"
FROM forecasts JOIN chosen USING (origin)
WHERE {SERIES}
HAVING count(*) > 0
"""
PROBABILITY = f"""
WITH {CHOSEN}
SELECT probability AS "Probability"
FROM alarms JOIN chosen USING (origin)
WHERE {SERIES} AND kind = 'level'
"""
ALARM = f"""
WITH {CHOSEN}
SELECT CASE
    WHEN alarm AND skill THEN 'alarm'
    WHEN alarm THEN 'unproven'
    ELSE 'no alarm'
  END AS "Alarm"
FROM alarms JOIN chosen USING (origin)
WHERE {SERIES} AND kind = 'level'
"""

ALARM_DAYS = f"""
SELECT avg((alarm AND skill)::INTEGER) AS "Days with an alarm"
FROM alarms
WHERE {SERIES} AND kind = 'level' AND $__timeFilter(origin::TIMESTAMP)
HAVING count(*) > 0
"""

# A period counts as warned of when an alarm was raised before its peak, and not
# longer before its start than a forecast reaches. A proven one goes before others.
WARNED = f"""horizon AS (
  SELECT CAST(max(target - origin) AS INTEGER) AS days FROM forecasts WHERE {SERIES}
), level AS (
  SELECT origin, alarm, skill FROM alarms WHERE {SERIES} AND kind = 'level'
), judged AS (
  SELECT started, peaked, ended, peak_prevalence,
    peaked > (SELECT min(origin) FROM level) AS forecast,
    (
      SELECT coalesce(min(origin) FILTER (skill), min(origin))
      FROM level CROSS JOIN horizon
      WHERE alarm AND origin < peaked AND origin >= started - horizon.days
    ) AS warned_at
  FROM periods
  WHERE {SERIES} AND kind = 'level'
)"""
WARNINGS = f"""
WITH {WARNED}
SELECT count(*) FILTER (skill) || ' of ' || count(*) AS "Peaks warned of"
FROM judged LEFT JOIN level ON origin = warned_at
WHERE forecast AND $__timeFilter(peaked::TIMESTAMP)
"""
PERIODS = f"""
WITH {WARNED}
SELECT started::TIMESTAMP AS "Started", peaked::TIMESTAMP AS "Peaked",
  ended::TIMESTAMP AS "Ended", peak_prevalence AS "Peak",
  CASE
    WHEN level.skill THEN 'warned'
    WHEN warned_at IS NOT NULL THEN 'unproven'
    WHEN forecast THEN 'missed'
    ELSE 'too early'
  END AS "Verdict",
  warned_at::TIMESTAMP AS "First alarm", peaked - warned_at AS "Lead"
FROM judged LEFT JOIN level ON origin = warned_at
WHERE $__timeFilter(peaked::TIMESTAMP)
ORDER BY peaked DESC
"""
COMPANIONS = f"""
SELECT started::TIMESTAMP AS "Started", companion AS "Rose with it",
  companion_task AS "Kind", before AS "28 days before", during AS "In the period"
FROM companions JOIN periods USING (scope, task, label, started)
WHERE {SERIES} AND kind = 'level' AND $__timeFilter(peaked::TIMESTAMP)
ORDER BY started DESC,
  list_position(['theme', 'cause', 'marker'], companion_task) NULLS LAST,
  during - before DESC
"""

# Causes have a table of their own.
FORECAST = f"""
WITH {CHOSEN}, {HIGH}, actual AS (
  SELECT day, prevalence FROM prevalence_daily WHERE {SERIES}
  UNION
  SELECT day, prevalence
  FROM causes_daily
  WHERE {SCOPE} AND 'cause/' || cause = ${{series:sqlstring}}
), limits AS (
  SELECT origin AS day, threshold FROM alarms WHERE {SERIES} AND kind = 'level'
), expected AS (
  SELECT target AS day, mean, lower, upper, lower_95, upper_95,
    (SELECT threshold FROM limits JOIN chosen ON origin = day) AS threshold
  FROM forecasts JOIN chosen USING (origin)
  WHERE {SERIES}
)
SELECT day::TIMESTAMP AS time,
  actual.prevalence AS "actual",
  expected.mean AS "forecast",
  expected.lower_95 AS "95 % band, bottom",
  expected.upper_95 AS "95 % band",
  expected.lower AS "80 % band, bottom",
  expected.upper AS "80 % band",
  coalesce(expected.threshold, limits.threshold) AS "counts as high from",
  CASE WHEN EXISTS (FROM high WHERE day BETWEEN started AND ended) THEN 1 END
    AS "high prevalence"
FROM actual FULL JOIN expected USING (day) FULL JOIN limits USING (day)
WHERE $__timeFilter(day::TIMESTAMP)
ORDER BY day
"""
ALARMS = f"""
WITH {HIGH}
SELECT origin::TIMESTAMP AS time,
  probability AS "chance",
  CASE WHEN alarm AND skill THEN probability END AS "alarm",
  CASE WHEN alarm AND NOT skill THEN probability END AS "unproven alarm",
  CASE WHEN EXISTS (FROM high WHERE origin BETWEEN started AND ended) THEN 1 END
    AS "high prevalence"
FROM alarms
WHERE {SERIES} AND kind = 'level' AND $__timeFilter(origin::TIMESTAMP)
ORDER BY origin
"""
NAIVE = ("last day", "last week", "7-day mean", "mean", "median", "drift")
"""The methods that a model must beat; `published` is what was shown in the end."""
BACKTESTS = f"""
SELECT model AS "Model",
  CASE
    WHEN model = 'published' THEN 'as shown'
    WHEN chosen THEN 'shown now'
    WHEN model IN {NAIVE} THEN 'naive'
    WHEN skill THEN 'beats naive'
    ELSE ''
  END AS "Verdict",
  origins AS "Days", mase AS "MASE", coverage AS "In band",
  alarm_precision AS "Precision", alarm_recall AS "Recall",
  brier_skill AS "Brier skill"
FROM backtests
WHERE {SERIES}
ORDER BY model = 'published' DESC, mase NULLS LAST, model
"""
READING = """\
**MASE** is the error of the daily forecasts, in units of the mean change from one \
day to the next. They reach several days ahead, so even a good one may lie above 1: \
smaller is better, beside the naive methods of the same table. **In band** is the \
share of days within the 80 % band: it should be close to 80 %. **Precision** is the \
share of alarms that a high day followed; **recall**, of all days with a high day \
among those to come, the share with an alarm. **Brier skill** compares the alarm's \
probability with always stating the usual frequency: above 0 is better. A withheld \
day counts everywhere here as 1.5 marked messages.
"""
NO_PERIOD = "No period of high prevalence has its peak in this time."
NO_COMPANION = (
    "No period of high prevalence has its peak in this time, or nothing rose clearly "
    "with it."
)
NO_FIGURE = panels.setting("noValue", "\N{EN DASH}")
"""Grafana would write a table's text for no rows into its empty cells too."""
SKILL_TEXTS = {
    "skill": ("Beats naive", panels.GREEN),
    "no skill": ("No skill", panels.AMBER),
}
ALARM_TEXTS = {
    "alarm": ("Alarm", panels.RED),
    "unproven": ("Unproven", panels.GREY),
    "no alarm": ("None", panels.GREEN),
}
VERDICTS = {
    "warned": ("warned", panels.GREEN),
    "unproven": ("unproven", panels.AMBER),
    "missed": ("missed", panels.RED),
    "too early": ("too early", panels.GREY),
}


def build() -> dashboard.Dashboard:
    """The forecast dashboard."""
    page = panels.page(
        UID,
        "Forecast",
        "What is expected of each series, and how good its forecasts have been.",
        ("now-90d", "now+8d"),
    )
    for variable in _variables():
        page.with_variable(variable)
    for panel in (*_figures(), *_charts(), *_record()):
        page.with_panel(panel)
    return page


def _variables() -> Iterable[dashboard.QueryVariable]:
    yield panels.chosen(
        "scope", "Scope", "Everything, one source, or one channel.", SCOPES, "all"
    )
    yield panels.chosen(
        "series",
        "Series",
        "The label whose daily share of messages is forecast.",
        SERIES_OPTIONS,
        "fine-emotion/frustration",
    )
    yield panels.chosen(
        "origin",
        "Forecast from",
        "The day after which the forecast was made: choose an earlier one to see "
        "what was expected then.",
        ORIGINS,
        "newest",
    )
    yield panels.hidden("notice", NOTICE)


def _figures() -> Iterable[panels.Panel]:
    yield panels.note(1, ABOUT, (0, 0, 24, 4))
    yield panels.figure(
        2,
        "Skill",
        "Whether the combination of all models is proven better than the best naive "
        "method on this series' own past. A single model that beats it does not "
        "count: the best of many is also the luckiest. Without skill, a naive "
        "forecast is shown: the 7-day mean, unless another is proven better.",
        (0, 4, 4, 4),
        DuckDbQuery(SKILL),
    ).mappings(panels.mapped(SKILL_TEXTS))
    yield panels.figure(
        3,
        "Method shown",
        "The method behind the forecast shown below.",
        (4, 4, 4, 4),
        DuckDbQuery(MODEL),
    )
    yield _share(
        4,
        "Median forecast",
        "Mean, over the days forecast, of the share that each is as likely to exceed "
        "as to miss.",
        (8, 4, 3, 4),
        EXPECTED,
        decimals=1,
    )
    yield _share(
        5,
        "Chance of a high period",
        "Calibrated probability that a day of high prevalence comes within the days "
        "forecast.",
        (11, 4, 4, 4),
        PROBABILITY,
        decimals=0,
    )
    yield panels.figure(
        6,
        "Alarm",
        "Whether the alarm was raised at the end of the chosen day. It is unproven "
        "where its probabilities have been no better than the usual frequency.",
        (15, 4, 3, 4),
        DuckDbQuery(ALARM),
    ).mappings(panels.mapped(ALARM_TEXTS))
    yield panels.figure(
        7,
        "Peaks warned of",
        "Periods of high prevalence of the chosen time whose peak came after a "
        "proven alarm, of all that a forecast could have seen.",
        (18, 4, 3, 4),
        DuckDbQuery(WARNINGS),
    )
    yield _share(
        13,
        "Days with an alarm",
        "Share of the days of the chosen time on which a proven alarm was raised: an "
        "alarm that never ends warns of nothing.",
        (21, 4, 3, 4),
        ALARM_DAYS,
        decimals=0,
    )


def _share(  # noqa: PLR0913 - a figure's parameters, and its decimals
    number: int,
    title: str,
    description: str,
    place: panels.Place,
    sql: str,
    *,
    decimals: int,
) -> panels.Panel:
    panel = panels.figure(number, title, description, place, DuckDbQuery(sql))
    return panel.unit("percentunit").decimals(decimals)


def _charts() -> Iterable[panels.Panel]:
    yield _forecast()
    alarms = (
        panels.lines(
            9,
            "Chance of a high period, day by day",
            "What was said at the end of each day of the coming ones. Points are "
            "alarms: red, or grey while they were unproven. The days of high "
            "prevalence, found in retrospect, are shaded.",
            (0, 20, 24, 8),
            DuckDbQuery(ALARMS),
        )
        .max(1)
        .override_by_name("chance", [panels.colour(panels.BLUE)])
    )
    for name, tint in {"alarm": panels.RED, "unproven alarm": panels.GREY}.items():
        alarms.override_by_name(
            name,
            [
                panels.colour(tint),
                panels.setting("custom.drawStyle", "points"),
                panels.setting("custom.pointSize", 9),
            ],
        )
    yield panels.shaded(alarms, "high prevalence")


def _forecast() -> panels.Panel:
    panel = panels.lines(
        8,
        "Actual and forecast share of messages",
        "Daily share of messages, the forecast made at the end of the chosen day with "
        "the bands that should hold 80 and 95 % of the days, and the share from which "
        "a day counted as high: of the days forecast, as was known at the end of the "
        "chosen day. Days of high prevalence, found in retrospect, are shaded.",
        (0, 8, 24, 12),
        DuckDbQuery(FORECAST),
    )
    unlisted = {"legend": True, "tooltip": False, "viz": False}
    panel.override_by_name("actual", [panels.colour(panels.OF_TEXT)])
    panel.override_by_name(
        "forecast",
        [
            panels.colour(panels.BLUE),
            panels.setting("custom.lineStyle", panels.DASHED),
            panels.setting("custom.lineWidth", 3),
        ],
    )
    for share, opacity in (("95 %", 18), ("80 %", 30)):
        bottom, top = f"{share} band, bottom", f"{share} band"
        edge = [
            panels.colour(panels.BLUE),
            panels.setting("custom.lineWidth", 0),
            panels.setting("custom.showPoints", "never"),
        ]
        panel.override_by_name(
            bottom, [*edge, panels.setting("custom.hideFrom", unlisted)]
        )
        panel.override_by_name(
            top,
            [
                *edge,
                panels.setting("custom.fillBelowTo", bottom),
                panels.setting("custom.fillOpacity", opacity),
            ],
        )
    panel.override_by_name(
        "counts as high from",
        [
            panels.colour(panels.GREY),
            panels.setting("custom.lineStyle", panels.DOTTED),
            panels.setting("custom.lineWidth", 2),
            panels.setting("custom.showPoints", "never"),
        ],
    )
    return panels.shaded(panel, "high prevalence")


def _record() -> Iterable[panels.Panel]:
    days = [panels.setting("unit", "time:YYYY-MM-DD")]
    periods = panels.rows(
        10,
        "Periods of high prevalence, and whether an alarm came first",
        "Found in retrospect: days above the usual level. 'Warned' means that an "
        "alarm was raised before the peak, and not longer before the start than a "
        "forecast reaches; 'too early' that there were no forecasts yet. An alarm "
        "is unproven where it has been no better than the usual frequency. The lead is "
        "the days from the first alarm to the peak. A withheld day counts as 1.5 "
        "marked messages.",
        (0, 28, 12, 14),
        DuckDbQuery(PERIODS),
    ).no_value(NO_PERIOD)
    for name in ("Ended", "First alarm", "Lead"):
        periods.override_by_name(name, [NO_FIGURE])
    for name in ("Started", "Peaked", "Ended", "First alarm"):
        periods.override_by_name(name, days)
    periods.override_by_name(
        "Peak",
        [panels.setting("unit", "percentunit"), panels.setting("decimals", 1)],
    )
    yield periods.override_by_name("Verdict", _coloured(VERDICTS))
    yield _backtests()
    yield panels.note(12, READING, (0, 42, 24, 3))
    yield _companions()


def _companions() -> panels.Panel:
    share = [panels.setting("unit", "percentunit"), panels.setting("decimals", 2)]
    panel = panels.rows(
        14,
        "What rose with these periods",
        "Causes and themes of frustration, emotions and markers that stood clearly "
        "above their 28 days before while the level was high; at most five of each "
        "kind. That they rose together does not say that one brought the other about. "
        "Themes are known by week, and for all sources together.",
        (0, 45, 24, 10),
        DuckDbQuery(COMPANIONS),
    ).no_value(NO_COMPANION)
    panel.override_by_name("Started", [panels.setting("unit", "time:YYYY-MM-DD")])
    for name in ("28 days before", "In the period"):
        panel.override_by_name(name, share)
    return panel


def _coloured(
    texts: dict[str, tuple[str, str]],
) -> list[model.DynamicConfigValue]:
    return [
        panels.setting("mappings", panels.mapped(texts)),
        panels.setting("custom.cellOptions", {"type": "color-text"}),
    ]


def _backtests() -> panels.Panel:
    panel = panels.rows(
        11,
        "Track record of every model, beside the naive methods",
        "Each method forecast every past day with what was known then. First what "
        "was shown in the end, whichever method it came from; then the best first. A "
        "single model that beats naive is not shown for that: only the combination "
        "may be, as the best of many is also the luckiest.",
        (12, 28, 12, 14),
        DuckDbQuery(BACKTESTS),
    )
    share = [panels.setting("unit", "percentunit"), panels.setting("decimals", 0)]
    for name in ("In band", "Precision", "Recall"):
        panel.override_by_name(name, share)
    for name in ("MASE", "Brier skill"):
        panel.override_by_name(name, [panels.setting("decimals", 2)])
    verdicts = {"shown now": ("shown now", panels.BLUE)}
    return panel.override_by_name("Verdict", _coloured(verdicts))
