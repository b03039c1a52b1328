-- The days that series are made of, up to the variable last_day, in two temporary tables:
-- what of a scope was not heard, and which scopes have days enough. Run as a whole.
--
-- A scope consists of parts: `all` of sources and channels, a source of itself and its
-- channels. Where one of them falls silent, the others' share would look like a rise or
-- a fall of all, so such a day is unknown. Whether one was missing is told from the same
-- weekday of the eight weeks before, so it is the same whenever it is looked at.
--
-- Read are the numbers of cells with enough authors, and what `coverage` says of a
-- source: both are published.

CREATE OR REPLACE TEMP TABLE heard AS
SELECT scope, starts, messages, authors
FROM cells
WHERE grain = 'day'
    AND starts <= getvariable('last_day')
    AND authors >= (SELECT min(min_authors) FROM labels);

CREATE OR REPLACE TEMP TABLE unheard AS
WITH
-- After eight weeks of silence nobody expects a part any more.
days AS (
    SELECT
        scope,
        split_part(scope, '/', 1) AS source,
        unnest(generate_series(
            min(starts),
            least(max(starts) + INTERVAL 56 DAYS, getvariable('last_day')),
            INTERVAL 1 DAY
        )) AS starts
    FROM heard
    WHERE scope <> 'all'
    GROUP BY scope
),
told AS (
    SELECT
        days.*,
        heard.messages,
        heard.authors,
        worst_pulses.state,
        -- Beside the part's own, so that their ratio is its share.
        CASE WHEN heard.messages > 0 THEN of_all.messages END AS in_all,
        CASE WHEN heard.messages > 0 THEN of_source.messages END AS in_source
    FROM days
    LEFT JOIN heard USING (scope, starts)
    LEFT JOIN worst_pulses
        ON worst_pulses.source = days.source AND worst_pulses.day = days.starts::DATE
    LEFT JOIN heard AS of_all ON of_all.scope = 'all' AND of_all.starts = days.starts
    LEFT JOIN heard AS of_source
        ON of_source.scope = days.source AND of_source.starts = days.starts
),
usual AS (
    SELECT
        scope,
        source,
        starts,
        messages,
        state,
        count(messages) OVER before AS weeks_heard,
        date_diff(
            'week', min(CASE WHEN messages > 0 THEN starts END) OVER before, starts
        ) AS weeks,
        count(state) OVER before AS weeks_told,
        avg(messages) OVER before AS usual_messages,
        min(authors) OVER before AS fewest_authors,
        sum(messages) OVER before / sum(in_all) OVER before AS share_of_all,
        sum(messages) OVER before / sum(in_source) OVER before AS share_of_source
    FROM told
    WINDOW before AS (
        PARTITION BY scope, dayofweek(starts)
        ORDER BY starts
        ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING
    )
),
-- Usual is what was heard in three quarters of the weeks, four at least, since it came: so
-- a source that rests at weekends is not missed then, and one that is gone for good is
-- missed for three weeks, and then no more; and what came for a crisis may go with it.
--
-- It is missed where nothing is published of it though in each of those weeks half as many
-- again wrote as must, for fewer may be too few by chance; and where it was in trouble, or
-- its connector said nothing at all, and less than half as much was heard. A connector that
-- failed for a minute and made up for it is not in the way.
missed AS (
    FROM usual
    WHERE weeks_heard >= 4
        AND weeks_heard >= 0.75 * weeks
        AND CASE
            WHEN messages IS NULL
                AND fewest_authors >= 1.5 * (SELECT min(min_authors) FROM labels)
                THEN true
            WHEN coalesce(state, CASE WHEN weeks_told > 0 THEN 'silent' END, 'ok') <> 'ok'
                THEN coalesce(messages, 0) < usual_messages / 2
            ELSE false
        END
)
-- A tenth of the messages moves a share by a tenth of the difference, about its noise.
SELECT 'all' AS scope, starts FROM missed WHERE share_of_all >= 0.1
UNION
SELECT source, starts FROM missed WHERE share_of_source >= 0.1
UNION
SELECT scope, starts FROM missed;

-- A quiet scope keeps its days, and so its forecasts, but gets no first ones.
CREATE OR REPLACE TEMP TABLE heard_spans AS
SELECT scope, min_authors, max(starts) AS last_day
FROM heard
ANTI JOIN unheard USING (scope, starts)
JOIN (SELECT DISTINCT min_authors FROM labels) AS crowds ON authors >= min_authors
GROUP BY ALL
HAVING last_day >= getvariable('alive_day')
    OR scope IN (SELECT scope FROM forecast_inputs);

DROP TABLE heard;
