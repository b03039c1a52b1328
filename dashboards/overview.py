"""The overview: how people fare, what frustrates them, and what we can see of it."""

from collections.abc import Iterable

from grafana_foundation_sdk.builders import common, dashboard
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model

from dashboards import panels
from dashboards.panels import DuckDbQuery

UID = "groundswell-overview"
SCOPE = "scope = ${scope:sqlstring}"
EMOTION = """(task = 'basic-emotion'
      OR (task = 'fine-emotion' AND label = 'frustration'))"""

ABOUT = """\
> **${notice}**

Shares of messages, never persons: a figure appears only where at least \
${people} people wrote (${people_markers} for markers), so gaps are protection, \
not calm. Nothing here is a diagnosis, and it is not for watching employees.
"""

SCOPES = """
SELECT scope
FROM prevalence_daily
GROUP BY scope
ORDER BY scope <> 'all', scope
"""
NOTICE = "SELECT CASE WHEN notice = '' THEN 'Live data.' ELSE notice END FROM about"

AGE = """
SELECT greatest(0, epoch(now()) - epoch(published_at)) AS "Age"
FROM about
"""
NEWEST = """
SELECT epoch_ms(newest_message_at) AS "Newest message"
FROM about
"""
MESSAGES = f"""
SELECT sum(messages)::BIGINT AS "Messages"
FROM (
  SELECT day, max(messages) AS messages
  FROM prevalence_daily
  WHERE {SCOPE} AND $__timeFilter(day::TIMESTAMP)
  GROUP BY day
)
"""
# The level alone, as the forecast dashboard shows it: there each alarm can be seen.
ALARMS = f"""
SELECT count(*) AS "Alarms"
FROM alarms
WHERE {SCOPE} AND kind = 'level' AND alarm AND skill
  AND origin = (SELECT max(origin) FROM alarms WHERE {SCOPE})
  AND origin > (SELECT max(origin) - 7 FROM alarms)
"""
TROUBLED = """
SELECT count(*) AS "Sources in trouble"
FROM (
  SELECT source, arg_max(state, day) AS state
  FROM coverage
  GROUP BY source
)
WHERE state NOT IN ('ok', 'stopped')
"""


def _pivot(labels: Iterable[str], value: str = "prevalence") -> str:
    """One column a label: a label without a published figure stays empty."""
    return ",\n".join(
        f"  max({value}) FILTER (label = '{label}') AS \"{label}\"" for label in labels
    )


def _smoothed(labels: Iterable[str], of: str, days: str) -> str:
    """Daily shares of `labels`, each over the `days` days up to its own.

    Of those days at least a third must be published; the others are left out.
    """
    return f"""
WITH daily AS (
  SELECT day, label, max(marked) AS marked, max(messages) AS messages
  FROM prevalence_daily
  WHERE {SCOPE}
    AND {of}
  GROUP BY day, label
), calendar AS (
  SELECT unnest(generate_series(min(day), max(day), INTERVAL 1 DAY))::DATE AS day
  FROM daily
), smoothed AS (
  SELECT day, label,
    CASE
      WHEN count(marked) OVER recent >= (CAST({days} AS INTEGER) + 2) // 3
      THEN sum(marked) OVER recent / sum(messages) OVER recent
    END AS prevalence
  FROM calendar
  CROSS JOIN (SELECT DISTINCT label FROM daily)
  LEFT JOIN daily USING (day, label)
  WINDOW recent AS (
    PARTITION BY label ORDER BY day
    RANGE BETWEEN to_days(CAST({days} AS INTEGER) - 1) PRECEDING AND CURRENT ROW
  )
)
SELECT day::TIMESTAMP AS time,
{_pivot(labels)}
FROM smoothed
WHERE $__timeFilter(day::TIMESTAMP)
GROUP BY day
ORDER BY day
"""


SMOOTHING = "${smoothing:sqlstring}"
FRUSTRATION_NOW = _smoothed(["frustration"], EMOTION, "7")
EMOTIONS = _smoothed(panels.EMOTIONS, EMOTION, SMOOTHING)
MARKERS = _smoothed(panels.MARKERS, "task = 'marker'", SMOOTHING)

LIVE_EMOTIONS = ("frustration", "anger", "sadness", "joy")
HOURLY = f"""
SELECT hour AS time, max(messages) AS "messages",
{_pivot(LIVE_EMOTIONS)}
FROM prevalence_hourly
WHERE {SCOPE}
  AND {EMOTION}
  AND $__timeFilter(hour)
GROUP BY hour
ORDER BY hour
"""

