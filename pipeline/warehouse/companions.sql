-- What rose with the periods of a high level of some scopes, the variables first_scope to
-- last_scope: causes and themes of frustration, and the labels that stand for how people
-- fare. Made of published rows alone, so nothing comes out that the gate withheld.
--
-- Compared are the share of the 28 days before and that of the period, on the scale of
-- the arcsine of the root, where drawing n messages scatters by 1 / (2 √n). A rise of
-- three standard errors is clear, though many series are looked at: by the scatter of the
-- days before, and never less than that of drawing as many messages.

INSERT INTO published.companions
WITH
periods AS (
    SELECT scope, task, label, started, coalesce(ended, max(origin), max(peaked)) AS ended
    FROM published.periods
    LEFT JOIN published.alarms USING (scope, task, label, kind)
    WHERE kind = 'level'
        AND scope BETWEEN getvariable('first_scope') AND getvariable('last_scope')
    GROUP BY scope, task, label, started, periods.ended
),
-- A row for each day that a compared day or week may end on: equal days are found fast.
spans AS (
    SELECT
        *,
        unnest(generate_series(started - 28, ended + 6, INTERVAL 1 DAY))::DATE AS last_day
    FROM periods
),
telling AS (
    FROM published.labels
    WHERE task IN ('basic-emotion', 'cause', 'marker')
        OR (task = 'fine-emotion' AND label = 'frustration')
),
heard AS (
    SELECT DISTINCT scope, day, messages, authors
    FROM published.prevalence_daily
    WHERE scope IN (SELECT scope FROM periods)
),
counted AS (
    SELECT scope, day, task, label, marked
    FROM published.prevalence_daily
    SEMI JOIN telling USING (task, label)
    WHERE scope IN (SELECT scope FROM periods)
    UNION ALL
    SELECT scope, day, 'cause', cause, marked
    FROM published.causes_daily
    WHERE scope IN (SELECT scope FROM periods)
),
-- Where enough people wrote and a share is withheld, one or two of them are marked, and
-- of a theme fewer than a cell must have. It counts as 1.5, and as the most it can be.
shares AS (
    SELECT
        heard.scope,
        telling.task,
        telling.label,
        heard.day AS first_day,
        heard.day AS last_day,
        heard.messages,
        counted.marked AS published,
        least(coalesce(counted.marked, 1.5), heard.messages) AS marked
    FROM heard
    JOIN telling ON heard.authors >= telling.min_authors
    LEFT JOIN counted USING (scope, day, task, label)
    UNION ALL
    SELECT
        'all',
        'theme',
        named.name,
        weeks.week,
        weeks.week + 6,
        weeks.messages,
        themes.messages,
        coalesce(themes.messages, (SELECT min(min_authors) - 1 FROM published.labels))
    FROM (
        SELECT DISTINCT week, messages
        FROM published.prevalence_weekly
        SEMI JOIN published.themes USING (week)
        WHERE scope = 'all'
    ) AS weeks
    CROSS JOIN (SELECT DISTINCT theme, name FROM published.themes) AS named
    LEFT JOIN published.themes USING (week, theme)
),
sums AS (
    SELECT
        spans.scope,
        spans.task,
        spans.label,
        spans.started,
        shares.task AS companion_task,
        shares.label AS companion,
        count(*) FILTER (shares.last_day < started) AS days_before,
        count(*) FILTER (shares.last_day >= started) AS days_during,
        sum(marked) FILTER (shares.last_day < started) AS marked_before,
        sum(marked) FILTER (shares.last_day >= started) AS marked_during,
        sum(messages) FILTER (shares.last_day < started) AS messages_before,
        sum(messages) FILTER (shares.last_day >= started) AS messages_during,
        var_samp(asin(sqrt(marked / messages))) FILTER (shares.last_day < started)
            AS scatter
    FROM spans
    JOIN shares USING (scope, last_day)
    WHERE first_day <= spans.ended
        AND (shares.task, shares.label) <> (spans.task, spans.label)
    GROUP BY ALL
    HAVING days_before >= 3 AND max(published) FILTER (shares.last_day >= started) > 0
),
compared AS (
    SELECT
        *,
        marked_before / messages_before AS before,
        marked_during / messages_during AS during,
        (asin(sqrt(during)) - asin(sqrt(before))) / sqrt(greatest(
            scatter * (1 / days_before + 1 / days_during),
            (1 / messages_before + 1 / messages_during) / 4
        )) AS clearness
    FROM sums
)
SELECT scope, task, label, started, companion_task, companion, before, during
FROM compared
WHERE clearness >= 3
QUALIFY row_number() OVER (
    PARTITION BY scope, task, label, started, companion_task
    ORDER BY clearness DESC, companion
) <= 5
ORDER BY scope, task, label, started, companion_task, clearness DESC, companion;
