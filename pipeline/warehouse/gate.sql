-- The privacy gate: what may be published of the cells, as a chain of views. Each step
-- takes away what one rule forbids; what is left at the end is all that leaves.

-- Every label of every cell, zeros too, so that calm can be told from silence.
-- Labels that are not in the table are never published.
CREATE OR REPLACE VIEW candidates AS
SELECT
    cells.grain,
    cells.scope,
    cells.starts,
    labels.task,
    labels.label,
    cells.messages,
    cells.authors,
    coalesce(marked_cells.marked, 0) AS marked,
    coalesce(marked_cells.marked_authors, 0) AS marked_authors,
    labels.min_authors,
    labels.finest
FROM cells
CROSS JOIN labels
LEFT JOIN marked_cells USING (grain, scope, starts, task, label);

-- Some labels are too private for an hour.
CREATE OR REPLACE VIEW coarse_enough AS
FROM candidates WHERE grain <> 'hour' OR finest = 'hour';

-- A crowd to hide in: k distinct authors.
CREATE OR REPLACE VIEW enough_authors AS
FROM coarse_enough WHERE authors >= min_authors;

-- One or two marked authors may know of themselves, and then of the other.
CREATE OR REPLACE VIEW enough_marked AS
FROM enough_authors WHERE marked_authors = 0 OR marked_authors >= 3;

-- Where everybody is marked, no crowd hides anybody.
CREATE OR REPLACE VIEW not_everybody AS
FROM enough_marked WHERE marked_authors < authors;

-- What would tell of other cells by subtraction, found by nested.sql as cells are counted;
-- in a warehouse that lacks the table, of all days.
INSERT INTO touched_days
SELECT DISTINCT starts::DATE
FROM cells
WHERE grain = 'day'
    AND NOT EXISTS (FROM duckdb_tables() WHERE table_name = 'withheld');

CREATE TABLE IF NOT EXISTS withheld (
    grain VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    starts TIMESTAMP NOT NULL,
    task VARCHAR NOT NULL,
    label VARCHAR NOT NULL
);

CREATE OR REPLACE VIEW publishable AS
SELECT * EXCLUDE (marked_authors, min_authors), marked / messages AS prevalence
FROM not_everybody
ANTI JOIN withheld USING (grain, scope, starts, task, label);

-- The worst that a connector said of itself on a day.
CREATE OR REPLACE VIEW worst_pulses AS
SELECT
    source,
    day,
    arg_max(state, list_position(['ok', 'rate-limited', 'stopped', 'failing'], state))
        AS state
FROM pulses
GROUP BY ALL;

-- Every day of each source, from its first to its last but not beyond today: how many
-- messages, and 'ok', where enough people wrote; else the worst that its connector said.
CREATE OR REPLACE MACRO publishable_coverage(min_authors, today) AS TABLE
WITH
written AS (
    SELECT scope AS source, starts::DATE AS day, messages, authors
    FROM cells
    WHERE grain = 'day'
        AND scope <> 'all'
        AND NOT contains(scope, '/')
        AND authors >= min_authors
),
spans AS (
    SELECT source, min(day) AS first_day, max(day) AS last_day
    FROM (SELECT source, day FROM written UNION ALL SELECT source, day FROM worst_pulses)
    GROUP BY ALL
),
days AS (
    SELECT
        source,
        unnest(generate_series(first_day, least(last_day, today), INTERVAL 1 DAY))::DATE
            AS day
    FROM spans
)
SELECT
    source,
    day,
    messages,
    CASE WHEN messages > 0 THEN 'ok' ELSE coalesce(state, 'silent') END AS state
FROM days
LEFT JOIN written USING (source, day)
LEFT JOIN worst_pulses USING (source, day);

-- Themes of weeks that are over, so that no day's authors are the difference of two files;
-- with a crowd within the theme itself, and never everybody who wrote.
CREATE OR REPLACE MACRO publishable_themes(min_authors, today) AS TABLE
SELECT week, theme, name, theme_weeks.messages, theme_weeks.authors
FROM theme_weeks
JOIN themes USING (theme)
JOIN cells
    ON cells.grain = 'week' AND cells.scope = 'all' AND cells.starts = week
WHERE theme_weeks.authors >= min_authors
    AND theme_weeks.authors < cells.authors
    AND week + 7 <= today;