WITHHELD_MARKED = 1.5
"""What a withheld count stands for, as the forecasts take it: one or two as a rule."""


def _ranked(task: str, label: str, table: str, time: str, of: str = "true") -> str:
    """Each label's share of the messages of all times of which any label is known.

    A withheld count is taken for `WITHHELD_MARKED`; of a label whose counts are all
    withheld nothing is known, and its name says so.
    """
    return f"""
WITH shown AS (
  SELECT {time}, {label} AS label, marked, messages
  FROM {table}
  WHERE {SCOPE} AND {of} AND $__timeFilter({time}::TIMESTAMP)
), times AS (
  SELECT {time}, max(messages) AS messages FROM shown GROUP BY {time}
), named AS (
  SELECT label FROM labels WHERE task = '{task}'
  UNION
  SELECT label FROM shown
), counted AS (
  SELECT label, count(marked) AS known,
    sum(coalesce(marked, {WITHHELD_MARKED}))::DOUBLE / sum(times.messages) AS share
  FROM named CROSS JOIN times LEFT JOIN shown USING ({time}, label)
  GROUP BY label
)
SELECT label || CASE WHEN known = 0 THEN ' (withheld)' ELSE '' END AS "{task}",
  CASE WHEN known > 0 THEN share END AS "of all messages"
FROM counted
ORDER BY 2 DESC NULLS LAST, 1
"""


CAUSES_RANKED = _ranked("cause", "cause", "causes_daily", "day")
CAUSES_DAILY = f"""
WITH shown AS (
  SELECT day, cause, marked, prevalence
  FROM causes_daily
  WHERE {SCOPE} AND $__timeFilter(day::TIMESTAMP)
), ranked AS (
  SELECT cause, row_number() OVER (ORDER BY sum(marked) DESC, cause) AS place
  FROM shown
  GROUP BY cause
)
SELECT day::TIMESTAMP AS time,
  CASE WHEN place <= 6 THEN cause ELSE 'remaining causes' END AS cause,
  sum(prevalence) AS "Value"
FROM shown JOIN ranked USING (cause)
GROUP BY ALL
ORDER BY 1, 2
"""
THEMES_RANKED = """
SELECT name AS "Theme", sum(messages)::BIGINT AS "Messages", max(authors) AS "Authors",
  min(week)::TIMESTAMP AS "First week", max(week)::TIMESTAMP AS "Last week"
FROM themes
WHERE $__timeFilter(week::TIMESTAMP)
GROUP BY theme, name
ORDER BY 2 DESC, theme
LIMIT 20
"""
THEMES_WEEKLY = """
WITH shown AS (
  SELECT week, theme, name, messages
  FROM themes
  WHERE $__timeFilter(week::TIMESTAMP)
), ranked AS (
  SELECT theme, row_number() OVER (ORDER BY sum(messages) DESC, theme) AS place
  FROM shown
  GROUP BY theme
)
SELECT week::TIMESTAMP AS time,
  CASE WHEN place <= 6 THEN name ELSE 'remaining themes' END AS theme,
  sum(messages)::BIGINT AS "Value"
FROM shown JOIN ranked USING (theme)
GROUP BY ALL
ORDER BY 1, 2
"""
MARKERS_RANKED = _ranked(
    "marker", "label", "prevalence_weekly", "week", "task = 'marker'"
)

HEARD = """
SELECT day::TIMESTAMP AS time, source, messages AS "Value"
FROM coverage
WHERE $__timeFilter(day::TIMESTAMP)
ORDER BY day, source
"""
STATES = """
SELECT day::TIMESTAMP AS time, source,
  CASE state
    WHEN 'ok' THEN 0
    WHEN 'rate-limited' THEN 1
    WHEN 'failing' THEN 2
    WHEN 'stopped' THEN 3
    ELSE 4
  END AS "Value"
FROM coverage
WHERE $__timeFilter(day::TIMESTAMP)
ORDER BY day, source
"""
STATE_TEXTS = {
    "0": ("heard", "#2E8540"),
    "1": ("rate-limited", panels.AMBER),
    "2": ("failing", panels.RED),
    "3": ("stopped", "#6B68A5"),
    "4": ("silent", panels.GREY),
}


def build() -> dashboard.Dashboard:
    """The overview dashboard."""
    page = panels.page(
        UID,
        "Overview",
        "How people fare in the channels listened to, and what frustrates them.",
        ("now-90d", "now"),
    )
    for variable in _variables():
        page.with_variable(variable)
    for panel in (
        *_figures(),
        *_emotions(),
        *_causes(),
        *_themes(),
        *_markers(),
        *_coverage(),
    ):
        page.with_panel(panel)
    return page


