-- Finds the cells that pass the gate by themselves, and would tell of others: by the
-- difference of a cell and those that lie within it. Run for those of touched_weeks from
-- the variable first_week up to after_last_week; all of a week is judged together.
--
-- What is left of a published cell without the published ones in it, its rest, is to pass
-- the gate itself, or to be empty. Of its authors only the fewest that they can be are
-- known from the cells: those of its largest part, or the difference of the numbers.

DELETE FROM withheld
WHERE starts >= getvariable('first_week')
    AND starts < getvariable('after_last_week')
    AND date_trunc('week', starts) IN (SELECT week FROM touched_weeks);

CREATE OR REPLACE TEMP TABLE alone AS
SELECT * EXCLUDE (finest), date_trunc('day', starts) AS day
FROM not_everybody
WHERE starts >= getvariable('first_week')
    AND starts < getvariable('after_last_week')
    AND date_trunc('week', starts) IN (SELECT week FROM touched_weeks);

CREATE OR REPLACE TEMP MACRO holder_of(scope) AS
    CASE
        WHEN scope = 'all' THEN NULL
        WHEN contains(scope, '/') THEN split_part(scope, '/', 1)
        ELSE 'all'
    END;

CREATE OR REPLACE TEMP MACRO rest_passes(
    messages, authors, marked, marked_authors, min_authors
) AS
    messages = 0
    OR (
        authors >= min_authors
        AND (marked = 0 OR (marked_authors >= 3 AND marked < authors))
    );

