-- The daily series that are worth a forecast, most marked first: days from $first to
-- $last that passed the gate, of the labels that stand for how people fare.

WITH
published AS (
    SELECT scope, starts, task, label, messages, authors, marked
    FROM publishable
    WHERE grain = 'day' AND starts BETWEEN $first AND $last
),
heard AS (
    SELECT DISTINCT scope, starts, messages, authors FROM published
),
-- Where enough people wrote and the share is withheld, one or two of them are marked,
-- as anybody can tell. Left out, a rare label would seem to have none but its high days.
days AS (
    SELECT
        heard.scope,
        heard.starts,
        labels.task,
        labels.label,
        heard.messages,
        published.marked AS published_marked,
        coalesce(published.marked, $withheld_marked) AS marked
    FROM heard
    CROSS JOIN labels
    LEFT JOIN published USING (scope, starts, task, label)
    WHERE heard.authors >= labels.min_authors
        AND (
            labels.task IN ('basic-emotion', 'marker')
            OR (labels.task = 'fine-emotion' AND labels.label = 'frustration')
        )
)
SELECT
    scope,
    task,
    label,
    list(starts::DATE ORDER BY starts) AS days,
    list(messages ORDER BY starts) AS messages,
    list(marked ORDER BY starts) AS marked
FROM days
GROUP BY scope, task, label
HAVING count(*) >= $min_known_days
    AND avg(coalesce(published_marked, 0)) >= $min_marked_a_day
    AND max(starts) >= $alive
ORDER BY sum(published_marked) DESC NULLS LAST, scope, task, label
LIMIT $max_series
