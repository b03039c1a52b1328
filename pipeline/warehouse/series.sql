-- The daily series of the scopes from $first_scope to $last_scope that are worth a
-- forecast: days that passed the gate, of the labels that stand for how people fare.
-- Run after known.sql.

WITH
telling AS (
    FROM labels
    WHERE task IN ('basic-emotion', 'marker')
        OR (task = 'fine-emotion' AND label = 'frustration')
),
published AS (
    SELECT scope, starts, task, label, messages, authors, marked
    FROM publishable
    SEMI JOIN telling USING (task, label)
    SEMI JOIN heard_spans USING (scope)
    WHERE grain = 'day' AND scope BETWEEN $first_scope AND $last_scope
),
heard AS (
    SELECT DISTINCT scope, starts, messages, authors
    FROM published
    ANTI JOIN unheard USING (scope, starts)
),
-- Where enough people wrote and the share is withheld, one or two of them are marked, as
-- anybody can tell. Left out, a rare label would seem to have none but its high days. Of
-- those withheld for the sake of others more may be: such days are unknown.
days AS (
    SELECT
        heard.scope,
        heard.starts,
        telling.task,
        telling.label,
        heard.messages,
        published.marked AS published_marked,
        coalesce(published.marked, $withheld_marked) AS marked,
        heard_spans.last_day >= $alive AS alive
    FROM heard_spans
    JOIN telling USING (min_authors)
    JOIN heard
        ON heard.scope = heard_spans.scope
        AND heard.authors >= telling.min_authors
        AND heard.starts <= heard_spans.last_day
        AND heard.starts > heard_spans.last_day - to_days($longest::INTEGER)
    LEFT JOIN published
        ON published.scope = heard.scope
        AND published.starts = heard.starts
        AND published.task = telling.task
        AND published.label = telling.label
    ANTI JOIN (FROM withheld WHERE grain = 'day') AS for_others
        ON for_others.scope = heard.scope
        AND for_others.starts = heard.starts
        AND for_others.task = telling.task
        AND for_others.label = telling.label
)
SELECT
    alive,
    sum(published_marked) AS weight,
    scope,
    task,
    label,
    list(starts::DATE ORDER BY starts) AS days,
    list(messages ORDER BY starts) AS messages,
    list(marked ORDER BY starts) AS marked
FROM days
GROUP BY alive, scope, task, label
HAVING count(*) >= $min_known_days
    AND avg(coalesce(published_marked, 0)) >= $min_marked_a_day
    AND (
        alive OR (scope, task, label) IN (SELECT (scope, task, label) FROM forecast_inputs)
    )
