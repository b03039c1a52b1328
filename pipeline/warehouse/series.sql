-- The daily series that are worth a forecast, most marked first: complete days that
-- passed the gate, of the labels that stand for how people fare. A day is complete
-- once it is over, or once a later day was published.

WITH
published AS (
    SELECT scope, starts::DATE AS day, task, label, messages, authors, marked
    FROM publishable
    WHERE grain = 'day'
),
heard AS (
    SELECT DISTINCT scope, day, messages, authors FROM published
),
-- Where enough people wrote and the share is withheld, one or two of them are marked,
-- as anybody can tell. Left out, a rare label would seem to have none but its high days.
days AS (
    SELECT
        heard.scope,
        heard.day,
        labels.task,
        labels.label,
        heard.messages,
        published.marked AS published_marked,
        coalesce(published.marked, $withheld_marked) AS marked
    FROM heard
    CROSS JOIN labels
    LEFT JOIN published USING (scope, day, task, label)
    WHERE heard.authors >= labels.min_authors
),
last_complete AS (
    SELECT max(day) AS day
    FROM days
    WHERE scope = 'all'
        AND day < greatest($today, (SELECT max(day) FROM days WHERE scope = 'all'))
)
SELECT
    days.scope,
    days.task,
    days.label,
    list(days.day ORDER BY days.day) AS days,
    list(days.messages ORDER BY days.day) AS messages,
    list(days.marked ORDER BY days.day) AS marked
FROM days
CROSS JOIN last_complete
WHERE days.day <= last_complete.day
    AND days.day > last_complete.day - $window_days
    AND (
        days.task IN ('basic-emotion', 'marker')
        OR (days.task = 'fine-emotion' AND days.label = 'frustration')
    )
GROUP BY days.scope, days.task, days.label, last_complete.day
HAVING count(*) >= $min_known_days
    AND avg(coalesce(days.published_marked, 0)) >= $min_marked_a_day
    AND max(days.day) >= last_complete.day - $max_silent_days
ORDER BY sum(days.marked) DESC, days.scope, days.task, days.label
LIMIT $max_series
