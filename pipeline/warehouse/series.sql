-- The daily series that are worth a forecast, most marked first: days from $first to
-- $last that passed the gate, of the labels that stand for how people fare.

SELECT
    scope,
    task,
    label,
    list(starts::DATE ORDER BY starts) AS days,
    list(messages ORDER BY starts) AS messages,
    list(marked ORDER BY starts) AS marked
FROM publishable
WHERE grain = 'day'
    AND starts BETWEEN $first AND $last
    AND (
        task IN ('basic-emotion', 'marker')
        OR (task = 'fine-emotion' AND label = 'frustration')
    )
GROUP BY scope, task, label
HAVING count(*) >= $min_known_days
    AND avg(marked) >= $min_marked_a_day
    AND max(starts) >= $alive
ORDER BY sum(marked) DESC, scope, task, label
LIMIT $max_series
