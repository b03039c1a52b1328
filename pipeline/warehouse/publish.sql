-- Fills the published file, attached as `published`, with the cells of some scopes, the
-- variables first_scope to last_scope: all at once would not fit into memory. Rows are
-- sorted as they are asked for, so that zone maps skip most of a table.
--
-- What is too private for an hour enters once its day, or its week, is over, the variable
-- today: else two publications would tell the marks of the message that came in between.

INSERT INTO published.prevalence_hourly
SELECT scope, starts, task, label, messages, authors, marked, prevalence
FROM publishable
WHERE scope BETWEEN getvariable('first_scope') AND getvariable('last_scope')
    AND grain = 'hour'
    AND task <> 'cause'
ORDER BY scope, task, label, starts;

INSERT INTO published.prevalence_daily
SELECT scope, starts::DATE, task, label, messages, authors, marked, prevalence
FROM publishable
WHERE scope BETWEEN getvariable('first_scope') AND getvariable('last_scope')
    AND grain = 'day'
    AND (finest = 'hour' OR starts < getvariable('today'))
    AND task <> 'cause'
ORDER BY scope, task, label, starts;

INSERT INTO published.prevalence_weekly
SELECT scope, starts::DATE, task, label, messages, authors, marked, prevalence
FROM publishable
WHERE scope BETWEEN getvariable('first_scope') AND getvariable('last_scope')
    AND grain = 'week'
    AND (finest = 'hour' OR starts + INTERVAL 7 DAYS <= getvariable('today'))
    AND task <> 'cause'
ORDER BY scope, task, label, starts;

INSERT INTO published.causes_daily
SELECT scope, starts::DATE, label, messages, authors, marked, prevalence
FROM publishable
WHERE scope BETWEEN getvariable('first_scope') AND getvariable('last_scope')
    AND grain = 'day'
    AND (finest = 'hour' OR starts < getvariable('today'))
    AND task = 'cause'
ORDER BY scope, label, starts;
