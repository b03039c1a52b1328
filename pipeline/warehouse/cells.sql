-- Counts the cells of the touched days anew; run as a whole, in one transaction.

-- An edit may have another time of sending than the revisions that it replaces.
INSERT INTO touched_days
SELECT DISTINCT sent_at::DATE
FROM messages
SEMI JOIN (SELECT source, id FROM edits WHERE NOT settled) USING (source, id);

UPDATE edits SET settled = true WHERE NOT settled;

CREATE OR REPLACE TEMP TABLE touched AS
SELECT DISTINCT day, date_trunc('week', day) AS week FROM touched_days;

DELETE FROM touched_days;

-- Constants, unlike a join, let zone maps skip what lies outside.
SET VARIABLE first_week = (SELECT min(week) FROM touched);
SET VARIABLE after_last_week = (SELECT max(week) + INTERVAL 7 DAYS FROM touched);

-- Who counts: no bots, and of each message the highest revision, unless that deletes
-- it. The doubled revision ranks a deletion above what it shares its number with; one
-- without a number of its own, 0, deletes whatever there is.
CREATE OR REPLACE TEMP VIEW counted_messages AS
WITH newest_edits AS (
    SELECT
        source,
        id,
        max(
            CASE
                WHEN deleted AND revision = 0 THEN 9223372036854775807
                ELSE 2 * revision + deleted::BIGINT
            END
        ) AS rank
    FROM edits
    GROUP BY ALL
)
SELECT source, channel, date_trunc('hour', sent_at) AS hour, author, marks
FROM messages
LEFT JOIN newest_edits USING (source, id)
WHERE NOT bot
    AND sent_at >= getvariable('first_week')
    AND sent_at < getvariable('after_last_week')
    AND date_trunc('week', sent_at) IN (SELECT week FROM touched)
    AND coalesce(rank <= 2 * messages.revision, true);

CREATE OR REPLACE TEMP TABLE people AS
SELECT source, channel, hour, author, count(*) AS messages
FROM counted_messages
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE marked_people AS
SELECT source, channel, hour, author, mark.task, mark.label, count(*) AS marked
FROM (SELECT * EXCLUDE (marks), unnest(marks) AS mark FROM counted_messages)
GROUP BY ALL;

-- Channels lie within sources, sources within 'all'.
CREATE OR REPLACE TEMP MACRO scope_of(breadth, source, channel) AS
    CASE breadth
        WHEN 'all' THEN 'all'
        WHEN 'source' THEN source
        ELSE source || '/' || channel
    END;

-- A touched day takes its week with it, but not the week's other days.
CREATE OR REPLACE TEMP MACRO is_touched(grain, starts) AS
    CASE grain
        WHEN 'week' THEN starts IN (SELECT week FROM touched)
        ELSE starts::DATE IN (SELECT day FROM touched)
    END;

-- Two steps, each person once and then all of them, are quicker than a distinct count.
CREATE OR REPLACE TEMP MACRO counted(grain, breadth) AS TABLE
SELECT grain, scope, starts, sum(messages), count(*)
FROM (
    SELECT
        scope_of(breadth, source, channel) AS scope,
        date_trunc(grain, hour) AS starts,
        author,
        sum(messages) AS messages
    FROM people
    GROUP BY ALL
)
WHERE is_touched(grain, starts)
GROUP BY ALL;

CREATE OR REPLACE TEMP MACRO counted_marked(grain, breadth) AS TABLE
SELECT grain, scope, starts, task, label, sum(marked), count(*)
FROM (
    SELECT
        scope_of(breadth, source, channel) AS scope,
        date_trunc(grain, hour) AS starts,
        author,
        task,
        label,
        sum(marked) AS marked
    FROM marked_people
    GROUP BY ALL
)
WHERE is_touched(grain, starts)
GROUP BY ALL;

DELETE FROM cells WHERE is_touched(grain, starts);
INSERT INTO cells FROM counted('hour', 'all');
INSERT INTO cells FROM counted('hour', 'source');
INSERT INTO cells FROM counted('hour', 'channel');
INSERT INTO cells FROM counted('day', 'all');
INSERT INTO cells FROM counted('day', 'source');
INSERT INTO cells FROM counted('day', 'channel');
INSERT INTO cells FROM counted('week', 'all');
INSERT INTO cells FROM counted('week', 'source');
INSERT INTO cells FROM counted('week', 'channel');

CREATE OR REPLACE TEMP VIEW causes_named AS
SELECT starts, sum(marked) AS named
FROM marked_cells
WHERE grain = 'week' AND scope = 'all' AND task = 'cause-span'
GROUP BY starts;

CREATE OR REPLACE TEMP TABLE causes_before AS
FROM causes_named WHERE starts IN (SELECT week FROM touched);

DELETE FROM marked_cells WHERE is_touched(grain, starts);
INSERT INTO marked_cells FROM counted_marked('hour', 'all');
INSERT INTO marked_cells FROM counted_marked('hour', 'source');
INSERT INTO marked_cells FROM counted_marked('hour', 'channel');
INSERT INTO marked_cells FROM counted_marked('day', 'all');
INSERT INTO marked_cells FROM counted_marked('day', 'source');
INSERT INTO marked_cells FROM counted_marked('day', 'channel');
INSERT INTO marked_cells FROM counted_marked('week', 'all');
INSERT INTO marked_cells FROM counted_marked('week', 'source');
INSERT INTO marked_cells FROM counted_marked('week', 'channel');

INSERT INTO cause_losses
SELECT starts::DATE, causes_before.named - coalesce(causes_named.named, 0) AS lost
FROM causes_before
LEFT JOIN causes_named USING (starts)
WHERE lost > 0;

DROP VIEW causes_named;
DROP TABLE causes_before;

-- Of these weeks what subtraction would tell is looked for next.
CREATE OR REPLACE TEMP TABLE touched_weeks AS SELECT DISTINCT week FROM touched;

DROP TABLE touched;
DROP VIEW counted_messages;
DROP TABLE people;
DROP TABLE marked_people;