def _variables() -> list[dashboard.QueryVariable | dashboard.CustomVariable]:
    smoothing = (
        dashboard.CustomVariable("smoothing")
        .label("Lines show")
        .description("Each day's figure, or that of the seven days up to it together.")
        .values("7-day mean : 7,each day : 1")
        .current(model.VariableOption(selected=True, text="7-day mean", value="7"))
        .options(
            [
                model.VariableOption(selected=True, text="7-day mean", value="7"),
                model.VariableOption(selected=False, text="each day", value="1"),
            ]
        )
        .allow_custom_value(False)
    )
    return [
        panels.chosen(
            "scope", "Scope", "Everything, one source, or one channel.", SCOPES, "all"
        ),
        smoothing,
        panels.hidden("notice", NOTICE),
        panels.hidden("people", "SELECT min_authors FROM about"),
        panels.hidden("people_markers", "SELECT min_authors_markers FROM about"),
    ]


def _figures() -> Iterable[panels.Panel]:
    yield panels.note(1, ABOUT, (0, 0, 24, 4))
    yield (
        panels.figure(
            2,
            "Age of the data",
            "Time since the figures were last published. Amber after three minutes, "
            "red after fifteen: what you see may then be out of date.",
            (0, 4, 4, 4),
            DuckDbQuery(AGE),
        )
        .unit("s")
        .decimals(0)
        .thresholds(
            panels.steps((None, panels.GREEN), (180, panels.AMBER), (900, panels.RED))
        )
    )
    yield panels.figure(
        3,
        "Newest message",
        "When the newest message that was counted was written.",
        (4, 4, 4, 4),
        DuckDbQuery(NEWEST),
    ).unit("dateTimeFromNow")
    yield panels.figure(
        4,
        "Messages",
        "Messages of the chosen scope and time, on days on which enough people wrote.",
        (8, 4, 4, 4),
        DuckDbQuery(MESSAGES),
    ).unit("locale")
    yield (
        panels.figure(
            5,
            "Frustration, 7 days",
            "Share of messages that express frustration, over the newest seven days; "
            "the line shows its way through the chosen time.",
            (12, 4, 4, 4),
            DuckDbQuery(FRUSTRATION_NOW),
        )
        .unit("percentunit")
        .decimals(1)
        .graph_mode(options.BigValueGraphMode.AREA)
        .reduce_options(
            common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
        )
        .thresholds(panels.steps((None, panels.EMOTIONS["frustration"])))
    )
    yield panels.figure(
        6,
        "Alarms",
        "Labels of this scope with an alarm that their level will be high, raised by "
        "the newest forecast, if that is of the last week; only alarms that have been "
        "clearly better than the usual frequency count. The forecast dashboard shows "
        "them, one label at a time.",
        (16, 4, 4, 4),
        DuckDbQuery(ALARMS),
    ).thresholds(panels.steps((None, panels.GREEN), (1, panels.AMBER)))
    yield panels.figure(
        7,
        "Sources in trouble",
        "Sources that were failing, rate-limited or silent on their newest day: their "
        "silence must not be taken for calm. Those that were stopped do not count.",
        (20, 4, 4, 4),
        DuckDbQuery(TROUBLED),
    ).thresholds(panels.steps((None, panels.GREEN), (1, panels.AMBER)))


def _emotions() -> Iterable[panels.Panel]:
    daily = panels.lines(
        8,
        "Emotions",
        "Share of messages that express each emotion. A message may express several, "
        "or none. Days on which too few people wrote, or too few expressed an "
        "emotion, are withheld; a 7-day mean is over the published days, at least "
        "three of them, so that of a rare emotion is a little too high.",
        (0, 8, 14, 10),
        DuckDbQuery(EMOTIONS),
    ).legend(panels.legend("bottom"))
    panels.tinted(daily, panels.EMOTIONS)
    daily.override_by_name("frustration", [panels.setting("custom.lineWidth", 4)])
    for name, style in {
        "disgust": panels.DASHED,
        "fear": panels.DOTTED,
        "surprise": panels.DASHED,
        "love": panels.DOTTED,
    }.items():
        daily.override_by_name(name, [panels.setting("custom.lineStyle", style)])
    yield daily
    yield _hourly()