-- Of the parts of each whole the smallest are withheld, until the rest passes: at the
-- latest when it is the whole. `kept` are the larger ones.
CREATE OR REPLACE TEMP MACRO kept_of(pairs) AS TABLE
WITH
sums AS (
    SELECT
        part,
        whole,
        sum(part.messages) OVER since AS messages,
        sum(part.authors) OVER since AS authors,
        sum(part.marked) OVER since AS marked,
        sum(part.marked_authors) OVER since AS marked_authors,
        max(part.authors) OVER smaller AS most_authors,
        max(part.marked_authors) OVER smaller AS most_marked
    FROM query_table(pairs)
    WINDOW
        since AS (
            PARTITION BY whole.grain, whole.scope, whole.starts, whole.task, whole.label
            ORDER BY part.authors, part.messages, part.scope, part.starts
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ),
        smaller AS (
            PARTITION BY whole.grain, whole.scope, whole.starts, whole.task, whole.label
            ORDER BY part.authors, part.messages, part.scope, part.starts
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
)
SELECT part, whole
FROM sums
QUALIFY bool_or(
    rest_passes(
        whole.messages - messages,
        greatest(whole.authors - authors, most_authors),
        whole.marked - marked,
        greatest(whole.marked_authors - marked_authors, most_marked),
        whole.min_authors
    )
) OVER (
    PARTITION BY whole.grain, whole.scope, whole.starts, whole.task, whole.label
    ORDER BY part.authors, part.messages, part.scope, part.starts
);

-- Scopes within scopes, on days and in hours. A source stands alone where `all` is
-- withheld; a channel goes with its source.
CREATE OR REPLACE TEMP TABLE scope_pairs AS
SELECT part, whole
FROM alone AS part
JOIN alone AS whole
    ON whole.scope = holder_of(part.scope)
    AND whole.grain = part.grain
    AND whole.starts = part.starts
    AND whole.task = part.task
    AND whole.label = part.label
WHERE part.grain <> 'week';

CREATE OR REPLACE TEMP TABLE apart AS
SELECT unnest(part) FROM kept_of('scope_pairs')
UNION ALL
SELECT alone.*
FROM alone
LEFT JOIN (SELECT DISTINCT grain, starts, task, label FROM alone WHERE scope = 'all') AS wholes
    USING (grain, starts, task, label)
WHERE grain <> 'week'
    AND (scope = 'all' OR (NOT contains(scope, '/') AND wholes.starts IS NULL));

CREATE OR REPLACE TEMP TABLE days AS
SELECT apart.*
FROM apart
WHERE grain = 'day'
    AND (
        NOT contains(scope, '/')
        OR (split_part(scope, '/', 1), starts, task, label)
            IN (SELECT (scope, starts, task, label) FROM apart WHERE grain = 'day')
    );

-- Hours within their day, which is published too.
CREATE OR REPLACE TEMP TABLE hour_pairs AS
SELECT part, whole
FROM apart AS part
JOIN days AS whole
    ON whole.scope = part.scope
    AND whole.starts = part.day
    AND whole.task = part.task
    AND whole.label = part.label
WHERE part.grain = 'hour';

CREATE OR REPLACE TEMP TABLE hours AS
SELECT unnest(part) FROM kept_of('hour_pairs');

DELETE FROM hours
WHERE contains(scope, '/')
    AND (split_part(scope, '/', 1), starts, task, label)
        NOT IN (SELECT (scope, starts, task, label) FROM hours);

-- Weeks: those of a scope all of whose days are published tell nothing more; and that of
-- `all`, whose days are worth more than their week, where the withheld days together pass
-- and nothing in them is published.
CREATE OR REPLACE TEMP TABLE weeks AS
WITH
told AS (
    SELECT
        scope,
        date_trunc('week', starts) AS week,
        task,
        label,
        sum(messages) AS messages,
        sum(authors) AS authors,
        sum(marked) AS marked,
        sum(marked_authors) AS marked_authors
    FROM days
    GROUP BY ALL
),
-- `candidates`, so that what is withheld is there too.
hidden AS (
    SELECT
        date_trunc('week', starts) AS week,
        task,
        label,
        max(authors) AS most_authors,
        max(marked_authors) AS most_marked,
        bool_or((starts, task, label) IN (SELECT (starts, task, label) FROM days))
            AS torn
    FROM candidates
    WHERE grain = 'day'
        AND scope = 'all'
        AND starts >= getvariable('first_week')
        AND starts < getvariable('after_last_week')
        AND date_trunc('week', starts) IN (SELECT week FROM touched_weeks)
        AND (starts, task, label)
            NOT IN (SELECT (starts, task, label) FROM days WHERE scope = 'all')
    GROUP BY ALL
),
safe AS (
    SELECT
        alone.*,
        coalesce(told.messages, 0) = alone.messages
        OR (
            alone.scope = 'all'
            AND NOT coalesce(torn, false)
            AND rest_passes(
                alone.messages - coalesce(told.messages, 0),
                greatest(alone.authors - coalesce(told.authors, 0), most_authors),
                alone.marked - coalesce(told.marked, 0),
                greatest(
                    alone.marked_authors - coalesce(told.marked_authors, 0), most_marked
                ),
                min_authors
            )
        ) AS is_safe
    FROM alone
    LEFT JOIN told
        ON told.scope = alone.scope
        AND told.week = alone.starts
        AND told.task = alone.task
        AND told.label = alone.label
    LEFT JOIN hidden
        ON hidden.week = alone.starts
        AND hidden.task = alone.task
        AND hidden.label = alone.label
    WHERE grain = 'week'
)
SELECT safe.*
FROM safe
LEFT JOIN safe AS of_all
    ON of_all.scope = 'all'
    AND of_all.starts = safe.starts
    AND of_all.task = safe.task
    AND of_all.label = safe.label
-- A scope that is all there is tells no more than `all`.
WHERE safe.is_safe OR (of_all.is_safe AND of_all.messages = safe.messages);

INSERT INTO withheld
SELECT grain, scope, starts, task, label
FROM alone
ANTI JOIN (
    SELECT grain, scope, starts, task, label FROM days
    UNION ALL
    SELECT grain, scope, starts, task, label FROM hours
    UNION ALL
    SELECT grain, scope, starts, task, label FROM weeks
) USING (grain, scope, starts, task, label);

DROP TABLE alone;
DROP TABLE scope_pairs;
DROP TABLE apart;
DROP TABLE days;
DROP TABLE hour_pairs;
DROP TABLE hours;
DROP TABLE weeks;