def _hourly() -> panels.Panel:
    panel = (
        panels.lines(
            9,
            "Hour by hour",
            "Share of messages an hour that express some emotions, and how many "
            "messages there were. Hours in which too few people wrote are withheld.",
            (14, 8, 10, 10),
            DuckDbQuery(HOURLY),
        )
        .time_from("48h")
        .insert_nulls(90 * 60 * 1000)
        .show_points(options.VisibilityMode.ALWAYS)
    )
    panels.tinted(panel, {name: panels.EMOTIONS[name] for name in LIVE_EMOTIONS})
    panel.override_by_name("frustration", [panels.setting("custom.lineWidth", 4)])
    return panel.override_by_name(
        "messages",
        [
            panels.colour(panels.GREY),
            panels.setting("unit", "locale"),
            panels.setting("custom.drawStyle", "bars"),
            panels.setting("custom.fillOpacity", 30),
            panels.setting("custom.lineWidth", 0),
            panels.setting("custom.axisPlacement", "right"),
            panels.setting("custom.axisLabel", "messages"),
        ],
    )


def _causes() -> Iterable[panels.Panel]:
    yield panels.ranking(
        10,
        "What frustrates",
        "Share of all messages of the chosen time that name each cause. A day on "
        "which a cause is withheld counts as 1.5 messages, since as a rule one or two "
        "people named it: so the share of a rare cause is an estimate. 'Withheld' "
        "are causes of which no day is published.",
        (0, 18, 9, 11),
        DuckDbQuery(CAUSES_RANKED),
    )
    yield panels.tinted(
        panels.stacked_bars(
            11,
            "Causes of frustration over time",
            "Mentions of each cause per message, day by day: the six most frequent of "
            "the chosen time, and the remaining ones together. A message may name "
            "several causes. Withheld causes are missing from a day's bar, so it may "
            "be too short.",
            (9, 18, 15, 11),
            DuckDbQuery(CAUSES_DAILY, "series"),
        ),
        panels.CAUSES,
    )


def _themes() -> Iterable[panels.Panel]:
    weeks = [panels.setting("unit", "time:YYYY-MM-DD")]
    themes = panels.rows(
        16,
        "Themes of frustration",
        "What causes of frustration have in common, over all sources: the words that "
        "tell a theme from the others, each used by at least as many people as a "
        "figure needs. Authors are those of the theme's fullest week. Only weeks that "
        "are over, and in which enough people came upon a theme.",
        (0, 29, 14, 9),
        DuckDbQuery(THEMES_RANKED),
    )
    for name in ("First week", "Last week"):
        themes.override_by_name(name, weeks)
    yield themes
    yield panels.stacked_bars(
        17,
        "Themes over time",
        "Messages a week that name a cause of each theme: the six most frequent of "
        "the chosen time, and the remaining ones together. Withheld weeks are missing.",
        (14, 29, 10, 9),
        DuckDbQuery(THEMES_WEEKLY, "series"),
    ).unit("locale")


def _markers() -> Iterable[panels.Panel]:
    yield panels.tinted(
        panels.lines(
            12,
            "Signs of strain",
            "Share of messages whose words point to stress, anxiety, burnout, bad "
            "sleep or loneliness. Words, no diagnosis. Markers need twice as many "
            "people as emotions before a day is shown. Withheld days are left out, so "
            "the line of a rare marker runs a little too high.",
            (0, 38, 15, 11),
            DuckDbQuery(MARKERS),
        ),
        panels.MARKERS,
    )
    yield panels.ranking(
        13,
        "Markers by week, ranked",
        "Share of all messages of the chosen weeks that carry each marker, the "
        "DSM-5 symptoms of depression among them. A week in which a marker is "
        "withheld counts as 1.5 messages, so the share of a rare marker is an "
        "estimate. 'Withheld' are markers of which no week is published. Words, no "
        "diagnosis.",
        (15, 38, 9, 11),
        DuckDbQuery(MARKERS_RANKED),
    )


def _coverage() -> Iterable[panels.Panel]:
    yield panels.stacked_bars(
        14,
        "Messages heard",
        "Messages a day of each source. A day without bars was not heard, or was "
        "quiet: the states beside tell which.",
        (0, 49, 12, 8),
        DuckDbQuery(HEARD, "series"),
    ).unit("locale")
    yield panels.states(
        15,
        "Were the sources heard?",
        "The state of each source, day by day. Silence is not calm.",
        (12, 49, 12, 8),
        DuckDbQuery(STATES, "series"),
    ).mappings(panels.mapped(STATE_TEXTS))
